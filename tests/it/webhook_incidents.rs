//! Money that came in another way than the order asked for: it settles nothing, it is shown to a person with what that
//! person needs, once, until that person has said the last word.

use serde_json::json;

use relink::domain::{Mode, OrderId};
use relink::store::{Resolution, Resolved, Resolving};
use relink::webhook::{IncidentId, Policy};

use crate::store_world::{World, on_each_database};
use crate::webhook_world::{
    CREATED, EXPIRED, Told, deliver, incident_kinds, incidents, link, links_due, paid, policy,
    receiver, receiver_with, row, ruled,
};

on_each_database!(
    World:
    a_second_distinct_payment_is_an_incident,
    another_amount_waits_for_a_person,
    money_for_a_canceled_order_waits_for_a_person,
    a_question_that_answered_itself_is_asked_again_when_it_comes_back,
    a_wrong_sum_told_again_after_another_payment_settled_the_order_is_a_second_payment,
    what_is_about_no_order_of_ours_is_never_guessed,
    an_object_of_another_order_settles_neither,
    an_amount_is_accepted_once,
    what_a_person_dealt_with_never_settles,
    an_incident_is_resolved_by_nobody_else,
);

async fn a_second_distinct_payment_is_an_incident(world: World) {
    let receiver = receiver(&world).await;
    let second = Told {
        session: "cs_test_second",
        intent: Some("pi_two"),
        ..paid()
    };
    deliver(&receiver, &paid(), "evt_1").await;
    let due = receiver
        .store()
        .retirements_due(Mode::Test, 9)
        .await
        .unwrap();
    receiver.store().retirement_done(&due[0]).await.unwrap();
    assert_eq!(ruled(&receiver, &second, "evt_2").await, "double_payment");
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    let open = incidents(&receiver).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].order, Some(OrderId(1)));
    assert_eq!(open[0].detail["payments"], json!(["pi_one", "pi_two"]));
    assert_eq!(
        open[0].detail["refund"],
        json!({"minor": 5500, "currency": "usd"})
    );
    assert_eq!(
        links_due(&receiver).await,
        ["plink_one"],
        "it was found open"
    );
    // Told once more, by the same event and by another, it is the same incident.
    assert!(deliver(&receiver, &second, "evt_2").await.seen_before);
    assert_eq!(ruled(&receiver, &second, "evt_3").await, "double_payment");
    assert_eq!(
        ruled(&receiver, &paid(), "evt_4").await,
        "duplicate_delivery"
    );
    assert_eq!(incidents(&receiver).await, open);
    let third = Told {
        session: "cs_test_third",
        intent: Some("pi_three"),
        ..paid()
    };
    assert_eq!(ruled(&receiver, &third, "evt_5").await, "double_payment");
    assert_eq!(incidents(&receiver).await.len(), 2);
    // A session that asked for no money was not paid twice.
    let free = Told {
        session: "cs_test_free",
        intent: None,
        payment_status: "no_payment_required",
        amount: 0,
        ..paid()
    };
    assert_eq!(ruled(&receiver, &free, "evt_6").await, "duplicate_delivery");
}

async fn another_amount_waits_for_a_person(world: World) {
    let receiver = receiver(&world).await;
    let wrong = [
        Told {
            amount: 4500,
            ..paid()
        },
        Told {
            currency: "cad",
            session: "cs_test_cad",
            intent: Some("pi_cad"),
            ..paid()
        },
        Told {
            currency: "xxx",
            session: "cs_test_xxx",
            intent: Some("pi_xxx"),
            ..paid()
        },
        Told {
            amount: -5500,
            session: "cs_test_minus",
            intent: Some("pi_minus"),
            ..paid()
        },
    ];
    for (at, told) in wrong.iter().enumerate() {
        assert_eq!(
            ruled(&receiver, told, &format!("evt_{at}")).await,
            "other_amount"
        );
    }
    assert_eq!(row(&world, 1).await, "pending|-|-");
    assert_eq!(
        links_due(&receiver).await,
        [""; 0],
        "a pending order keeps its links"
    );
    let open = incidents(&receiver).await;
    assert_eq!(open.len(), 4);
    let less = open
        .iter()
        .find(|incident| incident.session.as_str() == "cs_test_paid")
        .unwrap();
    assert_eq!(
        less.detail["amount"],
        json!({"minor": 4500, "currency": "usd"})
    );
    assert_eq!(
        less.detail["expected"],
        json!({"minor": 5500, "currency": "usd"})
    );
    let payments = world.journal_table("payments");
    world
        .run(&format!(
            "DELETE FROM {payments} WHERE session_id <> 'cs_test_paid'"
        ))
        .await;
    // The right amount settles; what was paid before is one payment too many, and says so.
    let right = Told {
        session: "cs_test_right",
        intent: Some("pi_right"),
        ..paid()
    };
    assert_eq!(ruled(&receiver, &right, "evt_right").await, "settled");
    let double = incidents(&receiver).await;
    let double = double
        .iter()
        .find(|incident| incident.kind.name() == "double_payment")
        .unwrap();
    assert_eq!(double.detail["payments"], json!(["pi_right", "pi_one"]));
    assert_eq!(
        double.detail["refund"],
        json!({"minor": 4500, "currency": "usd"})
    );
}

async fn money_for_a_canceled_order_waits_for_a_person(world: World) {
    let receiver = receiver(&world).await;
    world
        .run("UPDATE orders SET status = 'canceled' WHERE id = 1")
        .await;
    let before = world.row(1).await;
    assert_eq!(ruled(&receiver, &paid(), "evt_1").await, "canceled_paid");
    assert_eq!(world.row(1).await, before);
    assert_eq!(links_due(&receiver).await, ["plink_one"]);
    // Told again, by the same event or another: still one question, and still open.
    for event in ["evt_1", "evt_2", "evt_1"] {
        let receipt = deliver(&receiver, &paid(), event).await;
        assert_eq!(receipt.ruling.name(), "canceled_paid");
        assert_eq!(incident_kinds(&receiver).await, ["canceled_paid"]);
    }
    // Paid, then canceled: its own payment, told late, is none.
    world
        .run("UPDATE orders SET status = 'canceled', stripe_payment_intent_id = 'pi_three' WHERE id = 3")
        .await;
    let late = Told {
        order: json!("3"),
        session: "cs_test_late",
        intent: Some("pi_three"),
        ..paid()
    };
    assert_eq!(ruled(&receiver, &late, "evt_3").await, "duplicate_delivery");
}

/// Somebody asked for the money of a canceled order; it was revived, and canceled once more.
async fn a_question_that_answered_itself_is_asked_again_when_it_comes_back(world: World) {
    let receiver = receiver(&world).await;
    let set = |what: &'static str| world.run(what);
    set("UPDATE orders SET status = 'canceled' WHERE id = 1").await;
    assert_eq!(ruled(&receiver, &paid(), "evt_1").await, "canceled_paid");
    set("UPDATE orders SET status = 'pending', amount_cents = 9900 WHERE id = 1").await;
    assert_eq!(ruled(&receiver, &paid(), "evt_1").await, "other_amount");
    assert_eq!(incident_kinds(&receiver).await, ["other_amount"]);
    set("UPDATE orders SET status = 'canceled' WHERE id = 1").await;
    assert_eq!(ruled(&receiver, &paid(), "evt_1").await, "canceled_paid");
    assert_eq!(incident_kinds(&receiver).await, ["canceled_paid"]);
    set("UPDATE orders SET status = 'pending', amount_cents = 5500 WHERE id = 1").await;
    assert_eq!(ruled(&receiver, &paid(), "evt_1").await, "settled");
    assert_eq!(incident_kinds(&receiver).await, Vec::<&str>::new());
}

/// A wrong sum was paid, then the right one, which the application's own receiver settled the order with. The first
/// payment is one too many, however often it is told.
async fn a_wrong_sum_told_again_after_another_payment_settled_the_order_is_a_second_payment(
    world: World,
) {
    let receiver = receiver(&world).await;
    let wrong = Told {
        amount: 4500,
        ..paid()
    };
    assert_eq!(ruled(&receiver, &wrong, "evt_1").await, "other_amount");
    world
        .run(
            "UPDATE orders SET status = 'paid', stripe_payment_intent_id = 'pi_right' WHERE id = 1",
        )
        .await;
    assert_eq!(ruled(&receiver, &wrong, "evt_1").await, "double_payment");
    assert_eq!(incident_kinds(&receiver).await, ["double_payment"]);
    assert_eq!(ruled(&receiver, &wrong, "evt_2").await, "double_payment");
    assert_eq!(incident_kinds(&receiver).await, ["double_payment"]);
}

async fn what_is_about_no_order_of_ours_is_never_guessed(world: World) {
    let receiver = receiver(&world).await;
    let before = (world.row(1).await, world.row(3).await);
    let cases = [
        (json!("77"), "unknown_order"),
        (json!("9223372036854775807"), "unknown_order"),
        (json!(null), "no_order"),
        (json!("1 OR 1=1"), "malformed_order"),
        (json!("1'; DROP TABLE orders; --"), "malformed_order"),
        (json!("-1"), "malformed_order"),
        (json!("+1"), "malformed_order"),
        (json!(" 1"), "malformed_order"),
        (json!("0"), "malformed_order"),
        (json!("1.0"), "malformed_order"),
        (json!("9223372036854775808"), "malformed_order"),
        (json!("1\u{0}"), "malformed_order"),
        (json!("\u{661}"), "malformed_order"),
    ];
    for (at, (order, kind)) in cases.iter().enumerate() {
        let session: &'static str = Box::leak(format!("cs_test_{at}").into_boxed_str());
        let told = Told {
            order: order.clone(),
            session,
            intent: None,
            ..paid()
        };
        assert_eq!(
            ruled(&receiver, &told, &format!("evt_{at}")).await,
            *kind,
            "{order}"
        );
        // Without money it is only written down.
        let expired = Told {
            kind: EXPIRED,
            payment_status: "unpaid",
            ..told
        };
        assert_eq!(
            ruled(&receiver, &expired, &format!("evt_x{at}")).await,
            "unmatched",
            "{order}"
        );
    }
    assert_eq!(incidents(&receiver).await.len(), cases.len());
    assert_eq!((world.row(1).await, world.row(3).await), before);
    assert_eq!(links_due(&receiver).await, [""; 0]);
}

async fn an_object_of_another_order_settles_neither(world: World) {
    let receiver = receiver(&world).await;
    // Order 2's row names this link.
    let told = Told {
        link: Some("plink_two"),
        ..paid()
    };
    assert_eq!(ruled(&receiver, &told, "evt_1").await, "foreign");
    // Order 1's row names this session.
    let told = Told {
        order: json!("3"),
        session: "cs_test_one",
        intent: Some("pi_x"),
        amount: 6500,
        ..paid()
    };
    assert_eq!(ruled(&receiver, &told, "evt_2").await, "foreign");
    assert_eq!(row(&world, 1).await, "pending|-|-");
    assert_eq!(row(&world, 3).await, "pending|-|-");
    // One payment settles one order, whatever its session's metadata says later.
    assert_eq!(ruled(&receiver, &paid(), "evt_3").await, "settled");
    let moved = Told {
        order: json!("3"),
        amount: 6500,
        ..paid()
    };
    assert_eq!(ruled(&receiver, &moved, "evt_4").await, "foreign");
    assert_eq!(row(&world, 3).await, "pending|-|-");
}

fn word(incident: &IncidentId, order: i64, resolution: Resolution) -> Resolving {
    Resolving {
        incident: incident.clone(),
        order: OrderId(order),
        resolution,
        by: "ann@desk".to_owned(),
        reason: "a scholarship".to_owned(),
    }
}

async fn an_amount_is_accepted_once(world: World) {
    let receiver = receiver(&world).await;
    let less = Told {
        amount: 4500,
        ..paid()
    };
    deliver(&receiver, &less, "evt_1").await;
    let open = incidents(&receiver).await;
    let accept = word(&open[0].id, 1, Resolution::AcceptAmount);
    let resolved = receiver.resolve(&accept).await.unwrap();
    let Resolved::Done(links) = resolved else {
        panic!("{resolved:?}")
    };
    assert_eq!(links[0].link, link("plink_one"));
    assert_eq!(row(&world, 1).await, format!("paid|pi_one|{CREATED}"));
    assert_eq!(incident_kinds(&receiver).await, [""; 0]);
    assert_eq!(receiver.resolve(&accept).await.unwrap(), Resolved::Before);
    assert!(deliver(&receiver, &less, "evt_1").await.seen_before);
    assert_eq!(ruled(&receiver, &less, "evt_2").await, "duplicate_delivery");
    // Only another amount, and only while the order is pending.
    let second = Told {
        session: "cs_test_b",
        intent: Some("pi_b"),
        ..paid()
    };
    deliver(&receiver, &second, "evt_3").await;
    let double = incidents(&receiver).await;
    let accept = word(&double[0].id, 1, Resolution::AcceptAmount);
    assert_eq!(
        receiver.resolve(&accept).await.unwrap(),
        Resolved::NotAcceptable
    );
    assert_eq!(incidents(&receiver).await, double);
}

async fn what_a_person_dealt_with_never_settles(world: World) {
    let receiver = receiver(&world).await;
    let less = Told {
        amount: 4500,
        ..paid()
    };
    deliver(&receiver, &less, "evt_1").await;
    let open = incidents(&receiver).await;
    let given_back = word(&open[0].id, 1, Resolution::Acknowledge);
    assert_eq!(
        receiver.resolve(&given_back).await.unwrap(),
        Resolved::Done(Vec::new())
    );
    assert_eq!(incident_kinds(&receiver).await, [""; 0]);
    // Even where the row asks for that amount by now.
    world
        .run("UPDATE orders SET amount_cents = 4500 WHERE id = 1")
        .await;
    assert!(deliver(&receiver, &less, "evt_1").await.seen_before);
    assert_eq!(ruled(&receiver, &less, "evt_2").await, "duplicate_delivery");
    assert_eq!(row(&world, 1).await, "pending|-|-");
    assert_eq!(links_due(&receiver).await, [""; 0]);
}

async fn an_incident_is_resolved_by_nobody_else(world: World) {
    let receiver = receiver(&world).await;
    deliver(
        &receiver,
        &Told {
            amount: 4500,
            ..paid()
        },
        "evt_1",
    )
    .await;
    let open = incidents(&receiver).await;
    let other_order = word(&open[0].id, 3, Resolution::Acknowledge);
    assert_eq!(
        receiver.resolve(&other_order).await.unwrap(),
        Resolved::NoSuchIncident
    );
    // What was paid in test mode settles nothing in live mode.
    let live = receiver_with(
        &world,
        Policy {
            mode: Mode::Live,
            ..policy()
        },
    )
    .await;
    let accept = word(&open[0].id, 1, Resolution::AcceptAmount);
    assert_eq!(
        live.resolve(&accept).await.unwrap(),
        Resolved::NoSuchIncident
    );
    assert_eq!(row(&world, 1).await, "pending|-|-");
    let none = IncidentId::parse("0123456789ab").unwrap();
    let unknown = word(&none, 1, Resolution::Acknowledge);
    assert_eq!(
        receiver.resolve(&unknown).await.unwrap(),
        Resolved::NoSuchIncident
    );
    assert_eq!(incidents(&receiver).await, open);
    for text in [
        "",
        "0123456789a",
        "0123456789AB",
        "0123456789abc",
        "' OR 1=1 --",
    ] {
        assert_eq!(IncidentId::parse(text), None, "{text:?}");
    }
}
