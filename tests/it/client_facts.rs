//! Orders to observe, and the parts of a snapshot that a test asks for.

use relink::domain::{
    CheckoutReference, Currency, Listing, Money, Order, OrderFacts, OrderId, OrderStatus, Product,
    Reading, Session, Snapshot, Stored, StripeObject, Timestamp,
};
use relink::stripe::{ObserveRequest, StripeError, observe};

use crate::client_server::Server;
use crate::client_world::World;

pub fn order(id: i64, reference: &str) -> Order {
    Order {
        id: OrderId(id),
        status: OrderStatus::Pending,
        amount: Some(Money::new(5500, Currency::USD)),
        reference: (!reference.is_empty()).then(|| CheckoutReference::classify(reference)),
        url: None,
        payment_intent: None,
        created_at: Some(Timestamp(1_795_000_000)),
        player: None,
        parent: None,
        product: Some(Product {
            id: 1,
            name: "Cup".to_owned(),
            category: "tournament".to_owned(),
            is_active: true,
        }),
        tournaments: Vec::new(),
        gaps: Vec::new(),
    }
}

pub async fn try_observe(server: &Server, orders: Vec<Order>) -> Result<Snapshot, StripeError> {
    let request = ObserveRequest {
        scope: &["tournament".to_owned()],
        account: None,
        witnesses: &[CheckoutReference::classify("cs_test_witness")],
        concurrency: 3,
    };
    observe(&server.client(), orders, &request, || {}).await
}

pub async fn facts(world: World, order: Order) -> OrderFacts {
    let server = world.serve().await;
    try_observe(&server, vec![order])
        .await
        .unwrap()
        .orders
        .remove(0)
}

pub fn seen(stored: &Stored) -> &StripeObject {
    match stored {
        Stored::Read(_, reading) => match &**reading {
            Reading::Seen(object) => object,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub fn others(facts: &OrderFacts) -> Vec<String> {
    match &facts.others {
        Listing::Complete(others) => others
            .iter()
            .map(|object| object.reference().to_string())
            .collect(),
        Listing::Unfinished(reason) => panic!("{reason}"),
    }
}

pub fn sessions(facts: &OrderFacts) -> &[Session] {
    seen(&facts.stored).sessions()
}
