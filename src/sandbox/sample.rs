//! The sample incident, embedded: the application's tables, their rows, and the Stripe objects they name.
//!
//! Plain constants from `fixtures/`, which documents every order. Nothing here is computed, so what a
//! newcomer sees is what the fixtures say.

use serde_json::Value;

/// The application's tables, for SQLite.
pub const SCHEMA_SQLITE: &str = include_str!("../../fixtures/schema.sqlite.sql");

/// The rows: one text for SQLite and Postgres, for freshly created tables.
pub const ROWS: &str = include_str!("../../fixtures/sample.sql");

/// The sample's present, in unix seconds: ages in the fixtures are told from where the double's clock starts.
pub const PRESENT: i64 = super::double::CLOCK_START;

const STRIPE_OBJECTS: &str = include_str!("../../fixtures/sample-stripe.json");

/// The Stripe objects, each given only by what differs from the double's defaults. A link comes before its
/// sessions, a payment intent before the session and the refund that name it.
#[must_use]
pub fn stripe_objects() -> Vec<Value> {
    // The text is embedded and a test reads it, so this cannot fail in a binary that passed the tests.
    serde_json::from_str(STRIPE_OBJECTS).unwrap_or_default()
}
