//! Mints the replacement: one POST that makes a Payment Link with its price inline. Every link that relink
//! makes is rendered here and nowhere else.
//!
//! The idempotency key is a digest of the terms and of the exact body, so every host and every re-run
//! sends the same key while the facts stand, and another key as soon as one of them changes. Nothing in
//! the body is random or depends on a clock or on what else was selected.
//!
//! Payment Links have no cancel URL: a payer who gives up closes the page.

use super::{API_VERSION, IdempotencyKey, NameTemplate, StripeWrite, Words};
use crate::domain::{AccountId, Mode, Money, OrderId, TournamentId};

/// Stripe's limits (docs.stripe.com/api/metadata; the request's schema), in characters.
const LONGEST_METADATA_VALUE: usize = 500;
pub const LONGEST_INACTIVE_MESSAGE: usize = 500;
const RELINK_KEY_LENGTH: usize = 20;

/// Everything that the link and its key depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintTerms {
    pub account: AccountId,
    pub mode: Mode,
    pub order: OrderId,
    /// The id that the row held when the order was claimed.
    pub old: Option<String>,
    /// Counts from 1; the next one is taken only when the one before is known not to have minted.
    pub attempt: u32,
    pub amount: Money,
    /// How the name that the payer reads is put together. It counts through that name.
    pub shown_as: NameTemplate,
    pub product_name: String,
    pub player_id: i64,
    pub player_name: String,
    pub product_id: i64,
    /// Only when the product belongs to exactly one.
    pub tournament: Option<TournamentId>,
    pub parent_email: Option<String>,
    /// Without one, Stripe's own confirmation page is shown.
    pub success_url: Option<String>,
    /// Shown to whoever opens the link after it was paid or retired.
    pub inactive_message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mint {
    pub write: StripeWrite,
    /// `metadata.relink_key`, the first 20 characters of the key: what adoption looks for.
    pub relink_key: String,
}

/// The request that mints this link, byte for byte.
#[must_use]
pub fn render(terms: &MintTerms) -> Mint {
    let key = derive_key(terms, &encode_form(terms, None));
    let relink_key: String = key.as_str().chars().take(RELINK_KEY_LENGTH).collect();
    let body = encode_form(terms, Some(&relink_key));
    Mint {
        write: StripeWrite {
            path: "/v1/payment_links".to_owned(),
            body,
            key,
            api_version: API_VERSION.to_owned(),
        },
        relink_key,
    }
}

/// For the plan's "would …": `mint a link of 55.00 USD for order 7`.
#[must_use]
pub fn describe(order: OrderId, amount: Money) -> String {
    format!("mint a link of {amount} for order {order}")
}

fn derive_key(terms: &MintTerms, body_without_key: &str) -> IdempotencyKey {
    let (old_kind, old) = match &terms.old {
        Some(id) => ("some", id.as_str()),
        None => ("none", ""),
    };
    IdempotencyKey::digest(&[
        "mint",
        terms.account.as_str(),
        &terms.mode.to_string(),
        &terms.order.to_string(),
        old_kind,
        old,
        &terms.attempt.to_string(),
        API_VERSION,
        body_without_key,
    ])
}

/// The form in Stripe's bracket notation, always in the same order. `relink_key` is left out while the key
/// is being derived, since it is a part of the key.
fn encode_form(terms: &MintTerms, relink_key: Option<&str>) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair(
        "line_items[0][price_data][currency]",
        &terms.amount.currency.code(),
    )
    .append_pair(
        "line_items[0][price_data][unit_amount]",
        &terms.amount.minor.to_string(),
    )
    .append_pair(
        "line_items[0][price_data][product_data][name]",
        &shown_name(terms),
    )
    .append_pair("line_items[0][quantity]", "1");
    let metadata = metadata(terms, relink_key);
    for (name, value) in &metadata {
        form.append_pair(&format!("metadata[{name}]"), value);
    }
    // Stripe copies a link's metadata to its sessions, but not to their payment intents.
    let email = terms
        .parent_email
        .as_deref()
        .filter(|text| !text.is_empty());
    let email = email.map(|text| ("parent_email", text.to_owned()));
    for (name, value) in metadata.iter().chain(&email) {
        let value = cut(value, LONGEST_METADATA_VALUE);
        form.append_pair(&format!("payment_intent_data[metadata][{name}]"), &value);
    }
    if let Some(url) = &terms.success_url {
        form.append_pair("after_completion[type]", "redirect")
            .append_pair("after_completion[redirect][url]", url);
    }
    form.append_pair("restrictions[completed_sessions][limit]", "1")
        .append_pair(
            "inactive_message",
            &cut(&terms.inactive_message, LONGEST_INACTIVE_MESSAGE),
        );
    form.finish()
}

/// An absent value is left out: to Stripe an empty one means "remove it".
fn metadata(terms: &MintTerms, relink_key: Option<&str>) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("order_id", terms.order.to_string()),
        ("player_id", terms.player_id.to_string()),
        ("product_id", terms.product_id.to_string()),
    ];
    pairs.extend(terms.tournament.map(|id| ("tournament_id", id.to_string())));
    pairs.extend(relink_key.map(|key| ("relink_key", key.to_owned())));
    pairs
}

/// `Spring Cup - Ann Lee`, as the payer reads it.
fn shown_name(terms: &MintTerms) -> String {
    terms.shown_as.fill(Words {
        product: &terms.product_name,
        player: &terms.player_name,
        order: terms.order.0,
    })
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

#[cfg(test)]
#[path = "mint_link_tests.rs"]
mod tests;
