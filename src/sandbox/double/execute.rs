//! Runs a prepared request: the effect, the clock's step, the answer kept for the idempotency key, and the log, which
//! has all of it before the answer leaves. What cannot be logged is taken back.

use serde_json::json;

use super::answer::{failed, json_answer};
use super::api::Ticket;
use super::change::{Cause, Change, revert, tick};
use super::error::{ApiError, Phase};
use super::faults::Rule;
use super::http::Answer;
use super::idempotency::Saved;
use super::prepare::Ready;
use super::world::Entry;
use super::{Core, expand, objects};

/// A fault struck after execution had begun and before anything happened. Only a saved 500 leaves a trace.
pub(super) fn conclude_unexecuted(core: &mut Core, ticket: &Ticket, ready: &Ready, rule: &Rule) {
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
pub(super) fn execute(
    core: &mut Core,
    ticket: &Ticket,
    ready: &Ready,
    remembered: Option<&Rule>,
) -> Answer {
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
