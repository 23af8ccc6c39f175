//! What must hold of every decision, read from the answers themselves and not from what relink made of them.
//!
//! An answer that a generic reader of JSON cannot hold (a number without end) is passed over here: relink may have read
//! what it needs of it.

use std::sync::Arc;

use relink::domain::{AccountId, CheckoutReference, OrderStatus, PaymentIntentId, Snapshot};
use relink::plan::{Action, Decision, Goal, Plan, Policy, Verdict, advise, audit, decide};
use relink::saved_plan::{Making, SavedPlan, SavedScope};
use serde_json::Value;

use crate::answers::{AMOUNT, Answers, Place};

const GOALS: [Goal; 4] = [Goal::Regen, Goal::Mint, Goal::Retire, Goal::RetirePending];

/// Lists that must have been read to their end before anything is concluded from them.
const LISTS: [Place; 3] = [Place::Links, Place::Open, Place::Complete];

pub fn hold(answers: &Answers, reference: &str, seen: &Snapshot) {
    for goal in GOALS {
        let policy = Policy::new(goal);
        let plan = decide(seen, &policy);
        assert_eq!(audit(&plan), Vec::new());
        is_saved_and_read_again(&plan, seen);
        let [decision] = &plan.decisions[..] else {
            panic!("one order, one decision");
        };
        let _ = (decision.reason.to_string(), advise(decision));
        names_only_sessions_and_links(decision);
        is_read_as_it_says(answers, reference, decision);
        owes_nothing_and_gets_nothing(seen, &policy);
    }
}

/// One field fewer of the row's own object never makes it gone, and never well.
pub fn hold_without_a_field(whole: impl FnOnce() -> Option<Snapshot>, less: &Snapshot) {
    let decided = |seen: &Snapshot| {
        let mut plan = decide(seen, &Policy::new(Goal::Regen));
        plan.decisions.remove(0)
    };
    let is_well = |decision: &Decision| decision.verdict == Verdict::Healthy;
    let is = decided(less);
    if !mints(&is) && !is_well(&is) {
        return;
    }
    let Some(whole) = whole() else { return };
    let was = decided(&whole);
    assert!(mints(&was) || !mints(&is), "{was:?}\n{is:?}");
    assert!(is_well(&was) || !is_well(&is), "{was:?}\n{is:?}");
}

fn mints(decision: &Decision) -> bool {
    matches!(decision.action, Action::Replace(_))
}

fn closed(decision: &Decision) -> &[CheckoutReference] {
    match &decision.action {
        Action::Retire(objects) | Action::Replace(objects) => objects,
        Action::Nothing | Action::Hold(_) | Action::Resume | Action::Conclude => &[],
    }
}

fn names_only_sessions_and_links(decision: &Decision) {
    let is_other = |object: &CheckoutReference| matches!(object, CheckoutReference::Other(_));
    assert!(!closed(decision).iter().any(is_other), "{decision:?}");
}

/// Whatever Stripe said, what was planned from it can be saved, and is the same when it is read.
fn is_saved_and_read_again(plan: &Plan, seen: &Snapshot) {
    let making = Making {
        made_at_database: seen.taken_at,
        command: "relink regen --all".to_owned(),
        account: AccountId::parse("acct_1").unwrap(),
        database: "sqlite club.db".to_owned(),
        scope: SavedScope::default(),
    };
    let saved = SavedPlan::of(plan, seen, making);
    let text = saved.render().unwrap();
    assert_eq!(SavedPlan::parse(&text, "plan.json").unwrap(), saved);
}

/// For an order that is paid, canceled or refunded nothing is minted, and what is live is not called well.
fn owes_nothing_and_gets_nothing(seen: &Snapshot, policy: &Policy) {
    for status in [
        OrderStatus::Paid,
        OrderStatus::Canceled,
        OrderStatus::Refunded,
    ] {
        let mut settled = seen.clone();
        for facts in &mut settled.orders {
            let order = Arc::make_mut(&mut facts.order);
            order.status = status.clone();
            order.payment_intent = PaymentIntentId::parse("pi_1").ok();
        }
        let decision = &decide(&settled, policy).decisions[0];
        assert!(!mints(decision), "{decision:?}");
        assert_ne!(decision.verdict, Verdict::Healthy);
    }
}

fn is_read_as_it_says(answers: &Answers, reference: &str, decision: &Decision) {
    let own = answers.at(Place::Own);
    if decision.verdict == Verdict::Missing {
        assert_eq!(own.status, 404);
        if let Ok(envelope) = serde_json::from_slice::<Value>(&own.body) {
            assert_eq!(envelope["error"]["code"], "resource_missing");
        }
    }
    let is_concluded = decision.action.is_work() || decision.verdict == Verdict::Healthy;
    if !is_concluded {
        return;
    }
    assert!((200..300).contains(&own.status), "{decision:?}");
    for place in LISTS {
        is_whole(answers, place);
    }
    let Some(object) = own.value() else {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&own.body).is_ok());
        return;
    };
    assert_eq!(object["id"], reference);
    assert_eq!(object["livemode"], false);
    let is_link = reference.starts_with("plink_");
    let kind = if is_link {
        "payment_link"
    } else {
        "checkout.session"
    };
    assert_eq!(object["object"], kind);
    if is_link {
        is_whole(answers, Place::Pages);
    }
    if mints(decision) {
        is_over_or_closed(answers, &object, decision);
    }
    if decision.verdict == Verdict::Healthy {
        is_well(answers, &object);
    }
}

/// A list that promises more, or that is none, proves nothing.
fn is_whole(answers: &Answers, place: Place) {
    let answer = answers.at(place);
    assert!((200..300).contains(&answer.status), "{place:?}");
    if let Some(list) = answer.value() {
        assert_eq!(list["object"], "list", "{place:?}");
        assert_eq!(list["has_more"], false, "{place:?}");
        assert!(list["data"].is_array(), "{place:?}");
    }
}

fn pages(answers: &Answers) -> Vec<Value> {
    let list = answers.at(Place::Pages).value();
    let data = list.and_then(|list| list["data"].as_array().cloned());
    data.unwrap_or_default()
}

fn took_money(session: &Value) -> bool {
    let is_paid = ["paid", "no_payment_required"]
        .iter()
        .any(|word| session["payment_status"] == *word);
    session["status"] == "complete" && is_paid
}

/// `complete` and unpaid, and the intent that came with it says that it failed; one that is an id was asked for.
fn has_failed(session: &Value, answers: &Answers) -> bool {
    let intent = match &session["payment_intent"] {
        Value::String(_) => answers.at(Place::Intent).value().unwrap_or_default(),
        intent => intent.clone(),
    };
    let is_over = ["canceled", "requires_payment_method"]
        .iter()
        .any(|word| intent["status"] == *word);
    session["status"] == "complete" && session["payment_status"] == "unpaid" && is_over
}

/// A link is minted only where nothing took money, and the old object is over by its own word or among those that are closed
/// first.
fn is_over_or_closed(answers: &Answers, object: &Value, decision: &Decision) {
    let is_closed_first = closed(decision)
        .iter()
        .any(|closed| object["id"] == closed.as_str());
    // What names nobody may be somebody's shared link: it is not closed, but it may be over.
    let is_nobodys = object["metadata"]["order_id"].is_null() && !is_closed_first;
    assert!(names_the_order(object) || is_nobodys, "{object}");
    if object["object"] == "checkout.session" {
        assert!(!took_money(object), "{object}");
        let status = &object["status"];
        let is_over = *status == "expired" || has_failed(object, answers);
        assert!(is_over || *status == "open" && is_closed_first, "{object}");
        return;
    }
    let pages = pages(answers);
    assert!(!pages.iter().any(took_money), "{decision:?}");
    let is_page_over = |page: &Value| page["status"] == "expired" || has_failed(page, answers);
    let is_over = object["active"] == false && pages.iter().all(is_page_over);
    let is_known = |page: &Value| is_page_over(page) || page["status"] == "open";
    assert!(is_over || is_closed_first, "{object}");
    assert!(pages.iter().all(is_known), "{decision:?}");
}

/// An active link of this order and this amount, through which nothing was paid.
fn is_well(answers: &Answers, object: &Value) {
    assert_eq!(object["object"], "payment_link", "a session is never well");
    assert_eq!(object["active"], true);
    assert!(object["url"].as_str().is_some_and(|url| !url.is_empty()));
    assert!(names_the_order(object), "another's object: {object}");
    assert_eq!(asked(object), Some(i128::from(AMOUNT)), "{object}");
    assert!(!pages(answers).iter().any(took_money));
}

/// By digits, as the application's webhook reads them.
fn names_the_order(object: &Value) -> bool {
    match &object["metadata"]["order_id"] {
        Value::String(text) => text.trim_start_matches('0') == "1",
        value => *value == 1,
    }
}

/// The sum of the items in dollars, where each has a fixed price; with room for any sum that there is.
fn asked(link: &Value) -> Option<i128> {
    let items = &link["line_items"];
    if items["has_more"] != false {
        return None;
    }
    let mut sum = 0;
    for item in items["data"].as_array()? {
        let price = &item["price"];
        let is_chosen = !price["custom_unit_amount"].is_null();
        if item["currency"] != "usd" || is_chosen || item["adjustable_quantity"]["enabled"] == true
        {
            return None;
        }
        let counted = || {
            let unit = i128::from(price["unit_amount"].as_i64()?);
            Some(unit * i128::from(item["quantity"].as_i64()?))
        };
        sum += item["amount_total"]
            .as_i64()
            .map(i128::from)
            .or_else(counted)?;
    }
    Some(sum)
}
