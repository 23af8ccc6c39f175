//! The integration tests, one binary. `tests/run` sets up what they need and runs them.
#![allow(clippy::unwrap_used)]
mod store_commit;
mod store_connect;
mod store_publish;
mod store_read;
mod store_world;
mod support;
