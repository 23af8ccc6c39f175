//! The paying parent: opens a link or a recovery URL, pays a session, and later the bank settles or refuses a delayed
//! payment. A page that would show "deactivated" or "expired" refuses here too, but a session that is open stays
//! payable whatever became of its link: that is the worst case, so that is what the double does.

use serde_json::{Value, json};

use super::change::Change;
use super::objects::payments::Outcome;
use super::objects::sessions::{self, Draft};
use super::objects::{items, payments, recovery};
use super::world::{Kind, Mode, Record, World};

/// How somebody pays.
#[derive(Clone, Copy, Debug)]
pub(super) enum Method {
    Card,
    /// The card is declined; the session stays open.
    Declined,
    /// A bank debit: complete now, money later.
    Async,
    /// A bank debit that fails at once.
    AsyncFail,
    /// A voucher the payer still has to pay.
    Voucher,
}

impl Method {
    pub fn read(name: &str) -> Result<Method, String> {
        match name {
            "card" => Ok(Method::Card),
            "declined" => Ok(Method::Declined),
            "async" => Ok(Method::Async),
            "async_fail" => Ok(Method::AsyncFail),
            "voucher" => Ok(Method::Voucher),
            other => Err(format!(
                "unknown method `{other}`: use card, declined, async, async_fail or voucher"
            )),
        }
    }
}

/// Opens what the id or URL names: a link gives a new session, a recovery URL a copy, a session itself.
pub(super) fn visit(change: &mut Change, target: &str) -> Result<Value, String> {
    if target.starts_with("https://buy.stripe.com/r/") {
        return visit_recovery(change, target);
    }
    match (link(change, target), session(change, target)) {
        (Some(link), _) => visit_link(change, &link),
        (None, Some(session)) if session.value["status"] == "open" => Ok(session.value),
        (None, Some(session)) => Err(format!(
            "this checkout session is {}",
            text(&session.value["status"])
        )),
        (None, None) => Err(format!("no link or session `{target}`")),
    }
}

fn visit_link(change: &mut Change, link: &Record) -> Result<Value, String> {
    let counted = &link.value["restrictions"]["completed_sessions"];
    let full = counted["count"]
        .as_i64()
        .zip(counted["limit"].as_i64())
        .is_some_and(|(count, limit)| count >= limit);
    if link.value["active"] != true || full {
        let message = link.value["inactive_message"]
            .as_str()
            .unwrap_or("This link is no longer active.");
        return Err(message.to_owned());
    }
    let after = &link.value["after_completion"]["redirect"]["url"];
    let draft = Draft {
        items: items::copied(change, &link.hidden["line_items"]),
        metadata: link.value["metadata"].clone(),
        payment_intent_data: link.value["payment_intent_data"].clone(),
        payment_link: link.value["id"].clone(),
        fields: json!({
            "allow_promotion_codes": link.value["allow_promotion_codes"],
            "success_url": after.as_str().unwrap_or("https://stripe.com"),
        }),
        ..Draft::default()
    };
    Ok(sessions::open(change, draft))
}

fn visit_recovery(change: &mut Change, url: &str) -> Result<Value, String> {
    let expired = recovery::session_of(change, url)
        .cloned()
        .ok_or("no such recovery URL")?;
    let until = expired.value["after_expiration"]["recovery"]["expires_at"].as_i64();
    if until.is_some_and(|until| until <= change.now()) {
        return Err("this recovery URL has expired".into());
    }
    Ok(recovery::reopen(change, &expired))
}

/// Pays a session; a link or recovery URL is visited first.
pub(super) fn pay(change: &mut Change, target: &str, method: Method) -> Result<Value, String> {
    let opened = visit(change, target)?;
    let id = opened["id"].as_str().unwrap_or_default();
    let record = change
        .get(Kind::Session, id)
        .cloned()
        .ok_or("the session is gone")?;
    if record.value["amount_total"].as_i64().unwrap_or(0) == 0 {
        return Ok(sessions::complete(
            change,
            record,
            "no_payment_required",
            Value::Null,
        ));
    }
    let outcome = match method {
        Method::Card => Outcome::Succeeded,
        Method::Declined => Outcome::Failed,
        Method::Async | Method::AsyncFail => Outcome::Processing,
        Method::Voucher => Outcome::RequiresAction,
    };
    let intent = payments::attempt(change, &record, outcome);
    match method {
        Method::Card => Ok(sessions::complete(change, record, "paid", json!(intent))),
        Method::Async | Method::Voucher => {
            Ok(sessions::complete(change, record, "unpaid", json!(intent)))
        }
        Method::AsyncFail => {
            sessions::complete(change, record, "unpaid", json!(intent));
            settle(change, id, "failed")
        }
        Method::Declined => {
            let mut tried = record;
            tried.value["payment_intent"] = json!(intent);
            let shown = tried.value.clone();
            change.put(Kind::Session, tried);
            Ok(shown)
        }
    }
}

/// Ends a delayed payment: `succeeded`, `failed` or `canceled`. Named by session or by intent.
pub(super) fn settle(change: &mut Change, target: &str, outcome: &str) -> Result<Value, String> {
    let outcome = match outcome {
        "succeeded" => Outcome::Succeeded,
        "failed" => Outcome::Failed,
        "canceled" => Outcome::Canceled,
        other => {
            return Err(format!(
                "unknown outcome `{other}`: use succeeded, failed or canceled"
            ));
        }
    };
    let record = session(change, target)
        .or_else(|| sessions::of_intent(change.world, change.mode, target).cloned())
        .ok_or_else(|| format!("no session `{target}`"))?;
    let intent = text(&record.value["payment_intent"]);
    let pending = change
        .get(Kind::PaymentIntent, &intent)
        .is_some_and(|intent| payments::is_pending(&intent.value));
    if record.value["status"] != "complete" || !pending {
        return Err(format!(
            "session `{}` has no delayed payment under way",
            text(&record.value["id"])
        ));
    }
    payments::advance(change, &intent, outcome);
    Ok(sessions::settle(
        change,
        &record,
        outcome == Outcome::Succeeded,
    ))
}

fn link(change: &Change, target: &str) -> Option<Record> {
    match change.get(Kind::PaymentLink, target) {
        Some(record) => Some(record.clone()),
        None => by_url(change, Kind::PaymentLink, target),
    }
}

pub(super) fn session(change: &Change, target: &str) -> Option<Record> {
    let id = bare_id(target);
    match change.get(Kind::Session, id) {
        Some(record) => Some(record.clone()),
        None => by_url(change, Kind::Session, target),
    }
}

/// The id in a session's URL; anything else is taken for an id itself.
fn bare_id(target: &str) -> &str {
    let page = "https://checkout.stripe.com/c/pay/";
    target.strip_prefix(page).unwrap_or(target)
}

/// The mode in which a target lives, by id, URL or recovery URL.
pub(super) fn mode_of(world: &World, target: &str) -> Option<Mode> {
    let id = bare_id(target);
    [Mode::Live, Mode::Test].into_iter().find(|mode| {
        let realm = world.realm(*mode);
        let kinds = [Kind::PaymentLink, Kind::Session, Kind::PaymentIntent];
        kinds.into_iter().any(|kind| {
            realm.get(kind, id).is_some()
                || realm.shelf(kind).is_some_and(|shelf| {
                    shelf.newest_first().any(|record| {
                        record.value["url"] == target
                            || record.value["after_expiration"]["recovery"]["url"] == target
                    })
                })
        })
    })
}

fn by_url(change: &Change, kind: Kind, url: &str) -> Option<Record> {
    let mut records = change.realm().shelf(kind)?.newest_first();
    records.find(|record| record.value["url"] == url).cloned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
