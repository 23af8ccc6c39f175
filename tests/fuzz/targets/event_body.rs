//! Any body as a delivery that was signed. Whatever follows from it, an order is settled only by a payment of its own amount,
//! in its own mode and account, that the body itself calls paid; and a link is closed only of an order that owes nothing more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relink::domain::{
    AccountId, CheckoutReference, Currency, LinkId, Mode, Money, OrderId, OrderStatus, Owner,
};
use relink::webhook::{
    Categories, Event, Facts, Happened, PaymentState, Policy, RowFacts, Ruling, decide, decode,
};
use serde_json::Value;

const AMOUNT: i64 = 5500;

fn policies() -> [Policy; 2] {
    let of = |account: Option<&str>, categories| Policy {
        mode: Mode::Test,
        account: account.and_then(|id| AccountId::parse(id).ok()),
        categories,
        currency: Currency::USD,
    };
    let tournament = Categories::Only(vec!["tournament".to_owned()]);
    [of(None, tournament), of(Some("acct_own"), Categories::All)]
}

/// The order that the event names, in each state that a row can be in.
fn rows(order: OrderId) -> Vec<RowFacts> {
    let row = |status, amount: Option<i64>, category: &str| RowFacts {
        id: order,
        status: OrderStatus::parse(Some(status)),
        category: Some(category.to_owned()),
        amount: amount.map(|minor| Money::new(minor, Currency::USD)),
        reference: LinkId::parse("plink_own").ok().map(CheckoutReference::Link),
        payment_intent: None,
    };
    let statuses = ["pending", "paid", "canceled", "refunded", "lost"];
    let statuses = statuses.map(|status| row(status, Some(AMOUNT), "tournament"));
    let odd = [
        row("pending", Some(0), "tournament"),
        row("pending", None, "tournament"),
        row("pending", Some(AMOUNT), "camp"),
    ];
    statuses.into_iter().chain(odd).collect()
}

fn told<'a>(body: &'a Value, pointer: &str) -> &'a str {
    let value = body.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_default()
}

/// What must be in the body before anybody's order is paid, read from the body and not from what was decoded of it.
fn tells_of_this_payment(body: &Value, row: &RowFacts, policy: &Policy) {
    let status = told(body, "/data/object/payment_status");
    assert!(matches!(status, "paid" | "no_payment_required"), "{status}");
    let kind = told(body, "/type");
    let kinds = ["completed", "async_payment_succeeded"];
    let kinds = kinds.map(|word| format!("checkout.session.{word}"));
    assert!(kinds.iter().any(|one| one == kind), "{kind}");
    let minor = body
        .pointer("/data/object/amount_total")
        .and_then(Value::as_i64);
    assert_eq!(minor, row.amount.map(|amount| amount.minor));
    assert_eq!(told(body, "/data/object/currency"), "usd");
    for place in ["/livemode", "/data/object/livemode"] {
        assert_eq!(body.pointer(place), Some(&Value::Bool(false)));
    }
    let order = match body.pointer("/data/object/metadata/order_id") {
        Some(Value::String(text)) => text.clone(),
        other => other.map(ToString::to_string).unwrap_or_default(),
    };
    assert_eq!(order.trim_start_matches('0'), row.id.to_string());
    let account = told(body, "/account");
    assert!(account.is_empty() || policy.account.is_none() || account == "acct_own");
}

fn judge(event: &Event, facts: &Facts, policy: &Policy, body: &Value) {
    let decision = decide(event, facts, policy);
    assert_eq!(Ruling::parse(decision.ruling.name()), Some(decision.ruling));
    let row = facts.row.as_ref();
    let Happened::Session(_, session) = &event.what else {
        assert_eq!(decision.ruling, Ruling::Acknowledged);
        assert!(decision.settle.is_none() && decision.payment.is_none());
        assert!(decision.incident.is_none() && decision.retire.is_empty());
        return;
    };
    let is_settled = decision.ruling == Ruling::Settled;
    assert_eq!(decision.settle.is_some(), is_settled);
    if let Some(settled) = &decision.settle {
        let row = row.unwrap();
        assert_eq!(row.status, OrderStatus::Pending);
        assert_eq!(settled.order, row.id);
        assert_eq!(session.owner, Owner::Order(row.id));
        assert!(row.amount.is_some() && session.amount == row.amount);
        assert!(facts.claimed_by.is_none());
        assert!(
            policy.categories == Categories::All || row.category.as_deref() == Some("tournament")
        );
        tells_of_this_payment(body, row, policy);
    }
    if let Some(payment) = &decision.payment {
        assert_eq!(Some(payment.order), row.map(|row| row.id));
        assert_eq!(payment.session, session.id);
        let was = facts
            .payments
            .iter()
            .find(|known| known.session == payment.session);
        assert!(
            was.is_none_or(|was| was.state <= payment.state),
            "a state went back"
        );
        let status = told(body, "/data/object/payment_status");
        let is_new = was.is_none_or(|was| was.state != PaymentState::Paid);
        assert!(payment.state != PaymentState::Paid || !is_new || status != "unpaid");
    }
    let owes_nothing = row.is_some_and(|row| row.status.is_settled()) || is_settled;
    assert!(owes_nothing || decision.retire.is_empty());
}

fuzz_target!(|body: &[u8]| {
    let Ok(event) = decode(body) else { return };
    // What stands in a field that nobody reads may be more than the judge of this can hold: a number without end.
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    for policy in policies() {
        judge(&event, &Facts::default(), &policy, &body);
        let Happened::Session(_, session) = &event.what else {
            continue;
        };
        let order = session.owner.order().unwrap_or(OrderId(1));
        for row in rows(order) {
            let first = Facts {
                row: Some(row),
                ..Facts::default()
            };
            judge(&event, &first, &policy, &body);
            // Told once more, on top of itself; and once a person had dealt with it.
            let payment = decide(&event, &first, &policy).payment;
            let again = Facts {
                payments: payment.into_iter().collect(),
                ..first
            };
            judge(&event, &again, &policy, &body);
            let mut dismissed = again.clone();
            for payment in &mut dismissed.payments {
                payment.state = PaymentState::Dismissed;
            }
            if !dismissed.payments.is_empty() {
                assert!(decide(&event, &dismissed, &policy).settle.is_none());
            }
            let claimed = Facts {
                claimed_by: Some(OrderId(order.0.wrapping_add(1))),
                ..again
            };
            judge(&event, &claimed, &policy, &body);
            assert!(decide(&event, &claimed, &policy).settle.is_none());
        }
    }
});
