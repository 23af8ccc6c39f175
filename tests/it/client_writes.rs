//! Writes: what leaves, what is repeated, and what every kind of bad answer is taken for.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use relink::domain::Timestamp;
use relink::stripe::{Client, Reply, StripeError, WriteError};
use serde_json::json as value;

use crate::client_server::{
    Answer, KEY, Script, Server, account, ask, broken, error, html, json, limited, minted,
    settings, status, truncated, write,
};

async fn send(server: &Server) -> Result<Reply, WriteError> {
    send_by(&server.client()).await
}

/// With a caller who always allows it.
async fn send_by(client: &Client) -> Result<Reply, WriteError> {
    let sent = client
        .send(&write(), || Ok::<(), ()>(()), async || true)
        .await;
    sent.unwrap()
}

#[tokio::test]
async fn a_write_leaves_exactly_as_it_was_rendered() {
    let server = Server::sequence(vec![|| minted().with("Idempotent-Replayed", "true")]).await;
    let mut settings = settings(&server.base);
    settings.account = Some(relink::domain::AccountId::parse("acct_9").unwrap());
    let client = Client::new(settings).unwrap();
    let reply = send_by(&client).await.unwrap();
    assert_eq!(reply.id(), Some("plink_1"));
    assert_eq!(reply.request_id.as_deref(), Some("req_1"));
    assert!(reply.replayed);
    let [request] = server.heard().try_into().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/v1/payment_links")
    );
    assert_eq!(request.body, write().body);
    let expected = [
        ("authorization", format!("Bearer {KEY}")),
        ("idempotency-key", "key-1".to_owned()),
        ("stripe-version", "2026-07-29.dahlia".to_owned()),
        ("stripe-account", "acct_9".to_owned()),
        (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        ),
        (
            "user-agent",
            format!("relink/{}", env!("CARGO_PKG_VERSION")),
        ),
    ];
    for (name, value) in expected {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!((client.reads(), client.writes()), (0, 1));
}

#[tokio::test]
async fn a_read_carries_the_pinned_version_and_no_idempotency_key() {
    let server = Server::sequence(vec![account]).await;
    let client = server.client();
    assert_eq!(client.now(), None);
    client.account().await.unwrap();
    let [request] = server.heard().try_into().unwrap();
    assert_eq!(
        request.header("stripe-version"),
        Some(relink::actions::API_VERSION)
    );
    assert_eq!(request.header("idempotency-key"), None);
    assert_eq!(client.now(), Some(Timestamp(1_795_500_000)));
    assert_eq!((client.reads(), client.writes()), (1, 0));
}

#[tokio::test]
async fn a_mints_reply_names_the_link_or_is_no_reply_to_a_mint() {
    let url = "https://buy.stripe.com/test_1";
    let named = |body: serde_json::Value| async move {
        let server = Server::start(move |_| json(body.clone())).await;
        send(&server).await.unwrap().minted()
    };
    let whole = named(value!({"id": "plink_1", "url": url})).await.unwrap();
    assert_eq!((whole.0.as_str(), whole.1.as_str()), ("plink_1", url));
    for body in [
        value!({"id": "plink_1"}),
        value!({"id": "plink_1", "url": ""}),
        value!({"id": "price_1", "url": url}),
    ] {
        assert!(named(body).await.is_err());
    }
}

#[tokio::test]
async fn a_limit_and_a_server_error_are_outlasted_with_the_same_key_and_bytes() {
    let server = Server::sequence(vec![limited, broken, || Answer::Reset, minted]).await;
    assert!(send(&server).await.is_ok());
    let heard = server.heard();
    assert_eq!(heard.len(), 4);
    for request in &heard {
        assert_eq!(request.header("idempotency-key"), Some("key-1"));
        assert_eq!(request.body, write().body);
    }
}

#[tokio::test]
async fn what_may_have_happened_is_unknown_and_never_refused() {
    let unparsable = || Answer::Raw(b"SSH-2.0-OpenSSH_9\r\n".to_vec());
    let empty = || status(200, value!(null));
    let in_flight = || {
        error(
            409,
            "invalid_request_error",
            Some("idempotency_key_in_use"),
            "in progress",
        )
    };
    let foreign = || Answer::Http {
        status: 403,
        headers: Vec::new(),
        body: "blocked by the proxy".to_owned(),
    };
    let cases: [(&str, Script); 8] = [
        ("reset", || Answer::Reset),
        ("an HTML 502", broken),
        ("a cut-off answer", truncated),
        ("HTML with status 200", html),
        ("no HTTP at all", unparsable),
        ("JSON that is no object", empty),
        ("a request in flight", in_flight),
        ("a proxy's 403", foreign),
    ];
    for (name, answer) in cases {
        let server = Server::sequence(vec![answer]).await;
        let outcome = send(&server).await;
        assert!(
            matches!(outcome, Err(WriteError::Unknown { .. })),
            "{name}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_time_out_is_unknown() {
    let server = Server::sequence(vec![|| Answer::Silence]).await;
    let mut settings = settings(&server.base);
    settings.timings.total = Duration::from_millis(50);
    settings.timings.attempts = 2;
    let client = Client::new(settings).unwrap();
    let outcome = send_by(&client).await.unwrap_err();
    assert!(
        matches!(&outcome, WriteError::Unknown { .. }),
        "{outcome:?}"
    );
    assert!(outcome.to_string().contains("timed out"), "{outcome}");
    assert_eq!(client.writes(), 2);
}

#[tokio::test]
async fn stripes_own_no_is_refused_at_once_with_its_code_and_request() {
    let server = Server::sequence(vec![|| {
        error(
            400,
            "invalid_request_error",
            Some("parameter_unknown"),
            "Received unknown parameter: x",
        )
    }])
    .await;
    let outcome = send(&server).await.unwrap_err();
    let WriteError::Refused {
        error:
            StripeError::Refused {
                status,
                code,
                message,
                request_id,
            },
        replayed,
        ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((status, replayed), (400, false));
    assert_eq!(code.as_deref(), Some("parameter_unknown"));
    assert_eq!(message, "Received unknown parameter: x");
    assert_eq!(request_id.as_deref(), Some("req_1"));
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_key_known_with_other_parameters_is_told_apart() {
    let server = Server::sequence(vec![|| {
        error(
            400,
            "idempotency_error",
            None,
            "Keys for idempotent requests can only be used with the same parameters",
        )
    }])
    .await;
    let outcome = send(&server).await.unwrap_err();
    assert!(
        matches!(
            outcome,
            WriteError::Refused {
                error: StripeError::KeyReused { .. },
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_later_refusal_does_not_settle_an_earlier_doubt() {
    let unauthorized = || error(401, "invalid_request_error", None, "key expired");
    let bad = || error(400, "invalid_request_error", None, "no");
    let saved =
        || error(400, "invalid_request_error", None, "no").with("Idempotent-Replayed", "true");
    let cases: [(&str, Script, bool); 4] = [
        ("401", unauthorized, true),
        ("429", limited, true),
        ("400", bad, true),
        ("the saved 400", saved, false),
    ];
    for (name, then, is_unknown) in cases {
        let server = Server::sequence(vec![|| Answer::Reset, then]).await;
        let outcome = send(&server).await.unwrap_err();
        assert_eq!(
            matches!(outcome, WriteError::Unknown { .. }),
            is_unknown,
            "{name}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_limit_alone_changed_nothing_and_a_saved_500_is_not_asked_again() {
    let server = Server::sequence(vec![limited]).await;
    let outcome = send(&server).await.unwrap_err();
    assert!(matches!(
        outcome,
        WriteError::Refused {
            error: StripeError::RateLimited { .. },
            ..
        }
    ));
    assert_eq!(server.heard().len(), 4);

    let saved = || error(500, "api_error", None, "oops").with("Idempotent-Replayed", "true");
    let server = Server::sequence(vec![saved]).await;
    let outcome = send(&server).await.unwrap_err();
    assert!(
        matches!(outcome, WriteError::Unknown { replayed: true, .. }),
        "{outcome:?}"
    );
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn stripe_should_retry_is_obeyed_both_ways() {
    let no = || error(500, "api_error", None, "oops").with("Stripe-Should-Retry", "false");
    let server = Server::sequence(vec![no, minted]).await;
    assert!(send(&server).await.is_err());
    let yes =
        || error(400, "invalid_request_error", None, "not now").with("Stripe-Should-Retry", "true");
    let server = Server::sequence(vec![yes, minted]).await;
    assert!(send(&server).await.is_ok());
}

#[tokio::test]
async fn no_repetition_leaves_without_the_callers_consent() {
    let server = Server::sequence(vec![broken, broken, minted]).await;
    let mut asked = 0;
    let client = server.client();
    let consent = async || {
        asked += 1;
        asked < 2
    };
    let outcome = client.send(&write(), || Ok::<(), ()>(()), consent).await;
    assert!(
        matches!(outcome, Ok(Err(WriteError::Unknown { .. }))),
        "{outcome:?}"
    );
    assert_eq!((asked, server.heard().len()), (2, 2));
}

#[tokio::test]
async fn nothing_listening_means_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(settings(&base)).unwrap();
    let outcome = send_by(&client).await.unwrap_err();
    assert!(
        matches!(
            outcome,
            WriteError::Refused {
                error: StripeError::Unreachable { .. },
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(matches!(
        client.account().await,
        Err(StripeError::Unreachable { .. })
    ));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::sequence(vec![account]).await;
        let target = format!("{}/v1/account", other.base);
        let server = Server::start(move |_| Answer::Http {
            status,
            headers: vec![("Location", target.clone())],
            body: String::new(),
        })
        .await;
        assert!(matches!(ask(&server).await, StripeError::Garbage { .. }));
        assert!(matches!(
            send(&server).await,
            Err(WriteError::Unknown { .. })
        ));
        assert!(other.heard().is_empty(), "a {status} was followed");
    }
}

#[tokio::test]
async fn every_write_is_logged_with_stripes_request_id() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    // While there is but one subscriber, a line that another test's thread meets first is asked of that thread, where
    // nobody listens, and is off for everybody.
    let _second = tracing::Dispatch::new(Log::default().subscriber());
    tracing::callsite::rebuild_interest_cache();
    let server = Server::sequence(vec![limited, minted]).await;
    send(&server).await.unwrap();
    let text = log.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("/v1/payment_links") && line.contains("req_1")),
        "{text}"
    );
    assert!(!text.contains("SecretSecret"), "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let log = self.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A write's failure always tells the request, whatever it means: by its id Stripe's support finds it.
#[tokio::test]
async fn the_request_id_is_kept_whatever_the_answer_means() {
    let other_mode = || {
        let message = "No such payment link; a similar object exists in live mode";
        error(
            404,
            "invalid_request_error",
            Some("resource_missing"),
            message,
        )
    };
    let cut_off = || {
        Answer::Raw(b"HTTP/1.1 200 OK\r\nRequest-Id: req_1\r\nContent-Length: 90\r\n\r\n{".to_vec())
    };
    let cases: [(&str, Script); 9] = [
        ("401", || error(401, "invalid_request_error", None, "no")),
        ("403", || error(403, "invalid_request_error", None, "no")),
        ("404", || {
            error(404, "invalid_request_error", Some("resource_missing"), "no")
        }),
        ("another mode", other_mode),
        ("429", limited),
        ("a reused key", || {
            error(400, "idempotency_error", None, "no")
        }),
        ("500", || error(500, "api_error", None, "no")),
        ("200 without an object", || {
            status(200, value!(["no object"]))
        }),
        ("a cut off 200", cut_off),
    ];
    for (name, answer) in cases {
        let server = Server::sequence(vec![answer]).await;
        let outcome = send(&server).await.unwrap_err();
        assert_eq!(outcome.request_id(), Some("req_1"), "{name}: {outcome:?}");
    }
}

/// The lease is looked at when the request would leave, not before it waits for its turn.
#[tokio::test]
async fn whether_a_write_may_leave_is_asked_after_the_wait_for_its_turn() {
    let server = Server::sequence(vec![minted]).await;
    let client = Client::new(relink::stripe::Settings {
        rps: relink::stripe::Rps::PerSecond(2.0),
        ..settings(&server.base)
    })
    .unwrap();
    send_by(&client).await.unwrap();
    let begun = std::time::Instant::now();
    let lease_holds = || match begun.elapsed() < Duration::from_millis(250) {
        true => Ok(()),
        false => Err("the lease is gone"),
    };
    let outcome = client.send(&write(), lease_holds, async || true).await;
    assert_eq!(outcome, Err("the lease is gone"));
    assert_eq!(server.heard().len(), 1, "the second one did not leave");
}
