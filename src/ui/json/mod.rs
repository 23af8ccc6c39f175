//! The documents that programs read: structs of their own, apart from the domain's, each with a schema name
//! and version. Fields are only ever added within a version; their order is the order of declaration.
//!
//! Money is minor units with a currency code, times are RFC 3339 UTC. Parents' e-mail addresses are in them in full.

mod doctor;
mod journal;
mod order;
mod plan;
mod replay;
mod report;
mod resolution;
mod session;
mod settings;
mod shape;
mod standing;

use std::io;

use serde::Serialize;

pub use doctor::DoctorDocument;
pub use journal::{OrderHistoryDocument, RunDocument, RunsDocument};
pub use order::OrderDocument;
pub use plan::PlanDocument;
pub use replay::ReplayDocument;
pub use report::{ReportDocument, outcome_line};
pub use resolution::ResolutionDocument;
pub use session::SessionDocument;
pub use settings::SettingsDocument;
pub use shape::{Document, EVENTS, around, between, csv, ids, item_lines, line, lines, rest_line};
pub use standing::StandingDocument;

use super::NextStep;
use super::sanitize::escape_json;
use crate::domain::{Money, Order, OrderId, OrderStatus, Parent, TournamentId};
use crate::exit::Failure;
use crate::plan::{Reason, Release};

/// The document with a newline at its end; characters that could fool a terminal stand as JSON escapes.
///
/// # Errors
/// Serialization fails, which no document of ours does.
pub fn render(document: &impl Serialize) -> io::Result<String> {
    let mut text = escape_json(&serde_json::to_string_pretty(document)?);
    text.push('\n');
    Ok(text)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorDocument<'a> {
    schema: &'static str,
    error: ErrorBody<'a>,
    exit_code: u8,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ErrorBody<'a> {
    code: &'static str,
    message: &'a str,
    /// Null when nothing sensible can be said.
    hint: Option<&'a str>,
    stripe_request_id: Option<&'a str>,
}

impl<'a> ErrorDocument<'a> {
    #[must_use]
    pub fn new(failure: &'a Failure) -> Self {
        let Failure {
            code,
            message,
            hint,
            request_id,
            status,
        } = failure;
        ErrorDocument {
            schema: "relink.error/1",
            error: ErrorBody {
                code,
                message,
                hint: Some(hint.as_str()).filter(|hint| !hint.is_empty()),
                stripe_request_id: request_id.as_deref(),
            },
            exit_code: status.code(),
        }
    }
}

impl ErrorDocument<'_> {
    /// The same as one event.
    #[must_use]
    pub fn line(&self) -> String {
        line(
            "error",
            serde_json::to_value(&self.error).unwrap_or_default(),
        )
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ParentBody<'a> {
    name: &'a str,
    email: Option<&'a str>,
}

fn parent(order: &Order) -> Option<ParentBody<'_>> {
    let Parent { name, email } = order.parent.as_ref()?;
    Some(ParentBody {
        name,
        email: email.as_deref(),
    })
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Named<'a, Id> {
    id: Id,
    name: &'a str,
}

fn player(order: &Order) -> Option<Named<'_, i64>> {
    order.player.as_ref().map(|player| Named {
        id: player.id,
        name: &player.name,
    })
}

fn tournaments(order: &Order) -> Vec<Named<'_, TournamentId>> {
    let tournaments = order.tournaments.iter();
    tournaments
        .map(|tournament| Named {
            id: tournament.id,
            name: &tournament.name,
        })
        .collect()
}

/// The columns that identify an order to a person.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OrderHead<'a> {
    order_id: OrderId,
    status: &'a OrderStatus,
    player: Option<Named<'a, i64>>,
    parent: Option<ParentBody<'a>>,
    tournaments: Vec<Named<'a, TournamentId>>,
    amount: Option<Money>,
    /// The row's checkout id.
    reference: Option<&'a str>,
    url: Option<&'a str>,
}

impl<'a> OrderHead<'a> {
    fn new(order: &'a Order) -> Self {
        OrderHead {
            order_id: order.id,
            status: &order.status,
            player: player(order),
            parent: parent(order),
            tournaments: tournaments(order),
            amount: order.amount,
            reference: order.reference.as_ref().map(|r| r.as_str()),
            url: order.url.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Why {
    code: &'static str,
    text: String,
}

impl Why {
    fn new(reason: &Reason) -> Self {
        Why {
            code: reason.code(),
            text: reason.to_string(),
        }
    }
}

fn flags(releases: impl IntoIterator<Item = Release>) -> Vec<&'static str> {
    releases.into_iter().map(Release::flag).collect()
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Next {
    command: Option<String>,
    note: Option<String>,
}

impl From<NextStep> for Next {
    fn from(next: NextStep) -> Self {
        let NextStep { command, note } = next;
        Next { command, note }
    }
}
