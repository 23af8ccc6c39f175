//! Receivers at once, and answers of the database that are lost: every event is taken in once, and what is told of it is
//! what was committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use serde_json::json;

use relink::domain::OrderId;
use relink::store::{
    Access, Gate, Pass, Place, Point, Receiver, Resolution, Resolved, Resolving, StoreError,
};

use crate::store_world::{World, on_each_database, open};
use crate::webhook_world::{
    CREATED, Told, deliver, events, incident_kinds, incidents, is_settled, paid, policy, receiver,
    row, written,
};

on_each_database!(
    World:
    an_event_whose_commit_was_lost_is_received_once_and_told_as_it_was,
    an_event_that_cannot_be_read_back_is_received_when_it_is_sent_again,
    a_word_whose_commit_was_lost_is_said_once,
    a_word_that_was_lost_is_not_read_back_from_another_word_of_the_same_person,
);

/// Loses the first so many answers, committed or not.
#[derive(Debug)]
struct Loser {
    pass: Pass,
    left: AtomicUsize,
}

impl Loser {
    fn of(pass: Pass, times: usize) -> Arc<Self> {
        let left = AtomicUsize::new(times);
        Arc::new(Loser { pass, left })
    }
}

impl Gate for Loser {
    fn pass(&self, point: Point) -> BoxFuture<'_, Pass> {
        let place = match self.pass {
            Pass::NotCommitted => Place::BeforeCommit,
            Pass::AnswerLost | Pass::Go => Place::AfterCommit,
        };
        let is_ours = point.place == place && self.left.load(Ordering::SeqCst) > 0;
        if is_ours {
            self.left.fetch_sub(1, Ordering::SeqCst);
        }
        let pass = if is_ours { self.pass } else { Pass::Go };
        Box::pin(async move { pass })
    }
}

async fn an_event_whose_commit_was_lost_is_received_once_and_told_as_it_was(world: World) {
    let receiver = receiver(&world).await;
    let losing = |pass| {
        let store = receiver.store().clone().with_gate(Loser::of(pass, 1));
        store.receiver(policy())
    };
    for (at, pass) in [Pass::AnswerLost, Pass::NotCommitted]
        .into_iter()
        .enumerate()
    {
        let (order, intent) = [(1, "pi_a"), (3, "pi_b")][at];
        let told = Told {
            order: json!(order.to_string()),
            amount: [5500, 6500][at],
            session: ["cs_test_a", "cs_test_b"][at],
            intent: Some(intent),
            link: Some(["plink_a", "plink_b"][at]),
            ..paid()
        };
        let receipt = deliver(&losing(pass), &told, &format!("evt_{at}")).await;
        assert!(
            is_settled(&receipt) && !receipt.seen_before,
            "{pass:?}: {receipt:?}"
        );
        assert_eq!(receipt.retirements.len(), 1, "{pass:?}");
        assert_eq!(row(&world, order).await, format!("paid|{intent}|{CREATED}"));
        // Without an order there is no row to wait for.
        let nobody = Told {
            order: json!(null),
            session: ["cs_test_c", "cs_test_d"][at],
            intent: None,
            ..paid()
        };
        let receipt = deliver(&losing(pass), &nobody, &format!("evt_n{at}")).await;
        assert_eq!(
            (receipt.ruling.name(), receipt.seen_before),
            ("no_order", false),
            "{pass:?}"
        );
    }
    assert_eq!(events(&world).await, "4");
    let second = Told {
        session: "cs_test_second",
        intent: Some("pi_two"),
        ..paid()
    };
    let receipt = deliver(&losing(Pass::AnswerLost), &second, "evt_second").await;
    assert_eq!(receipt.ruling.name(), "double_payment");
    assert_eq!(incidents(&receiver).await.len(), 3);
}

async fn an_event_that_cannot_be_read_back_is_received_when_it_is_sent_again(world: World) {
    let receiver = receiver(&world).await;
    let store = receiver.store().clone();
    let losing = store
        .with_gate(Loser::of(Pass::NotCommitted, 99))
        .receiver(policy());
    let error = losing.receive(&paid().event("evt_1")).await.unwrap_err();
    assert!(
        matches!(error, StoreError::JournalUnknown { .. }),
        "{error:?}"
    );
    assert_eq!(row(&world, 1).await, "pending|-|-");
    assert!(is_settled(&deliver(&receiver, &paid(), "evt_1").await));
    let before = written(&world).await;
    let again = deliver(&receiver, &paid(), "evt_1").await;
    assert!(again.seen_before && is_settled(&again), "{again:?}");
    assert_eq!(written(&world).await, before);
}

async fn a_word_whose_commit_was_lost_is_said_once(world: World) {
    let receiver = receiver(&world).await;
    let less = Told {
        amount: 4500,
        ..paid()
    };
    deliver(&receiver, &less, "evt_1").await;
    let incidents = incidents(&receiver).await;
    let accept = Resolving {
        incident: incidents[0].id.clone(),
        order: OrderId(1),
        resolution: Resolution::AcceptAmount,
        by: "ann@desk".to_owned(),
        reason: "a scholarship".to_owned(),
    };
    let store = receiver.store().clone();
    let losing = store
        .with_gate(Loser::of(Pass::AnswerLost, 1))
        .receiver(policy());
    let resolved = losing.resolve(&accept).await.unwrap();
    assert!(matches!(resolved, Resolved::Done(links) if links.len() == 1));
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    assert_eq!(receiver.resolve(&accept).await.unwrap(), Resolved::Before);
}

/// Undoes the first word, and has another one said before it is tried again.
#[derive(Debug)]
struct Interrupter {
    other: Receiver,
    word: Resolving,
    met: AtomicUsize,
}

impl Gate for Interrupter {
    fn pass(&self, point: Point) -> BoxFuture<'_, Pass> {
        let met = match point.place {
            Place::AfterCommit => usize::MAX,
            Place::Begin | Place::BeforeCommit => self.met.fetch_add(1, Ordering::SeqCst),
        };
        Box::pin(async move {
            match (met, point.place) {
                (1, Place::BeforeCommit) => return Pass::NotCommitted,
                (2, Place::Begin) => {
                    let said = self.other.resolve(&self.word).await.unwrap();
                    assert_eq!(said, Resolved::Done(Vec::new()));
                }
                _ => {}
            }
            Pass::Go
        })
    }
}

/// Ann gives the money back at one desk while the answer to her acceptance is lost at another: the order is not paid, and
/// nobody may tell her that it is.
async fn a_word_that_was_lost_is_not_read_back_from_another_word_of_the_same_person(world: World) {
    let receiver = receiver(&world).await;
    let less = Told {
        amount: 4500,
        ..paid()
    };
    deliver(&receiver, &less, "evt_1").await;
    let incidents = incidents(&receiver).await;
    let word = |resolution| Resolving {
        incident: incidents[0].id.clone(),
        order: OrderId(1),
        resolution,
        by: "ann@desk".to_owned(),
        reason: "a scholarship".to_owned(),
    };
    let gate = Arc::new(Interrupter {
        other: receiver.clone(),
        word: word(Resolution::Acknowledge),
        met: AtomicUsize::new(0),
    });
    let store = receiver.store().clone().with_gate(gate);
    let losing = store.receiver(policy());
    let accept = word(Resolution::AcceptAmount);
    assert_eq!(losing.resolve(&accept).await.unwrap(), Resolved::Before);
    assert_eq!(row(&world, 1).await, "pending|-|-");
}

/// What is decided must not be decided over what the application is just leaving behind.
#[tokio::test]
async fn a_row_that_the_application_is_changing_is_waited_for() {
    let world = World::postgres_enums().await;
    let receiver = receiver(&world).await;
    let less = Told {
        amount: 4500,
        ..paid()
    };
    let mut application = world
        .hold("BEGIN; UPDATE orders SET status = 'canceled' WHERE id = 1")
        .await;
    let (receipt, ()) = tokio::join!(deliver(&receiver, &less, "evt_1"), async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        sqlx::raw_sql("COMMIT")
            .execute(&mut application)
            .await
            .unwrap();
    });
    assert_eq!(receipt.ruling.name(), "canceled_paid");
}

/// Four receivers, one event, its twin and a second payment, all at once.
#[tokio::test]
async fn receivers_at_once_settle_once() {
    let world = World::postgres_enums().await;
    let mut receivers = Vec::new();
    for _ in 0..4 {
        receivers.push(receiver(&world).await);
    }
    for round in 0..10 {
        let reset = "UPDATE orders SET status = 'pending', paid_at = NULL, stripe_payment_intent_id = NULL \
                     WHERE id = 1";
        world.run(reset).await;
        for table in ["events", "payments", "incidents", "retirements"] {
            world.run(&format!("DELETE FROM relink.{table}")).await;
        }
        let second = Told {
            session: "cs_test_second",
            intent: Some("pi_two"),
            ..paid()
        };
        let deliveries = receivers.iter().flat_map(|receiver| {
            let told = [
                (paid(), "evt_1"),
                (paid(), "evt_2"),
                (second.clone(), "evt_3"),
            ];
            told.map(|(told, id)| async move { deliver(receiver, &told, id).await })
        });
        let receipts = futures_util::future::join_all(deliveries).await;
        let settled = receipts
            .iter()
            .filter(|r| is_settled(r) && !r.seen_before)
            .count();
        assert_eq!(settled, 1, "round {round}: {receipts:?}");
        assert_eq!(
            incident_kinds(&receivers[0]).await,
            ["double_payment"],
            "round {round}"
        );
        assert_eq!(events(&world).await, "3", "round {round}");
    }
}

/// Two receivers, one session, two orders: it becomes one order's.
#[tokio::test]
async fn a_session_that_names_two_orders_at_once_settles_one() {
    let world = World::postgres_enums().await;
    let (one, two) = (receiver(&world).await, receiver(&world).await);
    let other = Told {
        order: json!("3"),
        amount: 6500,
        ..paid()
    };
    let own = paid();
    let (first, second) =
        tokio::join!(deliver(&one, &own, "evt_1"), deliver(&two, &other, "evt_2"));
    let mut rulings = [first.ruling.name(), second.ruling.name()];
    rulings.sort_unstable();
    assert_eq!(rulings, ["foreign", "settled"]);
}

#[tokio::test]
async fn a_role_that_may_not_settle_is_told_before_it_receives() {
    let world = World::postgres_enums().await;
    receiver(&world).await;
    let reader = url::Url::parse(world.readonly_url()).unwrap();
    let reader = reader.username();
    world
        .run(&format!(
            "GRANT USAGE ON SCHEMA relink TO {reader}; GRANT ALL ON ALL TABLES IN SCHEMA relink TO {reader}"
        ))
        .await;
    let store = open(world.readonly_url(), Access::ReadWrite).await.unwrap();
    let error = store.open_receiver(policy()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::AccessDenied { .. }),
        "{error:?}"
    );
}
