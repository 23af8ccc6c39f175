//! A server on loopback that answers what a test tells it to, garbage included, and remembers every request.
//! Real sockets, no protocol library: only so can an answer be cut off, reset or nonsense.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use relink::actions::{IdempotencyKey, StripeWrite};
use relink::domain::Mode;
use relink::stripe::{Client, Rps, Settings, StripeError, Timings};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const KEY: &str = "sk_test_51HxSecretSecretSecret";
pub const DATE: &str = "Tue, 24 Nov 2026 06:00:00 GMT";

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The query's value of this name, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

pub enum Answer {
    Http {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// The connection is reset without a byte.
    Reset,
    /// Nothing, for as long as the client waits.
    Silence,
}

pub fn json(body: Value) -> Answer {
    status(200, body)
}

pub fn status(status: u16, body: Value) -> Answer {
    Answer::Http {
        status,
        headers: vec![("Request-Id", "req_1".to_owned())],
        body: body.to_string(),
    }
}

pub fn error(code: u16, kind: &str, name: Option<&str>, message: &str) -> Answer {
    let mut error = serde_json::json!({"type": kind, "message": message});
    if let Some(name) = name {
        error["code"] = name.into();
    }
    status(code, serde_json::json!({ "error": error }))
}

impl Answer {
    pub fn with(mut self, name: &'static str, value: &str) -> Answer {
        if let Answer::Http { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

pub struct Server {
    pub base: String,
    heard: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `script`, in the order of arrival.
    pub async fn start(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, script) = (heard.clone(), Arc::new(Mutex::new(script)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, script) = (log.clone(), script.clone());
                tokio::spawn(async move {
                    let mut stream = stream;
                    let Some(request) = read(&mut stream).await else {
                        return;
                    };
                    let answer = (script.lock().unwrap())(&request);
                    log.lock().unwrap().push(request);
                    give(stream, answer).await;
                });
            }
        });
        Server { base, heard }
    }

    /// One answer after the other; the last one for ever.
    pub async fn sequence(answers: Vec<fn() -> Answer>) -> Server {
        let mut next = 0;
        Server::start(move |_| {
            let answer = answers[next.min(answers.len() - 1)];
            next += 1;
            answer()
        })
        .await
    }

    pub fn heard(&self) -> Vec<Request> {
        self.heard.lock().unwrap().clone()
    }

    pub fn client(&self) -> Client {
        Client::new(settings(&self.base)).unwrap()
    }
}

pub fn settings(base: &str) -> Settings {
    Settings {
        key: KEY.to_owned().into(),
        base: base.parse().unwrap(),
        account: None,
        mode: Mode::Test,
        rps: Rps::Unlimited,
        timings: Timings {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(10),
            backoff: Duration::from_millis(2),
            longest_backoff: Duration::from_millis(10),
            longest_retry_after: Duration::from_secs(2),
            attempts: 4,
            ..Timings::default()
        },
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let mut start = lines.next()?.split(' ');
    let (method, target) = (start.next()?.to_owned(), start.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head + 4..].to_vec()).unwrap();
    Some(Request {
        method,
        target,
        headers,
        body,
    })
}

async fn give(mut stream: TcpStream, answer: Answer) {
    match answer {
        Answer::Http {
            status,
            headers,
            body,
        } => {
            let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
            if !headers.iter().any(|(name, _)| *name == "Date") {
                text += &format!("Date: {DATE}\r\n");
            }
            for (name, value) in headers {
                text += &format!("{name}: {value}\r\n");
            }
            text += &format!("Connection: close\r\n\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Answer::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Answer::Reset => {
            let _ = stream.set_zero_linger();
        }
        Answer::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
    }
}

pub type Script = fn() -> Answer;

pub fn minted() -> Answer {
    json(serde_json::json!({"id": "plink_1", "object": "payment_link"}))
}

pub fn limited() -> Answer {
    error(
        429,
        "invalid_request_error",
        Some("rate_limit"),
        "slow down",
    )
    .with("Stripe-Rate-Limited-Reason", "endpoint-rate")
}

pub fn account() -> Answer {
    json(serde_json::json!({"id": "acct_1", "object": "account"}))
}

pub fn broken() -> Answer {
    Answer::Http {
        status: 502,
        headers: Vec::new(),
        body: "<html>Bad Gateway</html>".to_owned(),
    }
}

/// An answer that ends before it should.
pub fn truncated() -> Answer {
    Answer::Raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"id\": \"plink_1\", \"obj".to_vec(),
    )
}

pub fn html() -> Answer {
    Answer::Http {
        status: 200,
        headers: Vec::new(),
        body: "<html>Sign in to the network</html>".to_owned(),
    }
}

/// A write whatever it is for.
pub fn write() -> StripeWrite {
    StripeWrite {
        path: "/v1/payment_links".to_owned(),
        body: "line_items%5B0%5D%5Bquantity%5D=1".to_owned(),
        key: IdempotencyKey::parse("key-1").unwrap(),
        api_version: "2026-07-29.dahlia".to_owned(),
    }
}

pub async fn ask(server: &Server) -> StripeError {
    server.client().account().await.unwrap_err()
}
