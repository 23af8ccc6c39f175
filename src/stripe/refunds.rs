//! Marks the payments that went back as a whole, so that a double payment which somebody already refunded
//! asks for nobody again. Reads only; what could not be read counts as kept.

use std::collections::BTreeSet;

use super::{Client, StripeError};
use crate::domain::{
    Listing, Order, OrderStatus, Payment, PaymentIntentId, Reading, Session, SessionState, Stored,
    StripeObject,
};

/// Refunds are read where they decide something: more than one payment, or a canceled order that has one.
/// Where they cannot be read the payment counts as kept, which asks for a person.
pub(super) async fn mark_refunds(
    client: &Client,
    order: &Order,
    stored: &mut Stored,
    others: &mut Listing<StripeObject>,
) -> Result<(), StripeError> {
    let mut payments = payments_mut(stored, others);
    let mut intents: BTreeSet<PaymentIntentId> = payments
        .iter()
        .filter_map(|payment| payment.intent.clone())
        .collect();
    let taken = intents.len();
    intents.extend(order.payment_intent.clone());
    if taken == 0 || (intents.len() < 2 && order.status != OrderStatus::Canceled) {
        return Ok(());
    }
    for payment in &mut payments {
        let Some(intent) = &payment.intent else {
            continue;
        };
        match client.refunds(intent).await {
            Ok(refunds) => payment.refunded = covers(&refunds, payment),
            Err(error @ StripeError::Permission { .. }) => {
                tracing::warn!(%intent, %error, "refunds not read, the payment counts as kept");
            }
            Err(error) if error.stops_the_run() => return Err(error),
            Err(error) => {
                tracing::warn!(%intent, %error, "refunds not read, the payment counts as kept")
            }
        }
    }
    Ok(())
}

fn covers(refunds: &[(String, i64)], payment: &Payment) -> bool {
    payment.amount.is_some_and(|amount| {
        let code = amount.currency.code();
        let back: i64 = refunds
            .iter()
            .filter(|(currency, _)| *currency == code)
            .fold(0, |sum, (_, minor)| sum.saturating_add(*minor));
        back >= amount.minor
    })
}

fn payments_mut<'a>(
    stored: &'a mut Stored,
    others: &'a mut Listing<StripeObject>,
) -> Vec<&'a mut Payment> {
    let mut objects: Vec<&mut StripeObject> = Vec::new();
    if let Stored::Read(_, reading) = stored
        && let Reading::Seen(object) = &mut **reading
    {
        objects.push(object);
    }
    if let Listing::Complete(others) = others {
        objects.extend(others);
    }
    objects
        .into_iter()
        .flat_map(sessions_mut)
        .filter_map(|session| match &mut session.state {
            SessionState::Paid(payment) => Some(payment),
            _ => None,
        })
        .collect()
}

fn sessions_mut(object: &mut StripeObject) -> Vec<&mut Session> {
    match object {
        StripeObject::Session(session) => vec![session],
        StripeObject::Link(family) => match &mut family.sessions {
            Listing::Complete(sessions) => sessions.iter_mut().collect(),
            Listing::Unfinished(_) => Vec::new(),
        },
    }
}
