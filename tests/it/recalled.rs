//! What an operation recalls instead of reading it again is never what somebody changed meanwhile: a link that was dead
//! and is switched on again, its own link once a parent can know of it.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::json;

use crate::support::world::*;

const COMMIT: [&str; 6] = ["regen", "--all", "--commit", "--yes", "-o", "json"];

/// As the application would, through Stripe's API: an event tells of it.
async fn switch_on(world: &World, link: &str) {
    switch(world, link, true).await;
}

async fn switch(world: &World, link: &str, active: bool) {
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap();
    headers.insert(AUTHORIZATION, bearer);
    let (path, body) = (
        format!("/v1/payment_links/{link}"),
        format!("active={active}"),
    );
    let answer = world.stripe.double().call("POST", &path, headers, body);
    let (status, _, body) = answer.await.unwrap();
    assert_eq!(status, 200, "{body}");
}

/// A request that is held once it has happened, or before.
async fn park(world: &World, method: &str, path: &str, when: &str, nth: u64) {
    let rule = json!({"method": method, "path": path, "when": when, "kind": "park", "nth": nth, "times": 1});
    world.fault(rule).await;
}

#[tokio::test]
async fn a_dead_link_that_is_switched_on_again_before_the_publication_is_closed_first() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(inactive_link())).await;
    let old = world.row(order.0).await.reference.unwrap();
    park(&world, "POST", "/v1/payment_links", "after", 1).await;
    let running = world.spawn(&COMMIT);
    let mint = world.wait_for_parked().await;
    switch_on(&world, &old).await;
    world.release(mint).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let held = world.row(order.0).await.reference.unwrap();
    assert_ne!(held, old);
    assert_eq!(world.live_objects_of(order).await, [held]);
}

/// Its pages were read for the plan, and the claim reads the link alone: what was paid in between is found before anything
/// is published.
#[tokio::test]
async fn what_is_paid_on_a_dead_link_between_the_plan_and_the_claim_ends_in_no_new_link() {
    let world = World::on(Backend::Sqlite).await;
    let order = pending(5500).behind(inactive_link().unrestricted());
    let order = world.order(order).await;
    let old = world.row(order.0).await.reference.unwrap();
    // The index is refreshed once before the run begins.
    park(&world, "GET", "/v1/checkout/sessions", "after", 4).await;
    let running = world.spawn(&COMMIT);
    let refresh = world.wait_for_parked().await;
    switch(&world, &old, true).await;
    world.pay(&old).await;
    switch(&world, &old, false).await;
    world.release(refresh).await;
    let output = running.finish().await;
    assert!(
        output.stdout.contains("paid_meanwhile"),
        "{}{}",
        output.stdout,
        output.stderr
    );
    let row = world.row(order.0).await;
    assert_eq!(row.reference.unwrap(), old);
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
}

/// A parent opened a page of it in between, and nobody publishes anything: only the claim can find the page.
#[tokio::test]
async fn a_page_of_a_dead_link_that_was_opened_between_the_plan_and_the_claim_is_closed_by_retire()
{
    let world = World::on(Backend::Sqlite).await;
    let leaked = paid(5500).behind(inactive_link()).and_also(active_link());
    let order = world.order(leaked).await;
    let dead = world.row(order.0).await.reference.unwrap();
    // After the refresh with which the run begins: the last request before the claim.
    park(&world, "GET", "/v1/checkout/sessions", "after", 5).await;
    let running = world.spawn(&["retire", "--all", "--commit", "--yes", "-o", "json"]);
    let refresh = world.wait_for_parked().await;
    switch(&world, &dead, true).await;
    world.visit(&dead).await;
    switch(&world, &dead, false).await;
    world.release(refresh).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
    assert_eq!(world.open_sessions_of(&dead).await, Vec::<String>::new());
}

/// The same where something else is to be closed, and the order turns out paid before anything is minted.
#[tokio::test]
async fn a_page_of_a_dead_link_that_was_opened_before_the_claim_is_closed_though_nothing_is_minted()
{
    let world = World::on(Backend::Sqlite).await;
    let old = open_session().minutes_old(600);
    let order = pending(5500).behind(inactive_link()).and_also(old);
    let order = world.order(order).await;
    let dead = world.row(order.0).await.reference.unwrap();
    park(&world, "GET", "/v1/checkout/sessions", "after", 5).await;
    let running = world.spawn(&COMMIT);
    let refresh = world.wait_for_parked().await;
    switch(&world, &dead, true).await;
    world.visit(&dead).await;
    switch(&world, &dead, false).await;
    let expiry = json!({"method": "POST", "path": "/v1/checkout/sessions/*/expire", "when": "before", "kind": "park", "nth": 1, "times": 1});
    world.fault(expiry).await;
    world.release(refresh).await;
    let expiry = world.wait_for_parked().await;
    world.rows.set(order.0, "status", "'paid'").await;
    world.release(expiry).await;
    let output = running.finish().await;
    assert!(
        output.stdout.contains("moved"),
        "{}{}",
        output.stdout,
        output.stderr
    );
    assert_eq!(world.live_objects_of(order).await, Vec::<String>::new());
}

/// An event may come late or not at all: the link itself is read.
#[tokio::test]
async fn a_dead_link_that_is_switched_on_again_is_closed_first_though_no_event_tells_of_it() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(inactive_link())).await;
    let old = world.row(order.0).await.reference.unwrap();
    park(&world, "POST", "/v1/payment_links", "after", 1).await;
    let running = world.spawn(&COMMIT);
    let mint = world.wait_for_parked().await;
    let mut link = world.object(&old).await;
    link["active"] = json!(true);
    link["line_items"] = json!([{"name": "Old", "unit_amount": 5500, "quantity": 1}]);
    world.put_objects(json!([link])).await;
    world.visit(&old).await;
    world.release(mint).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let held = world.row(order.0).await.reference.unwrap();
    assert_eq!(world.live_objects_of(order).await, [held]);
}

#[tokio::test]
async fn a_dead_link_that_is_switched_on_again_after_the_publication_is_not_passed_over() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(inactive_link())).await;
    let old = world.row(order.0).await.reference.unwrap();
    park(&world, "POST", "/v1/payment_links", "after", 1).await;
    let running = world.spawn(&COMMIT);
    let mint = world.wait_for_parked().await;
    // The first refresh after the mint is the one before publishing; the second belongs to the last look.
    park(&world, "GET", "/v1/events", "before", 2).await;
    world.release(mint).await;
    let last = world.wait_for_parked().await;
    switch_on(&world, &old).await;
    world.release(last).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("still_live"), "{}", output.stdout);
}

/// The application stores a session of its own over our link, and a parent has our link open: nothing of it stays payable.
#[tokio::test]
async fn a_published_link_that_is_given_up_goes_with_the_page_that_a_parent_opened() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    park(&world, "POST", "/v1/payment_links", "after", 1).await;
    let running = world.spawn(&COMMIT);
    let mint = world.wait_for_parked().await;
    park(&world, "GET", "/v1/events", "before", 2).await;
    world.release(mint).await;
    let last = world.wait_for_parked().await;
    let ours = world.row(order.0).await.reference.unwrap();
    assert!(ours.starts_with("plink_"), "{ours}");
    world.visit(&ours).await;
    world
        .put_objects(json!([{
            "object": "checkout.session", "id": "cs_test_theirs", "status": "open", "payment_status": "unpaid",
            "amount_total": 5500, "currency": "usd", "metadata": {"order_id": order.to_string()},
        }]))
        .await;
    world
        .rows
        .set(order.0, "stripe_checkout_session_id", "'cs_test_theirs'")
        .await;
    world.release(last).await;
    let output = running.finish().await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.open_sessions_of(&ours).await, Vec::<String>::new());
    assert_eq!(world.live_objects_of(order).await, ["cs_test_theirs"]);
}
