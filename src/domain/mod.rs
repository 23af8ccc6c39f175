//! The words of the trade: orders, checkout references, money, and what Stripe said about them.
//!
//! Plain data and total functions. Nothing here reads a clock, a database or the network, and nothing
//! here decides: that is `plan/`.

mod charge;
mod ids;
mod mode;
mod money;
mod observation;
mod order;
mod reference;
mod snapshot;
mod time;

pub use charge::ChargeRefusal;
pub use ids::{
    AccountId, InvalidId, LinkId, OrderId, PaymentIntentId, RunId, SessionId, TournamentId,
};
pub use mode::Mode;
pub use money::{Currency, Money, UnknownCurrency};
pub use observation::{
    Family, Listing, Owner, Payment, PaymentLink, Reading, Recovery, Session, SessionState,
    StripeObject,
};
pub use order::{Order, OrderStatus, Parent, Player, Product, Tournament};
pub use reference::CheckoutReference;
pub use snapshot::{JournalFacts, OpenOperation, OpenTask, OrderFacts, Snapshot, Stored, Witness};
pub use time::Timestamp;
