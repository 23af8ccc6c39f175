//! The world goes on: a parent who keeps every URL ever sent, opens pages early and pays late; an application that
//! marks paid orders, edits, cancels and makes sessions of its own; and time.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::stage::{Stage, admin};
use super::truth::{self, Truth};
use crate::support::world::{OrderId, World};

/// What becomes of a checkout that the application begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checkout {
    Stored,
    /// The parent has its URL, and a database that failed over has lost the write that stored it.
    Forgotten,
}

/// What the parents and the application know and did.
#[derive(Debug, Default)]
pub struct Life {
    /// Links and sessions whose URL was ever in a row.
    pub published: BTreeSet<String>,
    /// Sessions whose delayed payment failed.
    pub failed: BTreeSet<String>,
    /// Payments in the order in which they were made, by order: session and its family.
    pub payments: Vec<(i64, String, String)>,
    made: usize,
}

impl Life {
    pub fn see(&mut self, truth: &Truth) {
        if !truth.held().is_empty() {
            self.published.insert(truth.held().to_owned());
        }
    }

    /// Something happens to one order.
    pub async fn happen(&mut self, stage: &Stage, world: &World, orders: &[OrderId]) {
        let (order, what) = {
            let mut dice = stage.dice();
            let order = *dice.pick(orders).unwrap();
            (order, dice.below(104))
        };
        let truth = truth::of(world, order).await;
        let told = match what {
            0..25 => self.visit(stage, world, &truth).await,
            25..55 => self.pay(stage, world, &truth).await,
            55..63 => self.settle(stage, world, &truth).await,
            63..78 => self.mark_paid(world, &truth).await,
            78..83 => edit(stage, world, &truth).await,
            83..88 => cancel(world, &truth).await,
            88..93 => revive(world, &truth).await,
            93..100 => self.new_session(world, &truth, Checkout::Stored).await,
            _ if is_early(world, order).await => {
                self.new_session(world, &truth, Checkout::Forgotten).await
            }
            _ => None,
        };
        if let Some(told) = told {
            stage.count(told);
            stage.note(format!("order {order}: {told}"));
        }
    }

    async fn visit(&self, stage: &Stage, world: &World, truth: &Truth) -> Option<&'static str> {
        let known: Vec<&String> = self
            .published
            .iter()
            .filter(|id| truth.objects.contains_key(*id))
            .collect();
        let target = (*stage.dice().pick(&known)?).clone();
        let opened = call(world, "visit", &json!({"url": target})).await;
        let page = opened["id"].as_str()?;
        let is_paid = truth.is_ours(&target)
            && truth
                .paid()
                .iter()
                .any(|paid| truth.family_of(paid) == target);
        assert!(
            !is_paid,
            "{page} was opened of {target}, which was paid already"
        );
        Some("parent opened a page")
    }

    async fn pay(&mut self, stage: &Stage, world: &World, truth: &Truth) -> Option<&'static str> {
        // A page that is open, of something that was ever sent.
        let open: Vec<String> = truth
            .objects
            .iter()
            .filter(|(id, object)| {
                object["status"] == "open" && self.published.contains(&truth.family_of(id))
            })
            .map(|(id, _)| id.clone())
            .collect();
        let (session, method) = {
            let mut dice = stage.dice();
            let session = dice.pick(&open)?.clone();
            let method =
                *dice.pick(&["card", "card", "card", "async", "async_fail", "declined"])?;
            (session, method)
        };
        let paid = call(world, "pay", &json!({"url": session, "method": method})).await;
        if paid["status"] != "complete" {
            return None;
        }
        if method == "async_fail" {
            self.failed.insert(session);
            return Some("parent's debit failed");
        }
        self.payments
            .push((truth.row.id, session.clone(), truth.family_of(&session)));
        Some(if method == "async" {
            "parent paid by debit"
        } else {
            "parent paid by card"
        })
    }

    async fn settle(
        &mut self,
        stage: &Stage,
        world: &World,
        truth: &Truth,
    ) -> Option<&'static str> {
        let waiting = truth.on_its_way(&self.failed);
        let (session, succeeds) = {
            let mut dice = stage.dice();
            (dice.pick(&waiting)?.clone(), dice.per_mille(700))
        };
        self.settle_as(world, &session, succeeds).await;
        Some(if succeeds {
            "debit arrived"
        } else {
            "debit bounced"
        })
    }

    pub async fn settle_as(&mut self, world: &World, session: &str, succeeds: bool) {
        let outcome = if succeeds { "succeeded" } else { "failed" };
        call(
            world,
            "settle",
            &json!({"url": session, "outcome": outcome}),
        )
        .await;
        if !succeeds {
            self.failed.insert(session.to_owned());
            self.payments.retain(|(_, paid, _)| paid != session);
        }
    }

    /// The application's own webhook.
    async fn mark_paid(&self, world: &World, truth: &Truth) -> Option<&'static str> {
        let paid = truth.paid();
        let session = paid.first()?;
        if truth.row.status != "pending" {
            return None;
        }
        let intent = truth.objects[session]["payment_intent"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        world
            .rows
            .execute(&format!(
                "UPDATE orders SET status = 'paid', stripe_payment_intent_id = '{intent}' \
                 WHERE id = {} AND status = 'pending'",
                truth.row.id
            ))
            .await;
        Some("application marked it paid")
    }

    /// The application makes a session and stores it, in one breath.
    async fn new_session(
        &mut self,
        world: &World,
        truth: &Truth,
        checkout: Checkout,
    ) -> Option<&'static str> {
        if truth.row.status != "pending" {
            return None;
        }
        self.made += 1;
        let id = format!("cs_test_app{}x{}", truth.row.id, self.made);
        let url = format!("https://checkout.stripe.com/c/pay/{id}");
        let amount = truth.row.amount_cents.unwrap_or(0);
        let now = admin(world.stripe.double(), "GET", "clock", "").await["now"]
            .as_i64()
            .unwrap_or(0);
        world
            .put_objects(json!([{
                "object": "checkout.session", "id": id, "url": url, "status": "open", "payment_status": "unpaid",
                "amount_total": amount, "currency": "usd", "created": now, "expires_at": now + 86_400,
                "metadata": {"order_id": truth.row.id.to_string()},
            }]))
            .await;
        self.published.insert(id.clone());
        if checkout == Checkout::Forgotten {
            return Some("application made a session that a failover forgot");
        }
        world
            .rows
            .execute(&format!(
                "UPDATE orders SET stripe_checkout_session_id = '{id}', stripe_checkout_url = '{url}' WHERE id = {}",
                truth.row.id
            ))
            .await;
        Some("application made a session")
    }
}

/// No run looks at the order for the last time before it publishes: what the database forgets after that look is lost on
/// everybody (synchronous replication closes this hole, the model shows it).
async fn is_early(world: &World, order: OrderId) -> bool {
    if !world.has_journal().await {
        return true;
    }
    let late = format!(
        "SELECT state FROM {{}} WHERE order_id = {order} AND closed_at IS NULL \
         AND (state NOT IN ('claimed', 'retiring', 'minting') OR state = 'minting' AND begun_by <> held_by \
         OR state = 'retiring' AND minted_id IS NOT NULL)"
    );
    world.journaled("operations", &late).await.is_empty()
}

async fn edit(stage: &Stage, world: &World, truth: &Truth) -> Option<&'static str> {
    if truth.row.status != "pending" {
        return None;
    }
    let amount = 1000 + 500 * stage.dice().below(20);
    world
        .rows
        .set(truth.row.id, "amount_cents", &amount.to_string())
        .await;
    Some("application edited the amount")
}

async fn cancel(world: &World, truth: &Truth) -> Option<&'static str> {
    if truth.row.status != "pending" {
        return None;
    }
    world.rows.set(truth.row.id, "status", "'canceled'").await;
    Some("application canceled it")
}

async fn revive(world: &World, truth: &Truth) -> Option<&'static str> {
    if truth.row.status != "canceled" {
        return None;
    }
    world.rows.set(truth.row.id, "status", "'pending'").await;
    Some("application un-canceled it")
}

async fn call(world: &World, path: &str, body: &Value) -> Value {
    admin(world.stripe.double(), "POST", path, &body.to_string()).await
}
