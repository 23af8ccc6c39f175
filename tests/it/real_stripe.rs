//! What relink assumes of Stripe, tried against Stripe itself in test mode. Only where BASKETBALL_STRIPE_TEST_API_KEY holds
//! a secret test key; elsewhere it says that it was skipped.
//!
//! It sends nothing with any other key, and shows no key. Everything it makes carries `relink_test` in its metadata (a price
//! in its product's) and is closed at the end, also after a failure. The same script runs against the double in every run
//! of the tests.

mod bench;
mod questions;
mod script;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use relink::redact::redact;
use relink::secrets::key_of;
use relink::stripe::Timings;
use secrecy::SecretString;
use serde_json::json;

use crate::client_server::{Server, account};
use crate::support::tally;
use crate::support::world::*;
use bench::Bench;
use script::Told;

const VARIABLE: &str = "BASKETBALL_STRIPE_TEST_API_KEY";
const STRIPE: &str = "https://api.stripe.com";

/// A secret key of test mode, and nothing else. No message repeats it.
fn permitted(text: &str) -> Result<SecretString, String> {
    let refused = || format!("{VARIABLE} holds no secret test key (sk_test_…): nothing was sent");
    if !text.starts_with("sk_test_") {
        return Err(refused());
    }
    let key = key_of(SecretString::from(text)).map_err(|_| refused())?;
    Ok(key.secret)
}

/// The script from its first request to its last, and what it made closed again, however it ended.
async fn carried_out(key: &str, base: &str, timings: Timings) -> Result<Told, String> {
    let mut bench = Bench::new(permitted(key)?, base, timings)?;
    let running = AssertUnwindSafe(script::run(&mut bench)).catch_unwind();
    let ended = running
        .await
        .unwrap_or_else(|_| Err("it panicked".to_owned()));
    let left = bench.clean_up().await;
    match (ended, left) {
        (Ok(told), Ok(())) => Ok(told),
        (Ok(_), Err(left)) => Err(left),
        (Err(why), Ok(())) => Err(format!("{why}; what was made is closed")),
        (Err(why), Err(left)) => Err(format!("{why}; {left}")),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "for whoever runs it by hand, with --nocapture"
)]
fn tell(line: &str) {
    let line = redact(line);
    tally::tell(&format!("real Stripe: {line}"));
    println!("real Stripe: {line}");
}

#[tokio::test]
async fn stripe_itself_is_as_relink_assumes() {
    let Some(key) = std::env::var(VARIABLE).ok().filter(|key| !key.is_empty()) else {
        tell(&format!("SKIPPED, {VARIABLE} is not set"));
        return;
    };
    let told = carried_out(&key, STRIPE, Timings::default()).await;
    let told = told.unwrap_or_else(|why| panic!("{}", redact(&why)));
    told.lines().iter().for_each(|line| tell(line));
}

#[tokio::test]
async fn with_any_other_key_nothing_leaves() {
    let listener = Server::sequence(vec![account]).await;
    for key in [
        "sk_live_canarycanary",
        "rk_live_canarycanary",
        "rk_test_canarycanary",
        "pk_test_canarycanary",
        "whsec_canarycanary",
        "canarycanary",
        " sk_test_canarycanary",
        "SK_TEST_canarycanary",
        "sk_test_canary canary",
        "sk_test_",
    ] {
        let ended = carried_out(key, &listener.base, Timings::on_loopback()).await;
        let why = ended.unwrap_err();
        assert!(why.contains("nothing was sent"), "{why}");
        assert!(!why.contains("canary"), "{why}");
    }
    assert_eq!(listener.heard().len(), 0);
    // It would have heard one.
    let heard = carried_out("sk_test_heard", &listener.base, Timings::on_loopback()).await;
    assert!(heard.is_err());
    assert!(!listener.heard().is_empty());
}

#[tokio::test]
async fn the_script_holds_against_the_double_and_leaves_nothing_open() {
    let world = World::on(Backend::Sqlite).await;
    let told = carried_out(KEY, world.stripe.base(), Timings::on_loopback()).await;
    let told = told.unwrap_or_else(|why| panic!("{why}"));
    let text = told.lines().join("\n");
    assert!(!text.contains(KEY), "{text}");
    for question in [
        "a session that is not open",
        "archived",
        "Stripe-Version",
        "lookup key",
    ] {
        assert!(
            text.contains(question),
            "{question} is not answered: {text}"
        );
    }
    nothing_is_open(&world).await;
    let made = world.objects().await.len();
    assert!(made >= 6, "{made}");
}

/// In whichever step: nothing that anybody could pay is left, and no price that anybody could use.
#[tokio::test]
async fn what_was_made_is_closed_after_a_failure_too() {
    for (path, nth) in [
        ("/v1/payment_links/*", 1),
        ("/v1/checkout/sessions", 1),
        ("/v1/checkout/sessions/*/expire", 1),
        ("/v1/products", 1),
        ("/v1/prices", 2),
    ] {
        let world = World::on(Backend::Sqlite).await;
        let body =
            json!({"error": {"type": "invalid_request_error", "code": "made_up", "message": "no"}});
        let refusal = json!({
            "method": "POST", "path": path, "nth": nth, "when": "before", "kind": "status", "status": 403, "body": body,
        });
        world.fault(refusal).await;
        let ended = carried_out(KEY, world.stripe.base(), Timings::on_loopback()).await;
        let why = ended.map(|told| told.lines()).unwrap_err();
        assert!(why.contains("what was made is closed"), "{path}: {why}");
        nothing_is_open(&world).await;
    }
}

async fn nothing_is_open(world: &World) {
    let is_open = |object: &serde_json::Value| match object["object"].as_str() {
        Some("checkout.session") => object["status"] == "open",
        Some("payment_link" | "price" | "product") => object["active"] == true,
        _ => false,
    };
    assert_eq!(world.ids_where(is_open).await, Vec::<String>::new());
    let untagged = |object: &serde_json::Value| match object["object"].as_str() {
        Some("checkout.session" | "payment_link" | "product") => {
            object["metadata"]["relink_test"].as_str().is_none()
        }
        _ => false,
    };
    assert_eq!(world.ids_where(untagged).await, Vec::<String>::new());
}
