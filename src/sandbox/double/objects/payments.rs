//! Payment intents and refunds. Intents come into being when a session is paid, never through the API; a refund
//! gives back at most what was received (docs.stripe.com/api/payment_intents, /refunds).

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::error::ApiError;
use super::super::ids::IdKind;
use super::super::paging::{Page, find, within};
use super::super::params::{adopt_fields, check_metadata, merge_metadata};
use super::super::spec::spec;
use super::super::world::{Kind, Mode, Record, World};
use super::List;

/// How an attempt to pay goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    Succeeded,
    /// A bank debit on its way.
    Processing,
    /// A voucher the payer has not paid yet.
    RequiresAction,
    Failed,
    Canceled,
}

impl Outcome {
    pub fn status(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Processing => "processing",
            Outcome::RequiresAction => "requires_action",
            Outcome::Failed => "requires_payment_method",
            Outcome::Canceled => "canceled",
        }
    }

    fn event(self) -> &'static str {
        match self {
            Outcome::Succeeded => "payment_intent.succeeded",
            Outcome::Processing => "payment_intent.processing",
            Outcome::RequiresAction => "payment_intent.requires_action",
            Outcome::Failed => "payment_intent.payment_failed",
            Outcome::Canceled => "payment_intent.canceled",
        }
    }
}

/// The intent of a session that is being paid, in the state the attempt leads to. Returns its id.
pub(in super::super) fn attempt(change: &mut Change, session: &Record, outcome: Outcome) -> String {
    if let Some(id) = session.value["payment_intent"].as_str().map(str::to_owned) {
        advance(change, &id, outcome);
        return id;
    }
    let id = change.new_id(IdKind::PaymentIntent);
    let intent = blank(
        change,
        &id,
        &session.value,
        &session.hidden["payment_intent_data"],
    );
    let now = change.now();
    change.emit("payment_intent.created", &intent, None);
    change.insert(Kind::PaymentIntent, intent, Value::Null, now);
    advance(change, &id, outcome);
    id
}

/// An intent nobody has tried to pay yet, for the session's amount.
pub(in super::super) fn blank(
    change: &mut Change,
    id: &str,
    session: &Value,
    data: &Value,
) -> Value {
    let now = change.now();
    let mut intent = json!({
        "id": id,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": format!("{id}_secret_{}", change.new_id(IdKind::Slug)),
        "confirmation_method": "automatic",
        "created": now,
        "currency": session["currency"],
        "livemode": change.mode == Mode::Live,
        "metadata": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    });
    adopt_fields("payment_intent", &mut intent, data, &["metadata"]);
    merge_metadata(&mut intent["metadata"], &data["metadata"]);
    spec().complete("payment_intent", intent)
}

/// Moves an intent to its next state, with the event that tells it.
pub(in super::super) fn advance(change: &mut Change, id: &str, outcome: Outcome) {
    let Some(mut record) = change.get(Kind::PaymentIntent, id).cloned() else {
        return;
    };
    let intent = &mut record.value;
    intent["status"] = json!(outcome.status());
    match outcome {
        Outcome::Succeeded => {
            intent["amount_received"] = intent["amount"].clone();
            intent["latest_charge"] = json!(change.new_id(IdKind::Charge));
            intent["payment_method"] = json!(change.new_id(IdKind::PaymentMethod));
            intent["last_payment_error"] = Value::Null;
        }
        Outcome::Processing | Outcome::RequiresAction => {
            intent["payment_method"] = json!(change.new_id(IdKind::PaymentMethod));
        }
        Outcome::Failed => {
            intent["last_payment_error"] = json!({
                "type": "card_error",
                "code": "payment_intent_payment_attempt_failed",
                "message": "The payment failed.",
            });
        }
        Outcome::Canceled => {
            intent["canceled_at"] = json!(change.now());
            intent["cancellation_reason"] = json!("expired");
        }
    }
    let shown = record.value.clone();
    change.put(Kind::PaymentIntent, record);
    change.emit(outcome.event(), &shown, None);
}

/// At the expiry of its session an attempt that is not decided is canceled.
pub(in super::super) fn cancel_attempt(change: &mut Change, id: &str) {
    let status = change
        .get(Kind::PaymentIntent, id)
        .and_then(|record| record.value["status"].as_str())
        .unwrap_or_default();
    if matches!(
        status,
        "requires_payment_method" | "requires_action" | "requires_confirmation"
    ) {
        advance(change, id, Outcome::Canceled);
    }
}

pub(in super::super) fn update_intent(
    change: &mut Change,
    id: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    let record = find(
        change.world,
        change.mode,
        Kind::PaymentIntent,
        id,
        "intent",
        404,
    )?
    .clone();
    if params["amount"].is_i64() && params["amount"] != record.value["amount"] {
        return Err(ApiError::refused(format!(
            "This PaymentIntent's amount could not be updated because it has a status of {}.",
            record.value["status"].as_str().unwrap_or_default()
        ))
        .code("payment_intent_unexpected_state")
        .param("intent"));
    }
    let mut new = record.clone();
    adopt_fields(
        "payment_intent",
        &mut new.value,
        params,
        &["metadata", "expand", "amount", "currency"],
    );
    merge_metadata(&mut new.value["metadata"], &params["metadata"]);
    check_metadata(&new.value)?;
    if new.value != record.value {
        change.put(Kind::PaymentIntent, new.clone());
    }
    Ok(new.value)
}

pub(in super::super) fn list_intents(
    world: &World,
    mode: Mode,
    params: &Value,
) -> Result<Value, ApiError> {
    let intents = List::of(world, mode, Kind::PaymentIntent).filter(|record| {
        List::same(params, &record.value, &["customer"])
            && within(&params["created"], record.created)
    });
    Page::read(params)?.of(
        world,
        mode,
        Kind::PaymentIntent,
        "/v1/payment_intents",
        intents,
    )
}

pub(in super::super) fn list_refunds(
    world: &World,
    mode: Mode,
    params: &Value,
) -> Result<Value, ApiError> {
    if let Some(intent) = params["payment_intent"].as_str() {
        find(
            world,
            mode,
            Kind::PaymentIntent,
            intent,
            "payment_intent",
            400,
        )?;
    }
    let refunds = List::of(world, mode, Kind::Refund).filter(|record| {
        List::same(params, &record.value, &["payment_intent", "charge"])
            && within(&params["created"], record.created)
    });
    Page::read(params)?.of(world, mode, Kind::Refund, "/v1/refunds", refunds)
}

/// What was already given back, or is about to be.
fn refunded(world: &World, mode: Mode, intent: &str) -> i64 {
    List::of(world, mode, Kind::Refund)
        .filter(|record| record.value["payment_intent"] == intent)
        .filter(|record| !matches!(record.value["status"].as_str(), Some("failed" | "canceled")))
        .filter_map(|record| record.value["amount"].as_i64())
        .sum()
}

pub(in super::super) fn create_refund(
    change: &mut Change,
    params: &Value,
) -> Result<Value, ApiError> {
    let record = refundable(change, params)?;
    let intent = &record.value;
    let id = intent["id"].as_str().unwrap_or_default().to_owned();
    let charge = intent["latest_charge"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let left =
        intent["amount_received"].as_i64().unwrap_or(0) - refunded(change.world, change.mode, &id);
    if left <= 0 {
        return Err(
            ApiError::refused(format!("Charge {charge} has already been refunded."))
                .code("charge_already_refunded"),
        );
    }
    let amount = params["amount"].as_i64().unwrap_or(left);
    if amount <= 0 {
        return Err(ApiError::invalid("Invalid positive integer")
            .code("parameter_invalid_integer")
            .param("amount"));
    }
    if amount > left {
        return Err(ApiError::refused(format!(
            "Refund amount (${}.{:02}) is greater than unrefunded amount on charge (${}.{:02})",
            amount / 100,
            amount % 100,
            left / 100,
            left % 100
        ))
        .param("amount"));
    }
    let now = change.now();
    let mut refund = json!({
        "id": change.new_id(IdKind::Refund),
        "object": "refund",
        "amount": amount,
        "charge": charge,
        "created": now,
        "currency": intent["currency"],
        "metadata": {},
        "payment_intent": id,
        "reason": params["reason"],
        "status": "succeeded",
    });
    merge_metadata(&mut refund["metadata"], &params["metadata"]);
    let refund = spec().complete("refund", refund);
    change.insert(Kind::Refund, refund.clone(), Value::Null, now);
    change.emit("refund.created", &refund, None);
    Ok(refund)
}

fn refundable(change: &Change, params: &Value) -> Result<Record, ApiError> {
    let record = match (params["payment_intent"].as_str(), params["charge"].as_str()) {
        (Some(id), _) => find(
            change.world,
            change.mode,
            Kind::PaymentIntent,
            id,
            "payment_intent",
            400,
        )?,
        (None, Some(charge)) => List::of(change.world, change.mode, Kind::PaymentIntent)
            .find(|record| record.value["latest_charge"] == charge)
            .ok_or_else(|| ApiError::no_such("charge", charge, "charge", 400, None))?,
        (None, None) => {
            return Err(ApiError::invalid(
                "One of the following params should be provided for this request: payment_intent or charge.",
            ));
        }
    };
    if record.value["status"] != "succeeded" {
        let id = record.value["id"].as_str().unwrap_or_default();
        return Err(ApiError::refused(format!(
            "This PaymentIntent ({id}) does not have a successful charge to refund."
        ))
        .param("payment_intent"));
    }
    Ok(record.clone())
}

/// A delayed payment that has not come to its end.
pub(in super::super) fn is_pending(intent: &Value) -> bool {
    matches!(
        intent["status"].as_str(),
        Some("processing" | "requires_action")
    )
}
