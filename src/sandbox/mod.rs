//! The sandbox: a Stripe double and the sample incident, for rehearsal and for tests.
//!
//! It imports nothing from `stripe/` and nothing from `store/`, so that relink and its rehearsal cannot
//! share a mistake. It never talks to Stripe and never opens an application's database.

pub mod client;
pub mod database;
pub mod double;
pub mod sample;
