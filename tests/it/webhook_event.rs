//! Decoding: what is Stripe's event becomes one, whatever else it carries; everything else is refused, and nothing makes
//! the receiver panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use relink::domain::{
    AccountId, Currency, Mode, Money, OrderId, OrderStatus, Owner, SessionId, Timestamp,
};
use relink::domain::{Payment, PaymentIntentId, Session, SessionState};
use relink::webhook::{
    Event, Facts, Happened, MAX_BODY, PaymentStatus, RowFacts, SessionEvent, SessionFacts, decide,
    decode,
};

use crate::webhook_world::{
    COMPLETED, CREATED, EXPIRED, FAILED, SUCCEEDED, Told, link, paid, policy,
};

fn body() -> Value {
    paid().body("evt_1")
}

/// The same with one place changed; `null` removes nothing.
fn with(path: &str, value: Value) -> Value {
    let mut body = body();
    *body.pointer_mut(path).unwrap() = value;
    body
}

fn without(parent: &str, field: &str) -> Value {
    let mut body = body();
    let parent = body.pointer_mut(parent).unwrap();
    parent.as_object_mut().unwrap().remove(field);
    body
}

fn read(body: &Value) -> Event {
    decode(body.to_string().as_bytes()).unwrap()
}

fn session(event: Event) -> SessionFacts {
    match event.what {
        Happened::Session(_, session) => *session,
        Happened::Ignored(kind) => panic!("{kind}"),
    }
}

#[test]
fn an_event_is_read_as_stripe_makes_it() {
    let event = read(&with("/request", json!({"id": "req_1"})));
    assert_eq!(
        (event.id.as_str(), event.mode, event.created, event.kind()),
        ("evt_1", Mode::Test, Timestamp(CREATED), COMPLETED)
    );
    assert_eq!(event.account, None);
    let facts = session(event);
    assert_eq!(
        facts,
        SessionFacts {
            id: SessionId::parse("cs_test_paid").unwrap(),
            payment_status: PaymentStatus::Paid,
            amount: Some(Money::new(5500, Currency::USD)),
            intent: Some(PaymentIntentId::parse("pi_one").unwrap()),
            link: Some(link("plink_one")),
            owner: Owner::Order(OrderId(1)),
        }
    );
    let expanded = with(
        "/data/object/payment_intent",
        json!({"id": "pi_one", "object": "payment_intent"}),
    );
    assert_eq!(session(read(&expanded)), facts);
    let expanded = with(
        "/data/object/payment_link",
        json!({"id": "plink_one", "active": false}),
    );
    assert_eq!(session(read(&expanded)), facts);
    let mut connected = body();
    connected["account"] = json!("acct_1");
    assert_eq!(
        read(&connected).account,
        Some(AccountId::parse("acct_1").unwrap())
    );
    for (name, kind) in [
        (COMPLETED, SessionEvent::Completed),
        (SUCCEEDED, SessionEvent::PaymentSucceeded),
        (FAILED, SessionEvent::PaymentFailed),
        (EXPIRED, SessionEvent::Expired),
    ] {
        let event = read(&with("/type", json!(name)));
        assert!(
            matches!(event.what, Happened::Session(found, _) if found == kind),
            "{name}"
        );
    }
}

#[test]
fn what_a_session_lacks_or_relink_does_not_know_is_kept_as_such() {
    let facts = |body: &Value| session(read(body));
    for body in [
        with("/data/object/payment_intent", json!(null)),
        without("/data/object", "payment_intent"),
    ] {
        assert_eq!(facts(&body).intent, None);
    }
    for body in [
        with("/data/object/amount_total", json!(null)),
        with("/data/object/currency", json!("xyz")),
        with("/data/object/currency", json!("USD")),
    ] {
        assert_eq!(facts(&body).amount, None);
    }
    let status =
        |text: &str| facts(&with("/data/object/payment_status", json!(text))).payment_status;
    assert_eq!(status("unpaid"), PaymentStatus::Unpaid);
    assert_eq!(
        status("no_payment_required"),
        PaymentStatus::NoPaymentRequired
    );
    assert_eq!(
        status("half_paid"),
        PaymentStatus::Unknown("half_paid".to_owned())
    );
    for nobody in [
        with("/data/object/metadata", json!(null)),
        with("/data/object/metadata", json!({})),
        without("/data/object", "metadata"),
        with("/data/object/metadata/order_id", json!(null)),
    ] {
        assert_eq!(facts(&nobody).owner, Owner::Nobody);
    }
    let owner = |value: Value| facts(&with("/data/object/metadata/order_id", value)).owner;
    assert_eq!(
        owner(json!("9223372036854775807")),
        Owner::Order(OrderId(i64::MAX))
    );
    for text in [
        "",
        "0",
        "-7",
        "+7",
        "7 ",
        "7.0",
        "7e0",
        "0x7",
        "٧",
        "9223372036854775808",
        "7\u{0}",
        "1; DROP TABLE orders",
    ] {
        assert_eq!(
            owner(json!(text)),
            Owner::Unreadable(text.to_owned()),
            "{text:?}"
        );
    }
    assert!(
        matches!(owner(json!("9".repeat(10_000))), Owner::Unreadable(text) if text.len() == 500)
    );
    assert!(matches!(owner(json!({"a": 1})), Owner::Unreadable(_)));
    assert!(matches!(owner(json!(true)), Owner::Unreadable(_)));
}

#[test]
fn events_of_other_things_are_ignored_whatever_they_carry() {
    for kind in [
        "payment_intent.succeeded",
        "charge.refunded",
        "checkout.session.async_payment_requested",
        "a",
    ] {
        let mut body = with("/type", json!(kind));
        body["data"] = json!({"object": ["anything", {"id": 7}]});
        assert_eq!(read(&body).what, Happened::Ignored(kind.to_owned()));
        body.as_object_mut().unwrap().remove("data");
        assert_eq!(read(&body).what, Happened::Ignored(kind.to_owned()));
    }
}

/// Bodies that are no event, by the name of what is odd about them.
pub fn no_events() -> Vec<(&'static str, Vec<u8>)> {
    let long = "a".repeat(10_000);
    let changed: Vec<(&str, Value)> = vec![
        ("an id of 10 kB", with("/id", json!(format!("evt_{long}")))),
        (
            "an id of 256",
            with("/id", json!(format!("evt_{}", "a".repeat(252)))),
        ),
        ("no id", without("", "id")),
        ("a number for an id", with("/id", json!(7))),
        ("another object's id", with("/id", json!("cs_test_1"))),
        (
            "an id with a quote",
            with("/id", json!("evt_1'; DROP TABLE orders")),
        ),
        ("an id with a NUL", with("/id", json!("evt_1\u{0}"))),
        ("an empty id", with("/id", json!(""))),
        ("no type", without("", "type")),
        ("a list for a type", with("/type", json!([COMPLETED]))),
        ("a type of 10 kB", with("/type", json!(long))),
        ("a type with a NUL", with("/type", json!("a\u{0}b"))),
        ("no object", without("", "object")),
        ("a thin event", with("/object", json!("v2.core.event"))),
        ("no livemode", without("", "livemode")),
        ("a text for livemode", with("/livemode", json!("false"))),
        ("no created", without("", "created")),
        ("created before 1970", with("/created", json!(-1))),
        (
            "created after 9999",
            with("/created", json!(253_402_300_800_i64)),
        ),
        ("created past 2^63", with("/created", json!(u64::MAX))),
        ("a fraction for created", with("/created", json!(1.5))),
        ("a text for created", with("/created", json!("1800000000"))),
        ("no data", without("", "data")),
        ("null data", with("/data", json!(null))),
        ("a list for data", with("/data", json!([1, 2]))),
        ("no session", without("/data", "object")),
        ("null for the session", with("/data/object", json!(null))),
        (
            "a text for the session",
            with("/data/object", json!("cs_test_paid")),
        ),
        (
            "another object",
            with("/data/object/object", json!("payment_intent")),
        ),
        ("a session without id", without("/data/object", "id")),
        (
            "a session's id of 10 kB",
            with("/data/object/id", json!(format!("cs_{long}"))),
        ),
        (
            "a session's id with a slash",
            with("/data/object/id", json!("cs_test/../x")),
        ),
        (
            "a live session in a test event",
            with("/data/object/livemode", json!(true)),
        ),
        (
            "a text for the amount",
            with("/data/object/amount_total", json!("5500")),
        ),
        (
            "a fraction for the amount",
            with("/data/object/amount_total", json!(55.5)),
        ),
        (
            "an amount past 2^63",
            with("/data/object/amount_total", json!(u64::MAX)),
        ),
        (
            "a number for the currency",
            with("/data/object/currency", json!(840)),
        ),
        (
            "a list for the payment intent",
            with("/data/object/payment_intent", json!(["pi_1"])),
        ),
        (
            "another id for the payment intent",
            with("/data/object/payment_intent", json!("ch_1")),
        ),
        (
            "a payment intent without id",
            with(
                "/data/object/payment_intent",
                json!({"object": "payment_intent"}),
            ),
        ),
        (
            "another id for the link",
            with("/data/object/payment_link", json!("pl_1")),
        ),
        (
            "a text for the metadata",
            with("/data/object/metadata", json!("order_id=1")),
        ),
        (
            "a list for the metadata",
            with("/data/object/metadata", json!(["order_id", "1"])),
        ),
        ("an account that is none", {
            let mut it = body();
            it["account"] = json!("1");
            it
        }),
    ];
    let text = body().to_string();
    let not_utf8 = |word: &str| {
        let mut bytes = text.clone().into_bytes();
        bytes[text.find(word).unwrap()] = 0xff;
        bytes
    };
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let raw: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("a space", b" ".to_vec()),
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a list of events", format!("[{text}]").into_bytes()),
        ("two events", format!("{text}{text}").into_bytes()),
        ("half an event", text.as_bytes()[..text.len() / 2].to_vec()),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec()),
        ("not UTF-8", not_utf8("plink_one")),
        ("not UTF-8 where nothing is read", not_utf8("dahlia")),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ),
        (
            "UTF-16",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        ("NaN", text.replace("5500", "NaN").into_bytes()),
        ("a bomb of lists", deep(100_000).into_bytes()),
        ("a bomb of objects", "{\"a\":".repeat(100_000).into_bytes()),
        (
            "a bomb for the session",
            text.replace("\"cs_test_paid\"", &deep(10_000)).into_bytes(),
        ),
        (
            "a bomb for the order",
            text.replace(
                "\"order_id\":\"1\"",
                &format!("\"order_id\":{}", deep(10_000)),
            )
            .into_bytes(),
        ),
        (
            "two ids",
            text.replacen("\"id\"", "\"id\":\"evt_0\",\"id\"", 1)
                .into_bytes(),
        ),
        (
            "two orders",
            text.replace("\"order_id\"", "\"order_id\":\"2\",\"order_id\"")
                .into_bytes(),
        ),
        (
            "two amounts",
            text.replace("\"amount_total\"", "\"amount_total\":1,\"amount_total\"")
                .into_bytes(),
        ),
        (
            "1 MiB and 1",
            [text.as_bytes(), &vec![b' '; MAX_BODY + 1 - text.len()]].concat(),
        ),
    ];
    let changed = changed.into_iter();
    let changed = changed.map(|(what, body)| (what, body.to_string().into_bytes()));
    changed.chain(raw).collect()
}

#[test]
fn what_is_no_event_is_refused() {
    for (what, body) in &no_events() {
        let refused = decode(body).err();
        let refused = refused
            .unwrap_or_else(|| panic!("{what} was accepted"))
            .to_string();
        assert!(
            refused.len() < 300 && !refused.contains("aaaaaaaaaaaaaaaa"),
            "{what}: {refused}"
        );
    }
    let text = body().to_string();
    let padded = [text.as_bytes(), &vec![b' '; MAX_BODY - text.len()]].concat();
    assert!(decode(&padded).is_ok(), "1 MiB is allowed");
}

fn session_in(state: SessionState) -> Session {
    Session {
        id: SessionId::parse("cs_test_paid").unwrap(),
        state,
        owner: Owner::Order(OrderId(1)),
        amount: Some(Money::new(5500, Currency::USD)),
        created: Timestamp(1),
        expires_at: Timestamp(2),
        link: Some(link("plink_one")),
        recovery: None,
        recovered_from: None,
    }
}

#[test]
fn a_session_that_was_read_stands_for_the_event_that_is_gone() {
    let of = |state| Event::of_session(&session_in(state), Mode::Test, Timestamp(CREATED));
    let payment = Payment {
        intent: Some(PaymentIntentId::parse("pi_one").unwrap()),
        amount: Some(Money::new(5500, Currency::USD)),
        returned: 0,
    };
    let event = of(SessionState::Paid(payment)).unwrap();
    assert_eq!(event.what, paid().event("evt_1").what);
    let on_its_way = of(SessionState::Processing).unwrap();
    assert_ne!(
        on_its_way.id, event.id,
        "or the payment would look like the same delivery"
    );
    assert!(matches!(
        of(SessionState::Failed).unwrap().what,
        Happened::Session(SessionEvent::PaymentFailed, _)
    ));
    for state in [
        SessionState::Open,
        SessionState::Expired,
        SessionState::Unknown(String::new()),
    ] {
        assert_eq!(of(state), None);
    }
}

/// Order 1, as it waits to be paid.
fn pending() -> RowFacts {
    RowFacts {
        id: OrderId(1),
        status: OrderStatus::Pending,
        category: Some("tournament".to_owned()),
        amount: Some(Money::new(5500, Currency::USD)),
        reference: None,
        payment_intent: None,
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const PLACES: [&str; 14] = [
    "/id",
    "/object",
    "/type",
    "/created",
    "/livemode",
    "/data",
    "/data/object",
    "/data/object/id",
    "/data/object/payment_status",
    "/data/object/amount_total",
    "/data/object/currency",
    "/data/object/payment_intent",
    "/data/object/payment_link",
    "/data/object/metadata/order_id",
];

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes in any::<Vec<u8>>()) {
        drop(decode(&bytes));
    }

    #[test]
    fn whatever_stands_anywhere_only_the_whole_amount_of_the_named_order_settles(
        place in prop::sample::select(&PLACES[..]),
        value in any_json(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = with(place, value).to_string();
        if let Ok(event) = decode(text.as_bytes()) {
            let facts = Facts { row: Some(pending()), ..Facts::default() };
            if let Some(settlement) = decide(&event, &facts, &policy()).settle {
                prop_assert_eq!(settlement.order, OrderId(1));
                let told = session(event);
                prop_assert_eq!(told.amount, pending().amount);
                prop_assert_eq!(told.payment_status, PaymentStatus::Paid);
            }
        }
        drop(decode(&text.as_bytes()[..cut.index(text.len())]));
    }

    #[test]
    fn what_is_told_is_what_is_read(amount in any::<i64>(), order in 1..=i64::MAX) {
        let told = Told { amount, order: json!(order.to_string()), ..paid() };
        let facts = session(told.event("evt_1"));
        prop_assert_eq!(facts.amount, Some(Money::new(amount, Currency::USD)));
        prop_assert_eq!(facts.owner, Owner::Order(OrderId(order)));
    }
}
