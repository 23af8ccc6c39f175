//! A receiver of webhooks on loopback: it answers what it is told to and remembers what it got, byte for byte. It
//! verifies nothing; `verified_by_stripe` asks the official SDK.

use std::collections::VecDeque;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One POST as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn id(&self) -> String {
        self.event()["id"].as_str().unwrap().to_owned()
    }
}

#[derive(Default)]
struct Desk {
    /// Used up one by one; 200 afterwards.
    answers: VecDeque<u16>,
    received: Vec<Received>,
    pause: Duration,
}

pub struct Receiver {
    pub port: u16,
    desk: Arc<Mutex<Desk>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Receiver {
        Receiver::on(0, &[], Duration::ZERO).await
    }

    /// Answers with these statuses first.
    pub async fn answering(answers: &[u16]) -> Receiver {
        Receiver::on(0, answers, Duration::ZERO).await
    }

    pub async fn on(port: u16, answers: &[u16], pause: Duration) -> Receiver {
        let desk = Arc::new(Mutex::new(Desk {
            answers: answers.iter().copied().collect(),
            received: Vec::new(),
            pause,
        }));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(take).with_state(Arc::clone(&desk));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Receiver {
            port,
            desk,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/stripe/webhook", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.desk.lock().unwrap().received.clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.received().iter().map(Received::id).collect()
    }

    pub fn kinds(&self) -> Vec<String> {
        let kind = |received: &Received| received.event()["type"].as_str().unwrap().to_owned();
        self.received().iter().map(kind).collect()
    }

    /// Waits for so many POSTs, at most 20 seconds.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let started = Instant::now();
        while self.received().len() < count {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "of {count} deliveries arrived: {:?}",
                self.kinds()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.received()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(desk): State<Arc<Mutex<Desk>>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let pause = desk.lock().unwrap().pause;
    tokio::time::sleep(pause).await;
    let mut desk = desk.lock().unwrap();
    desk.received.push(Received {
        path: uri.path().to_owned(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let status = desk.answers.pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

/// What `stripe.Webhook.construct_event` of the official Python SDK makes of each: the event's id, or the refusal.
pub async fn verified_by_stripe(received: &[Received], secret: &str) -> Vec<String> {
    let python = std::env::var("RELINK_TEST_PYTHON").expect("no RELINK_TEST_PYTHON: run tests/run");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sandbox_webhooks.py");
    let lines: String = received
        .iter()
        .map(|one| {
            let signature = one.header("stripe-signature");
            json!({"body": one.body, "signature": signature, "secret": secret}).to_string() + "\n"
        })
        .collect();
    let asked = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    });
    let output = asked.await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}
