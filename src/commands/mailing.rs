//! The list for the mail to the parents, written to a file: of what a run stored, of a run of the past, of all that is well.
//!
//! It tells only of what was committed, and reads that anew from the database, whatever the run believes.

use std::path::{Path, PathBuf};

use crate::blast::{self, Attention, Row};
use crate::domain::{Currency, OrderId, Timestamp};
use crate::error::Error;
use crate::files::{may_write, write_atomically};
use crate::plan::Plan;
use crate::report::{Report, Subject};
use crate::store::{Scope, Selection, Store, StoredBy};
use crate::ui::{counted, outcome_detail, outcome_words};

use super::Context;

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
    write_rows(path, &pending(store, &by, currency).await?, context)
}

/// The same after a commit, with the orders that a person must look at in a file of their own.
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
    let rows = match &report.run {
        Some(run) => pending(store, &StoredBy::Run(run.clone()), currency).await?,
        None => Vec::new(),
    };
    write_rows(path, &rows, context)?;
    let mut needed: Vec<Attention> = report.plan.for_a_person().map(Attention::of).collect();
    needed.extend(undone(report));
    write_attention(path, &needed, context)
}

/// All orders of a plan that are well, and those that a person must look at.
///
/// # Errors
/// As [`write_stored`].
pub async fn write_plan(
    path: &Path,
    plan: &Plan,
    store: &Store,
    context: &Context<'_>,
) -> Result<(), Error> {
    let ever = StoredBy::AnyoneSince(Timestamp(0));
    let stored = store.stored_links(&ever).await?;
    write_rows(path, &blast::healthy(&plan.decisions, &stored), context)?;
    let needed: Vec<Attention> = plan.for_a_person().map(Attention::of).collect();
    write_attention(path, &needed, context)
}

/// Whether the list could be written, before there is anything to be put into it.
///
/// # Errors
/// Configuration: it could not.
pub fn check(path: &Path) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    may_write(folder).map_err(|why| {
        Error::configuration(
            format!(
                "nothing was written: `{}` cannot be written: {why}",
                path.display()
            ),
            "name a file in a folder that you may write to",
        )
    })
}

async fn pending(store: &Store, by: &StoredBy, currency: Currency) -> Result<Vec<Row>, Error> {
    let stored = store.stored_links(by).await?;
    let orders: Vec<OrderId> = stored.iter().map(|stored| stored.order).collect();
    let selection = Selection {
        scope: Scope::Known(orders),
        exclude: Vec::new(),
    };
    let orders = store.select_orders(&selection, currency).await?;
    Ok(blast::pending(&stored, orders))
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
            order: (**order).clone(),
            verdict: outcome_words(outcome),
            reason: outcome_detail(outcome),
            next: Some(format!("relink inspect --order-id {}", order.id)),
        }),
        Subject::Gone(_) | Subject::Object(_) => None,
    })
}

fn write_rows(path: &Path, rows: &[Row], context: &Context<'_>) -> Result<(), Error> {
    write_atomically(path, blast::list(rows).as_bytes(), PRIVATE)?;
    let shown = path.display();
    context.ui.note(&format!(
        "{} in {shown}",
        counted(rows.len(), "address row")
    ));
    Ok(())
}

fn write_attention(path: &Path, needed: &[Attention], context: &Context<'_>) -> Result<(), Error> {
    let path = beside(path);
    write_atomically(&path, blast::attention_list(needed).as_bytes(), PRIVATE)?;
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
