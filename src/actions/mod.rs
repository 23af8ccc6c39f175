//! What relink does at Stripe, one file per deed: each renders the exact request and the words for it.
//!
//! Pure: nothing here sends, waits, reads a clock or draws a random number. The same facts give the same
//! bytes and the same idempotency key on every host, which is what makes a second attempt harmless.

pub mod deactivate_link;
pub mod expire_session;
mod key;
pub mod mint_link;
mod product_name;

pub use key::{IdempotencyKey, InvalidKey, Round};
pub use mint_link::{LONGEST_INACTIVE_MESSAGE, Mint, MintTerms};
pub use product_name::{NameTemplate, Words};

/// Sent as `Stripe-Version` with every request. Inline `price_data` on payment links needs 2025-07-30 or
/// later (docs.stripe.com/changelog). Part of the minting key: Stripe does not say whether a key survives
/// a change of version.
pub const API_VERSION: &str = "2026-07-29.dahlia";

/// One POST, complete: what is journaled before it leaves, and sent again unchanged when in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StripeWrite {
    /// From the root: `/v1/payment_links`.
    pub path: String,
    /// The form-encoded body, byte for byte.
    pub body: String,
    pub key: IdempotencyKey,
    pub api_version: String,
}
