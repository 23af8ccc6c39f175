//! Stripe's objects as facts, one rule per test.

use serde_json::{Value, json};

use super::*;
use crate::domain::OrderId;

fn session_json(change: Value) -> Value {
    let mut object = json!({
        "id": "cs_test_a1", "object": "checkout.session", "livemode": false, "created": 1_795_000_000,
        "expires_at": 1_795_086_400, "status": "open", "payment_status": "unpaid", "mode": "payment",
        "amount_total": 5500, "currency": "usd", "payment_intent": null, "payment_link": null,
        "metadata": {"order_id": "7", "player_id": "31"}, "url": "https://checkout.stripe.com/c/pay/cs_test_a1",
        "after_expiration": null, "recovered_from": null, "ui_mode": "hosted_page", "a_field_of_tomorrow": {"x": [1]},
    });
    merge(&mut object, change);
    object
}

fn link_json(change: Value) -> Value {
    let mut object = json!({
        "id": "plink_1", "object": "payment_link", "livemode": false, "active": true, "currency": "usd",
        "url": "https://buy.stripe.com/test_1", "metadata": {"order_id": "7", "relink_key": "0123456789abcdef0123"},
        "restrictions": {"completed_sessions": {"count": 0, "limit": 1}},
        "line_items": {"object": "list", "has_more": false, "data": [
            {"id": "li_1", "object": "item", "amount_total": 5500, "currency": "usd", "quantity": 1,
             "price": {"id": "price_1", "unit_amount": 5500, "custom_unit_amount": null}}
        ]},
    });
    merge(&mut object, change);
    object
}

fn merge(object: &mut Value, change: Value) {
    let (Value::Object(fields), Value::Object(changes)) = (object, change) else {
        panic!("two objects are expected")
    };
    fields.extend(changes);
}

fn read_session(change: Value) -> Session {
    let wire = serde_json::from_value(session_json(change)).unwrap_or_else(|e| panic!("{e}"));
    session(&wire).unwrap_or_else(|e| panic!("{e}"))
}

fn read_link(change: Value) -> Result<PaymentLink, StripeError> {
    let wire = serde_json::from_value(link_json(change)).unwrap_or_else(|e| panic!("{e}"));
    link(&wire)
}

fn state(status: Value, payment_status: Value, intent: Value) -> SessionState {
    let change =
        json!({"status": status, "payment_status": payment_status, "payment_intent": intent});
    read_session(change).state
}

fn usd(minor: i64) -> Option<Money> {
    Some(Money::new(minor, Currency::USD))
}

#[test]
fn an_open_session_is_read_in_full() {
    let read = read_session(json!({"payment_link": "plink_9", "recovered_from": "cs_test_old"}));
    assert_eq!(read.state, SessionState::Open);
    assert_eq!(read.owner, Owner::Order(OrderId(7)));
    assert_eq!(read.amount, usd(5500));
    assert_eq!(read.created, Timestamp(1_795_000_000));
    assert_eq!(read.expires_at, Timestamp(1_795_086_400));
    assert_eq!(read.link, LinkId::parse("plink_9").ok());
    assert_eq!(read.recovered_from, SessionId::parse("cs_test_old").ok());
    assert_eq!(read.recovery, None);
}

#[test]
fn complete_and_unpaid_is_under_way_unless_the_intent_failed() {
    let unpaid = |intent: Value| state(json!("complete"), json!("unpaid"), intent);
    let with =
        |status: Value| unpaid(json!({"id": "pi_1", "object": "payment_intent", "status": status}));
    for failed in ["requires_payment_method", "canceled"] {
        assert_eq!(with(json!(failed)), SessionState::Failed, "{failed}");
    }
    let under_way = [
        "processing",
        "requires_action",
        "requires_confirmation",
        "requires_capture",
        "succeeded",
        "new_in_2027",
    ];
    for status in under_way {
        assert_eq!(with(json!(status)), SessionState::Processing, "{status}");
    }
    assert_eq!(with(json!(null)), SessionState::Processing);
    assert_eq!(unpaid(json!(null)), SessionState::Processing);
    assert_eq!(unpaid(json!("pi_1")), SessionState::Processing);
}

#[test]
fn money_taken_is_paid_and_names_its_intent() {
    let paid = SessionState::Paid(Payment {
        intent: PaymentIntentId::parse("pi_1").ok(),
        amount: usd(5500),
        returned: 0,
    });
    assert_eq!(state(json!("complete"), json!("paid"), json!("pi_1")), paid);
    let expanded = json!({"id": "pi_1", "object": "payment_intent", "status": "succeeded"});
    assert_eq!(state(json!("complete"), json!("paid"), expanded), paid);
    let free = state(json!("complete"), json!("no_payment_required"), json!(null));
    assert!(
        matches!(free, SessionState::Paid(Payment { intent: None, .. })),
        "{free:?}"
    );
}

#[test]
fn a_status_of_tomorrow_is_unknown_and_never_guessed() {
    let unknown = |text: &str| SessionState::Unknown(text.to_owned());
    assert_eq!(
        state(json!("paused"), json!("unpaid"), json!(null)),
        unknown("paused")
    );
    assert_eq!(
        state(json!(null), json!("paid"), json!(null)),
        unknown("null")
    );
    assert_eq!(
        state(json!("complete"), json!("partly"), json!(null)),
        unknown("complete, partly")
    );
    assert_eq!(
        state(json!("complete"), json!(null), json!(null)),
        unknown("complete, null")
    );
}

#[test]
fn only_an_enabled_recovery_counts() {
    let recovery = |value: Value| read_session(json!({"after_expiration": value})).recovery;
    assert_eq!(recovery(json!(null)), None);
    assert_eq!(recovery(json!({"recovery": null})), None);
    assert_eq!(
        recovery(json!({"recovery": {"enabled": false, "expires_at": null, "url": null}})),
        None
    );
    let silent = recovery(json!({"recovery": {"expires_at": null, "url": null}}));
    assert_eq!(silent, Some(Recovery { expires_at: None }));
    let open = json!({"recovery": {"enabled": true, "expires_at": null, "url": null}});
    assert_eq!(recovery(open), Some(Recovery { expires_at: None }));
    let expired = json!({"recovery": {"enabled": true, "expires_at": 5, "url": "https://x"}});
    assert_eq!(
        recovery(expired),
        Some(Recovery {
            expires_at: Some(Timestamp(5))
        })
    );
}

#[test]
fn only_digits_name_an_order() {
    let owner = |metadata: Value| read_session(json!({ "metadata": metadata })).owner;
    assert_eq!(
        owner(json!({"order_id": "0042"})),
        Owner::Order(OrderId(42))
    );
    assert_eq!(owner(json!(null)), Owner::Nobody);
    assert_eq!(owner(json!({})), Owner::Nobody);
    assert_eq!(owner(json!({"order_id": null})), Owner::Nobody);
    for text in [
        "",
        "0",
        "-1",
        "+1",
        " 1",
        "1;DROP TABLE orders",
        "９",
        "99999999999999999999",
        "1e3",
    ] {
        assert_eq!(
            owner(json!({"order_id": text})),
            Owner::Unreadable(text.to_owned()),
            "{text:?}"
        );
    }
}

#[test]
fn an_amount_without_a_known_currency_is_no_amount() {
    assert_eq!(read_session(json!({"currency": "USD"})).amount, None);
    assert_eq!(read_session(json!({"currency": null})).amount, None);
    assert_eq!(read_session(json!({"amount_total": null})).amount, None);
}

#[test]
fn a_link_is_read_in_full() {
    let read = read_link(json!({})).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(read.amount, usd(5500));
    assert_eq!(read.completed_count, Some(0));
    assert_eq!(read.relink_key.as_deref(), Some("0123456789abcdef0123"));
    assert_eq!(read.url, "https://buy.stripe.com/test_1");
    assert!(read.active);
}

#[test]
fn a_link_without_restrictions_says_nothing_of_payments() {
    let count =
        |value: Value| read_link(json!({ "restrictions": value })).map(|link| link.completed_count);
    assert_eq!(count(json!(null)), Ok(None));
    assert_eq!(
        count(json!({"completed_sessions": {"count": 2, "limit": 1}})),
        Ok(Some(2))
    );
}

#[test]
fn a_link_has_an_amount_only_when_every_item_has_a_fixed_one() {
    let items = |data: Value, more: bool| {
        let list = json!({"object": "list", "has_more": more, "data": data});
        read_link(json!({ "line_items": list })).map(|link| link.amount)
    };
    let item = json!({"amount_total": 5500, "currency": "usd", "quantity": 1});
    assert_eq!(items(json!([item, item]), false), Ok(usd(11_000)));
    assert_eq!(items(json!([item]), true), Ok(None));
    assert_eq!(items(json!([]), false), Ok(None));
    let euro = json!({"amount_total": 100, "currency": "eur", "quantity": 1});
    assert_eq!(items(json!([item, euro]), false), Ok(None));
    // Their sum has no room before the last one; cut off at the most there is, it would be the order's amount.
    let most = json!({"amount_total": i64::MAX, "currency": "usd"});
    let back = json!({"amount_total": 5500 - i64::MAX, "currency": "usd"});
    assert_eq!(items(json!([most, most, back]), false), Ok(None));
    let counted = json!({"currency": "usd", "quantity": 3, "price": {"unit_amount": 500}});
    assert_eq!(items(json!([counted]), false), Ok(usd(1500)));
    let chosen = json!({"amount_total": 0, "currency": "usd", "price": {"custom_unit_amount": {"minimum": 1}}});
    assert_eq!(items(json!([chosen]), false), Ok(None));
    let adjustable =
        json!({"amount_total": 5500, "currency": "usd", "adjustable_quantity": {"enabled": true}});
    assert_eq!(items(json!([adjustable]), false), Ok(None));
    assert_eq!(
        read_link(json!({"line_items": null})).map(|link| link.amount),
        Ok(None)
    );
}

#[test]
fn what_could_not_be_acted_on_is_garbage() {
    for change in [
        json!({"url": ""}),
        json!({"url": null}),
        json!({"id": "plink_../x"}),
        json!({"id": "cs_test_1"}),
    ] {
        let read = read_link(change);
        assert!(matches!(read, Err(StripeError::Garbage { .. })), "{read:?}");
    }
    let wire = serde_json::from_value(session_json(json!({"id": "cs_a/b"})))
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(matches!(session(&wire), Err(StripeError::Garbage { .. })));
}
