//! The sample is what its page says: counts and sums, every object where a row names it, no real address.

use std::collections::{BTreeMap, BTreeSet};

use relink::plan::Verdict;
use relink::sandbox::sample;
use serde_json::Value;

use crate::sample_page::table;
use crate::support::world::{Backend, World};

/// Order 322 names it so that one id is unknown to Stripe.
const UNKNOWN_TO_STRIPE: &str = "cs_test_odd322unknown";
/// Order 321 names it so that one id is of another kind.
const OTHER_KIND: &str = "in_odd321";

fn objects() -> BTreeMap<String, Value> {
    let id = |object: &Value| object["id"].as_str().unwrap().to_owned();
    let list = sample::stripe_objects();
    let by_id: BTreeMap<_, _> = list
        .iter()
        .map(|object| (id(object), object.clone()))
        .collect();
    assert_eq!(by_id.len(), list.len(), "an id occurs twice");
    by_id
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

crate::on_each_backend! {
    /// The incident: 23 orders, 17 of them stranded, 985.00 USD.
    async fn the_incident_adds_up(world) {
        world.load_sample().await;
        let in_tournament = "FROM orders o WHERE EXISTS (SELECT 1 FROM tournament_products tp \
             WHERE tp.product_id = o.product_id AND tp.tournament_id = 2)";
        let count = async |and: &str| {
            let sql = format!("SELECT CAST(count(*) AS BIGINT) {in_tournament} {and}");
            world.rows.numbers(&sql).await[0]
        };
        assert_eq!(count("").await, 23);
        assert_eq!(count("AND status = 'paid'").await, 5);
        assert_eq!(count("AND status = 'canceled'").await, 1);
        assert_eq!(count("AND status = 'pending'").await, 17);
        assert_eq!(count("AND status = 'pending' AND amount_cents = 5500").await, 12);
        assert_eq!(count("AND status = 'pending' AND amount_cents = 6500").await, 5);
        let sum = format!(
            "SELECT CAST(sum(amount_cents) AS BIGINT) {in_tournament} AND status = 'pending'"
        );
        assert_eq!(world.rows.numbers(&sum).await, [98_500]);
    }
}

crate::on_each_backend! {
    /// The same rows on every database, down to the escape characters.
    async fn every_row_is_there(world) {
        world.load_sample().await;
        let orders = world.rows.orders().await;
        let ids: Vec<i64> = orders.iter().map(|row| row.id).collect();
        let expected: Vec<i64> = (101..=108).chain(201..=223).chain(301..=342).collect();
        assert_eq!(ids, expected);
        let names = world.rows.texts("SELECT CAST(name AS TEXT) FROM players WHERE id >= 1337 ORDER BY id").await;
        assert_eq!(names[0], "Riley \u{1b}[31mStone\u{1b}[0m\u{1b}]0;paid\u{7}");
        assert_eq!(names[1], "O'Malley, \"Mac\" Brendan, Jr.");
        assert_eq!(names[2], "=1+1");
    }
}

#[tokio::test]
async fn every_stranded_order_is_behind_an_expired_session_of_its_own() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let objects = objects();
    for row in world.rows.orders().await {
        if (201..=223).contains(&row.id) && row.status != "paid" {
            let session = &objects[&row.reference.unwrap()];
            assert_eq!(text(session, "status"), "expired", "{}", row.id);
            assert_eq!(text(&session["metadata"], "order_id"), row.id.to_string());
            assert_eq!(session["amount_total"].as_i64(), row.amount_cents);
            assert!(session.get("after_expiration").is_none(), "{}", row.id);
        }
    }
}

#[tokio::test]
async fn every_id_in_a_row_has_its_object_but_the_two_that_must_not() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let objects = objects();
    let mut absent = BTreeSet::new();
    for row in world.rows.orders().await {
        for id in row.reference.iter().chain(&row.payment_intent) {
            if !objects.contains_key(id) {
                absent.insert(id.clone());
            }
        }
        if let (Some(id), Some(url)) = (&row.reference, &row.url)
            && let Some(url_there) = objects.get(id).and_then(|object| object["url"].as_str())
        {
            assert_eq!(url, url_there, "order {}", row.id);
        }
        assert_eq!(row.reference.is_some(), row.url.is_some(), "{}", row.id);
    }
    let absent: Vec<_> = absent.iter().map(String::as_str).collect();
    assert_eq!(absent, [UNKNOWN_TO_STRIPE, OTHER_KIND]);
}

#[test]
fn objects_name_only_objects_that_come_before_them() {
    let mut seen = BTreeSet::new();
    for object in sample::stripe_objects() {
        for field in ["payment_link", "payment_intent", "recovered_from"] {
            if let Some(id) = object[field].as_str() {
                assert!(seen.contains(id), "{} names {id}", object["id"]);
            }
        }
        seen.insert(text(&object, "id").to_owned());
    }
}

#[test]
fn objects_are_of_the_present_and_consistent() {
    for object in sample::stripe_objects() {
        let id = text(&object, "id");
        if let Some(created) = object["created"].as_i64() {
            assert!(created < sample::PRESENT, "{id} is of the future");
        }
        if text(&object, "object") != "checkout.session" {
            continue;
        }
        let expires = object["expires_at"].as_i64().unwrap();
        assert_eq!(expires - object["created"].as_i64().unwrap(), 24 * 3600);
        match text(&object, "status") {
            "open" => assert!(
                expires > sample::PRESENT && object["url"].is_string(),
                "{id}"
            ),
            "expired" => assert!(
                expires <= sample::PRESENT && object["url"].is_null(),
                "{id}"
            ),
            "complete" => assert!(object["payment_intent"].is_string(), "{id}"),
            other => panic!("{id}: {other}"),
        }
    }
}

#[tokio::test]
async fn every_payment_is_by_its_orders_amount() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let rows = world.rows.orders().await;
    let amounts: BTreeMap<_, _> = rows
        .iter()
        .map(|r| (r.id.to_string(), r.amount_cents))
        .collect();
    for object in sample::stripe_objects() {
        if text(&object, "object") == "payment_intent" {
            let owner = text(&object["metadata"], "order_id");
            assert_eq!(
                object["amount"].as_i64(),
                amounts[owner],
                "{}",
                object["id"]
            );
        }
    }
}

#[tokio::test]
async fn nobody_real_can_be_mailed() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let mails = world
        .rows
        .texts("SELECT CAST(email AS TEXT) FROM parents")
        .await;
    let outside = |mail: &&String| !mail.is_empty() && !mail.ends_with("@example.com");
    assert_eq!(mails.iter().filter(outside).count(), 0);
    assert_eq!(mails.iter().filter(|mail| mail.is_empty()).count(), 1);
    let stripe = include_str!("../../fixtures/sample-stripe.json");
    assert!(!stripe.contains('@'), "an address among the Stripe objects");
}

#[tokio::test]
async fn the_page_lists_exactly_the_odd_orders() {
    let world = World::on(Backend::Sqlite).await;
    world.load_sample().await;
    let odd = "SELECT CAST(o.id AS BIGINT) FROM orders o WHERE EXISTS (SELECT 1 FROM tournament_products tp \
         WHERE tp.product_id = o.product_id AND tp.tournament_id = 3) ORDER BY o.id";
    let ids = world.rows.numbers(odd).await;
    let listed: Vec<i64> = table().iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(listed, ids);
}

#[test]
fn the_page_shows_every_verdict_that_rows_can_show() {
    let shown: BTreeSet<&str> = table().iter().map(|row| row[2]).collect();
    let by_itself = |verdict: &Verdict| {
        // A fault or an earlier run, which no row shows.
        !matches!(
            verdict,
            Verdict::Unobserved | Verdict::InDoubt | Verdict::Withdrawn
        )
    };
    let expected = Verdict::ALL.into_iter().filter(by_itself);
    let expected: BTreeSet<&str> = expected.map(Verdict::name).collect();
    assert_eq!(shown, expected);
}
