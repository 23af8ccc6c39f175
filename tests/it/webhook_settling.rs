//! Receiving events on each database: an order is paid once, by the payment that its row asks for, whatever order its
//! events come in and however often.

use std::collections::BTreeSet;

use serde_json::json;

use relink::domain::{Mode, OrderId};
use relink::store::Access;
use relink::webhook::{Aftermath, Categories, PaymentState, Policy};

use crate::store_world::{World, on_each_database};
use crate::webhook_world::{
    COMPLETED, CREATED, EXPIRED, FAILED, SUCCEEDED, Told, debit, deliver, events, incident_kinds,
    incidents, is_settled, link, links_due, paid, policy, receiver, receiver_with, row, ruled,
    written,
};

on_each_database!(
    World:
    a_paid_session_settles_its_order_and_asks_for_its_link_to_be_closed,
    what_is_written_is_what_was_foreseen,
    the_same_event_again_writes_nothing,
    a_debit_settles_once_in_every_order_of_its_events,
    a_debit_that_failed_frees_the_order_in_every_order_of_its_events,
    the_application_may_have_settled_the_order_first,
    the_other_mode_touches_nothing,
    a_category_out_of_scope_is_left_alone_unless_all_are_settled,
    a_link_stays_due_until_it_is_closed,
    an_unknown_order_is_settled_once_it_is_there,
);

async fn a_paid_session_settles_its_order_and_asks_for_its_link_to_be_closed(world: World) {
    let receiver = receiver(&world).await;
    let before = world.row(1).await;
    let receipt = deliver(&receiver, &paid(), "evt_1").await;
    assert!(is_settled(&receipt), "{receipt:?}");
    assert_eq!(receipt.order, Some(OrderId(1)));
    let retired: Vec<_> = receipt.retirements.iter().map(|r| r.link.clone()).collect();
    assert_eq!(retired, [link("plink_one")]);
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    let after = world.row(1).await;
    let updated = |row: &str| row.split(' ').nth(12).unwrap().to_owned();
    assert_ne!(updated(&after), updated(&before), "{after}");
    assert_eq!(
        written(&world).await,
        format!(
            "paid|pi_one|{CREATED}\npayments: cs_test_paid pi_one 1 paid 5500\nretirements: plink_one 1 0\n\
             incidents: none"
        )
    );
    assert_eq!(
        row(&world, 3).await,
        "pending|-|-",
        "no other order is touched"
    );
    let counts = receiver.store().receiver_counts(Mode::Test).await.unwrap();
    assert_eq!(counts.events["settled"], 1);
    assert_eq!((counts.open_incidents, counts.open_retirements), (0, 1));
}

async fn what_is_written_is_what_was_foreseen(world: World) {
    let reader = world.open(Access::ReadOnly).await.receiver(policy());
    let event = paid().event("evt_1");
    let before = Aftermath::default();
    let foreseen = reader.foresee(&event, &before).await.unwrap().unwrap();
    assert_eq!(row(&world, 1).await, "pending|-|-");
    let receiver = receiver(&world).await;
    let receipt = receiver.receive(&event).await.unwrap();
    assert_eq!(receipt.ruling, foreseen.ruling);
    assert_eq!(foreseen.retire, [link("plink_one")]);
    let known = reader.foresee(&event, &before).await.unwrap();
    assert_eq!(known, None, "known by now");
    let twin = paid().event("evt_2");
    let foreseen = reader.foresee(&twin, &before).await.unwrap().unwrap();
    assert_eq!(foreseen.ruling.name(), "duplicate_delivery");
    assert_eq!(foreseen.retire, [], "asked for by now");
}

async fn the_same_event_again_writes_nothing(world: World) {
    let receiver = receiver(&world).await;
    deliver(&receiver, &paid(), "evt_1").await;
    let before = (written(&world).await, world.row(1).await);
    for _ in 0..3 {
        let receipt = deliver(&receiver, &paid(), "evt_1").await;
        assert!(receipt.seen_before && is_settled(&receipt), "{receipt:?}");
        assert_eq!(receipt.retirements, []);
    }
    assert_eq!((written(&world).await, world.row(1).await), before);
    assert_eq!(events(&world).await, "1");
    // A twin: another event about the same payment.
    assert_eq!(
        ruled(&receiver, &paid(), "evt_2").await,
        "duplicate_delivery"
    );
    assert_eq!((written(&world).await, world.row(1).await), before);
}

fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let mut rest = items.to_vec();
        rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// Every order of these events, each of them twice, comes to the same.
async fn outcomes(world: &World, kinds: &[&'static str]) -> BTreeSet<String> {
    let receiver = receiver(world).await;
    let clean = row(world, 1).await;
    let mut outcomes = BTreeSet::new();
    for order in permutations(kinds) {
        for kind in order.iter().chain(&order) {
            deliver(&receiver, &debit(kind), &format!("evt_{}", kind.len())).await;
        }
        outcomes.insert(written(world).await);
        for table in ["events", "payments", "incidents", "retirements"] {
            let table = world.journal_table(table);
            world.run(&format!("DELETE FROM {table}")).await;
        }
        let reset = "UPDATE orders SET status = 'pending', paid_at = NULL, stripe_payment_intent_id = NULL \
                     WHERE id = 1";
        world.run(reset).await;
        assert_eq!(row(world, 1).await, clean);
    }
    outcomes
}

async fn a_debit_settles_once_in_every_order_of_its_events(world: World) {
    let settled = format!(
        "paid|pi_one|{CREATED}\npayments: cs_test_paid pi_one 1 paid 5500\nretirements: plink_one 1 0\n\
         incidents: none"
    );
    assert_eq!(
        outcomes(&world, &[COMPLETED, SUCCEEDED]).await,
        BTreeSet::from([settled.clone()])
    );
    // Stripe never says both; a payment once told as paid stays paid.
    assert_eq!(
        outcomes(&world, &[COMPLETED, FAILED, SUCCEEDED]).await,
        BTreeSet::from([settled])
    );
}

async fn a_debit_that_failed_frees_the_order_in_every_order_of_its_events(world: World) {
    let failed = "pending|-|-\npayments: cs_test_paid pi_one 1 failed 5500\nretirements: none\nincidents: none";
    assert_eq!(
        outcomes(&world, &[COMPLETED, FAILED]).await,
        BTreeSet::from([failed.to_owned()])
    );
    let receiver = receiver(&world).await;
    let states = async || -> Vec<PaymentState> {
        let known = receiver
            .store()
            .payments_of(Mode::Test, &[OrderId(1)])
            .await;
        known
            .unwrap()
            .into_iter()
            .map(|payment| payment.state)
            .collect()
    };
    assert_eq!(
        ruled(&receiver, &debit(COMPLETED), "evt_1").await,
        "on_its_way"
    );
    assert_eq!(states().await, [PaymentState::Processing]);
    assert_eq!(
        ruled(&receiver, &debit(FAILED), "evt_2").await,
        "payment_failed"
    );
    assert_eq!(states().await, [PaymentState::Failed]);
    let expired = Told {
        kind: EXPIRED,
        session: "cs_test_other",
        payment_status: "unpaid",
        intent: None,
        ..paid()
    };
    assert_eq!(ruled(&receiver, &expired, "evt_3").await, "expired");
    assert_eq!(row(&world, 1).await, "pending|-|-");
    // And it may be paid in another session.
    let other = Told {
        session: "cs_test_second",
        intent: Some("pi_two"),
        ..paid()
    };
    assert_eq!(ruled(&receiver, &other, "evt_4").await, "settled");
    assert_eq!(incident_kinds(&receiver).await, [""; 0]);
}

async fn the_application_may_have_settled_the_order_first(world: World) {
    let receiver = receiver(&world).await;
    world
        .run("UPDATE orders SET status = 'paid', stripe_payment_intent_id = 'pi_one' WHERE id = 1")
        .await;
    let before = world.row(1).await;
    assert_eq!(
        ruled(&receiver, &paid(), "evt_1").await,
        "duplicate_delivery"
    );
    assert_eq!(world.row(1).await, before, "the row is the application's");
    assert_eq!(links_due(&receiver).await, ["plink_one"]);
    // It stored no payment intent with this one: the first payment told is the one it was settled with.
    world
        .run("UPDATE orders SET status = 'paid', stripe_payment_intent_id = NULL WHERE id = 3")
        .await;
    let first = Told {
        order: json!("3"),
        session: "cs_test_three",
        amount: 6500,
        intent: Some("pi_three"),
        link: None,
        ..paid()
    };
    let second = Told {
        session: "cs_test_four",
        intent: Some("pi_four"),
        ..first.clone()
    };
    assert_eq!(
        ruled(&receiver, &first, "evt_2").await,
        "duplicate_delivery"
    );
    assert_eq!(
        ruled(&receiver, &first, "evt_3").await,
        "duplicate_delivery"
    );
    assert_eq!(incident_kinds(&receiver).await, [""; 0]);
    assert_eq!(ruled(&receiver, &second, "evt_4").await, "double_payment");
    let open = incidents(&receiver).await;
    assert_eq!(open[0].detail["payments"], json!(["pi_three", "pi_four"]));
}

async fn the_other_mode_touches_nothing(world: World) {
    let receiver = receiver(&world).await;
    let live = Told {
        livemode: true,
        ..paid()
    };
    assert_eq!(ruled(&receiver, &live, "evt_1").await, "wrong_mode");
    assert_eq!(row(&world, 1).await, "pending|-|-");
    assert_eq!(incident_kinds(&receiver).await, ["wrong_mode"]);
    assert_eq!(links_due(&receiver).await, [""; 0]);
    let live_policy = Policy {
        mode: Mode::Live,
        ..policy()
    };
    let live_receiver = receiver_with(&world, live_policy).await;
    let test = Told {
        session: "cs_test_b",
        intent: Some("pi_b"),
        ..paid()
    };
    assert_eq!(ruled(&live_receiver, &test, "evt_2").await, "wrong_mode");
    assert_eq!(row(&world, 1).await, "pending|-|-");
}

async fn a_category_out_of_scope_is_left_alone_unless_all_are_settled(world: World) {
    world
        .run("UPDATE orders SET status = 'pending', stripe_payment_intent_id = NULL WHERE id = 5")
        .await;
    let careful = receiver(&world).await;
    let jersey = Told {
        order: json!("5"),
        amount: 3000,
        ..paid()
    };
    assert_eq!(ruled(&careful, &jersey, "evt_1").await, "out_of_scope");
    assert_eq!(row(&world, 5).await, "pending|-|-");
    assert_eq!(links_due(&careful).await, [""; 0]);
    assert_eq!(incident_kinds(&careful).await, [""; 0]);
    let all = Policy {
        categories: Categories::All,
        ..policy()
    };
    let all = receiver_with(&world, all).await;
    // The very same event, received anew under another scope.
    assert_eq!(ruled(&all, &jersey, "evt_1").await, "settled");
    assert_eq!(row(&world, 5).await, format!("paid|pi_one|{CREATED}"));
    assert!(deliver(&careful, &jersey, "evt_1").await.seen_before);
    assert_eq!(events(&world).await, "1");
}

async fn a_link_stays_due_until_it_is_closed(world: World) {
    let receiver = receiver(&world).await;
    world
        .run("UPDATE orders SET stripe_checkout_session_id = 'plink_new' WHERE id = 1")
        .await;
    deliver(&receiver, &paid(), "evt_1").await;
    let store = receiver.store();
    assert_eq!(links_due(&receiver).await, ["plink_new", "plink_one"]);
    let due = store.retirements_due(Mode::Test, 9).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    for retirement in &due {
        store
            .retirement_failed(retirement, "500 of Stripe's", hour)
            .await
            .unwrap();
    }
    assert_eq!(links_due(&receiver).await, [""; 0], "later");
    let open = store.open_retirements(Mode::Test).await.unwrap();
    assert_eq!(open.iter().map(|r| r.attempts).collect::<Vec<_>>(), [1, 1]);
    let reader = world.open(Access::ReadOnly).await;
    assert_eq!(reader.open_retirements(Mode::Test).await.unwrap(), open);
    store.retirement_done(&open[0]).await.unwrap();
    assert_eq!(store.open_retirements(Mode::Test).await.unwrap(), open[1..]);
    // It was asked for once more while it was being closed: that word is about the first time.
    let second = Told {
        session: "cs_test_b",
        intent: Some("pi_b"),
        ..paid()
    };
    deliver(&receiver, &second, "evt_2").await;
    store.retirement_done(&open[1]).await.unwrap();
    let open = store.open_retirements(Mode::Test).await.unwrap();
    assert_eq!(open.iter().map(|r| r.attempts).collect::<Vec<_>>(), [0, 0]);
}

async fn an_unknown_order_is_settled_once_it_is_there(world: World) {
    let receiver = receiver(&world).await;
    let told = Told {
        order: json!("9"),
        ..paid()
    };
    assert_eq!(ruled(&receiver, &told, "evt_1").await, "unknown_order");
    assert!(
        deliver(&receiver, &told, "evt_1").await.seen_before,
        "nothing has changed"
    );
    world
        .run(
            "INSERT INTO orders (id, tenant_id, player_id, product_id, status, amount_cents, created_at, updated_at) \
             VALUES (9, 1, 1, 1, 'pending', 5500, '2026-01-02 03:04:05.678900', '2026-01-02 03:04:05.678900')",
        )
        .await;
    assert_eq!(ruled(&receiver, &told, "evt_1").await, "settled");
    assert_eq!(
        incident_kinds(&receiver).await,
        [""; 0],
        "the alarm is over"
    );
    assert_eq!(events(&world).await, "1");
}
