//! Notes what went back of each payment, so that a double payment which somebody already refunded asks for
//! nobody again. Reads only; what could not be read counts as kept.

use std::collections::BTreeSet;

use super::{Client, StripeError};
use crate::domain::{
    Currency, Listing, Order, OrderStatus, Payment, PaymentIntentId, Reading, Session,
    SessionState, Stored, StripeObject,
};

/// Refunds are read where they decide something: more than one payment, or a canceled order that has one.
/// Where they cannot be read the payment counts as kept, which asks for a person. Answers with what went back
/// of the payment that the row records, when its session is not among these, in minor units.
pub(super) async fn mark_refunds(
    client: &Client,
    order: &Order,
    stored: &mut Stored,
    others: &mut Listing<StripeObject>,
) -> Result<i64, StripeError> {
    let mut payments = payments_mut(stored, others);
    let mut intents: BTreeSet<PaymentIntentId> = payments
        .iter()
        .filter_map(|payment| payment.intent.clone())
        .collect();
    let taken = intents.len();
    intents.extend(order.payment_intent.clone());
    if taken == 0 || (intents.len() < 2 && order.status != OrderStatus::Canceled) {
        return Ok(0);
    }
    for payment in &mut payments {
        let Some(intent) = &payment.intent else {
            continue;
        };
        let currency = payment.amount.map(|amount| amount.currency);
        payment.returned = read_returned(client, intent, currency).await?;
    }
    let shown = |intent: &&PaymentIntentId| {
        payments
            .iter()
            .any(|payment| payment.intent.as_ref() == Some(*intent))
    };
    match order
        .payment_intent
        .as_ref()
        .filter(|intent| !shown(intent))
    {
        Some(recorded) => {
            let currency = order.amount.map(|amount| amount.currency);
            read_returned(client, recorded, currency).await
        }
        None => Ok(0),
    }
}

/// Minor units that went back of this payment, in its own currency.
async fn read_returned(
    client: &Client,
    intent: &PaymentIntentId,
    currency: Option<Currency>,
) -> Result<i64, StripeError> {
    match client.refunds(intent).await {
        Ok(refunds) => Ok(sum_in(&refunds, currency)),
        Err(error) if error.stops_the_run() && !matches!(error, StripeError::Permission { .. }) => {
            Err(error)
        }
        Err(error) => {
            tracing::warn!(%intent, %error, "refunds not read, the payment counts as kept");
            Ok(0)
        }
    }
}

fn sum_in(refunds: &[(String, i64)], currency: Option<Currency>) -> i64 {
    let code = currency.map(|currency| currency.code());
    refunds
        .iter()
        .filter(|(currency, _)| Some(currency) == code.as_ref())
        .fold(0, |sum, (_, minor)| sum.saturating_add(*minor))
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
