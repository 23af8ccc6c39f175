//! `relink inspect`: what the database says, what Stripe says, the verdict, the next command. Read only.

use crate::cli::{Common, InspectArgs};
use crate::config;
use crate::domain::OrderFacts;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::plan::{Decision, Goal, Plan, Verdict, advise};
use crate::store::{Access, OpenIncident};
use crate::ui::{Explanation, NextStep};

use super::opening::Opened;
use super::survey::{Survey, survey};
use super::{Context, mailing, saved};

pub async fn run(
    args: &InspectArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    if let Some(path) = &args.select.plan {
        return saved::inspect(path, common, context).await;
    }
    let selection = config::selection(&args.select, &args.narrow);
    // Verdicts do not depend on the goal; what `regen` would do is what an operator wants to know.
    let policy = config::policy(Goal::Regen, &[], &args.select.order_id, &context.settings)?;
    let verdicts = config::verdicts(&args.narrow);

    let opened = Opened::open(common, context, Access::ReadOnly, None).await?;
    if let Some(path) = &args.csv_out {
        mailing::check(path)?;
    }
    let survey = survey(&opened, &selection, &policy, &verdicts, context).await?;
    if let Some(path) = &args.csv_out {
        let (plan, snapshot) = (&survey.plan, &survey.snapshot);
        mailing::write_plan(path, plan, snapshot, &opened.store, context).await?;
    }
    let mut incidents = opened.store.open_incidents(opened.config.key.mode).await?;
    context.monitor.incidents(incidents.len());
    opened.close().await?;
    // Whatever may fail has not failed: only now is anything printed.
    match explained(&survey, context) {
        Some(explanation) => context.ui.explain(&explanation)?,
        None => context
            .ui
            .plan(&survey.plan, None, &next_step(&survey.plan, context))?,
    }
    if !args.check {
        // Those of other orders are somebody else's question.
        incidents.retain(|incident| incident.order.is_some_and(|id| policy.named.contains(&id)));
    }
    for incident in &incidents {
        context.ui.warn(&told(incident, context));
    }
    Ok(if args.check {
        found(&survey.plan, !incidents.is_empty())
    } else {
        ExitStatus::Done
    })
}

/// What monitoring is told, the first that holds: money, an order that a person must look at (one that could not be read
/// among them), work.
fn found(plan: &Plan, has_incidents: bool) -> ExitStatus {
    let money = |decision: &Decision| {
        matches!(
            decision.verdict,
            Verdict::Overpaid | Verdict::PaidUnrecorded | Verdict::Leaked | Verdict::Duplicate
        )
    };
    if has_incidents || plan.decisions.iter().any(money) {
        ExitStatus::MoneyNeedsPerson
    } else if plan.for_a_person().next().is_some() {
        ExitStatus::Partial
    } else if plan.has_work() {
        ExitStatus::WorkPending
    } else {
        ExitStatus::Done
    }
}

fn told(incident: &OpenIncident, context: &Context<'_>) -> String {
    let (id, kind) = (incident.id.as_str(), incident.kind.name());
    let about = match incident.order {
        Some(order) => format!("order {order}"),
        None => "no order of ours".to_owned(),
    };
    let order = incident
        .order
        .map_or_else(|| "N".to_owned(), |id| id.to_string());
    let command = format!("relink resolve --order-id {order} --incident {id} --reason TEXT");
    format!(
        "incident {id}: {kind}, {about}, {}; when it is dealt with: {}",
        incident.session,
        context.with_connection(&command)
    )
}

/// One named order is explained in full; more are shown as a table.
fn explained(survey: &Survey, context: &Context<'_>) -> Option<Explanation> {
    let [decision] = survey.plan.decisions.as_slice() else {
        return None;
    };
    if survey.plan.policy.named.len() != 1 {
        return None;
    }
    let same = |facts: &&OrderFacts| facts.order.id == decision.order.id;
    let facts = survey.snapshot.orders.iter().find(same)?;
    let next = NextStep {
        command: advise(decision).map(|advice| context.with_connection(&advice)),
        note: None,
    };
    Explanation::of(&survey.plan, facts, next)
}

/// Work first, since a regen settles most of it; then whatever needs a person.
fn next_step(plan: &Plan, context: &Context<'_>) -> NextStep {
    let command = if plan.work().next().is_some() {
        let command = context.command_line.for_a_person();
        Some(command.renamed("inspect", "regen").to_string())
    } else {
        let advised = plan
            .decisions
            .iter()
            .find(|decision| advise(decision).is_some());
        let advice =
            advised.map(|decision| format!("relink inspect --order-id {}", decision.order.id));
        advice.map(|advice| context.with_connection(&advice))
    };
    NextStep {
        command,
        note: None,
    }
}
