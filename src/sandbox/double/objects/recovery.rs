//! Recovery of expired sessions: with it enabled, expiring a session gives the payer a new payable URL for 30 days,
//! which opens a copy of the session (`recovered_from`). That is why expiring such a session is not the end of it
//! (docs.stripe.com/payments/checkout/abandoned-carts).

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::ids::IdKind;
use super::super::world::{Kind, Mode, Record};
use super::items;
use super::sessions::{DAY, Draft, open};

const VALID: i64 = 30 * DAY;

/// `after_expiration` of a new session, if its maker asked for recovery.
pub(in super::super) fn asked(given: &Value) -> Option<Value> {
    let recovery = &given["recovery"];
    recovery["enabled"].as_bool().map(|enabled| {
        json!({"recovery": {
            "allow_promotion_codes": recovery["allow_promotion_codes"].as_bool().unwrap_or(false),
            "enabled": enabled,
            "expires_at": null,
            "url": null,
        }})
    })
}

/// At expiry: the recovery URL comes into being.
pub(in super::super) fn grant(change: &mut Change, record: &mut Record, at: i64) {
    if record.value["after_expiration"]["recovery"]["enabled"] != true {
        return;
    }
    let url = fresh_url(change);
    let recovery = &mut record.value["after_expiration"]["recovery"];
    recovery["expires_at"] = json!(at + VALID);
    recovery["url"] = json!(url);
}

fn fresh_url(change: &mut Change) -> String {
    let test = if change.mode == Mode::Live {
        "live_"
    } else {
        "test_"
    };
    format!(
        "https://buy.stripe.com/r/{test}{}",
        change.new_id(IdKind::Slug)
    )
}

/// Opens the copy a recovery URL promises.
pub(in super::super) fn reopen(change: &mut Change, record: &Record) -> Value {
    let mut fields = json!({});
    let taken = [
        "success_url",
        "cancel_url",
        "client_reference_id",
        "customer",
        "customer_email",
        "locale",
        "submit_type",
    ];
    for name in taken {
        fields[name] = record.value[name].clone();
    }
    if record.value["after_expiration"]["recovery"]["enabled"] == true {
        fields["after_expiration"] =
            asked(&record.value["after_expiration"]).unwrap_or(Value::Null);
    }
    let draft = Draft {
        items: items::copied(change, &record.hidden["line_items"]),
        metadata: record.value["metadata"].clone(),
        payment_intent_data: record.hidden["payment_intent_data"].clone(),
        payment_link: record.value["payment_link"].clone(),
        recovered_from: record.value["id"].clone(),
        expires_at: None,
        fields,
    };
    open(change, draft)
}

/// The expired session whose recovery URL this is.
pub(in super::super) fn session_of<'w>(change: &'w Change<'_>, url: &str) -> Option<&'w Record> {
    let shelf = change.realm().shelf(Kind::Session)?;
    shelf
        .newest_first()
        .find(|record| record.value["after_expiration"]["recovery"]["url"] == url)
}
