//! Facts for the pure rooms: orders, sessions and links as plain values, without a database or a server.

use relink::domain::*;

pub const NOW: i64 = 1_773_478_800;

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// A pending order of 55.00 USD, in scope, behind `reference`.
pub fn order(id: i64, reference: Option<&str>) -> Order {
    Order {
        id: OrderId(id),
        status: OrderStatus::Pending,
        amount: Some(usd(5500)),
        reference: reference.map(CheckoutReference::classify),
        url: None,
        payment_intent: None,
        created_at: Some(Timestamp(NOW - 10 * 86_400)),
        player: Some(Player {
            id: 7,
            name: "Ada Quinn".to_owned(),
        }),
        parent: Some(Parent {
            name: "Pat Quinn".to_owned(),
            email: Some("pat@example.com".to_owned()),
        }),
        product: Some(Product {
            id: 3,
            name: "Entry".to_owned(),
            category: "tournament".to_owned(),
            is_active: true,
        }),
        tournaments: Vec::new(),
        gaps: Vec::new(),
    }
}

/// A session of order `order`, two days old, 55.00 USD.
pub fn session(id: &str, order: i64, state: SessionState) -> Session {
    Session {
        id: SessionId::parse(id).unwrap(),
        state,
        owner: Owner::Order(OrderId(order)),
        amount: Some(usd(5500)),
        created: Timestamp(NOW - 2 * 86_400),
        expires_at: Timestamp(NOW - 86_400),
        link: None,
        recovery: None,
        recovered_from: None,
    }
}

pub fn paid(intent: &str) -> SessionState {
    SessionState::Paid(Payment {
        intent: Some(PaymentIntentId::parse(intent).unwrap()),
        amount: Some(usd(5500)),
        returned: 0,
    })
}

/// A link of order `order`, 55.00 USD, with these sessions.
pub fn family(id: &str, order: i64, active: bool, sessions: Vec<Session>) -> Family {
    let id = LinkId::parse(id).unwrap();
    let of_link = |session| Session {
        link: Some(id.clone()),
        ..session
    };
    Family {
        link: PaymentLink {
            url: format!("https://buy.stripe.com/{id}"),
            id: id.clone(),
            active,
            owner: Owner::Order(OrderId(order)),
            amount: Some(usd(5500)),
            completed_count: None,
            relink_key: None,
        },
        sessions: Listing::Complete(sessions.into_iter().map(of_link).collect()),
    }
}

/// The order's facts with its stored object seen, and other objects that name it.
pub fn facts(order: Order, stored: Option<StripeObject>, others: Vec<StripeObject>) -> OrderFacts {
    let stored = match (stored, &order.reference) {
        (Some(object), _) => Stored::Read(object.reference(), Box::new(Reading::Seen(object))),
        (None, None) => Stored::Nothing,
        (None, Some(reference)) => Stored::Read(reference.clone(), Box::new(Reading::NoSuchObject)),
    };
    OrderFacts {
        order: order.into(),
        stored,
        others: Listing::Complete(others),
        recorded_returned: 0,
        journal: JournalFacts::default(),
    }
}

/// What the journal says of an order that a run left in the middle of a mint.
pub fn open_operation(task: OpenTask) -> OpenOperation {
    OpenOperation {
        task,
        state: "minting".to_owned(),
        run: RunId("0197a000-0000-7000-8000-000000000001".to_owned()),
        host: "cron@db1".to_owned(),
        since: Timestamp(NOW - 60),
        is_held: false,
    }
}
