//! `relink webhook replay`: events that were missed, from Stripe, from a file, or read off the sessions of one order.
//! The same handler decides as for a delivery.
//!
//! Without `--commit` it shows what would follow and writes nothing.

use crate::cli::{Common, Moment, ReplayArgs};
use crate::config;
use crate::domain::{OrderId, StripeObject, Timestamp};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::files;
use crate::plan::objects;
use crate::receiver::{Foreseen, foresee, take_in};
use crate::stripe::observe_order;
use crate::ui::{self, NextStep, NoTerminal, Tense, counted};
use crate::webhook::{Event, decode};

use super::incidents;
use super::opening::Opened;
use super::webhook::{account, policy, retiring};
use super::{Context, commit};

/// Seconds. Stripe keeps its events for 30 days (docs.stripe.com/api/events).
const KEPT: i64 = 30 * 86_400;

pub async fn run(
    args: &ReplayArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let expected = config::expected_account(args.commit.expect_account.as_deref())?;
    let is_named = expected.is_some();
    let access = commit::access(args.commit.commit);
    let opened = Opened::open(common, context, access, expected).await?;
    let status = replay(args, &opened, is_named, context).await?;
    opened.close().await?;
    Ok(status)
}

async fn replay(
    args: &ReplayArgs,
    opened: &Opened,
    is_named: bool,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let is_asked = context.ui.is_for_people() && context.ui.can_prompt();
    let accepted = if is_asked {
        context.command_line.clone()
    } else {
        context.command_line.clone().with("--yes")
    };
    let account = account(opened, is_named || !args.commit.commit, &accepted).await?;
    let policy = policy(args.settle_all_categories, opened, &account, context);
    let receiver = opened.store.receiver(policy.clone());
    let reading = async {
        let events = gather(args, opened, context).await?;
        let foreseen = foresee(&receiver, &events).await?;
        Ok((events, foreseen))
    };
    let (events, foreseen) = context.interrupt.unless_asked(reading).await?;
    if !args.commit.commit || foreseen.news.is_empty() {
        let next = next_step(args, &foreseen, context);
        context.ui.replay(&foreseen, Tense::Would, &next)?;
        tell_of_incidents(args, opened, context).await?;
        return Ok(ExitStatus::Done);
    }
    if context.ui.is_for_people() {
        let next = NextStep::default();
        context.ui.replay(&foreseen, Tense::Would, &next)?;
    }
    agree(args, &foreseen, context)?;
    let receiver = opened.store.open_receiver(policy).await?;
    let is_over = || context.interrupt.asked().is_some();
    let taking = async {
        let (done, taken) = take_in(&receiver, &events, is_over).await;
        // Once each; what cannot be closed now is closed by the receiver, or by `retire --all`.
        let ended = match taken {
            Ok(()) if !is_over() => retiring(opened, account, context).close_due().await,
            taken => taken,
        };
        (done, ended)
    };
    let (done, ended) = commit::telling_of_a_stop(taking, context).await;
    let next = match &ended {
        Ok(()) => left_over(opened, &done, context).await,
        Err(_) => Ok(NextStep::default()),
    };
    // What was taken in is told, whatever became of the rest.
    let mut told = next.as_ref().cloned().unwrap_or_default();
    let stop = context.interrupt.asked();
    if stop.is_some() {
        told.note = Some("interrupted; the same command takes in the rest".to_owned());
    }
    context.ui.replay(&done, Tense::Did, &told)?;
    ended?;
    next?;
    tell_of_incidents(args, opened, context).await?;
    Ok(stop.map_or_else(|| status(&done), |stop| stop.status()))
}

/// Everything is read and understood before anything is taken in.
async fn gather(
    args: &ReplayArgs,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<Vec<Event>, Error> {
    if let Some(path) = &args.from_file {
        return from_lines(&files::read_input(path)?);
    }
    if !args.order_id.is_empty() {
        return of_orders(args, opened).await;
    }
    let now = opened.stripe.stripe_time().await?;
    let wanted = match args.since {
        Some(Moment::At(moment)) => moment,
        Some(Moment::Ago(seconds)) => Timestamp(now.0.saturating_sub(seconds)),
        None => Timestamp(now.0 - 3 * 86_400),
    };
    let oldest = Timestamp(now.0 - KEPT);
    if wanted < oldest {
        let replay = context.with_connection("relink webhook replay --order-id N");
        context.ui.warn(&format!(
            "Stripe keeps events for 30 days, and these are read; for an older payment name its order: `{replay}`"
        ));
    }
    let events = opened.stripe.payment_events(wanted.max(oldest)).await?;
    let understood = events.iter().map(|bytes| {
        decode(bytes).map_err(|error| {
            Error::Bug(format!(
                "an event that Stripe listed cannot be read: {error}"
            ))
        })
    });
    understood.collect()
}

/// One event a line, as `stripe events list` or a log of deliveries has them.
fn from_lines(text: &str) -> Result<Vec<Event>, Error> {
    let lines = text.lines().enumerate();
    let written = lines.filter(|(_, line)| !line.trim().is_empty());
    let read = written.map(|(at, line)| {
        decode(line.as_bytes()).map_err(|error| {
            Error::usage(
                format!("line {} is no event: {error}", at + 1),
                "give one event a line, as JSON; nothing was taken in",
            )
        })
    });
    let mut events = read.collect::<Result<Vec<Event>, Error>>()?;
    events.sort_by_key(|event| event.created);
    Ok(events)
}

/// What the orders' own sessions tell, for payments whose events are gone.
async fn of_orders(args: &ReplayArgs, opened: &Opened) -> Result<Vec<Event>, Error> {
    let (stripe, mode) = (&opened.stripe, opened.config.key.mode);
    let index = stripe.live_index(None).await?;
    let mut events = Vec::new();
    for id in args.order_id.iter().copied().map(OrderId) {
        let found = opened.store.order(id, opened.config.currency).await?;
        let order = found.ok_or_else(|| {
            Error::usage(
                format!("there is no order {id}"),
                "check the id, and that DATABASE_URL names the right database",
            )
        })?;
        let facts = observe_order(stripe, order.into(), &index).await?;
        let now = stripe.stripe_time().await?;
        for session in objects(&facts).flat_map(StripeObject::sessions) {
            events.extend(Event::of_session(session, mode, now));
        }
    }
    Ok(events)
}

fn agree(args: &ReplayArgs, foreseen: &Foreseen, context: &Context<'_>) -> Result<(), Error> {
    if args.commit.yes {
        return Ok(());
    }
    let events = counted(foreseen.news.len(), "event");
    let nobody = |why: &str| {
        Err(Error::refused(
            format!("nothing was written: for {events} a yes is needed, and {why}"),
            format!(
                "look at what would follow; if it is right: {}",
                context.command_line.clone().with("--yes")
            ),
        ))
    };
    if !context.ui.is_for_people() {
        return nobody("the question cannot be asked together with this -o");
    }
    match context.ui.ask(&format!("take in {events}?")) {
        Ok(ui::Answer::Approved) => Ok(()),
        Ok(ui::Answer::Declined) => Err(Error::refused("declined, nothing was written", "")),
        Ok(ui::Answer::Interrupted) => Err(Error::Interrupted(ExitStatus::Interrupted)),
        Err(NoTerminal) => nobody("there is no terminal to ask at"),
    }
}

async fn left_over(
    opened: &Opened,
    done: &Foreseen,
    context: &Context<'_>,
) -> Result<NextStep, Error> {
    let open = opened
        .store
        .open_retirements(opened.config.key.mode)
        .await?;
    if !open.is_empty() {
        return Ok(NextStep {
            command: Some(context.with_connection("relink retire --all --commit")),
            note: Some(format!(
                "not closed yet: {} of paid orders",
                counted(open.len(), "link")
            )),
        });
    }
    let incident = done.news.iter().find(|event| event.incident.is_some());
    let order = incident.and_then(|event| event.order);
    Ok(NextStep {
        command: order
            .map(|id| context.with_connection(&format!("relink inspect --order-id {id}"))),
        note: None,
    })
}

/// Whoever named an order must hear why its payment settled nothing.
async fn tell_of_incidents(
    args: &ReplayArgs,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<(), Error> {
    let mode = opened.config.key.mode;
    for order in args.order_id.iter().copied().map(OrderId) {
        let open = opened.store.open_incidents(mode).await?;
        for incident in open.iter().filter(|open| open.order == Some(order)) {
            context.ui.warn(&incidents::told(incident, context));
        }
        for dismissed in opened.store.dismissed_incidents(order, mode).await? {
            context
                .ui
                .warn(&incidents::told_dismissed(&dismissed, context));
        }
    }
    Ok(())
}

fn next_step(args: &ReplayArgs, foreseen: &Foreseen, context: &Context<'_>) -> NextStep {
    let has_work = !foreseen.news.is_empty() && !args.commit.commit;
    NextStep {
        command: has_work.then(|| context.command_line.clone().with("--commit").to_string()),
        note: None,
    }
}

fn status(done: &Foreseen) -> ExitStatus {
    if done.news.iter().any(|event| event.incident.is_some()) {
        ExitStatus::Partial
    } else {
        ExitStatus::Done
    }
}
