//! One API request from arrival to answer, in Stripe's order: key, limits, idempotency, parameters, execution, log,
//! answer. Nothing is answered before it is in the log; nothing waits while the state is held.

use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::error::{ApiError, Phase};
use super::faults::{Fault, Rule, When};
use super::http::{Answer, Cut, Incoming, Reply};
use super::idempotency::{Claim, Saved, fingerprint};
use super::objects::{self, payment_links, sessions};
use super::parking::Release;
use super::spec::{DEFAULT_VERSION, Operation, spec};
use super::world::{Cause, Change, Entry, Mode, Undo, World};
use super::{Core, Inner, auth, expand, params};

/// What is known of a request from the moment it arrived.
struct Ticket {
    seq: u64,
    request_id: String,
    version: String,
    /// Only of a POST: elsewhere a key has no effect.
    key: Option<String>,
    pairs: Vec<(String, String)>,
    rules: Vec<Rule>,
}

/// A checked request that holds its idempotency key.
struct Ready {
    mode: Mode,
    operation: &'static Operation,
    id: String,
    params: Value,
    expansions: Vec<String>,
    fingerprint: String,
}

enum Prepared {
    Ready(Box<Ready>),
    /// Answered without running: refused, or a replay.
    Answered(Answer),
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

fn arrive(inner: &Inner, request: &Incoming) -> (Ticket, std::time::Duration) {
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

fn scripted(rule: &Rule) -> Answer {
    let body = rule.body_text();
    let kind = if body.trim_start().starts_with('<') {
        "text/html; charset=utf-8"
    } else {
        "application/json"
    };
    let mut headers = vec![("Content-Type".to_owned(), kind.to_owned())];
    headers.extend(rule.headers.iter().map(|(name, value)| {
        (
            name.clone(),
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    }));
    Answer {
        status: rule.status,
        headers,
        body,
    }
}

/// Everything that can refuse a request before it runs, and the claim on its idempotency key.
fn prepare(core: &mut Core, request: &Incoming, ticket: &Ticket) -> Prepared {
    match try_prepare(core, request, ticket) {
        Ok(prepared) => prepared,
        Err(error) => Prepared::Answered(failed(&error)),
    }
}

fn try_prepare(core: &mut Core, request: &Incoming, ticket: &Ticket) -> Result<Prepared, ApiError> {
    let mode = auth::mode(&request.headers)?;
    core.requests.note(ticket.seq, "mode", json!(mode.name()));
    check_version(&ticket.version)?;
    let found = spec().operation(&request.method, &request.path);
    let endpoint = found
        .as_ref()
        .map_or("unknown", |(operation, _)| operation.template.as_str());
    core.limiter.admit(
        &core.limits,
        mode,
        &format!("{} {endpoint}", request.method),
    )?;
    let (operation, id) = found.ok_or_else(|| unrecognized(request))?;
    let print = fingerprint(&request.method, &request.path, &ticket.pairs);
    if let Some(key) = &ticket.key {
        match core
            .in_flight
            .look(core.world.realm(mode), mode, core.world.now, key, &print)?
        {
            Claim::Replay(saved) => {
                core.requests.note(ticket.seq, "replayed", json!(true));
                return Ok(Prepared::Answered(replayed(saved)));
            }
            Claim::Fresh => {}
        }
    }
    check_body(request)?;
    let params = params::read(&ticket.pairs, &operation.params)?;
    let expansions = params::expansions(&params);
    expand::check(&expansions, &operation.response)?;
    if operation.template == "/v1/payment_links" {
        payment_links::check_version(&params, &ticket.version)?;
    }
    if let Some(key) = &ticket.key {
        core.in_flight.claim(mode, key);
    }
    let id = id.map(|id| decoded(&id)).unwrap_or_default();
    Ok(Prepared::Ready(Box::new(Ready {
        mode,
        operation,
        id,
        params,
        expansions,
        fingerprint: print,
    })))
}

fn check_version(version: &str) -> Result<(), ApiError> {
    let date = version.get(..10).unwrap_or_default();
    let is_date = date.char_indices().all(|(at, c)| {
        if at == 4 || at == 7 {
            c == '-'
        } else {
            c.is_ascii_digit()
        }
    });
    let rest = version.get(10..).unwrap_or_default();
    if date.len() == 10 && is_date && (rest.is_empty() || rest.starts_with('.')) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Invalid Stripe API version: {version}"
    )))
}

fn check_body(request: &Incoming) -> Result<(), ApiError> {
    if request.form.is_empty() && !request.body.is_empty() && request.method == "POST" {
        return Err(ApiError::invalid(
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have \
             any questions, we can help at https://support.stripe.com/.",
        ));
    }
    Ok(())
}

fn unrecognized(request: &Incoming) -> ApiError {
    ApiError::invalid(format!(
        "Unrecognized request URL ({}: {}). Please see https://stripe.com/docs or we can help at \
         https://support.stripe.com/.",
        request.method, request.path
    ))
    .status(404)
}

fn decoded(segment: &str) -> String {
    let literal_plus = segment.replace('+', "%2B");
    super::http::decode(literal_plus.as_bytes())
        .into_iter()
        .next()
        .map_or_else(String::new, |(text, _)| text)
}

/// A fault struck after execution had begun and before anything happened. Only a saved 500 leaves a trace.
fn conclude_unexecuted(core: &mut Core, ticket: &Ticket, ready: &Ready, rule: &Rule) {
    let Some(key) = &ticket.key else { return };
    core.in_flight.release(ready.mode, key);
    if !rule.is_saved() {
        return;
    }
    let entry = key_entry(
        ticket,
        key,
        ready,
        core.world.now,
        rule.status,
        rule.body_text(),
    );
    if core.log.append(std::slice::from_ref(&entry)).is_ok() {
        core.world.apply(entry);
    }
}

fn key_entry(
    ticket: &Ticket,
    key: &str,
    ready: &Ready,
    at: i64,
    status: u16,
    body: String,
) -> Entry {
    let request = ticket.request_id.clone();
    let saved = Saved {
        fingerprint: ready.fingerprint.clone(),
        at,
        status,
        body,
        request,
    };
    Entry::Key {
        mode: ready.mode,
        key: key.to_owned(),
        saved,
    }
}

/// Runs the request, moves the clock, and logs both together with the answer kept for the key. `remembered` is a
/// fault whose answer Stripe would remember instead of the true one.
fn execute(core: &mut Core, ticket: &Ticket, ready: &Ready, remembered: Option<&Rule>) -> Answer {
    let cause = Cause {
        request: Some(ticket.request_id.clone()),
        idempotency_key: ticket.key.clone(),
    };
    let at = core.world.now;
    let mut change = Change::new(&mut core.world, ready.mode, cause);
    let result = objects::run(&mut change, ready.operation, &ready.id, &ready.params);
    let (mut entries, undo) = change.finish();
    let mut undone = vec![undo];
    let effect = result.is_ok()
        && entries
            .iter()
            .any(|entry| !matches!(entry, Entry::Clock { .. }));
    let answer = match result {
        Ok(mut value) => {
            expand::apply(
                core.world.realm(ready.mode),
                &mut value,
                &ready.operation.response,
                &ready.expansions,
            );
            if ready.operation.method == "GET" {
                entries.clear();
            } else {
                tick(&mut core.world, 1, &mut entries, &mut undone);
            }
            (json_answer(200, value.to_string()), Phase::Execution)
        }
        Err(error) => {
            revert(&mut core.world, std::mem::take(&mut undone));
            entries.clear();
            (failed(&error), error.phase)
        }
    };
    let (answer, phase) = answer;
    if let Some(key) = &ticket.key {
        core.in_flight.release(ready.mode, key);
        if phase == Phase::Execution {
            let (status, body) = match remembered {
                Some(rule) => (rule.status, rule.body_text()),
                None => (answer.status, answer.body.clone()),
            };
            entries.push(key_entry(ticket, key, ready, at, status, body));
        }
    }
    if let Err(problem) = core.log.append(&entries) {
        revert(&mut core.world, undone);
        let message = format!("the sandbox could not write its state: {problem}");
        return failed(&ApiError::invalid(message).kind("api_error").status(500));
    }
    if let Some(entry @ Entry::Key { .. }) = entries.pop() {
        core.world.apply(entry);
    }
    core.requests.note(ticket.seq, "effect", json!(effect));
    answer
}

/// Moves the clock; sessions whose time is over expire, in both modes.
pub(super) fn tick(
    world: &mut World,
    seconds: i64,
    entries: &mut Vec<Entry>,
    undone: &mut Vec<Undo>,
) {
    let mut moved = Change::new(world, Mode::Test, Cause::default());
    moved.world.now += seconds;
    sessions::expire_overdue(&mut moved);
    let (first, undo) = moved.finish();
    entries.extend(first);
    undone.push(undo);
    let mut live = Change::new(world, Mode::Live, Cause::default());
    sessions::expire_overdue(&mut live);
    let (second, undo) = live.finish();
    entries.extend(second);
    undone.push(undo);
}

pub(super) fn revert(world: &mut World, undone: Vec<Undo>) {
    undone.into_iter().rev().for_each(|undo| undo.revert(world));
}

fn json_answer(status: u16, body: String) -> Answer {
    Answer {
        status,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body,
    }
}

fn failed(error: &ApiError) -> Answer {
    let mut answer = json_answer(error.status, error.body().to_string());
    answer.headers.extend(
        error
            .header
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    answer
}

fn replayed(saved: Saved) -> Answer {
    let mut answer = json_answer(saved.status, saved.body);
    answer
        .headers
        .push(("Idempotent-Replayed".into(), "true".into()));
    answer
        .headers
        .push(("Original-Request".into(), saved.request));
    answer
}

/// The headers every answer carries; the date is the double's own.
fn dressed(mut answer: Answer, ticket: &Ticket, now: i64) -> Answer {
    let has = |answer: &Answer, name: &str| {
        answer
            .headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    let date = jiff::Timestamp::from_second(now).ok().and_then(|now| {
        DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&now)
            .ok()
    });
    let extra = [
        ("Request-Id", Some(ticket.request_id.clone())),
        ("Date", date),
        ("Stripe-Version", Some(ticket.version.clone())),
        ("Idempotency-Key", ticket.key.clone()),
    ];
    for (name, value) in extra {
        if let Some(value) = value.filter(|_| !has(&answer, name)) {
            answer.headers.push((name.to_owned(), value));
        }
    }
    answer
}
