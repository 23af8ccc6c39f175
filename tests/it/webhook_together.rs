//! Events taken in together: they come to what each alone comes to, and whatever is not the ordinary case is left to
//! itself, unwritten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use serde_json::json;
use sqlx::Connection;

use relink::store::{Gate, Pass, Place, Point, Receiver};
use relink::webhook::Event;

use crate::store_world::{World, on_each_database};
use crate::webhook_world::{
    CREATED, FAILED, Told, debit, deliver, is_settled, paid, policy, receiver, row, written,
};

on_each_database!(
    World:
    together_they_come_to_what_each_alone_comes_to,
    what_was_told_before_is_left_alone,
    a_row_that_another_transaction_has_holds_up_nobody,
    a_lost_commit_settles_each_order_once,
    receivers_at_once_settle_each_order_once,
);

fn second() -> Told {
    Told {
        order: json!("3"),
        amount: 6500,
        session: "cs_test_three",
        intent: Some("pi_three"),
        link: Some("plink_three"),
        ..paid()
    }
}

fn of(order: &str, session: &'static str, intent: &'static str) -> Told {
    Told {
        order: json!(order),
        session,
        intent: Some(intent),
        link: None,
        ..paid()
    }
}

/// One of every kind; of the ordinary case are the first and the last.
fn mixed() -> Vec<Event> {
    let less = Told {
        amount: 4500,
        ..of("3", "cs_test_less", "pi_less")
    };
    let told = [
        paid(),
        of("2", "cs_test_paid_before", "pi_second_for_two"),
        of("4", "cs_test_canceled", "pi_canceled"),
        of("5", "cs_test_jersey", "pi_jersey"),
        of("99", "cs_test_unknown", "pi_unknown"),
        of("1", "cs_test_again", "pi_again"),
        Told {
            order: json!(null),
            ..of("1", "cs_test_nobody", "pi_nobody")
        },
        debit(FAILED),
        second(),
        less,
    ];
    let numbered = told.iter().enumerate();
    numbered
        .map(|(at, told)| told.event(&format!("evt_{at}")))
        .collect()
}

/// As the desk does. The places of those that were taken in together.
async fn take_in(receiver: &Receiver, events: &[Event]) -> Vec<usize> {
    let all: Vec<&Event> = events.iter().collect();
    let receipts = receiver.receive_together(&all).await;
    let mut together = Vec::new();
    for (at, receipt) in receipts.iter().enumerate() {
        match receipt {
            Some(receipt) => {
                assert!(is_settled(receipt) && !receipt.seen_before, "{receipt:?}");
                assert_eq!(
                    (&receipt.event, receipt.retirements.len()),
                    (&all[at].id, 1)
                );
                together.push(at);
            }
            None => drop(receiver.receive(all[at]).await.unwrap()),
        }
    }
    together
}

async fn all_written(world: &World) -> String {
    let mut text = written(world).await;
    for id in 2..=5 {
        text += &format!("\n{id}: {}", row(world, id).await);
    }
    for id in 0..10 {
        let ruling = format!(
            "SELECT COALESCE(MAX(ruling || ' ' || session_id || ' ' || CAST(COALESCE(order_id, 0) AS TEXT) || ' ' \
             || detail || ' ' || COALESCE(incident_id, '-')), '-') FROM {{events}} WHERE event_id = 'evt_{id}'"
        );
        text += &format!("\n{}", world.journaled(&ruling).await.unwrap());
    }
    text
}

async fn together_they_come_to_what_each_alone_comes_to(world: World) {
    let receiver = receiver(&world).await;
    let events = mixed();
    for event in [&events[0], &events[8]].into_iter().chain(&events) {
        receiver.receive(event).await.unwrap();
    }
    let alone = all_written(&world).await;
    for table in ["events", "payments", "incidents", "retirements"] {
        let table = world.journal_table(table);
        world.run(&format!("DELETE FROM {table}")).await;
    }
    let reset = "UPDATE orders SET status = 'pending', paid_at = NULL, stripe_payment_intent_id = NULL WHERE id IN (1, 3)";
    world.run(reset).await;
    let together = take_in(&receiver, &events).await;
    if world.is_postgres() {
        assert_eq!(together, [0, 8]);
        assert_eq!(all_written(&world).await, alone);
    } else {
        assert_eq!(together, [0; 0], "one writer has the whole file");
    }
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    assert_eq!(row(&world, 3).await, format!("paid|pi_three|{CREATED}"));
}

async fn what_was_told_before_is_left_alone(world: World) {
    let receiver = receiver(&world).await;
    // A debit on its way, for order 1; order 2's row names a link of its own.
    deliver(
        &receiver,
        &debit("checkout.session.completed"),
        "evt_on_its_way",
    )
    .await;
    let before = all_written(&world).await;
    let of_three = second();
    let left = [
        // The payment of another order, by session and by intent.
        Told {
            session: "cs_test_paid",
            ..of_three.clone()
        }
        .event("evt_1"),
        Told {
            intent: Some("pi_one"),
            session: "cs_test_other",
            ..of_three.clone()
        }
        .event("evt_2"),
        // Another order's row names the link.
        Told {
            link: Some("plink_two"),
            ..of_three.clone()
        }
        .event("evt_3"),
        // The event itself.
        of_three.event("evt_on_its_way"),
        // A payment was told of the order.
        paid().event("evt_4"),
    ];
    let with_intent = "UPDATE {payments} SET payment_intent = 'pi_one'";
    let with_intent = with_intent.replace("{payments}", &world.journal_table("payments"));
    world.run(&with_intent).await;
    for event in &left {
        assert_eq!(
            receiver.receive_together(&[event]).await,
            [None],
            "{}",
            event.id
        );
    }
    assert_eq!(row(&world, 3).await, "pending|-|-");
    assert_eq!(
        all_written(&world).await.replace("pi_one", "-"),
        before.replace("pi_one", "-")
    );
}

async fn a_row_that_another_transaction_has_holds_up_nobody(world: World) {
    if !world.is_postgres() {
        return;
    }
    let receiver = receiver(&world).await;
    let holding = world
        .hold("BEGIN; UPDATE orders SET updated_at = now() WHERE id = 1")
        .await;
    let begun = Instant::now();
    let (first, other) = (paid().event("evt_1"), second().event("evt_2"));
    let receipts = receiver.receive_together(&[&first, &other]).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(
        receipts[0].is_none() && receipts[1].as_ref().is_some_and(is_settled),
        "{receipts:?}"
    );
    assert_eq!(row(&world, 1).await, "pending|-|-");
    holding.close().await.unwrap();
    assert!(is_settled(&receiver.receive(&first).await.unwrap()));
}

/// Loses the next answer.
#[derive(Debug)]
struct Loser(Pass, AtomicBool);

impl Gate for Loser {
    fn pass(&self, point: Point) -> BoxFuture<'_, Pass> {
        let place = match self.0 {
            Pass::NotCommitted => Place::BeforeCommit,
            Pass::AnswerLost | Pass::Go => Place::AfterCommit,
        };
        let is_ours = point.place == place && !self.1.swap(true, Ordering::SeqCst);
        let pass = if is_ours { self.0 } else { Pass::Go };
        Box::pin(async move { pass })
    }
}

async fn a_lost_commit_settles_each_order_once(world: World) {
    let receiver = receiver(&world).await;
    let events = [paid().event("evt_1"), second().event("evt_2")];
    for pass in [Pass::NotCommitted, Pass::AnswerLost] {
        let loser = Arc::new(Loser(pass, AtomicBool::new(!world.is_postgres())));
        let losing = receiver.store().clone().with_gate(loser).receiver(policy());
        let all: Vec<&Event> = events.iter().collect();
        assert_eq!(
            losing.receive_together(&all).await,
            [None, None],
            "{pass:?}"
        );
    }
    for event in &events {
        let receipt = losing_nothing(&receiver, event).await;
        assert_eq!(
            receipt,
            world.is_postgres(),
            "committed already, or settled now"
        );
    }
    let after = all_written(&world).await;
    for event in &events {
        assert!(losing_nothing(&receiver, event).await);
    }
    assert_eq!(all_written(&world).await, after);
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    assert_eq!(row(&world, 3).await, format!("paid|pi_three|{CREATED}"));
}

/// Whether it was settled before.
async fn losing_nothing(receiver: &Receiver, event: &Event) -> bool {
    let receipt = receiver.receive(event).await.unwrap();
    assert!(is_settled(&receipt), "{receipt:?}");
    receipt.seen_before
}

async fn receivers_at_once_settle_each_order_once(world: World) {
    let receiver = receiver(&world).await;
    let events = [paid().event("evt_1"), second().event("evt_2")];
    let twins = [paid().event("evt_3"), second().event("evt_4")];
    let taking = (0..6).map(|at| {
        let events = if at % 2 == 0 { &events } else { &twins };
        async {
            let all: Vec<&Event> = events.iter().collect();
            let receipts = receiver.receive_together(&all).await;
            for (event, receipt) in events.iter().zip(&receipts) {
                if receipt.is_none() {
                    receiver.receive(event).await.unwrap();
                }
            }
            receipts.iter().flatten().count()
        }
    });
    let together: usize = join_all(taking).await.into_iter().sum();
    assert!(together <= 2, "{together}");
    let written = all_written(&world).await;
    assert!(
        written.contains("incidents: none")
            && written.contains(
                "payments: cs_test_paid pi_one 1 paid 5500; cs_test_three pi_three 3 paid 6500\n"
            ),
        "{written}"
    );
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    assert_eq!(row(&world, 3).await, format!("paid|pi_three|{CREATED}"));
}
