//! `relink inspect`: what the database says, what Stripe says, the verdict, the next command. Read only.

use crate::cli::{Common, InspectArgs};
use crate::config;
use crate::domain::{OrderFacts, Snapshot};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::plan::{Goal, Plan, Tally};
use crate::store::Access;
use crate::ui::{Explanation, NextStep, Reader};

use super::incidents;
use super::mailing::Healthy;
use super::opening::Opened;
use super::walk::{Going, Page, Walk};
use super::{Context, saved};

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
    let mut list = match &args.csv_out {
        Some(path) => Some(Healthy::begin(path, &opened.store).await?),
        None => None,
    };
    let walk = Walk {
        opened: &opened,
        selection: &selection,
        policy: &policy,
        verdicts: &verdicts,
    };
    let mut tally = Tally::default();
    let with_connection = |command: &str| context.with_connection(command);
    let mut pages = context.ui.pages(&with_connection);
    let mut explained = None;
    let shown = walk.through(context, |Page { plan, snapshot }| {
        tally.add(&plan);
        if let Some(list) = &mut list {
            list.add(&plan, &snapshot);
        }
        explained = explain(&plan, &snapshot, context);
        let reader = pages.add(plan)?;
        // Whoever wants to know how it ends must hear of every order.
        let must_hear = args.check || list.is_some() || context.monitor.wants_metrics();
        let is_enough = reader == Reader::IsGone && !must_hear;
        Ok(if is_enough {
            Going::NoFurther
        } else {
            Going::On
        })
    });
    let plan = shown.await?;
    let mut open = opened.store.open_incidents(opened.config.key.mode).await?;
    context.monitor.incidents(open.len());
    if let Some(list) = &list {
        list.write(context)?;
    }
    opened.close().await?;
    // Of the last page, and of one order, nothing is printed before everything that may fail has not failed.
    match explained {
        Some(explanation) => context.ui.explain(&explanation)?,
        None => pages.end(&plan, &tally, &next_step(&tally, context))?,
    }
    if !args.check {
        // Those of other orders are somebody else's question.
        open.retain(|incident| incident.order.is_some_and(|id| policy.named.contains(&id)));
    }
    for incident in &open {
        context.ui.warn(&incidents::told(incident, context));
    }
    Ok(if args.check {
        found(&tally, !open.is_empty())
    } else {
        ExitStatus::Done
    })
}

/// What monitoring is told, the first that holds: money, an order that a person must look at (one that could not be read
/// among them), work.
fn found(tally: &Tally, has_incidents: bool) -> ExitStatus {
    let mut counts = tally.counts().into_iter();
    if has_incidents || counts.any(|(verdict, _)| verdict.is_about_money()) {
        ExitStatus::MoneyNeedsPerson
    } else if tally.for_a_person() > 0 {
        ExitStatus::Partial
    } else if tally.has_work() {
        ExitStatus::WorkPending
    } else {
        ExitStatus::Done
    }
}

/// One named order is explained in full; more are shown as a table.
fn explain(plan: &Plan, snapshot: &Snapshot, context: &Context<'_>) -> Option<Explanation> {
    let [decision] = plan.decisions.as_slice() else {
        return None;
    };
    if plan.policy.named.len() != 1 {
        return None;
    }
    let same = |facts: &&OrderFacts| facts.order.id == decision.order.id;
    let facts = snapshot.orders.iter().find(same)?;
    Explanation::of(plan, facts, &|command| context.with_connection(command))
}

/// Work first, where a regen settles most of it; then whoever needs a person, then what else there is to do.
fn next_step(tally: &Tally, context: &Context<'_>) -> NextStep {
    let command = if tally.is_mostly_work() {
        let command = context.command_line.for_a_person();
        Some(command.renamed("inspect", "regen").to_string())
    } else {
        let advice = tally
            .first_to_look_at()
            .map(|order| format!("relink inspect --order-id {order}"));
        advice.map(|advice| context.with_connection(&advice))
    };
    NextStep {
        command,
        note: None,
    }
}
