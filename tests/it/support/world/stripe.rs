//! Stripe's side of a world: a double of its own, running beside the tests so that processes can reach it.
//!
//! It looks at the double through the admin interface only, so that a test's eyes never show up among the
//! requests under test.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use relink::sandbox::double::{Double, Limits, Options, StateAt};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::World;

/// The doubles of all worlds. A test blocks its own thread while it waits for a process.
static BESIDE: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("doubles")
        .enable_all()
        .build()
        .unwrap()
});

pub struct Stripe {
    base: String,
    double: Option<Double>,
}

impl Stripe {
    pub async fn start() -> Self {
        // Another world, or the client under test, may have chosen the same provider before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options {
            state: StateAt::Memory,
            port: 0,
            limits: Limits::default(),
        };
        let starting = BESIDE.spawn(Double::start(options));
        let double = starting.await.unwrap().unwrap();
        Stripe {
            base: double.base_url().to_owned(),
            double: Some(double),
        }
    }

    /// `http://127.0.0.1:PORT`, as `STRIPE_API_BASE` takes it.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET /_sandbox/…`.
    pub async fn ask(&self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    /// `POST /_sandbox/…`.
    pub async fn tell(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body)).await
    }

    /// `DELETE /_sandbox/…`.
    pub async fn forget(&self, path: &str) {
        self.call("DELETE", path, None).await;
    }

    /// The double itself, for what needs no connection.
    pub fn double(&self) -> &Double {
        self.double.as_ref().unwrap()
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let target = format!("/_sandbox/{path}");
        let body = body.map_or_else(String::new, |body| body.to_string());
        let answer = self
            .double()
            .call(method, &target, HeaderMap::new(), body)
            .await;
        let (status, _, text) = answer.unwrap_or_else(|| panic!("{path}: no answer"));
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// What a test sees and does on Stripe's side.
impl World {
    /// Stores partial objects, an array, completed by the double; of live mode in a live world.
    pub async fn put_objects(&self, mut objects: Value) {
        if self.front().is_some() {
            for object in objects.as_array_mut().into_iter().flatten() {
                object["livemode"] = true.into();
            }
        }
        self.stripe.tell("objects", objects).await;
    }

    /// Every object of both modes, newest first by kind, links and sessions with their `line_items`.
    pub async fn objects(&self) -> Vec<Value> {
        list(self.stripe.ask("objects").await)
    }

    /// An object as Stripe has it.
    pub async fn object(&self, id: &str) -> Value {
        let objects = self.objects().await;
        let found = objects.into_iter().find(|object| object["id"] == id);
        found.unwrap_or_else(|| panic!("Stripe has no `{id}`"))
    }

    /// The ids of such objects, sorted.
    pub async fn ids_where(&self, such: impl Fn(&Value) -> bool) -> Vec<String> {
        let objects = self.objects().await;
        let id = |object: &Value| object["id"].as_str().unwrap().to_owned();
        let mut ids: Vec<String> = objects
            .iter()
            .filter(|object| such(object))
            .map(id)
            .collect();
        ids.sort();
        ids
    }

    /// The API requests so far, oldest first: `method`, `path`, `query`, `body`, `idempotency_key`, `status`,
    /// `effect`, ….
    pub async fn requests(&self) -> Vec<Value> {
        list(self.stripe.ask("requests").await)
    }

    /// Those of them that are no reads, whatever became of them.
    pub async fn writes(&self) -> Vec<Value> {
        let mut requests = self.requests().await;
        requests.retain(|request| request["method"] != "GET");
        requests
    }

    /// Refuses every write through the API from now on and remembers the attempt; for dry runs.
    pub async fn freeze_writes(&self) {
        self.stripe.tell("freeze", json!({"writes": true})).await;
    }

    /// Lets writes through again.
    pub async fn thaw_writes(&self) {
        self.stripe.tell("freeze", json!({"writes": false})).await;
    }

    /// Writes attempted since `freeze_writes`.
    pub async fn violations(&self) -> Vec<Value> {
        list(self.stripe.ask("violations").await)
    }

    /// A parent opens a link, a session or a recovery URL; the session they see.
    pub async fn visit(&self, target: &str) -> Value {
        self.stripe.tell("visit", json!({"url": target})).await
    }

    /// A parent pays a link or a session by card.
    pub async fn pay(&self, target: &str) {
        self.pay_by("card", target).await;
    }

    /// … by `card`, `declined`, `async`, `async_fail` or `voucher`.
    pub async fn pay_by(&self, method: &str, target: &str) {
        self.stripe
            .tell("pay", json!({"url": target, "method": method}))
            .await;
    }

    /// Moves the double's clock forward.
    pub async fn pass(&self, seconds: i64) {
        self.stripe.tell("clock", json!({"advance": seconds})).await;
    }

    /// Sends the events of checkout sessions to this URL from now on, signed with this secret. Once a receiver has
    /// answered them all with 2xx, none is owed (`deliveries`).
    pub async fn send_webhooks(&self, url: &str, secret: &str) {
        let endpoint = json!({"url": url, "secrets": [secret], "retry_ms": 50});
        self.stripe.tell("webhooks", endpoint).await;
    }

    /// Every attempt so far, once nothing is owed any more: `event`, `type`, `copy`, `attempt`, `status`, `error`.
    pub async fn deliveries(&self) -> Vec<Value> {
        let mut told = self.stripe.ask("webhooks?wait_ms=20000").await;
        assert_eq!(
            told["owed"],
            json!([]),
            "not delivered in 20 seconds: {told}"
        );
        list(told["deliveries"].take())
    }

    /// Until a delivery was answered so, at most 20 seconds.
    pub async fn wait_for_delivery_answered(&self, status: u16) {
        let begun = Instant::now();
        loop {
            let told = self.stripe.ask("webhooks?wait_ms=0").await;
            let answered = told["deliveries"].as_array().into_iter().flatten();
            if answered
                .into_iter()
                .any(|delivery| delivery["status"] == status)
            {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "none was answered {status}: {told}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Adds a scripted fault, or an array of them.
    pub async fn fault(&self, rule: Value) {
        self.stripe.tell("faults", rule).await;
    }

    pub async fn clear_faults(&self) {
        self.stripe.forget("faults").await;
    }

    /// Waits until a request is held by a fault of kind `park`; its number.
    pub async fn wait_for_parked(&self) -> u64 {
        let parked = list(self.stripe.ask("parked?count=1&wait_ms=20000").await);
        let first = parked.first().expect("no request was parked in 20 seconds");
        first["id"].as_u64().unwrap()
    }

    /// A parked request never arrives.
    pub async fn drop_parked(&self, parked: u64) {
        let path = format!("parked/{parked}/drop");
        self.stripe.tell(&path, Value::Null).await;
    }

    /// Lets a parked request go on.
    pub async fn release(&self, parked: u64) {
        let path = format!("parked/{parked}/release");
        self.stripe.tell(&path, Value::Null).await;
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        if let Some(double) = self.double.take() {
            BESIDE.spawn(double.stop());
        }
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("not a list: {other}"),
    }
}

/// Somebody can open or finish a payment here.
pub fn is_live(object: &Value) -> bool {
    match object["object"].as_str() {
        Some("payment_link") => object["active"] == true,
        Some("checkout.session") => object["status"] == "open",
        _ => false,
    }
}

/// One line about a link or a session, for a listing of a world.
pub fn tell_of(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().unwrap_or("-").to_owned();
    let owner = object["metadata"]["order_id"].as_str().unwrap_or("nobody");
    let id = text("id");
    match object["object"].as_str() {
        Some("payment_link") => {
            let price = &object["line_items"]["data"][0]["amount_total"];
            format!("link {id} active for {owner}: {price} {}", text("currency"))
        }
        _ => {
            let (link, total) = (text("payment_link"), &object["amount_total"]);
            format!(
                "session {id} open for {owner}: {total} {} of {link}",
                text("currency")
            )
        }
    }
}
