//! Refusals: what each bad answer to a read is taken for, and what never leaves at all.

use relink::domain::{CheckoutReference, Mode, Reading, SessionId};
use relink::stripe::{Client, Rps, StripeError};
use serde_json::json as value;

use crate::client_server::{
    Answer, Request, Script, Server, account, ask, broken, error, html, json, limited, settings,
    truncated, write,
};

#[tokio::test]
async fn every_refusal_of_a_read_has_its_own_name() {
    let unauthorized = || {
        error(
            401,
            "invalid_request_error",
            None,
            "Invalid API Key provided: sk_test_*********cret",
        )
    };
    let server = Server::sequence(vec![unauthorized]).await;
    assert_eq!(
        ask(&server).await.to_string(),
        "Stripe does not accept the key: Invalid API Key provided: sk_test_…; check which key is set and that it was not rolled"
    );
    let forbidden = || {
        error(
            403,
            "invalid_request_error",
            None,
            "The provided key 'rk_test_*********cret' does not have the required permissions for this endpoint. Having the 'rak_accounts_kyc_basic_read' permission would allow this request to continue.",
        )
    };
    let server = Server::sequence(vec![forbidden]).await;
    let told = ask(&server).await;
    assert!(matches!(told, StripeError::Permission { .. }));
    assert!(
        told.to_string().contains("rak_accounts_kyc_basic_read"),
        "{told}"
    );
    assert!(!told.to_string().contains("cret"), "{told}");

    let server = Server::sequence(vec![limited]).await;
    assert!(ask(&server).await.to_string().contains("endpoint-rate"));
    for answer in [
        html as Script,
        || json(value!({"id": 7})),
        || json(value!({"id": "nobody"})),
    ] {
        let server = Server::sequence(vec![answer]).await;
        assert!(matches!(ask(&server).await, StripeError::Garbage { .. }));
    }
    let server = Server::sequence(vec![broken]).await;
    assert!(matches!(
        ask(&server).await,
        StripeError::Server { status: 502, .. }
    ));
    assert_eq!(server.heard().len(), 4);
}

fn missing(tail: &str) -> Answer {
    let message = format!("No such checkout.session: cs_test_a1{tail}");
    error(
        404,
        "invalid_request_error",
        Some("resource_missing"),
        &message,
    )
}

async fn reading(answer: Script) -> Result<Reading, StripeError> {
    let server = Server::sequence(vec![answer]).await;
    server
        .client()
        .read(&CheckoutReference::classify("cs_test_a1"))
        .await
}

#[tokio::test]
async fn gone_wrong_mode_and_unreadable_are_three_different_things() {
    assert_eq!(reading(|| missing("")).await, Ok(Reading::NoSuchObject));
    let other_mode = reading(|| {
        missing(
            "; a similar object exists in live mode, but a test mode key was used to make this request.",
        )
    });
    let told = other_mode.await.unwrap_err();
    assert!(matches!(told, StripeError::WrongMode { .. }));
    assert!(told.stops_the_run());
    let proxys = || Answer::Http {
        status: 404,
        headers: Vec::new(),
        body: "<h1>Not Found</h1>".to_owned(),
    };
    for answer in [proxys as Script, broken, html, truncated, || Answer::Reset] {
        assert!(matches!(reading(answer).await, Ok(Reading::Unread(_))));
    }
    let unknown_url = || {
        error(
            404,
            "invalid_request_error",
            None,
            "Unrecognized request URL",
        )
    };
    assert!(matches!(reading(unknown_url).await, Ok(Reading::Unread(_))));
}

#[tokio::test]
async fn a_session_of_the_other_mode_is_refused_before_the_network() {
    let server = Server::sequence(vec![account]).await;
    let id = SessionId::parse("cs_live_a1").unwrap();
    let told = server.client().session(&id).await.unwrap_err();
    assert!(matches!(told, StripeError::WrongMode { .. }), "{told}");
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let server = Server::start(|_: &Request| {
        Answer::Raw([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 17 << 20]].concat())
    })
    .await;
    assert!(ask(&server).await.to_string().contains("16 MiB"));
}

#[test]
fn settings_that_could_leak_the_key_are_refused() {
    let refused = |base: &str, change: fn(&mut relink::stripe::Settings)| {
        let mut settings = settings("https://api.stripe.com");
        settings.rps = Rps::Default;
        settings.base = base.parse().unwrap();
        change(&mut settings);
        match Client::new(settings) {
            Err(StripeError::BadSettings { what }) => what,
            other => panic!("{base}: {other:?}"),
        }
    };
    let live = |s: &mut relink::stripe::Settings| s.mode = Mode::Live;
    refused("http://example.com", |_| {});
    refused("http://127.0.0.1.example.com", |_| {});
    refused("ftp://127.0.0.1", |_| {});
    refused("https://api.stripe.com.example.com", live);
    refused("http://127.0.0.1:1", live);
    refused("https://api.stripe.com?x=1", |_| {});
    assert!(!refused("https://u:hunter2@api.stripe.com", |_| {}).contains("hunter2"));
    refused("https://api.stripe.com", |s| s.rps = Rps::Unlimited);
    refused("https://api.stripe.com", |s| s.rps = Rps::PerSecond(0.0));
    refused("https://api.stripe.com", |s| {
        s.rps = Rps::PerSecond(f64::NAN)
    });
    let told = refused("https://api.stripe.com", |s| {
        s.key = "sk_test_abc\ndef".to_owned().into()
    });
    assert!(!told.contains("abc"), "{told}");
}

#[tokio::test]
async fn the_key_shows_in_nothing_that_can_be_printed() {
    let server = Server::start(|request: &Request| {
        let key = request.header("authorization").unwrap().to_owned();
        error(400, "invalid_request_error", Some(&key), &key).with("Stripe-Should-Retry", "false")
    })
    .await;
    let client = server.client();
    let read = client.account().await.unwrap_err();
    let written = client
        .send(&write(), || Ok::<(), ()>(()), async || true)
        .await;
    let written = written.unwrap().unwrap_err();
    let shown = format!(
        "{client:?} {:?} {read} {read:?} {written} {written:?}",
        settings(&server.base)
    );
    assert!(!shown.contains("SecretSecret"), "{shown}");
    assert!(
        shown.contains("sk_test_…"),
        "the answer's message was not there to begin with: {shown}"
    );
}
