//! `relink resolve`: a person's word about one incident. Either it is dealt with, or the amount that was paid is
//! accepted and settles the order.
//!
//! It gives no money back and asks Stripe for nothing but its account.

use crate::cli::{Common, ResolveArgs};
use crate::domain::OrderId;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::operator;
use crate::redact::redact;
use crate::store::{Resolution, Resolved, Resolving, StoredIncident};
use crate::ui::{Incident, NextStep, counted};
use crate::webhook::{IncidentId, IncidentKind};

use super::opening::Opened;
use super::webhook::{account, policy};
use super::{Context, commit};

pub async fn run(
    args: &ResolveArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let incident = IncidentId::parse(&args.incident).ok_or_else(|| {
        Error::usage(
            format!("`{}` is no incident", redact(&args.incident)),
            format!(
                "an incident is twelve hexadecimal digits: {}",
                named_by(context)
            ),
        )
    })?;
    let opened = Opened::open(common, context, commit::access(args.commit), None).await?;
    let status = resolve(args, incident, &opened, context).await?;
    opened.close().await?;
    Ok(status)
}

async fn resolve(
    args: &ResolveArgs,
    incident: IncidentId,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let Some((found, resolution)) = find(args, &incident, opened).await? else {
        return Err(unknown(&incident, context));
    };
    let found = &found;
    if !args.commit {
        let next = NextStep {
            command: Some(context.command_line.clone().with("--commit").to_string()),
            note: None,
        };
        context
            .ui
            .resolution(&would(found, args), &shown(found, false), &next)?;
        return Ok(ExitStatus::Done);
    }
    let account = account(opened, true, &context.command_line).await?;
    let receiver = opened
        .store
        .open_receiver(policy(false, opened, &account, context))
        .await?;
    let resolved = receiver
        .resolve(&Resolving {
            incident: incident.clone(),
            order: OrderId(args.order_id),
            resolution,
            by: format!("{}@{}", operator::user(), operator::host()),
            reason: redact(&args.reason),
        })
        .await?;
    match resolved {
        Resolved::Done(links) => {
            let note = (!links.is_empty()).then(|| {
                let links = counted(links.len(), "link");
                let retire = context.with_connection("relink retire --all");
                format!("to be closed now: {links}; the receiver does it, or `{retire}`")
            });
            let next = NextStep {
                command: None,
                note,
            };
            let fact = format!("incident {} is resolved", incident.as_str());
            context.ui.resolution(&fact, &shown(found, true), &next)?;
            Ok(ExitStatus::Done)
        }
        Resolved::Before => {
            let fact = "somebody has resolved it before; nothing was written";
            let next = NextStep::default();
            context.ui.resolution(fact, &shown(found, true), &next)?;
            Ok(ExitStatus::Done)
        }
        Resolved::NoSuchIncident => Err(unknown(&incident, context)),
        Resolved::NotAcceptable => Err(Error::refused(
            "only another amount can be accepted, while its order is pending and its payment is known",
            "leave --accept-amount out to acknowledge the incident",
        )),
    }
}

/// One that is open; or that was ended, where the amount is to be accepted after all. With what is to be said of it.
async fn find(
    args: &ResolveArgs,
    incident: &IncidentId,
    opened: &Opened,
) -> Result<Option<(StoredIncident, Resolution)>, Error> {
    let (order, mode) = (OrderId(args.order_id), opened.config.key.mode);
    let open = opened.store.open_incidents(mode).await?;
    // The commit would refuse another order's.
    let is_meant =
        |found: &StoredIncident| found.id == *incident && found.order.is_none_or(|of| of == order);
    let found = open.into_iter().find(is_meant);
    if !args.accept_amount {
        return Ok(found.map(|found| (found, Resolution::Acknowledge)));
    }
    if let Some(found) = found {
        return Ok(Some((found, Resolution::AcceptAmount)));
    }
    let dismissed = opened.store.dismissed_incidents(order, mode).await?;
    let mut dismissed = dismissed.into_iter().map(|dismissed| dismissed.incident);
    let found = dismissed.find(is_meant);
    Ok(found.map(|found| (found, Resolution::AcceptAfterAll)))
}

fn shown(found: &StoredIncident, is_resolved: bool) -> Incident<'_> {
    Incident {
        id: found.id.as_str(),
        kind: found.kind.name(),
        order: found.order,
        session: found.session.as_str(),
        detail: &found.detail,
        is_resolved,
    }
}

fn would(found: &StoredIncident, args: &ResolveArgs) -> String {
    let deed = if args.accept_amount {
        "would settle the order with the amount that was paid, and end"
    } else {
        "would end"
    };
    let follows = if found.kind == IncidentKind::OtherAmount && !args.accept_amount {
        "; its payment settles nothing then, and is to be refunded"
    } else {
        ""
    };
    format!(
        "{deed} the incident {} ({}, {}){follows}",
        found.id.as_str(),
        found.kind.name(),
        found.session
    )
}

fn unknown(incident: &IncidentId, context: &Context<'_>) -> Error {
    Error::usage(
        format!("no open incident {} of this order", incident.as_str()),
        named_by(context),
    )
}

fn named_by(context: &Context<'_>) -> String {
    let look = context.with_connection("relink inspect --all --check");
    format!("`{look}` names those that are open")
}
