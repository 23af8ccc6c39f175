//! The integration tests, one binary. `tests/run` sets up what they need and runs them.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod client_facts;
mod client_gaps;
mod client_index;
mod client_observe;
mod client_refusals;
mod client_server;
mod client_world;
mod client_writes;
mod faults;
mod guards;
mod help;
mod incident;
mod odd_cases;
mod plan_laws;
mod prompt;
mod requests;
mod retiring;
mod rooms;
mod saga_steps;
mod sample_data;
mod sample_database;
mod sample_orders;
mod sample_page;
mod sample_world;
mod sandbox_process;
mod store_commit;
mod store_connect;
mod store_publish;
mod store_read;
mod store_world;
mod support;
mod ui_terminal;
