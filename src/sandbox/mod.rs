//! The sandbox: a Stripe double and the sample incident, for rehearsal and for tests.
//!
//! It imports nothing from `stripe/` and nothing from `store/`, so that relink and its rehearsal cannot
//! share a mistake. It never talks to Stripe, never opens an application's database, and listens on
//! loopback only.

pub mod client;
pub mod database;
pub mod double;
mod private;
mod rehearsal;
pub mod sample;

pub use rehearsal::{Method, Sandbox, SandboxError};
