//! What `relink doctor` checks, and what follows from what was found: plain facts in, checks out, pure and total.
//!
//! Nothing is passed over in silence: what could not be looked at is a check too, with the reason. Nothing here reads,
//! connects or writes; `store/examine.rs` and `stripe/preflight.rs` find the facts.

mod catalogue;
mod check;
mod columns;
mod facts;
mod journal;
mod rights;
mod stripe;
mod webhook;

pub use check::{Check, Diagnosis, Outcome, Trouble};
pub use facts::{
    AccountFacts, Catalogue, Clock, ColumnFacts, Database, Durability, Endpoint, Facts, Finding,
    Found, JournalFacts, KeyFacts, Kind, Need, Place, Resource, Use, Writing,
};

/// Every check, in the order in which a person sets relink up.
#[must_use]
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let mut checks = catalogue::checks(facts);
    checks.extend(rights::checks(facts));
    checks.push(journal::check(&facts.journal));
    checks.extend(stripe::checks(facts));
    checks.push(webhook::check(&facts.endpoints, facts.key.found()));
    checks.push(stripe::clock(&facts.clock));
    Diagnosis { checks }
}
