//! The list for the mail to the parents, written to a file: of what a run stored, of a run of the past, of all that is well.
//!
//! It tells only of what was committed, and reads that anew from the database, whatever the run believes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blast::{self, Attention, Mailing, Row, StoredLinks};
use crate::domain::{
    Currency, Order, OrderFacts, OrderId, Reading, RunId, Snapshot, Stored, StripeObject, Timestamp,
};
use crate::error::Error;
use crate::files::{Kind, exists, may_replace, read_input, write_atomically};
use crate::plan::Plan;
use crate::report::{Report, Subject};
use crate::store::{FoundRun, Scope, Selection, Store, StoredBy};
use crate::ui::{counted, outcome_detail, outcome_words};

use super::Context;
use super::opening::Opened;

/// So much of a run's id tells it from others, as in the tables of the journal.
const NAMING: usize = 13;
/// Addresses are in it.
const PRIVATE: u32 = 0o600;

/// The parents that a run, or several, found a new link for, as far as it still is theirs.
///
/// # Errors
/// Configuration: the file cannot be written. What any query can meet.
pub async fn write_stored(
    path: &Path,
    by: StoredBy,
    store: &Store,
    currency: Currency,
    context: &Context<'_>,
) -> Result<(), Error> {
    check(path)?;
    let mailing = pending(store, &by, currency).await?;
    let before = read_listed(path);
    write_rows(path, &mailing.rows, context)?;
    tell_of_left_out(before, &mailing.rows, (store, currency), context).await;
    let needed = astray(mailing);
    if needed.is_empty() {
        return Ok(());
    }
    write_attention(path, &needed, context)
}

/// The same after a commit, with the orders that a person must look at in a file of their own. A run that stored nothing
/// leaves a list that is there alone: it may be all that tells of the run before.
///
/// # Errors
/// As [`write_stored`].
pub async fn write_report(
    path: &Path,
    report: &Report,
    store: &Store,
    currency: Currency,
    context: &Context<'_>,
) -> Result<(), Error> {
    let mut needed: Vec<Attention> = report.plan.for_a_person().map(Attention::of).collect();
    needed.extend(undone(report));
    match &report.run {
        Some(run) => {
            let mut mailing = pending(store, &StoredBy::Run(run.clone()), currency).await?;
            let waits = |order: &Order| needed.iter().any(|needed| needed.order.id == order.id);
            mailing.rows.retain(|row| !waits(&row.order));
            let before = read_listed(path);
            write_rows(path, &mailing.rows, context)?;
            tell_of_left_out(before, &mailing.rows, (store, currency), context).await;
            needed.extend(astray(mailing));
        }
        None if exists(path)? => {
            let shown = path.display();
            context
                .ui
                .note(&format!("nothing was stored: {shown} was left as it is"));
        }
        None => write_rows(path, &[], context)?,
    }
    write_attention(path, &needed, context)
}

/// All orders that are well, and those that a person must look at, gathered page by page and written when all are there.
pub struct Healthy {
    path: PathBuf,
    stored: StoredLinks,
    rows: Vec<Row>,
    needed: Vec<Attention>,
}

impl Healthy {
    /// # Errors
    /// Configuration: the file cannot be written. What any query can meet.
    pub async fn begin(path: &Path, store: &Store) -> Result<Self, Error> {
        check(path)?;
        let ever = StoredBy::AnyoneSince(Timestamp(0));
        Ok(Healthy {
            path: path.to_owned(),
            stored: StoredLinks::of(store.stored_links(&ever).await?),
            rows: Vec::new(),
            needed: Vec::new(),
        })
    }

    pub fn add(&mut self, plan: &Plan, snapshot: &Snapshot) {
        let urls: HashMap<OrderId, &str> = snapshot.orders.iter().filter_map(url_of).collect();
        let url_of = |order: OrderId| urls.get(&order).copied();
        let mut mailing = blast::healthy(&plan.decisions, &self.stored, url_of);
        self.rows.append(&mut mailing.rows);
        self.needed.extend(plan.for_a_person().map(Attention::of));
        self.needed.extend(astray(mailing));
    }

    /// # Errors
    /// Configuration: the file cannot be written.
    pub fn write(&self, context: &Context<'_>) -> Result<(), Error> {
        write_rows(&self.path, &self.rows, context)?;
        write_attention(&self.path, &self.needed, context)
    }
}

/// The URL of the link that the order's row names.
fn url_of(facts: &OrderFacts) -> Option<(OrderId, &str)> {
    let Stored::Read(_, reading) = &facts.stored else {
        return None;
    };
    match &**reading {
        Reading::Seen(StripeObject::Link(family)) => Some((facts.order.id, &family.link.url)),
        _ => None,
    }
}

fn astray(mailing: Mailing) -> Vec<Attention> {
    let astray = mailing.astray.into_iter();
    astray
        .map(|(order, url)| Attention::astray(order, &url))
        .collect()
}

/// Says which runs found links for parents and never told anybody: those that were killed. That it cannot be read is no
/// failure of this run.
pub async fn remind(run: Option<&RunId>, opened: &Opened, context: &Context<'_>) {
    let by = StoredBy::Unended {
        but: run.cloned(),
        mode: opened.config.key.mode,
    };
    let mailing = match pending(&opened.store, &by, opened.config.currency).await {
        Ok(mailing) => mailing,
        Err(error) => {
            tracing::warn!(%error, "whether killed runs left links to be mailed could not be read");
            return;
        }
    };
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for run in mailing.rows.iter().filter_map(|row| row.run.as_ref()) {
        *runs.entry(run.as_str()).or_default() += 1;
    }
    for (run, orders) in runs {
        let beginning: String = run.chars().take(NAMING).collect();
        let command = format!("relink journal show {run} --csv-out blast-{beginning}.csv");
        context.ui.warn(&format!(
            "run {run} has not ended, and stored links for {}: {}",
            counted(orders, "order"),
            context.with_connection(&command)
        ));
    }
}

/// Whom the file told of, if it is a list of ours.
fn read_listed(path: &Path) -> Vec<(OrderId, Option<RunId>)> {
    match exists(path) {
        Ok(true) => read_input(path).map_or_else(|_| Vec::new(), |text| blast::listed(&text)),
        Ok(false) | Err(_) => Vec::new(),
    }
}

/// Says that the file told of other runs' links before, of which some are still to be mailed: whoever mails from it as it is
/// now would pass these parents over. That it cannot be found out is no failure of this run.
async fn tell_of_left_out(
    before: Vec<(OrderId, Option<RunId>)>,
    now: &[Row],
    (store, currency): (&Store, Currency),
    context: &Context<'_>,
) {
    let is_listed = |order: OrderId| now.iter().any(|row| row.order.id == order);
    let gone: BTreeMap<OrderId, Option<RunId>> = before
        .into_iter()
        .filter(|(order, _)| !is_listed(*order))
        .collect();
    // The ids of runs go by time.
    let runs = gone.values().flatten();
    let Some(first) = runs.min_by(|one, other| one.as_str().cmp(other.as_str())) else {
        return;
    };
    let looking = async {
        let FoundRun::One(run, _) = store.find_run(first.as_str()).await? else {
            return Ok(None);
        };
        let since = run.started_at;
        let mailing = pending(store, &StoredBy::AnyoneSince(since), currency).await?;
        let is_gone = |row: &&Row| gone.contains_key(&row.order.id);
        Ok::<_, Error>(Some((since, mailing.rows.iter().filter(is_gone).count())))
    };
    match looking.await {
        Ok(None | Some((_, 0))) => {}
        Ok(Some((since, orders))) => {
            let command = format!("relink journal list --since {since} --csv-out blast-all.csv");
            context.ui.warn(&format!(
                "that file told of {} more, whose links other runs stored; for a list with them: {}",
                counted(orders, "order"),
                context.with_connection(&command)
            ));
        }
        Err(error) => tracing::warn!(%error, "whom the list told of before could not be read"),
    }
}

/// Whether the list could be written, before there is anything to be put into it.
///
/// # Errors
/// Configuration: it could not.
pub fn check(path: &Path) -> Result<(), Error> {
    if path.as_os_str() == "-" {
        return Err(Error::usage(
            "--csv-out writes a file with addresses in it, and `-` names none",
            "name a file; rows on stdout are `-o csv`",
        ));
    }
    for path in [path, &beside(path)] {
        may_replace(path, Kind::List).map_err(|why| {
            Error::configuration(
                format!(
                    "nothing was written: `{}` cannot be written: {why}",
                    path.display()
                ),
                "name a file in a folder that you may write to",
            )
        })?;
    }
    Ok(())
}

async fn pending(store: &Store, by: &StoredBy, currency: Currency) -> Result<Mailing, Error> {
    let stored = store.stored_links(by).await?;
    let orders: Vec<OrderId> = stored.iter().map(|stored| stored.order).collect();
    let selection = Selection {
        scope: Scope::Known(orders),
        exclude: Vec::new(),
    };
    let orders = store.select_orders(&selection, currency).await?;
    Ok(blast::pending(&StoredLinks::of(stored), orders))
}

/// Orders that were approved and not done.
fn undone(report: &Report) -> impl Iterator<Item = Attention> {
    let goal = report.plan.goal();
    let failed = report
        .outcomes
        .iter()
        .filter(move |outcome| outcome.status(goal).is_some());
    failed.filter_map(|outcome| match &outcome.subject {
        Subject::Order(order) => Some(Attention {
            order: Arc::clone(order),
            verdict: outcome_words(outcome),
            reason: outcome_detail(outcome),
            next: Some(Attention::look_at(order)),
        }),
        Subject::Gone(_) | Subject::Object(_) => None,
    })
}

fn write_rows(path: &Path, rows: &[Row], context: &Context<'_>) -> Result<(), Error> {
    write_atomically(path, Kind::List, blast::list(rows).as_bytes(), PRIVATE)?;
    let shown = path.display();
    let addresses: BTreeSet<&str> = rows.iter().filter_map(Row::address).collect();
    let orders = counted(rows.len(), "order");
    let parents = counted(addresses.len(), "parent");
    context
        .ui
        .note(&format!("{orders} of {parents} in {shown}"));
    Ok(())
}

fn write_attention(path: &Path, needed: &[Attention], context: &Context<'_>) -> Result<(), Error> {
    let path = beside(path);
    let list = blast::attention_list(needed, &|command| context.with_connection(command));
    write_atomically(&path, Kind::List, list.as_bytes(), PRIVATE)?;
    if !needed.is_empty() {
        let orders = counted(needed.len(), "order");
        context.ui.note(&format!(
            "{orders} for a person to look at first in {}",
            path.display()
        ));
    }
    Ok(())
}

/// `blast.csv` → `blast.needs-person.csv`
fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}.needs-person.{}", extension.to_string_lossy()),
        None => format!("{stem}.needs-person"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_file_lies_beside_the_first() {
        let of = |path: &str| beside(Path::new(path)).display().to_string();
        assert_eq!(of("/tmp/blast.csv"), "/tmp/blast.needs-person.csv");
        assert_eq!(of("blast"), "blast.needs-person");
    }
}
