//! What an answer means, pure: status, headers and body in, an error and its certainty out.
//!
//! Only Stripe's own error envelope counts as Stripe's word. A 404 from a proxy is garbage, never "no such
//! object", and a message is never parsed but for one thing: the other mode, which has no code of its own.

use serde::Deserialize;

use super::StripeError;
use super::error::scrub;
use super::http::Answer;
use super::retry::Failure;
use super::transport::NoAnswer;

/// What a failed request leaves behind at Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// It may have happened.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub error: StripeError,
    pub effect: Effect,
    pub failure: Failure,
    /// Whatever the answer meant: by it Stripe's support finds the request.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    error: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

pub(super) fn judge(outcome: Result<Answer, NoAnswer>) -> Result<Answer, Box<Trouble>> {
    let answer = outcome.map_err(|reason| Box::new(without_answer(reason)))?;
    match answer.status {
        200..=299 => Ok(answer),
        500..=599 => Err(Box::new(Trouble {
            error: StripeError::Server {
                status: answer.status,
                request_id: answer.request_id.clone(),
            },
            effect: Effect::Unknown,
            failure: failure(&answer, answer.status),
            request_id: answer.request_id,
        })),
        _ => Err(Box::new(
            match serde_json::from_slice::<Envelope>(&answer.body) {
                Ok(Envelope { error }) => refusal(&answer, &error),
                Err(_) => foreign_answer(&answer),
            },
        )),
    }
}

fn without_answer(outcome: NoAnswer) -> Trouble {
    let (error, effect, failure, request_id) = match outcome {
        NoAnswer::NotSent(detail) => (
            StripeError::Unreachable { detail },
            Effect::None,
            Failure::Connection,
            None,
        ),
        NoAnswer::Lost(detail) => (
            StripeError::Unreachable { detail },
            Effect::Unknown,
            Failure::Connection,
            None,
        ),
        NoAnswer::CutOff { detail, request_id } => (
            StripeError::Unreachable { detail },
            Effect::Unknown,
            Failure::Connection,
            request_id,
        ),
        NoAnswer::TooLarge { request_id } => (
            StripeError::Garbage {
                what: "an answer of more than 16 MiB".to_owned(),
            },
            Effect::Unknown,
            Failure::Garbage,
            request_id,
        ),
    };
    Trouble {
        error,
        effect,
        failure,
        request_id: request_id.as_deref().map(scrub),
    }
}

/// Stripe's envelope on a 3xx or 4xx.
fn refusal(answer: &Answer, details: &Details) -> Trouble {
    let code = details.code.as_deref().unwrap_or_default();
    let message = scrub(details.message.as_deref().unwrap_or("no message"));
    let is_other_mode =
        message.contains("a similar object exists in") || code == "livemode_mismatch";
    let is_limit = answer.status == 429 || code == "rate_limit";
    let refused = |message: String| StripeError::Refused {
        status: answer.status,
        code: details.code.as_deref().map(scrub),
        message,
        request_id: answer.request_id.clone(),
    };
    let error = match (answer.status, code) {
        _ if is_other_mode => StripeError::WrongMode { message },
        _ if details.r#type.as_deref() == Some("idempotency_error") => {
            StripeError::KeyReused { message }
        }
        (401, _) | (_, "api_key_expired" | "platform_api_key_expired" | "secret_key_required") => {
            StripeError::Authentication { message }
        }
        (403, _) => StripeError::Permission { message },
        _ if is_limit => StripeError::RateLimited {
            reason: limit_reason(answer, code),
        },
        (404, "resource_missing") => StripeError::NotFound { message },
        _ => refused(message),
    };
    // 409: a request with this key is under way, and what becomes of it is not known yet.
    let effect = match answer.status {
        409 => Effect::Unknown,
        _ => Effect::None,
    };
    Trouble {
        error,
        effect,
        failure: failure(answer, if is_limit { 429 } else { answer.status }),
        request_id: answer.request_id.clone(),
    }
}

fn limit_reason(answer: &Answer, code: &str) -> String {
    match &answer.limited_reason {
        Some(reason) => format!("`{reason}`"),
        None if code.is_empty() => "no reason given".to_owned(),
        None => format!("`{}`", scrub(code)),
    }
}

/// A status without Stripe's envelope: somebody else answered, before or after Stripe.
fn foreign_answer(answer: &Answer) -> Trouble {
    let what = match (answer.status, &answer.location) {
        (300..=399, Some(target)) => format!(
            "a redirect ({}) to `{target}`, which is not followed",
            answer.status
        ),
        _ => format!("status {} without Stripe's error object", answer.status),
    };
    let error = match answer.status {
        429 => StripeError::RateLimited {
            reason: limit_reason(answer, ""),
        },
        _ => StripeError::Garbage { what },
    };
    Trouble {
        error,
        effect: Effect::Unknown,
        failure: failure(answer, answer.status),
        request_id: answer.request_id.clone(),
    }
}

fn failure(answer: &Answer, status: u16) -> Failure {
    Failure::Status {
        status,
        should_retry: answer.should_retry,
        retry_after: answer.retry_after,
        replayed: answer.replayed,
    }
}
