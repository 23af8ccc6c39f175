//! A sender that hangs up while its delivery is being written: the delivery is taken in all the same, since what is written with
//! it, in the same transaction, is others'.

use std::time::Duration;

use serde_json::json;

use crate::support::kill_points::{self, KillPoints};
use crate::support::serving::{SECRET, Serving, client, free_port};
use crate::support::world::*;
use crate::webhook_world::{Told, header, now, paid};

const SOON: Duration = Duration::from_secs(10);
/// Long enough for a server to see the end of a connection.
const A_WHILE: Duration = Duration::from_millis(300);

async fn is_taken_in_without_its_sender(backend: Backend) {
    let world = World::on(backend).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let minted = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(minted.code, Some(0), "{}", minted.stderr);
    let points = KillPoints::listen().await;
    let address = points.address();
    let announced = [(kill_points::ADDRESS, address.as_str())];
    let serving = Serving::on(&world, free_port(), &announced);
    let letting_pass = async {
        loop {
            points.next().await.go_on();
        }
    };
    let serving = tokio::select! {
        serving = serving => serving,
        () = letting_pass => unreachable!("there is always another point"),
    };
    let told = Told {
        order: json!(order.0.to_string()),
        link: None,
        ..paid()
    };
    let body = told.body("evt_hung_up").to_string().into_bytes();
    let signature = header(SECRET, now(), &body);
    let posting = client()
        .post(serving.url())
        .header("Stripe-Signature", signature)
        .body(body);
    let posting = tokio::spawn(posting.send());
    let held = loop {
        let point = points.next_within(SOON).await.expect("a commit");
        if point.before && point.what == "receive a payment" {
            break point;
        }
        point.go_on();
    };
    posting.abort();
    assert!(posting.await.unwrap_err().is_cancelled());
    tokio::time::sleep(A_WHILE).await;
    held.go_on();
    while let Some(point) = points.next_within(A_WHILE).await {
        point.go_on();
    }
    let events = "SELECT event_id FROM {}";
    assert_eq!(world.journaled("events", events).await, ["evt_hung_up"]);
    serving.kill().await;
}

#[tokio::test]
async fn sqlite() {
    is_taken_in_without_its_sender(Backend::Sqlite).await;
}

#[tokio::test]
async fn postgres() {
    is_taken_in_without_its_sender(Backend::Postgres(Flavour::NativeEnums)).await;
}
