//! A double in memory and a plain HTTP client for it. Every answer to an API call is validated against Stripe's
//! shapes on the way in, so that no test can pass on an object Stripe would not send.

use std::time::Duration;

use relink::sandbox::double::{Double, Limits, Options, StateAt};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::spec;

pub const TEST_KEY: &str = "sk_test_sandbox";
pub const LIVE_KEY: &str = "sk_live_sandbox";
const VERSION: &str = "2026-07-29.dahlia";

pub struct Sandbox {
    pub double: Double,
    client: reqwest::Client,
}

/// An answer with its headers.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The object of a successful answer.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{:#}", self.body);
        self.body
    }

    /// Status, code and message of a refusal.
    pub fn refusal(&self) -> (u16, &str, &str) {
        let error = &self.body["error"];
        (
            self.status,
            error["code"].as_str().unwrap_or(""),
            error["message"].as_str().unwrap_or(""),
        )
    }

    pub fn message(&self) -> &str {
        self.refusal().2
    }
}

/// One call, to be adjusted before it is sent.
pub struct Call<'a> {
    sandbox: &'a Sandbox,
    method: &'static str,
    path: String,
    form: Vec<(String, String)>,
    key: &'static str,
    version: Option<&'static str>,
    idempotency_key: Option<String>,
}

impl Sandbox {
    pub async fn start() -> Sandbox {
        Sandbox::with(StateAt::Memory, Limits::default()).await
    }

    pub async fn with(state: StateAt, limits: Limits) -> Sandbox {
        let double = Double::start(Options {
            state,
            port: 0,
            limits,
        })
        .await
        .unwrap();
        Sandbox::of(double)
    }

    pub fn of(double: Double) -> Sandbox {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Sandbox { double, client }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path, &[])
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> Call<'_> {
        self.call("POST", path, form)
    }

    pub fn call(&self, method: &'static str, path: &str, form: &[(&str, &str)]) -> Call<'_> {
        let form = form
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Call {
            sandbox: self,
            method,
            path: path.to_owned(),
            form,
            key: TEST_KEY,
            version: Some(VERSION),
            idempotency_key: None,
        }
    }

    /// An admin call that must succeed.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_admin(method, path, body).await;
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    pub async fn try_admin(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/_sandbox/{path}", self.double.base_url());
        let request = self.client.request(method.parse().unwrap(), url);
        let request = if body.is_null() {
            request
        } else {
            request.body(body.to_string())
        };
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
        )
    }

    pub async fn visit(&self, target: &Value) -> Value {
        self.admin("POST", "visit", json!({ "url": target })).await
    }

    pub async fn pay(&self, target: &Value, method: &str) -> Value {
        self.admin("POST", "pay", json!({"url": target, "method": method}))
            .await
    }

    /// A payment link of 55.00 USD, as relink mints them.
    pub async fn link(&self) -> Value {
        self.post("/v1/payment_links", MINT).send().await.ok()
    }

    /// An open session made by the application itself.
    pub async fn session(&self) -> Value {
        self.post("/v1/checkout/sessions", CHECKOUT)
            .send()
            .await
            .ok()
    }
}

pub const MINT: &[(&str, &str)] = &[
    ("line_items[0][price_data][currency]", "usd"),
    ("line_items[0][price_data][unit_amount]", "5500"),
    (
        "line_items[0][price_data][product_data][name]",
        "Utah Invitational",
    ),
    ("line_items[0][quantity]", "1"),
    ("metadata[order_id]", "7"),
    ("payment_intent_data[metadata][order_id]", "7"),
    (
        "payment_intent_data[metadata][parent_email]",
        "parent@example.com",
    ),
    ("restrictions[completed_sessions][limit]", "1"),
    ("inactive_message", "This registration link is closed."),
];

pub const CHECKOUT: &[(&str, &str)] = &[
    ("mode", "payment"),
    ("success_url", "https://hoops.example.com/thanks"),
    ("line_items[0][price_data][currency]", "usd"),
    ("line_items[0][price_data][unit_amount]", "5500"),
    (
        "line_items[0][price_data][product_data][name]",
        "Utah Invitational",
    ),
    ("line_items[0][quantity]", "1"),
    ("metadata[order_id]", "7"),
];

impl Call<'_> {
    pub fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }

    pub fn live(self) -> Self {
        self.key(LIVE_KEY)
    }

    pub fn version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    pub fn once(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self
    }

    /// Sends and validates; panics when there is no answer.
    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{}", self.sandbox.double.base_url(), self.path);
        let mut request = self
            .sandbox
            .client
            .request(self.method.parse().unwrap(), url);
        if !self.key.is_empty() {
            request = request.bearer_auth(self.key);
        }
        if let Some(version) = self.version {
            request = request.header("Stripe-Version", version);
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if self.method == "POST" {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&self.form)
                .finish();
            request = request
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(form);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let path = self.path.split('?').next().unwrap();
        if body.is_object() && spec::describes(self.method, path) {
            spec::check_response(self.method, path, status, &body);
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}
