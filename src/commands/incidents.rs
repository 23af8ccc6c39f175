//! What a person is told of an incident: what it is, and the commands that end it.
//!
//! It reads and ends none.

use crate::domain::OrderId;
use crate::store::{DismissedIncident, StoredIncident};
use crate::webhook::IncidentKind;

use super::Context;

/// Of one that is open.
pub fn told(incident: &StoredIncident, context: &Context<'_>) -> String {
    let (id, kind) = (incident.id.as_str(), incident.kind.name());
    let about = match incident.order {
        Some(order) => format!("order {order}"),
        None => "no order of ours".to_owned(),
    };
    let mut told = format!(
        "incident {id}: {kind}, {about}, {}; when it is dealt with: {}",
        incident.session,
        resolve(incident, "", context)
    );
    if incident.kind == IncidentKind::OtherAmount {
        told.push_str(&format!(
            "; to settle the order with what was paid: {}",
            resolve(incident, " --accept-amount", context)
        ));
    }
    told
}

/// Of one that a person ended, so that its payment settles nothing.
pub fn told_dismissed(dismissed: &DismissedIncident, context: &Context<'_>) -> String {
    let DismissedIncident {
        incident,
        by,
        reason,
    } = dismissed;
    format!(
        "incident {}: {}, ended by {by} ({reason}), so that {} settles nothing; to settle the order with it after all: {}",
        incident.id.as_str(),
        incident.kind.name(),
        incident.session,
        resolve(incident, " --accept-amount", context)
    )
}

fn resolve(incident: &StoredIncident, more: &str, context: &Context<'_>) -> String {
    let order = incident
        .order
        .map_or_else(|| "N".to_owned(), |OrderId(id)| id.to_string());
    let id = incident.id.as_str();
    let command = format!("relink resolve --order-id {order} --incident {id}{more} --reason TEXT");
    context.with_connection(&command)
}
