//! A small client for the double's admin interface, for `relink sandbox visit|pay` and for seeding. Loopback only: it
//! refuses any other base, so that a mistyped address never receives a seed.

use reqwest::Method;
use serde_json::{Value, json};

/// Why an admin call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{base}` is not a sandbox: it must be `http://127.0.0.1:PORT`")]
    NotLoopback { base: String },
    #[error("the sandbox at `{base}` does not answer")]
    Unreachable {
        base: String,
        source: reqwest::Error,
    },
    /// What the double said, e.g. the message of an inactive link.
    #[error("the sandbox refused: {reason}")]
    Refused { reason: String },
}

/// Opens a link or recovery URL as a payer would; answers with the checkout session.
///
/// # Errors
/// `Refused` with the page's message when the link is inactive or the session is over.
pub async fn visit(base: &str, target: &str) -> Result<Value, ClientError> {
    call(base, Method::POST, "visit", Some(json!({ "url": target }))).await
}

/// Pays a session, or a link after visiting it. `method` is `card`, `declined`, `async`, `async_fail` or `voucher`.
///
/// # Errors
/// As `visit`.
pub async fn pay(base: &str, target: &str, method: &str) -> Result<Value, ClientError> {
    call(
        base,
        Method::POST,
        "pay",
        Some(json!({"url": target, "method": method})),
    )
    .await
}

/// Stores partial objects, completed by the double; answers with them as stored.
///
/// # Errors
/// `Refused` naming the first object that is wrong; then none is stored.
pub async fn put_objects(base: &str, objects: Vec<Value>) -> Result<Value, ClientError> {
    call(base, Method::POST, "objects", Some(Value::Array(objects))).await
}

/// Every object of both modes.
///
/// # Errors
/// `Unreachable` when nothing answers.
pub async fn objects(base: &str) -> Result<Value, ClientError> {
    call(base, Method::GET, "objects", None).await
}

/// Empties the double: objects, keys, faults, limits; the clock returns to its start.
///
/// # Errors
/// `Unreachable` when nothing answers.
pub async fn reset(base: &str) -> Result<(), ClientError> {
    call(base, Method::POST, "reset", None).await.map(|_| ())
}

async fn call(
    base: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, ClientError> {
    let is_loopback = url::Url::parse(base)
        .is_ok_and(|url| url.scheme() == "http" && url.host_str() == Some("127.0.0.1"));
    if !is_loopback {
        return Err(ClientError::NotLoopback {
            base: base.to_owned(),
        });
    }
    let unreachable = |source| ClientError::Unreachable {
        base: base.to_owned(),
        source,
    };
    crate::tls::choose_provider();
    // No certificate is looked at, so that a host without any has a sandbox all the same.
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .map_err(unreachable)?;
    let request = client.request(
        method,
        format!("{}/_sandbox/{path}", base.trim_end_matches('/')),
    );
    let request = match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(body.to_string()),
        None => request,
    };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(answer);
    }
    Err(ClientError::Refused {
        reason: answer["error"]
            .as_str()
            .unwrap_or("no reason given")
            .to_owned(),
    })
}
