//! From Stripe's objects to the facts of `domain/`. Total but for what no decision could survive: an id
//! that is none, a link without a URL. Nothing is guessed; what is not there is `None` or unknown.

use serde_json::Value;

use super::{StripeError, wire};
use crate::domain::{
    Currency, LinkId, Money, Owner, Payment, PaymentIntentId, PaymentLink, Recovery, Session,
    SessionId, SessionState, Timestamp,
};

pub(super) fn garbage(what: impl Into<String>) -> StripeError {
    StripeError::Garbage { what: what.into() }
}

/// # Errors
/// [`StripeError::Garbage`]: an id that is none.
pub(super) fn session(wire: &wire::Session) -> Result<Session, StripeError> {
    let recovery = wire
        .after_expiration
        .as_ref()
        .and_then(|after| after.recovery.as_ref());
    Ok(Session {
        id: session_id(&wire.id)?,
        state: session_state(wire)?,
        owner: owner(&wire.metadata),
        amount: money(wire.amount_total, wire.currency.as_deref()),
        created: Timestamp(wire.created),
        expires_at: Timestamp(wire.expires_at),
        link: wire
            .payment_link
            .as_ref()
            .map(|link| link_id(link.id()))
            .transpose()?,
        // Where it does not say that it is off, expiring the session may hand out another URL.
        recovery: recovery
            .filter(|recovery| recovery.enabled != Some(false))
            .map(|recovery| Recovery {
                expires_at: recovery.expires_at.map(Timestamp),
            }),
        recovered_from: wire.recovered_from.as_deref().map(session_id).transpose()?,
    })
}

/// `complete` and `unpaid` is a payment under way, unless its intent says that it failed: an intent back at
/// `requires_payment_method` lost its payment method to a failure, one that is `canceled` is final
/// (docs.stripe.com/payments/paymentintents/lifecycle).
fn session_state(wire: &wire::Session) -> Result<SessionState, StripeError> {
    let unknown = |text: &str| SessionState::Unknown(text.chars().take(80).collect());
    Ok(
        match (wire.status.as_deref(), wire.payment_status.as_deref()) {
            (Some("open"), _) => SessionState::Open,
            (Some("expired"), _) => SessionState::Expired,
            (Some("complete"), Some("paid" | "no_payment_required")) => {
                SessionState::Paid(payment(wire)?)
            }
            (Some("complete"), Some("unpaid")) => match intent_status(wire) {
                Some("requires_payment_method" | "canceled") => SessionState::Failed,
                _ => SessionState::Processing,
            },
            (Some("complete"), other) => unknown(&format!("complete, {}", other.unwrap_or("null"))),
            (other, _) => unknown(other.unwrap_or("null")),
        },
    )
}

fn intent_status(wire: &wire::Session) -> Option<&str> {
    match &wire.payment_intent {
        Some(wire::Expandable::Object(intent)) => intent.status.as_deref(),
        Some(wire::Expandable::Id(_)) | None => None,
    }
}

/// The intent that still has to be read before the session's state is known.
pub(super) fn open_question(wire: &wire::Session) -> Option<&str> {
    let is_unpaid = wire.status.as_deref() == Some("complete")
        && wire.payment_status.as_deref() == Some("unpaid");
    match &wire.payment_intent {
        Some(wire::Expandable::Id(id)) if is_unpaid => Some(id),
        _ => None,
    }
}

fn payment(wire: &wire::Session) -> Result<Payment, StripeError> {
    let intent = wire.payment_intent.as_ref().map(|intent| intent.id());
    Ok(Payment {
        intent: intent
            .map(|id| PaymentIntentId::parse(id).map_err(|e| garbage(e.to_string())))
            .transpose()?,
        amount: money(wire.amount_total, wire.currency.as_deref()),
        returned: 0,
    })
}

/// # Errors
/// [`StripeError::Garbage`]: an id that is none, or no URL.
pub(super) fn link(wire: &wire::PaymentLink) -> Result<PaymentLink, StripeError> {
    let url = wire.url.clone().filter(|url| !url.is_empty());
    let completed = wire
        .restrictions
        .as_ref()
        .and_then(|restrictions| restrictions.completed_sessions.as_ref())
        .and_then(|sessions| sessions.count);
    Ok(PaymentLink {
        id: link_id(&wire.id)?,
        active: wire.active,
        url: url.ok_or_else(|| garbage(format!("payment link `{}` without a URL", wire.id)))?,
        owner: owner(&wire.metadata),
        amount: wire.line_items.as_ref().and_then(link_amount),
        completed_count: completed,
        relink_key: metadata_text(&wire.metadata, "relink_key"),
    })
}

/// What one payment through the link takes; `None` unless every item is known and has a fixed price and a
/// fixed quantity.
fn link_amount(items: &wire::List<wire::LineItem>) -> Option<Money> {
    if items.has_more {
        return None;
    }
    let mut amounts = items.data.iter().map(item_amount);
    let first = amounts.next()??;
    // No saturation: a sum that has no room would be taken for the order's amount where a later item is negative.
    amounts.try_fold(first, |sum, amount| {
        let amount = amount.filter(|amount| amount.currency == sum.currency)?;
        Some(Money::new(
            sum.minor.checked_add(amount.minor)?,
            sum.currency,
        ))
    })
}

fn item_amount(item: &wire::LineItem) -> Option<Money> {
    let is_adjustable = item.adjustable_quantity.as_ref().and_then(|a| a.enabled) == Some(true);
    let is_chosen = item
        .price
        .as_ref()
        .is_some_and(|price| price.custom_unit_amount.is_some());
    if is_adjustable || is_chosen {
        return None;
    }
    let unit = item.price.as_ref().and_then(|price| price.unit_amount);
    let counted = || unit?.checked_mul(item.quantity?);
    money(item.amount_total.or_else(counted), item.currency.as_deref())
}

fn money(minor: Option<i64>, currency: Option<&str>) -> Option<Money> {
    Some(Money::new(minor?, Currency::parse(currency?).ok()?))
}

pub(super) fn owner(metadata: &wire::Metadata) -> Owner {
    Owner::read(metadata.as_ref().and_then(|map| map.get("order_id")))
}

pub(super) fn metadata_text(metadata: &wire::Metadata, name: &str) -> Option<String> {
    match metadata.as_ref()?.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn session_id(text: &str) -> Result<SessionId, StripeError> {
    SessionId::parse(text).map_err(|e| garbage(e.to_string()))
}

pub(super) fn link_id(text: &str) -> Result<LinkId, StripeError> {
    LinkId::parse(text).map_err(|e| garbage(e.to_string()))
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
