//! Answers as they go back: successes, refusals, replays, scripted ones, and the headers every one of them carries.
//! The date is the double's own, never the host's.

use jiff::fmt::rfc2822::DateTimePrinter;

use super::api::Ticket;
use super::error::ApiError;
use super::faults::Rule;
use super::http::Answer;
use super::idempotency::Saved;

pub(super) fn json_answer(status: u16, body: String) -> Answer {
    Answer {
        status,
        headers: vec![("Content-Type".into(), "application/json".into())],
        body,
    }
}

pub(super) fn failed(error: &ApiError) -> Answer {
    let mut answer = json_answer(error.status, error.body().to_string());
    answer.headers.extend(
        error
            .header
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    answer
}

pub(super) fn replayed(saved: Saved) -> Answer {
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
pub(super) fn dressed(mut answer: Answer, ticket: &Ticket, now: i64) -> Answer {
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

pub(super) fn scripted(rule: &Rule) -> Answer {
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
