//! Scripted faults: which request they meet (method, path, the n-th, how often) and what befalls it, before or after
//! its effect. The double never kills a process: it parks a request and says so. Rules are for tests and rehearsal;
//! without any, nothing here changes an answer.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Where on a request's way a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    /// On arrival: before key, limits and idempotency layer have seen the request.
    Arrival,
    /// Execution has begun and the idempotency key is held, but nothing has happened yet.
    Before,
    /// It happened; only the answer is at stake.
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fault {
    /// The connection is reset without an answer.
    Reset,
    /// `status`, `body` and `headers` are answered instead.
    Status,
    /// Held for `ms`, then the connection is closed without an answer.
    Timeout,
    /// Half an answer under the full length.
    Truncated,
    /// 200 with something that is not JSON.
    Garbage,
    /// Late by `ms`, otherwise unharmed.
    Latency,
    /// Held until released or dropped.
    Park,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub method: Option<String>,
    /// A prefix, or segments with `*` for any one segment.
    pub path: Option<String>,
    /// Only requests whose decoded parameters (`key=value&…`) contain this.
    pub contains: Option<String>,
    /// The first matching request it meets, counted from 1 since the rule was added.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many matching requests it meets; null for all from then on.
    #[serde(default = "once")]
    pub times: Option<u64>,
    #[serde(default = "before")]
    pub when: When,
    pub kind: Fault,
    #[serde(default = "server_error")]
    pub status: u16,
    /// JSON, or a string that is sent as it is.
    #[serde(default)]
    pub body: Value,
    #[serde(default)]
    pub headers: serde_json::Map<String, Value>,
    #[serde(default)]
    pub ms: Option<u64>,
    /// Whether a `status` answer is remembered for the idempotency key. By default only a 500 is: other statuses
    /// come from layers in front of the API (limits, permissions, gateways), and what really happened is remembered.
    pub saved: Option<bool>,
    #[serde(skip)]
    seen: u64,
}

fn one() -> u64 {
    1
}

fn once() -> Option<u64> {
    Some(1)
}

fn before() -> When {
    When::Before
}

fn server_error() -> u16 {
    500
}

impl Rule {
    /// Counts a request; true when it is one that the rule meets.
    fn meets(&mut self, method: &str, path: &str, parameters: &str) -> bool {
        let matches = self
            .method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path
                .as_ref()
                .is_none_or(|pattern| path_matches(pattern, path))
            && self
                .contains
                .as_ref()
                .is_none_or(|text| parameters.contains(text.as_str()));
        if !matches {
            return false;
        }
        self.seen += 1;
        self.seen >= self.nth && self.times.is_none_or(|times| self.seen < self.nth + times)
    }

    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.ms.unwrap_or(if self.kind == Fault::Timeout {
            30_000
        } else {
            100
        }))
    }

    pub fn is_saved(&self) -> bool {
        self.kind == Fault::Status && self.saved.unwrap_or(self.status == 500)
    }

    /// The text a `status` fault answers with.
    pub fn body_text(&self) -> String {
        match &self.body {
            Value::String(text) => text.clone(),
            Value::Null => default_body(self.status).to_string(),
            json => json.to_string(),
        }
    }
}

/// Without a body of its own, a fault answers in Stripe's envelope.
fn default_body(status: u16) -> Value {
    let (kind, message) = match status {
        429 => ("invalid_request_error", "Request rate limit exceeded."),
        400..=499 => (
            "invalid_request_error",
            "The request was refused by a scripted fault.",
        ),
        _ => ("api_error", "An unknown error occurred."),
    };
    let mut error = serde_json::json!({"message": message, "type": kind});
    if status == 429 {
        error["code"] = "rate_limit".into();
    }
    serde_json::json!({ "error": error })
}

fn path_matches(pattern: &str, path: &str) -> bool {
    if !pattern.contains('*') {
        return path.starts_with(pattern);
    }
    let (wanted, given): (Vec<&str>, Vec<&str>) =
        (pattern.split('/').collect(), path.split('/').collect());
    wanted.len() == given.len()
        && wanted
            .iter()
            .zip(given)
            .all(|(wanted, given)| *wanted == "*" || *wanted == given)
}

#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Rule>);

impl Faults {
    pub fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Every rule counts the request; the ones that meet it strike, in the order they were added.
    pub fn meeting(&mut self, method: &str, path: &str, parameters: &str) -> Vec<Rule> {
        self.0
            .iter_mut()
            .filter_map(|rule| rule.meets(method, path, parameters).then(|| rule.clone()))
            .collect()
    }
}
