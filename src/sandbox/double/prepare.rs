//! Everything that can refuse a request before it runs, in Stripe's order: key, version, limits, idempotency, body,
//! parameters, expansions. A request that passes holds its idempotency key until it is concluded.

use serde_json::{Value, json};

use super::answer::{failed, replayed};
use super::api::Ticket;
use super::error::ApiError;
use super::http::{Answer, Incoming};
use super::idempotency::{Claim, fingerprint};
use super::objects::payment_links;
use super::spec::{Operation, spec};
use super::world::Mode;
use super::{Core, auth, expand, params};

/// A checked request that holds its idempotency key.
pub(super) struct Ready {
    pub mode: Mode,
    pub operation: &'static Operation,
    pub id: String,
    pub params: Value,
    pub expansions: Vec<String>,
    pub fingerprint: String,
}

pub(super) enum Prepared {
    Ready(Box<Ready>),
    /// Answered without running: refused, or a replay.
    Answered(Answer),
}

/// Everything that can refuse a request before it runs, and the claim on its idempotency key.
pub(super) fn prepare(core: &mut Core, request: &Incoming, ticket: &Ticket) -> Prepared {
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
