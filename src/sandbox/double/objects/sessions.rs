//! Checkout sessions (docs.stripe.com/api/checkout/sessions): open for 30 minutes to 24 hours, then expired by
//! themselves; expired on request only from `open`; the payment intent comes into being when somebody pays. Only
//! `mode=payment` is served.

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::error::ApiError;
use super::super::ids::IdKind;
use super::super::paging::{Page, find, within};
use super::super::params::{adopt_fields, check_metadata, merge_metadata};
use super::super::spec::spec;
use super::super::world::{Kind, Mode, Record, World};
use super::payment_links::check_url;
use super::{List, items, payments, recovery};

pub(in super::super) const DAY: i64 = 24 * 60 * 60;
const SHORTEST: i64 = 30 * 60;
/// Stripe's smallest charge in US dollars, minor units.
const SMALLEST_USD: i64 = 50;

/// What a new session is made of, whoever makes it.
#[derive(Debug, Default)]
pub(in super::super) struct Draft {
    pub items: Value,
    pub metadata: Value,
    pub payment_intent_data: Value,
    pub payment_link: Value,
    pub recovered_from: Value,
    pub expires_at: Option<i64>,
    /// Fields that are taken over as they are.
    pub fields: Value,
}

/// Opens a session now, on the double's clock.
pub(in super::super) fn open(change: &mut Change, draft: Draft) -> Value {
    let now = change.now();
    let (session, hidden) = build(change, draft);
    change.insert(Kind::Session, session.clone(), hidden, now);
    session
}

/// The session a draft describes, and its hidden part; nothing is stored yet.
pub(in super::super) fn build(change: &mut Change, draft: Draft) -> (Value, Value) {
    let now = change.now();
    let total = items::total(&draft.items);
    let id = change.new_id(IdKind::Session);
    let mut session = json!({
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": false},
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "billing_address_collection": "auto",
        "created": now,
        "currency": draft.items[0]["currency"],
        "custom_text": {"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null},
        "customer_creation": "if_required",
        "expires_at": draft.expires_at.unwrap_or(now + DAY),
        "livemode": change.mode == Mode::Live,
        "metadata": if draft.metadata.is_object() { draft.metadata } else { json!({}) },
        "mode": "payment",
        "payment_link": draft.payment_link,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_collection": "if_required",
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": false},
        "recovered_from": draft.recovered_from,
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": hosted_url(&id),
    });
    super::super::merge(&mut session, draft.fields);
    let session = spec().complete("checkout.session", session);
    (
        session,
        json!({"line_items": draft.items, "payment_intent_data": draft.payment_intent_data}),
    )
}

pub(in super::super) fn hosted_url(id: &str) -> String {
    format!("https://checkout.stripe.com/c/pay/{id}")
}

pub(in super::super) fn create(change: &mut Change, params: &Value) -> Result<Value, ApiError> {
    check_create(params)?;
    let expires_at = check_expiry(params["expires_at"].as_i64(), change.now())?;
    let items = Value::Array(items::create(change, &params["line_items"])?);
    let total = items::total(&items);
    if items[0]["currency"] == "usd" && (1..SMALLEST_USD).contains(&total) {
        return Err(ApiError::refused(
            "The Checkout Session's total amount due must add up to at least $0.50 usd",
        )
        .code("amount_too_small"));
    }
    let mut fields = json!({});
    let handled = [
        "line_items",
        "metadata",
        "payment_intent_data",
        "expires_at",
        "expand",
        "mode",
        "currency",
        "after_expiration",
        "invoice_creation",
        "adaptive_pricing",
        "payment_method_options",
        "discounts",
        "branding_settings",
    ];
    adopt_fields("checkout.session", &mut fields, params, &handled);
    if let Some(recovery) = recovery::asked(&params["after_expiration"]) {
        fields["after_expiration"] = recovery;
    }
    let mut metadata = json!({});
    merge_metadata(&mut metadata, &params["metadata"]);
    let draft = Draft {
        items,
        metadata,
        payment_intent_data: params["payment_intent_data"].clone(),
        expires_at,
        fields,
        ..Draft::default()
    };
    Ok(open(change, draft))
}

fn check_create(params: &Value) -> Result<(), ApiError> {
    match params["mode"].as_str() {
        None => return Err(ApiError::missing("mode")),
        Some("payment") => {}
        Some(other) => {
            return Err(ApiError::invalid(format!(
                "the sandbox serves `payment` mode only, not `{other}`"
            ))
            .param("mode"));
        }
    }
    if params["line_items"].as_array().is_none_or(Vec::is_empty) {
        return Err(ApiError::missing("line_items"));
    }
    let hosted = matches!(params["ui_mode"].as_str(), None | Some("hosted_page"));
    match params["success_url"].as_str() {
        None if hosted => return Err(ApiError::missing("success_url")),
        Some(target) => check_url(target, "success_url")?,
        None => {}
    }
    match params["cancel_url"].as_str() {
        Some(target) => check_url(target, "cancel_url"),
        None => Ok(()),
    }
}

fn check_expiry(given: Option<i64>, now: i64) -> Result<Option<i64>, ApiError> {
    let refused = |rule: &str| {
        Err(ApiError::invalid(format!(
            "The `expires_at` timestamp must be {rule} Checkout Session creation."
        ))
        .param("expires_at"))
    };
    match given {
        Some(at) if at < now + SHORTEST => refused("at least 30 minutes from"),
        Some(at) if at > now + DAY => refused("less than 24 hours from"),
        given => Ok(given),
    }
}

pub(in super::super) fn update(
    change: &mut Change,
    id: &str,
    params: &Value,
) -> Result<Value, ApiError> {
    let record = find(change.world, change.mode, Kind::Session, id, "session", 404)?.clone();
    let mut new = record.clone();
    adopt_fields(
        "checkout.session",
        &mut new.value,
        params,
        &["metadata", "line_items"],
    );
    merge_metadata(&mut new.value["metadata"], &params["metadata"]);
    check_metadata(&new.value)?;
    // Stripe has no event for an updated session.
    if new.value != record.value {
        change.put(Kind::Session, new.clone());
    }
    Ok(new.value)
}

/// Expires an open session now; a pending payment attempt is canceled with it.
pub(in super::super) fn expire(change: &mut Change, id: &str) -> Result<Value, ApiError> {
    let record = find(change.world, change.mode, Kind::Session, id, "session", 404)?.clone();
    let status = record.value["status"].as_str().unwrap_or_default();
    if status != "open" {
        return Err(ApiError::refused(format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
             `{status}`."
        )));
    }
    let now = change.now();
    Ok(close(change, record, now))
}

fn close(change: &mut Change, mut record: Record, at: i64) -> Value {
    record.value["status"] = json!("expired");
    record.value["url"] = Value::Null;
    recovery::grant(change, &mut record, at);
    let session = record.value.clone();
    if let Some(intent) = session["payment_intent"].as_str() {
        payments::cancel_attempt(change, intent);
    }
    change.put(Kind::Session, record);
    change.emit("checkout.session.expired", &session, None);
    session
}

/// Expires every open session whose time is over.
pub(in super::super) fn expire_overdue(change: &mut Change) {
    let now = change.now();
    while let Some((at, id)) = change.realm().overdue(now) {
        let Some(record) = change.get(Kind::Session, &id).cloned() else {
            return;
        };
        close(change, record, at);
    }
}

pub(in super::super) fn list(world: &World, mode: Mode, params: &Value) -> Result<Value, ApiError> {
    if params["customer_details"].is_object() || params["subscription"].is_string() {
        return Err(ApiError::invalid(
            "the sandbox does not filter sessions by customer details or subscription",
        ));
    }
    let page = Page::read(params)?;
    let matches = |record: &&Record| {
        List::same(
            params,
            &record.value,
            &[
                "status",
                "payment_link",
                "payment_intent",
                "customer",
                "customer_account",
            ],
        ) && within(&params["created"], record.created)
    };
    let url = "/v1/checkout/sessions";
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
    match params["payment_link"].as_str() {
        Some(link) => {
            find(world, mode, Kind::PaymentLink, link, "payment_link", 400)?;
            let sessions = world.realm(mode).sessions_of_link(link);
            page.of(
                world,
                mode,
                Kind::Session,
                url,
                sessions.into_iter().filter(matches),
            )
        }
        None => page.of(
            world,
            mode,
            Kind::Session,
            url,
            List::of(world, mode, Kind::Session).filter(matches),
        ),
    }
}

/// Marks an open session complete; the caller has made the payment intent, if there is one.
pub(in super::super) fn complete(
    change: &mut Change,
    mut record: Record,
    payment_status: &str,
    intent: Value,
) -> Value {
    record.value["status"] = json!("complete");
    record.value["payment_status"] = json!(payment_status);
    record.value["payment_intent"] = intent;
    record.value["url"] = Value::Null;
    record.value["customer_details"] = spec()
        .adopt(
            "checkout.session",
            "customer_details",
            &json!({"email": "payer@example.com", "name": "Pat Payer", "tax_exempt": "none"}),
        )
        .unwrap_or(Value::Null);
    let session = record.value.clone();
    change.put(Kind::Session, record);
    change.emit("checkout.session.completed", &session, None);
    if let Some(link) = session["payment_link"].as_str() {
        super::payment_links::count_completion(change, link);
    }
    session
}

/// A delayed payment of a completed session came to its end.
pub(in super::super) fn settle(change: &mut Change, record: &Record, paid: bool) -> Value {
    let mut new = record.clone();
    if paid {
        new.value["payment_status"] = json!("paid");
    }
    let event = if paid {
        "checkout.session.async_payment_succeeded"
    } else {
        "checkout.session.async_payment_failed"
    };
    let session = new.value.clone();
    change.put(Kind::Session, new);
    change.emit(event, &session, None);
    session
}

/// The session that an intent pays.
pub(in super::super) fn of_intent<'w>(
    world: &'w World,
    mode: Mode,
    intent: &str,
) -> Option<&'w Record> {
    List::of(world, mode, Kind::Session).find(|record| record.value["payment_intent"] == intent)
}
