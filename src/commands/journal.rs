//! `relink journal`: what past runs did, as the journal tells it. Needs the database and nothing else.

use crate::cli::{Common, JournalCommand, JournalListArgs, JournalShowArgs, Moment};
use crate::domain::{Currency, OrderId, Timestamp};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::host_clock;
use crate::store::{Store, StoredBy};
use crate::ui::Runs;

use super::opening::open_database;
use super::{Context, mailing, past_run};

pub async fn run(
    command: &JournalCommand,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let currency = context.settings.currency.value;
    let store = open_database(common, context).await?;
    let shown = context
        .interrupt
        .unless_asked(async {
            match command {
                JournalCommand::List(args) => list(args, &store, currency, context).await,
                JournalCommand::Show(args) => show(args, &store, currency, context).await,
            }
        })
        .await;
    store.close().await;
    shown.map(|()| ExitStatus::Done)
}

async fn list(
    args: &JournalListArgs,
    store: &Store,
    currency: Currency,
    context: &Context<'_>,
) -> Result<(), Error> {
    let since = args.since.map(|moment| match moment {
        Moment::At(moment) => moment,
        Moment::Ago(seconds) => Timestamp(host_clock::now().0.saturating_sub(seconds)),
    });
    // One more than is shown tells whether there are more.
    let mut entries = store.list_runs(since, args.limit.saturating_add(1)).await?;
    let limit = args.limit as usize;
    let more = entries.len() > limit;
    entries.truncate(limit);
    if let Some(path) = &args.mailing.csv_out {
        let by = StoredBy::AnyoneSince(since.unwrap_or(Timestamp(0)));
        mailing::write_stored(path, by, store, currency, context).await?;
    }
    let runs = Runs {
        entries,
        since,
        more,
    };
    Ok(context.ui.runs(&runs)?)
}

async fn show(
    args: &JournalShowArgs,
    store: &Store,
    currency: Currency,
    context: &Context<'_>,
) -> Result<(), Error> {
    if let Some(order) = args.order_id.map(OrderId) {
        if args.mailing.csv_out.is_some() {
            return Err(Error::usage(
                "--csv-out lists what one run stored, and --order-id names no run",
                format!(
                    "give a run's id in place of it: `{}` names them",
                    context.with_connection("relink journal list")
                ),
            ));
        }
        let history = store.order_history(order).await?;
        return Ok(context
            .ui
            .order_history(order, &history, |advice| context.with_connection(advice))?);
    }
    let id = args.run.as_deref().unwrap_or_default();
    let (run, history) = past_run::find(store, id, context).await?;
    if let Some(path) = &args.mailing.csv_out {
        let by = StoredBy::Run(run.id.clone());
        mailing::write_stored(path, by, store, currency, context).await?;
    }
    Ok(context
        .ui
        .run(&run, &history, |advice| context.with_connection(advice))?)
}
