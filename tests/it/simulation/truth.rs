//! What is true: the rows and Stripe's objects, read without the product, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::world::{OrderId, Row, World};

/// Everything about one order at one moment.
#[derive(Clone, Debug)]
pub struct Truth {
    pub row: Row,
    /// By id: links and sessions whose metadata names the order.
    pub objects: BTreeMap<String, Value>,
}

pub async fn of(world: &World, order: OrderId) -> Truth {
    all(world).await.remove(&order.0).unwrap()
}

pub async fn all(world: &World) -> BTreeMap<i64, Truth> {
    let objects = world.stripe.double().objects();
    let mut truths: BTreeMap<i64, Truth> = world
        .rows
        .orders()
        .await
        .into_iter()
        .map(|row| {
            let objects = BTreeMap::new();
            (row.id, Truth { row, objects })
        })
        .collect();
    let Value::Array(objects) = objects else {
        panic!("the double shows no list of objects");
    };
    for object in objects {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let owner = object["metadata"]["order_id"]
            .as_str()
            .and_then(|id| id.parse().ok());
        let kind = id.starts_with("plink_") || id.starts_with("cs_");
        if let (true, Some(owner)) = (kind, owner)
            && let Some(truth) = truths.get_mut(&owner)
        {
            truth.objects.insert(id, object);
        }
    }
    truths
}

impl Truth {
    /// In a few words.
    pub fn tell(&self) -> String {
        let row = &self.row;
        let objects: Vec<String> =
            self.objects
                .iter()
                .map(|(id, object)| {
                    let told = ["active", "status", "payment_status", "payment_link"].map(|name| {
                        match &object[name] {
                            Value::Null => String::new(),
                            value => format!(" {name}={value}"),
                        }
                    });
                    format!("{id}{}", told.concat())
                })
                .collect();
        format!(
            "row {} {:?} holds {:?}; {}",
            row.status,
            row.amount_cents,
            row.reference,
            objects.join("; ")
        )
    }

    pub fn held(&self) -> &str {
        self.row.reference.as_deref().unwrap_or_default()
    }

    /// The link that a session was opened by, or the session itself.
    pub fn family_of(&self, id: &str) -> String {
        let link = self
            .objects
            .get(id)
            .and_then(|object| object["payment_link"].as_str());
        link.unwrap_or(id).to_owned()
    }

    /// Families with an active link or an open session.
    pub fn live(&self) -> BTreeSet<String> {
        self.objects
            .iter()
            .filter(|(_, object)| object["active"] == true || object["status"] == "open")
            .map(|(id, _)| self.family_of(id))
            .collect()
    }

    pub fn is_live(&self, id: &str) -> bool {
        let object = self.objects.get(id);
        object.is_some_and(|object| object["active"] == true || object["status"] == "open")
    }

    /// Pending, and no money came or is on its way.
    pub fn may_be_paid(&self, failed: &BTreeSet<String>) -> bool {
        let unpaid = self.paid().is_empty() && self.on_its_way(failed).is_empty();
        self.row.status == "pending" && unpaid
    }

    fn complete(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.objects
            .iter()
            .filter(|(_, object)| object["status"] == "complete")
    }

    /// Sessions that took money.
    pub fn paid(&self) -> Vec<String> {
        self.complete()
            .filter(|(_, session)| session["payment_status"] == "paid")
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Sessions whose payment is on its way.
    pub fn on_its_way(&self, failed: &BTreeSet<String>) -> Vec<String> {
        self.complete()
            .filter(|(id, session)| session["payment_status"] == "unpaid" && !failed.contains(*id))
            .map(|(id, _)| id.clone())
            .collect()
    }

    pub fn is_ours(&self, id: &str) -> bool {
        self.objects
            .get(id)
            .is_some_and(|object| object["metadata"]["relink_key"].is_string())
    }
}

/// What a step of ours must not have done, seen by comparing before and after.
pub fn check_step(
    before: &Truth,
    after: &Truth,
    published: &BTreeSet<String>,
    failed: &BTreeSet<String>,
) {
    let order = after.row.id;
    // Published: the row holds one of our links that it did not hold before.
    if before.held() != after.held() && after.is_ours(after.held()) {
        let new = after.held();
        assert_eq!(
            before.row.status, "pending",
            "order {order}: published on a {} order",
            before.row.status
        );
        let other: Vec<_> = before
            .live()
            .into_iter()
            .filter(|family| family != new && published.contains(family))
            .collect();
        assert!(
            other.is_empty(),
            "order {order}: {new} published beside {other:?}"
        );
        let money: Vec<_> = before
            .paid()
            .into_iter()
            .chain(before.on_its_way(failed))
            .collect();
        assert!(
            money.is_empty(),
            "order {order}: {new} published over {money:?}"
        );
        let link = &after.objects[new];
        assert_eq!(
            link["active"], true,
            "order {order}: {new} was dead when it was published"
        );
        let amount = link["line_items"]["data"][0]["amount_total"].as_i64();
        assert_eq!(amount, after.row.amount_cents, "order {order}: {new}");
        assert_eq!(
            after.row.url.as_deref(),
            link["url"].as_str(),
            "order {order}"
        );
    }
}

/// What the receiver of one event must not have done, seen by comparing before and after its transaction.
pub fn check_receipt(before: &Truth, after: &Truth) {
    let (was, is) = (&before.row, &after.row);
    let order = is.id;
    assert_eq!(was.amount_cents, is.amount_cents, "order {order}");
    assert_eq!(was.reference, is.reference, "order {order}");
    assert_eq!(was.url, is.url, "order {order}");
    if was.status == is.status {
        assert_eq!(was.payment_intent, is.payment_intent, "order {order}");
        return;
    }
    let moved = (was.status.as_str(), is.status.as_str());
    assert_eq!(moved, ("pending", "paid"), "order {order}");
    let pays = |session: &String| {
        let object = &before.objects[session];
        object["payment_intent"].as_str() == is.payment_intent.as_deref()
            && object["amount_total"].as_i64() == was.amount_cents
    };
    assert!(
        before.paid().iter().any(pays),
        "order {order} was settled by {:?}: {}",
        is.payment_intent,
        before.tell()
    );
}

/// What must be, once everything is quiet and a run has finished.
pub fn check_quiet(
    truth: &Truth,
    verdict: &str,
    published: &BTreeSet<String>,
    failed: &BTreeSet<String>,
) {
    let (order, row) = (truth.row.id, &truth.row);
    let told = || format!("order {order}, {verdict}: {}", truth.tell());
    let (paid, on_its_way) = (truth.paid(), truth.on_its_way(failed));
    let expected = if paid.len() > 1 || (row.status == "canceled" && !paid.is_empty()) {
        "overpaid"
    } else if row.status == "pending" && !paid.is_empty() {
        "paid_unrecorded"
    } else if !on_its_way.is_empty() {
        "processing"
    } else if row.status == "pending" {
        "healthy"
    } else {
        "settled"
    };
    assert_eq!(verdict, expected, "{}", told());
    let live = truth.live();
    match expected {
        "healthy" => {
            let held = BTreeSet::from([truth.held().to_owned()]);
            assert_eq!(live, held, "{}", told());
            let object = &truth.objects[truth.held()];
            let link = object["line_items"]["data"][0]["amount_total"].as_i64();
            let amount = object["amount_total"].as_i64().or(link);
            assert_eq!(amount, row.amount_cents, "{}", told());
        }
        "settled" => assert_eq!(live, BTreeSet::new(), "{}", told()),
        // Held for a person: two links that can be paid and that somebody was told of are never left.
        _ => {
            let payable: Vec<_> = live
                .iter()
                .filter(|family| published.contains(*family))
                .collect();
            let ours: Vec<_> = payable
                .iter()
                .filter(|family| truth.is_ours(family))
                .collect();
            assert!(ours.len() <= 1, "{}", told());
        }
    }
}
