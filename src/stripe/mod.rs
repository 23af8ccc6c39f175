//! The only place that talks to Stripe. Reads become facts of `domain/`, writes are sent exactly as
//! `actions/` rendered them.
//!
//! Nothing here decides what is written or when, and no write leaves without the caller's word: [`Client::send`], the
//! only way out for one, asks when its turn has come and before every repetition. A write has three outcomes: done,
//! refused, unknown. There is no fourth.

mod budget;
mod client;
mod convert;
mod error;
mod events;
mod http;
mod index;
mod judge;
mod listing;
mod observe;
mod overview;
mod preflight;
mod read;
mod recall;
mod refunds;
mod retry;
mod settings;
mod shared_index;
mod transport;
mod wire;
mod write;

pub use crate::timings::Timings;
pub use client::{Client, Load, Pace};
pub use error::{StripeError, WriteError};
pub use index::{Index, Mark};
pub use observe::{
    ObserveRequest, observe, observe_indexed, observe_order, observe_watched, witness,
};
pub use overview::{Overview, Rows};
pub use read::Account;
pub use recall::Recall;
pub use settings::{Rps, Settings};
pub use shared_index::SharedIndex;
pub use transport::{Carried, NoAnswer, Outgoing, Transport};
pub use write::Reply;
