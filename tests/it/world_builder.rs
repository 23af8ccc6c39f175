//! The world builder itself: one description makes both sides, and they agree on every database.

use serde_json::{Value, json};

use crate::support::world::*;

/// The double completes the sample's objects and keeps what the sample says.
#[tokio::test]
async fn the_sample_loads_into_the_double_as_written() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let objects = world.objects().await;
    for said in relink::sandbox::sample::stripe_objects() {
        let id = said["id"].as_str().unwrap();
        let stored = objects.iter().find(|object| object["id"] == id).unwrap();
        for (field, value) in said.as_object().unwrap() {
            if field != "line_items" {
                assert_eq!(&stored[field], value, "{id}.{field}");
            }
        }
        if said["object"] == "payment_link" {
            let total = &stored["line_items"]["data"][0]["amount_total"];
            assert_eq!(total, &said["line_items"][0]["unit_amount"], "{id}");
        }
    }
    assert!(
        world.requests().await.is_empty(),
        "a test's eyes leave no trace"
    );
}

#[tokio::test]
async fn the_samples_present_is_the_doubles() {
    let world = World::on(Backend::Sqlite).await;
    let now = world.stripe.ask("clock").await["now"].clone();
    assert_eq!(now, relink::sandbox::sample::PRESENT);
}

crate::on_each_backend! {
    async fn an_order_and_its_link_are_made_together(world) {
        let order = world
            .order(pending(55_00).behind(active_link().with(open_session())))
            .await;
        let row = world.row(order.0).await;
        let link = world.link(order).await;
        assert_eq!(row.url.as_deref(), link["url"].as_str());
        assert_eq!(link["metadata"]["order_id"], order.to_string());
        assert_eq!(link["metadata"]["tournament_id"], "1");
        assert_eq!(link["line_items"]["data"][0]["amount_total"], 55_00);
        let link = row.reference.unwrap();
        let sessions = world.open_sessions_of(&link).await;
        assert_eq!(sessions.len(), 1);
        assert_eq!(world.live_objects_of(order).await, [sessions[0].clone(), link]);
    }
}

crate::on_each_backend! {
    async fn a_world_tells_itself_in_lines(world) {
        world.order(paid(40_00).behind(inactive_link().with(paid_session()))).await;
        world.order(pending(55_00).behind(active_link().of(45_00)).and_also(open_session())).await;
        world.order(pending(65_00)).await;
        let listing = world.listing().await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(listing, @r"
            order 1001 paid, paid: 4000 plink_w1001a https://buy.stripe.com/test_w1001a
            order 1002 pending: 5500 plink_w1002a https://buy.stripe.com/test_w1002a
            order 1003 pending: 6500 - -
            link plink_w1002a active for 1002: 4500 usd
            session cs_test_w1002b open for 1002: 5500 usd of -
            ");
        }
    }
}

crate::on_each_backend! {
    async fn every_word_about_a_row_reaches_its_column(world) {
        let shared = pending(55_00)
            .in_tournaments(&[4, 5])
            .shared_by_teams(2)
            .of_category("jersey")
            .of_an_inactive_product()
            .for_player("=O'Neil")
            .mailed_to("");
        let order = world.order(shared).await.0;
        let count = format!("SELECT CAST(count(*) AS BIGINT) FROM tournament_products WHERE product_id = {order}");
        assert_eq!(world.rows.numbers(&count).await, [4]);
        let told = format!(
            "SELECT CAST(p.category AS TEXT) || '/' || pl.name || '/' || pa.email || '/' || CASE WHEN p.is_active THEN 'on' ELSE 'off' END \
             FROM orders o JOIN products p ON p.id = o.product_id JOIN players pl ON pl.id = o.player_id \
             JOIN parents pa ON pa.id = pl.parent_id WHERE o.id = {order}"
        );
        assert_eq!(world.rows.texts(&told).await, ["jersey/=O'Neil//off"]);
        for (said, status) in [(canceled(1), "canceled"), (refunded(1), "refunded"), (paid(1), "paid")] {
            let order = world.order(said).await.0;
            assert_eq!(world.row(order).await.status, status);
        }
        world.rows.allow_null("orders", "amount_cents").await;
        world.rows.set(order, "amount_cents", "NULL").await;
        assert_eq!(world.row(order).await.amount_cents, None);
    }
}

/// The object behind a pending order of 55.00.
async fn behind(held: impl Into<Held>) -> (World, Value) {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(55_00).behind(held)).await;
    let object = world.link(order).await;
    (world, object)
}

#[tokio::test]
async fn every_word_about_a_session_reaches_stripe() {
    for (session, status, payment_status, intent) in [
        (open_session(), "open", "unpaid", Value::Null),
        (expired_session(), "expired", "unpaid", Value::Null),
        (paid_session(), "complete", "paid", json!("succeeded")),
        (
            processing_session(),
            "complete",
            "unpaid",
            json!("processing"),
        ),
        (
            failed_session(),
            "complete",
            "unpaid",
            json!("requires_payment_method"),
        ),
    ] {
        let (world, object) = behind(session).await;
        assert_eq!(object["status"], status);
        assert_eq!(object["payment_status"], payment_status);
        assert_eq!(object["amount_total"], 55_00);
        if let Some(id) = object["payment_intent"].as_str() {
            assert_eq!(world.object(id).await["status"], intent);
        } else {
            assert_eq!(intent, Value::Null);
        }
    }
    let said = open_session()
        .minutes_old(5)
        .of(45_00)
        .in_currency("cad")
        .naming(7);
    let (_, object) = behind(said).await;
    assert_eq!(object["created"], relink::sandbox::sample::PRESENT - 300);
    assert_eq!(object["amount_total"], 45_00);
    assert_eq!(object["currency"], "cad");
    assert_eq!(object["metadata"]["order_id"], "7");
    let (_, object) = behind(open_session().unowned()).await;
    assert_eq!(object["metadata"], json!({}));
}

#[tokio::test]
async fn refunds_and_recovered_copies_hang_on_their_session() {
    let (world, session) = behind(paid_session().refunded()).await;
    let refunds = world.ids_where(|o| o["object"] == "refund").await;
    let refund = world.object(&refunds[0]).await;
    assert_eq!(refund["payment_intent"], session["payment_intent"]);
    assert_eq!(refund["amount"], 55_00);

    let (world, session) = behind(expired_session().copied_as(paid_session())).await;
    assert!(session["after_expiration"]["recovery"]["url"].is_string());
    let copies = world
        .ids_where(|o| o["recovered_from"] == session["id"])
        .await;
    assert_eq!(world.object(&copies[0]).await["payment_status"], "paid");

    let (_, session) = behind(open_session().with_recovery()).await;
    assert_eq!(session["after_expiration"]["recovery"]["enabled"], true);
    assert_eq!(session["after_expiration"]["recovery"]["url"], Value::Null);
}

#[tokio::test]
async fn every_word_about_a_link_reaches_stripe() {
    let (_, link) = behind(active_link().unrestricted().unowned()).await;
    assert_eq!(link["restrictions"], Value::Null);
    assert_eq!(link["metadata"], json!({}));
    let (_, link) = behind(inactive_link().with(paid_session()).in_currency("eur")).await;
    assert_eq!(link["active"], false);
    assert_eq!(link["restrictions"]["completed_sessions"]["count"], 1);
    assert_eq!(link["currency"], "eur");
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(1).behind("cs_test_nowhere")).await;
    assert_eq!(
        world.row(order.0).await.reference.as_deref(),
        Some("cs_test_nowhere")
    );
}

#[tokio::test]
async fn a_parent_pays_while_a_test_watches() {
    let (world, link) = behind(active_link()).await;
    let url = link["url"].as_str().unwrap();
    let opened = world.visit(url).await;
    assert_eq!(
        world.open_sessions_of(link["id"].as_str().unwrap()).await,
        [opened["id"].as_str().unwrap()]
    );
    world.pay(opened["id"].as_str().unwrap()).await;
    let paid = world.object(opened["id"].as_str().unwrap()).await;
    assert_eq!(paid["payment_status"], "paid");
    let closed = world.object(link["id"].as_str().unwrap()).await;
    assert_eq!(closed["active"], false);
}

#[tokio::test]
async fn a_frozen_world_notices_a_write() {
    let (world, link) = behind(active_link()).await;
    world.freeze_writes().await;
    let url = format!(
        "{}/v1/payment_links/{}",
        world.stripe.base(),
        link["id"].as_str().unwrap()
    );
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http
        .post(&url)
        .bearer_auth(KEY)
        .body("active=false")
        .send()
        .await
        .unwrap();
    assert!(!answer.status().is_success());
    assert_eq!(world.violations().await.len(), 1);
    assert_eq!(world.writes().await.len(), 1);
    assert_eq!(
        world.object(link["id"].as_str().unwrap()).await["active"],
        true
    );
}

#[tokio::test]
async fn time_passes_only_when_told_to() {
    let (world, session) = behind(open_session()).await;
    world.pass(12 * 3600 - 1).await;
    let id = session["id"].as_str().unwrap();
    assert_eq!(world.object(id).await["status"], "open");
    world.pass(1).await;
    assert_eq!(world.object(id).await["status"], "expired");
}
