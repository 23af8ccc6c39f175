//! The integration tests, one binary. `tests/run` sets up what they need and runs them.
#![allow(clippy::unwrap_used)]
mod sample_data;
mod sample_database;
mod sample_orders;
mod support;
