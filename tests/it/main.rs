//! The integration tests, one binary. `tests/run` sets up what they need and runs them.
#![allow(clippy::unwrap_used)]

mod client_facts;
mod client_gaps;
mod client_index;
mod client_observe;
mod client_refusals;
mod client_server;
mod client_world;
mod client_writes;
mod double_catalog;
mod double_events;
mod double_faults;
mod double_idempotency;
mod double_links;
mod double_lists;
mod double_params;
mod double_payer;
mod double_python_sdk;
mod double_seeds;
mod double_sessions;
mod double_state;
mod plan_laws;
mod saga_steps;
mod sample_data;
mod sample_database;
mod sample_orders;
mod store_commit;
mod store_connect;
mod store_publish;
mod store_read;
mod store_world;
mod support;
