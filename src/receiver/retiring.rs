//! Closes the links of paid orders, as soon as they are asked for and again until they are closed, through the same
//! saga and the same journal as every other retirement.
//!
//! A failure never undoes a payment and is never dropped: the link stays due in the database.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::watch;

use super::Desk;
use crate::approval::approve_closing;
use crate::domain::{AccountId, CheckoutReference, Currency, Mode, RunId, Timestamp, Witness};
use crate::events::Silence;
use crate::execute::{LinkTexts, Site, execute};
use crate::interrupt::Interrupt;
use crate::operator;
use crate::report::{Conclusion, Outcome, Report, Subject};
use crate::saga::Ending;
use crate::store::{NewRun, Retirement, Store, StoreError};
use crate::stripe::{Client, Index, SharedIndex};

/// Links that are closed in one run of the journal.
const BATCH: u32 = 32;

/// What is needed to close a link.
pub struct Retiring<'a> {
    pub store: &'a Store,
    pub stripe: &'a Client,
    pub account: AccountId,
    pub mode: Mode,
    pub currency: Currency,
    pub concurrency: usize,
    /// For the journal.
    pub command: String,
}

impl Retiring<'_> {
    /// Until `stop` says so; what was begun is finished first.
    pub async fn keep_closing(&self, desk: &Desk, mut stop: watch::Receiver<bool>) {
        let poll = self.stripe.timings().closing_poll;
        while !*stop.borrow() {
            if let Err(error) = self.close_unless(|| *stop.borrow()).await {
                tracing::error!(%error, "links of paid orders wait to be closed");
            }
            tokio::select! {
                () = desk.to_close.notified() => {}
                () = tokio::time::sleep(poll) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Tries to close what is due now, each link once.
    ///
    /// # Errors
    /// The database: everything stays due.
    pub async fn close_due(&self) -> Result<(), StoreError> {
        self.close_unless(|| false).await
    }

    /// `is_over` is asked before each run: after an outage, thousands of links may be due, and a stop that waited for
    /// them all would be ended by force.
    async fn close_unless(&self, is_over: impl Fn() -> bool) -> Result<(), StoreError> {
        let mut tried = BTreeSet::new();
        while !is_over() {
            let mut due = self.store.retirements_due(self.mode, BATCH).await?;
            due.retain(|retirement| tried.insert(retirement.link.clone()));
            if due.is_empty() {
                return Ok(());
            }
            let report = self.close(&due).await?;
            for retirement in &due {
                self.note(retirement, &report).await?;
            }
        }
        Ok(())
    }

    async fn close(&self, due: &[Retirement]) -> Result<Report, StoreError> {
        let links = due.iter().map(|retirement| retirement.link.clone());
        let now = self.stripe.now().unwrap_or(Timestamp(0));
        let approved = approve_closing(links.collect(), self.account.clone(), self.mode, now);
        let run = NewRun {
            id: RunId(uuid::Uuid::now_v7().to_string()),
            command: self.command.clone(),
            os_user: operator::user(),
            host: operator::host(),
            version: env!("CARGO_PKG_VERSION"),
            mode: self.mode,
            account: self.account.clone(),
            plan_digest: approved.digest().to_string(),
            reason: Some("the order is paid".to_owned()),
        };
        let journal = self.store.begin_run(run, *self.stripe.timings()).await?;
        let site = Site {
            store: self.store,
            journal: &journal,
            stripe: self.stripe,
            // Only what is named is read.
            index: SharedIndex::new(Index::empty(now)),
            recalled: HashMap::new(),
            currency: self.currency,
            witness: Witness::Absent,
            // Nothing is minted.
            texts: LinkTexts::default(),
            concurrency: self.concurrency,
            max_failures: due.len(),
            protocol: &crate::saga::step,
        };
        let report = execute(approved, &site, &Interrupt::default(), &Silence).await;
        drop(site);
        if let Err(error) = journal.finish(report.exit_status()).await {
            tracing::warn!(%error, "the end of the run could not be journaled");
        }
        Ok(report)
    }

    async fn note(&self, retirement: &Retirement, report: &Report) -> Result<(), StoreError> {
        let link = CheckoutReference::Link(retirement.link.clone());
        let is_its = |outcome: &&Outcome| outcome.subject == Subject::Object(link.clone());
        let why = match report.outcomes.iter().find(is_its).map(|o| &o.conclusion) {
            Some(Conclusion::Ended(Ending::Retired)) => {
                return self.store.retirement_done(retirement).await;
            }
            Some(Conclusion::Held(holder)) => format!("another run is at it: {holder}"),
            Some(Conclusion::Ended(ending)) => words(ending),
            Some(Conclusion::NotBegun) | None => "it was not begun".to_owned(),
        };
        let again_in = backoff(retirement.attempts, self.stripe.timings().closing_backoff);
        tracing::warn!(link = %retirement.link, order = retirement.order.0, %why, "a link of a paid order is not closed yet");
        self.store
            .retirement_failed(retirement, &why, again_in)
            .await
    }
}

fn words(ending: &Ending) -> String {
    match ending {
        Ending::Refused { what, why }
        | Ending::Unavailable { what, why }
        | Ending::Unknown { what, why } => format!("{what}: {why}"),
        other => other.name().to_owned(),
    }
}

/// Doubles with each attempt, up to an hour.
fn backoff(attempts: u32, first: Duration) -> Duration {
    const LONGEST: Duration = Duration::from_secs(3600);
    let factor = 2_u32.saturating_pow(attempts.min(20));
    first.saturating_mul(factor).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_an_hour() {
        let first = Duration::from_secs(2);
        let waits: Vec<u64> = [0, 1, 2, 10, 11, 4_000_000]
            .into_iter()
            .map(|attempts| backoff(attempts, first).as_secs())
            .collect();
        assert_eq!(waits, [2, 4, 8, 2048, 3600, 3600]);
    }
}
