//! The receiver's pure part: whether a delivery is Stripe's, what it tells, and what follows from it for one
//! order. `store/receiver` reads the facts and applies the decision in one transaction.
//!
//! Nothing here talks to Stripe or to a database, and nothing here reads a clock.

mod aftermath;
mod decision;
mod event;
mod handler;
mod incident;
mod payment;
mod signature;

pub use aftermath::Aftermath;
pub use decision::{Decision, Reason, Ruling, Settlement};
pub use event::{
    Event, EventId, Happened, MAX_BODY, PaymentStatus, SessionEvent, SessionFacts, Undecodable,
    decode,
};
pub use handler::{Categories, Facts, Policy, RowFacts, decide};
pub use incident::{Incident, IncidentId, IncidentKind};
pub use payment::{KnownPayment, PaymentState};
pub use signature::{DEFAULT_TOLERANCE, Unusable, Unverified, Verifier};
