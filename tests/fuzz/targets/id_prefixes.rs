//! Any text as what a row or Stripe gives for an id: it is a session or a link exactly where the rule says so, it is written
//! back as it was, and a request made from it cannot leave its place in the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relink::actions::{Round, deactivate_link, expire_session};
use relink::domain::{AccountId, CheckoutReference, LinkId, Owner, PaymentIntentId, SessionId};
use relink::webhook::EventId;
use serde_json::Value;

/// The rule again, in other words than relink's.
fn is_id(prefix: &str, text: &str) -> bool {
    let word = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_');
    let tail = text.get(prefix.len()..).unwrap_or_default();
    text.starts_with(prefix) && !tail.is_empty() && text.len() <= 255 && tail.chars().all(word)
}

/// A session is expired, a link is switched off, and nothing else is ever sent about either.
fn is_retired_in_its_own_way(reference: &CheckoutReference) {
    let round = Round {
        run: "run-1",
        number: 1,
    };
    let write = match reference {
        CheckoutReference::Session(id) => expire_session::request(id, round),
        CheckoutReference::Link(id) => deactivate_link::request(id, round),
        CheckoutReference::Other(_) => return,
    };
    let parts: Vec<&str> = write.path.split('/').collect();
    match reference {
        CheckoutReference::Session(_) => {
            assert_eq!(parts[..4], ["", "v1", "checkout", "sessions"]);
            assert_eq!(parts[4..], [reference.as_str(), "expire"]);
            assert_eq!(write.body, "");
        }
        CheckoutReference::Link(_) => {
            assert_eq!(parts, ["", "v1", "payment_links", reference.as_str()]);
            assert_eq!(write.body, "active=false");
        }
        CheckoutReference::Other(_) => unreachable!(),
    }
    assert!(write.path.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!write.path.contains(['?', '#', '%']));
}

/// As Stripe has it in an object's metadata: digits name an order, and nothing else does.
fn names_an_order_by_digits_alone(text: &str) {
    let is_digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let number = text.trim_start_matches('0');
    let owner = Owner::read(Some(&Value::from(text)));
    match owner {
        Owner::Order(id) => {
            assert!(is_digits);
            assert_eq!(id.0.to_string(), number);
        }
        Owner::Nobody => unreachable!("there is a text"),
        Owner::Unreadable(kept) => {
            assert!(text.starts_with(&kept));
            assert!(!is_digits || number.is_empty() || number.len() >= 19);
        }
    }
}

fuzz_target!(|text: &str| {
    let reference = CheckoutReference::classify(text);
    let is_session = matches!(reference, CheckoutReference::Session(_));
    let is_link = matches!(reference, CheckoutReference::Link(_));
    assert_eq!(is_session, is_id("cs_", text));
    assert_eq!(is_link, is_id("plink_", text));
    is_retired_in_its_own_way(&reference);

    assert_eq!(reference.as_str(), text);
    assert_eq!(reference.to_string(), text);
    assert_eq!(CheckoutReference::from(text.to_owned()), reference);
    let written = serde_json::to_string(&reference).unwrap();
    let read: CheckoutReference = serde_json::from_str(&written).unwrap();
    assert_eq!(read, reference);

    assert_eq!(SessionId::parse(text).is_ok(), is_id("cs_", text));
    assert_eq!(LinkId::parse(text).is_ok(), is_id("plink_", text));
    assert_eq!(PaymentIntentId::parse(text).is_ok(), is_id("pi_", text));
    assert_eq!(AccountId::parse(text).is_ok(), is_id("acct_", text));
    assert_eq!(EventId::parse(text).is_ok(), is_id("evt_", text));
    names_an_order_by_digits_alone(text);
});
