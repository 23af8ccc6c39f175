//! The sandbox: a Stripe double and the sample incident, for rehearsal and for tests.
//!
//! It imports nothing from `stripe/` and nothing from `store/`, so that relink and its rehearsal cannot
//! share a mistake. It never talks to Stripe and never opens an application's database.

pub mod database;
pub mod sample;
//! The sandbox: a Stripe double and what is needed to rehearse against it. It imports nothing from the code that
//! talks to Stripe, so that both cannot share a mistake, and it only ever listens on loopback.

pub mod client;
pub mod double;
