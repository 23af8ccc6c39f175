//! The receiver of Stripe's events at work: HTTP in front, one transaction per event behind it, and beside both the
//! closing of links whose orders are paid.
//!
//! Stripe is told that an event is taken in only after the database has committed it. Whoever sends what cannot be
//! verified learns nothing about why.

mod desk;
mod metrics;
mod replay;
mod retiring;
mod rounds;
mod server;

pub use desk::{Answer, Desk};
pub use replay::{Foreseen, Replayed, foresee, take_in};
pub use retiring::Retiring;
pub use server::serve;
