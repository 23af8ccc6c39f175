//! The admin interface under `/_sandbox/`: seeds, the payer, the clock, faults, limits, and what a test wants to know
//! afterwards. Without a key, because it is on loopback; a request a browser sends from some page is refused, because
//! a page must not move the sandbox.

use std::time::Duration;

use hyper::header::ORIGIN;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::change::{Cause, Change, Undo, revert, tick};
use super::faults::Rule;
use super::http::{Answer, Incoming, decode};
use super::parking::Release;
use super::payer::Method;
use super::world::{Entry, Kind, Mode, World};
use super::{Core, Inner, Webhooks, addresses, payer, seeds};

type Outcome = Result<Value, String>;

pub(super) async fn serve(inner: &Inner, request: &Incoming) -> Answer {
    let outcome = if request.headers.contains_key(ORIGIN) {
        Err("requests from a web page are refused".into())
    } else {
        dispatch(inner, request).await
    };
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(problem) => (400, json!({ "error": problem })),
    };
    Answer {
        status,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: body.to_string(),
    }
}

async fn dispatch(inner: &Inner, request: &Incoming) -> Outcome {
    let path = request.path.strip_prefix("/_sandbox/").unwrap_or_default();
    let body = if request.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&request.body)
            .map_err(|problem| format!("the body is not JSON: {problem}"))?
    };
    match (request.method.as_str(), path) {
        ("GET", "ping") => Ok(json!({"account": super::ACCOUNT, "now": inner.core().world.now})),
        ("GET", "parked") => Ok(parked(inner, request).await),
        ("POST", path) if path.starts_with("parked/") => release(inner, path),
        ("GET", "webhooks") => Ok(deliveries(inner, request).await),
        ("POST", "webhooks") => send_webhooks(inner, &body),
        (method, path) => act(&mut inner.core(), method, path, &body),
    }
}

fn act(core: &mut Core, method: &str, path: &str, body: &Value) -> Outcome {
    match (method, path) {
        ("POST", "objects") => put_objects(core, body),
        ("GET", "objects") => Ok(all_objects(&core.world)),
        ("GET", "requests") => Ok(core.requests.all()),
        ("DELETE", "requests") => {
            core.requests.clear();
            Ok(json!({}))
        }
        ("POST", "visit") => as_payer(core, body, payer::visit),
        ("POST", "pay") => {
            let method = Method::read(body["method"].as_str().unwrap_or("card"))?;
            as_payer(core, body, |change, target| {
                payer::pay(change, target, method)
            })
        }
        ("POST", "settle") => {
            let outcome = body["outcome"].as_str().unwrap_or("succeeded");
            as_payer(core, body, |change, target| {
                payer::settle(change, target, outcome)
            })
        }
        ("POST", "clock") => advance(core, body),
        ("GET", "clock") => Ok(json!({"now": core.world.now})),
        ("POST", "forget-keys") => {
            core.log.append(&[Entry::ForgetKeys]).map_err(unwritten)?;
            core.world.apply(Entry::ForgetKeys);
            Ok(json!({}))
        }
        ("POST", "limits") => core.limits.change(body).map(|()| json!({})),
        ("POST", "freeze") => {
            core.frozen = body["writes"]
                .as_bool()
                .ok_or("say `writes`: true or false")?;
            Ok(json!({"writes": core.frozen}))
        }
        ("GET", "violations") => Ok(json!(core.violations)),
        ("POST", "faults") => add_faults(core, body),
        ("DELETE", "faults") => {
            core.faults.clear();
            Ok(json!({}))
        }
        ("POST", "reset") => reset(core),
        (method, path) => Err(format!("no `{method} /_sandbox/{path}`")),
    }
}

fn unwritten(problem: std::io::Error) -> String {
    format!("cannot write the sandbox state: {problem}")
}

/// Logs what was done, or takes it back.
fn commit(core: &mut Core, entries: &[Entry], undone: Vec<Undo>) -> Result<(), String> {
    core.log.append(entries).map_err(|problem| {
        revert(&mut core.world, undone);
        unwritten(problem)
    })
}

fn put_objects(core: &mut Core, body: &Value) -> Outcome {
    let seeds = body.as_array().ok_or("send an array of objects")?;
    let planted = seeds::put(&mut core.world, seeds)?;
    commit(core, &planted.entries, planted.undone)?;
    Ok(Value::Array(planted.objects))
}

/// Every object of both modes, newest first by kind, with the line items an oracle needs to know amounts.
pub(super) fn all_objects(world: &World) -> Value {
    let mut all = Vec::new();
    for mode in [Mode::Test, Mode::Live] {
        for kind in Kind::ALL {
            for record in world
                .realm(mode)
                .shelf(kind)
                .into_iter()
                .flat_map(|shelf| shelf.newest_first())
            {
                let mut object = record.value.clone();
                object["livemode"] = json!(mode == Mode::Live);
                if record.hidden["line_items"].is_array() {
                    let items = super::objects::items::rendered(world.realm(mode), record);
                    object["line_items"] =
                        json!({"object": "list", "data": items, "has_more": false, "url": ""});
                }
                all.push(object);
            }
        }
    }
    Value::Array(all)
}

/// Carries out what a payer does, in the mode the target lives in.
fn as_payer(
    core: &mut Core,
    body: &Value,
    act: impl Fn(&mut Change, &str) -> Result<Value, String>,
) -> Outcome {
    let target = body["url"]
        .as_str()
        .or(body["id"].as_str())
        .ok_or("say `url` or `id`")?;
    let target = &addresses::inward(target);
    let mode = payer::mode_of(&core.world, target).unwrap_or(Mode::Test);
    let mut change = Change::new(&mut core.world, mode, Cause::default());
    let result = act(&mut change, target);
    let (entries, undo) = change.finish();
    match result {
        Ok(value) => {
            commit(core, &entries, vec![undo])?;
            Ok(value)
        }
        Err(problem) => {
            undo.revert(&mut core.world);
            Err(problem)
        }
    }
}

fn advance(core: &mut Core, body: &Value) -> Outcome {
    let seconds = body["advance"]
        .as_i64()
        .filter(|seconds| *seconds >= 0)
        .ok_or("say `advance`: seconds, not negative")?;
    let (mut entries, mut undone) = (Vec::new(), Vec::new());
    tick(&mut core.world, seconds, &mut entries, &mut undone);
    commit(core, &entries, undone)?;
    Ok(json!({"now": core.world.now}))
}

/// One rule or an array of them.
fn add_faults(core: &mut Core, body: &Value) -> Outcome {
    let rules = body
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![body.clone()]);
    let rules: Vec<Rule> =
        serde_json::from_value(Value::Array(rules)).map_err(|problem| problem.to_string())?;
    let count = rules.len();
    rules.into_iter().for_each(|rule| core.faults.add(rule));
    Ok(json!({"added": count}))
}

/// A new double: no objects, no keys, no faults, the clock at its start.
fn reset(core: &mut Core) -> Outcome {
    core.log.append(&[Entry::Reset]).map_err(unwritten)?;
    core.world.empty();
    core.outbox.clear();
    core.in_flight.clear();
    core.faults.clear();
    core.requests.clear();
    core.violations.clear();
    core.frozen = false;
    core.limits = super::Limits::default();
    Ok(json!({"now": core.world.now}))
}

async fn parked(inner: &Inner, request: &Incoming) -> Value {
    let wait = Duration::from_millis(number(request, "wait_ms").unwrap_or(0).min(60_000));
    let count = usize::try_from(number(request, "count").unwrap_or(1)).unwrap_or(1);
    Value::Array(inner.parking.wait(count, wait).await)
}

/// A number in the query.
fn number(request: &Incoming, name: &str) -> Option<u64> {
    let query = decode(request.query.as_bytes());
    let found = query.iter().find(|(key, _)| key == name);
    found.and_then(|(_, value)| value.parse().ok())
}

/// Every attempt so far and what is still owed; waits until nothing is, if asked to.
async fn deliveries(inner: &Inner, request: &Incoming) -> Value {
    let wait = Duration::from_millis(number(request, "wait_ms").unwrap_or(0).min(60_000));
    inner.webhooks_settled(wait).await;
    let core = inner.core();
    json!({"owed": core.owed_events(), "deliveries": core.outbox.deliveries()})
}

/// `url`, `secrets`; `events`, `duplicates`, `shuffle`, `retry_ms` and `timeout_ms` where they are to differ.
fn send_webhooks(inner: &Inner, body: &Value) -> Outcome {
    let texts = |name: &str| -> Vec<String> {
        let texts = body[name].as_array().into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let secrets = texts("secrets").into_iter().map(SecretString::from);
    let mut to = Webhooks::to(body["url"].as_str().unwrap_or_default(), secrets.collect());
    if body["events"].is_array() {
        to.events = texts("events");
    }
    let duplicates = body["duplicates"].as_u64().unwrap_or(0);
    to.duplicates = u32::try_from(duplicates).unwrap_or(u32::MAX);
    to.shuffle = body["shuffle"].as_u64();
    if let Some(millis) = body["retry_ms"].as_u64() {
        to.first_retry = Duration::from_millis(millis);
    }
    if let Some(millis) = body["timeout_ms"].as_u64() {
        to.timeout = Duration::from_millis(millis);
    }
    inner.send_webhooks(to).map(|()| json!({}))
}

/// `parked/ID/release` and `parked/ID/drop`.
fn release(inner: &Inner, path: &str) -> Outcome {
    let parts: Vec<&str> = path.split('/').collect();
    let (id, how) = match parts.as_slice() {
        ["parked", id, "release"] => (id, Release::GoOn),
        ["parked", id, "drop"] => (id, Release::Drop),
        _ => return Err(format!("no `POST /_sandbox/{path}`")),
    };
    let known = id.parse().is_ok_and(|id| inner.parking.release(id, how));
    if known {
        Ok(json!({}))
    } else {
        Err(format!("nothing is parked under `{id}`"))
    }
}
