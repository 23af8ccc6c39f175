//! The integration tests, one binary. `tests/run` sets up what they need and runs them.
#![allow(clippy::unwrap_used)]

mod client_http;
mod client_observe;
mod client_server;
mod client_world;
mod plan_laws;
mod saga_steps;
mod sample_data;
mod sample_database;
mod sample_orders;
mod support;
