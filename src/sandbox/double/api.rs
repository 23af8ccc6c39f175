//! One API request from arrival to answer. This file only strings the steps together and lets scripted faults strike
//! between them; nothing waits here while the state is held.

use std::time::Duration;

use serde_json::{Value, json};

use super::Inner;
use super::answer::{dressed, failed, json_answer, scripted};
use super::error::ApiError;
use super::execute::{conclude_unexecuted, execute};
use super::faults::{Fault, Rule, When};
use super::http::{Answer, Cut, Incoming, Reply};
use super::parking::Release;
use super::prepare::{Prepared, prepare};
use super::spec::DEFAULT_VERSION;

/// What is known of a request from the moment it arrived.
pub(super) struct Ticket {
    pub seq: u64,
    pub request_id: String,
    pub version: String,
    /// Only of a POST: elsewhere a key has no effect.
    pub key: Option<String>,
    pub pairs: Vec<(String, String)>,
    pub rules: Vec<Rule>,
}

pub(super) async fn serve(inner: &Inner, request: &Incoming) -> Reply {
    let (ticket, latency) = arrive(inner, request);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let reply = answer(inner, request, &ticket).await;
    let mut core = inner.core();
    if core.log.is_closed() {
        return Err(Cut::Close);
    }
    let cut = match &reply {
        Ok(answer) => {
            core.requests
                .note(ticket.seq, "status", json!(answer.status));
            None
        }
        Err(Cut::Reset) => Some("reset"),
        Err(Cut::Close) => Some("close"),
        Err(Cut::Truncated(_)) => Some("truncated"),
    };
    core.requests.note(ticket.seq, "cut", json!(cut));
    let now = core.world.now;
    match reply {
        Ok(answer) => Ok(dressed(answer, &ticket, now)),
        Err(Cut::Truncated(answer)) => Err(Cut::Truncated(dressed(answer, &ticket, now))),
        Err(cut) => Err(cut),
    }
}

fn arrive(inner: &Inner, request: &Incoming) -> (Ticket, Duration) {
    let mut core = inner.core();
    let request_id = core.world.next_request_id();
    let pairs = request.pairs();
    let parameters: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let ticket = Ticket {
        seq: core.requests.arrived(request, &request_id),
        request_id,
        version: request
            .header("stripe-version")
            .unwrap_or(DEFAULT_VERSION)
            .to_owned(),
        key: request
            .header("idempotency-key")
            .filter(|_| request.method == "POST")
            .map(str::to_owned),
        rules: core
            .faults
            .meeting(&request.method, &request.path, &parameters.join("&")),
        pairs,
    };
    (ticket, core.limits.latency)
}

async fn answer(inner: &Inner, request: &Incoming, ticket: &Ticket) -> Reply {
    if let Some(refused) = refuse_frozen(inner, request, ticket) {
        return Ok(refused);
    }
    if let Some((_, reply)) = strike(inner, request, ticket, When::Arrival, None).await {
        return reply;
    }
    let prepared = prepare(&mut inner.core(), request, ticket);
    let ready = match prepared {
        Prepared::Ready(ready) => ready,
        Prepared::Answered(answer) => {
            if let Some((_, reply)) =
                strike(inner, request, ticket, When::Before, Some(&answer)).await
            {
                return reply;
            }
            let struck = strike(inner, request, ticket, When::After, Some(&answer)).await;
            return struck.map_or(Ok(answer), |(_, reply)| reply);
        }
    };
    if let Some((rule, reply)) = strike(inner, request, ticket, When::Before, None).await {
        conclude_unexecuted(&mut inner.core(), ticket, &ready, &rule);
        return reply;
    }
    let remembered = ticket
        .rules
        .iter()
        .find(|rule| rule.when == When::After && rule.is_saved());
    let answer = execute(&mut inner.core(), ticket, &ready, remembered);
    let struck = strike(inner, request, ticket, When::After, Some(&answer)).await;
    struck.map_or(Ok(answer), |(_, reply)| reply)
}

fn refuse_frozen(inner: &Inner, request: &Incoming, ticket: &Ticket) -> Option<Answer> {
    let mut core = inner.core();
    if !core.frozen || !request.is_write() {
        return None;
    }
    core.violations.push(json!({
        "method": request.method, "path": request.path, "body": request.form, "request_id": ticket.request_id,
    }));
    let message = "the sandbox is frozen: no write may reach Stripe now";
    Some(failed(
        &ApiError::invalid(message).kind("api_error").status(500),
    ))
}

/// Lets the rules of one point strike. `None` means the request goes on its way.
async fn strike(
    inner: &Inner,
    request: &Incoming,
    ticket: &Ticket,
    when: When,
    answer: Option<&Answer>,
) -> Option<(Rule, Reply)> {
    for rule in ticket.rules.iter().filter(|rule| rule.when == when) {
        let reply = match rule.kind {
            Fault::Latency => {
                tokio::time::sleep(rule.delay()).await;
                continue;
            }
            Fault::Park => match inner.parking.park(parked(request, ticket, when)).await {
                Release::GoOn => continue,
                Release::Drop => Err(Cut::Reset),
            },
            Fault::Timeout => {
                tokio::time::sleep(rule.delay()).await;
                Err(Cut::Close)
            }
            Fault::Reset => Err(Cut::Reset),
            Fault::Truncated => {
                Err(Cut::Truncated(answer.cloned().unwrap_or_else(|| {
                    json_answer(200, "{\"id\": \"\"}".into())
                })))
            }
            Fault::Garbage => Ok(json_answer(
                200,
                "{\"id\": \"plink_\u{fffd}\u{fffd}, \"object\" }}".into(),
            )),
            Fault::Status => Ok(scripted(rule)),
        };
        return Some((rule.clone(), reply));
    }
    None
}

fn parked(request: &Incoming, ticket: &Ticket, when: When) -> Value {
    let when = match when {
        When::Arrival => "arrival",
        When::Before => "before",
        When::After => "after",
    };
    json!({
        "seq": ticket.seq,
        "method": request.method,
        "path": request.path,
        "body": request.form,
        "idempotency_key": ticket.key,
        "when": when,
    })
}
