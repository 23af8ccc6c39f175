//! A run of a committing command: its row, the account that it pins, its beginning and its end.
//!
//! A run of another account than the pinned one does not begin.

use sqlx::{AssertSqlSafe, Row};

use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::change::{Settling, Work, Writing};
use super::facts::unless_closed_to_us;
use super::lease::Leases;
use super::life::{Heartbeat, Pulse, beacon};
use super::process::ProcessIdentity;
use super::schema::Tables;
use super::{Journal, NewRun};
use crate::domain::{AccountId, Mode};
use crate::exit::ExitStatus;
use crate::stripe::Timings;

const BEGIN: &str = "begin a run in the journal";
const END: &str = "end a run in the journal";
const PIN: &str = "read the account that the journal is for";

/// The name under which `meta` holds the account of a mode.
fn pin_name(mode: Mode) -> String {
    format!("account.{mode}")
}

impl Store {
    /// The account of the first run in this mode; `None` before that. It works for a role that may only read.
    ///
    /// # Errors
    /// What any query can meet. A journal that this role may not read is no error here: a run that writes is
    /// checked against it anyway.
    pub async fn pinned_account(&self, mode: Mode) -> Result<Option<AccountId>, StoreError> {
        unless_closed_to_us(self.read_pin(mode).await)
    }

    async fn read_pin(&self, mode: Mode) -> Result<Option<AccountId>, StoreError> {
        if self.journal_version().await?.is_none() {
            return Ok(None);
        }
        let meta = Tables::of(self.dialect).meta;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT value FROM {meta} WHERE name = $1"
        )))
        .bind(pin_name(mode))
        .all(self, PIN)
        .await?;
        let pin = rows.first().map(|row| account(row.try_get(0)));
        pin.transpose()
    }

    /// Journals the run, pins its account if none is, and shows from here on that it lives.
    ///
    /// # Errors
    /// [`StoreError::OtherAccount`]; besides it, what any query can meet. Nothing is journaled then.
    pub async fn begin_run(&self, run: NewRun, timings: Timings) -> Result<Journal, StoreError> {
        let tables = Tables::of(self.dialect);
        let leases = Leases::default();
        let lease_micros = super::lease::micros(timings.lease);
        let pulse =
            Pulse::begin(self.clone(), run.id.clone(), leases.clone(), lease_micros).await?;
        let process = ProcessIdentity::own();
        let mut settling = Settling::new(self, BEGIN);
        let other = loop {
            let mut transaction = settling.begin().await?;
            let lost = settling.lost().is_some();
            let work = self
                .journal_run(&mut transaction, &run, &process, lost)
                .await;
            if let Some(other) = settling.conclude(transaction, work).await? {
                break other;
            }
        };
        if let Some(pinned) = other {
            let found = run.account;
            return Err(StoreError::OtherAccount { pinned, found });
        }
        Ok(Journal {
            store: self.clone(),
            tables,
            run: run.id,
            mode: run.mode,
            account: run.account,
            process,
            timings,
            leases,
            heartbeat: Heartbeat::start(pulse, timings.heartbeat),
        })
    }

    /// The pinned account, if it is another than the run's.
    async fn journal_run(
        &self,
        transaction: &mut Writing,
        run: &NewRun,
        process: &ProcessIdentity,
        lost: bool,
    ) -> Result<Work<Option<AccountId>>, StoreError> {
        let pinned = self.pin(transaction, run).await?;
        if pinned != run.account {
            return Ok(Work::Leave(Some(pinned)));
        }
        // After a lost answer the row may be there, by our own commit.
        if !self.add_run(transaction, run, process).await? && !lost {
            let detail = format!("there is a run {} already", run.id);
            return Err(StoreError::Query {
                what: BEGIN,
                detail,
            });
        }
        Ok(Work::Commit(None))
    }

    /// The account of the run's mode, the run's own if there was none.
    async fn pin(&self, transaction: &mut Writing, run: &NewRun) -> Result<AccountId, StoreError> {
        let meta = Tables::of(self.dialect).meta;
        let name = pin_name(run.mode);
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {meta} (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
        )))
        .bind(name.as_str())
        .bind(run.account.as_str())
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(BEGIN))?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT value FROM {meta} WHERE name = $1"
        )))
        .bind(name.as_str())
        .fetch_one(&mut **transaction)
        .await
        .map_err(StoreError::query(BEGIN))?;
        account(row.try_get(0))
    }

    /// Whether the row is new. It waits for a commit of the same row that is under way.
    async fn add_run(
        &self,
        transaction: &mut Writing,
        run: &NewRun,
        process: &ProcessIdentity,
    ) -> Result<bool, StoreError> {
        let (runs, now) = (Tables::of(self.dialect).runs, self.dialect.epoch_micros());
        let added = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {runs} (run_id, command, os_user, host, machine, boot_id, pid_namespace, pid, \
             process_started, beacon, version, mode, account, plan_digest, reason, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, {now}) \
             ON CONFLICT (run_id) DO NOTHING"
        )))
        .bind(run.id.as_str())
        .bind(run.command.as_str())
        .bind(run.os_user.as_str())
        .bind(run.host.as_str())
        .bind(process.machine.as_str())
        .bind(process.boot.as_deref())
        .bind(process.namespace.as_deref())
        .bind(i64::from(process.pid))
        .bind(process.started)
        .bind(beacon(&run.id))
        .bind(run.version)
        .bind(run.mode.to_string())
        .bind(run.account.as_str())
        .bind(run.plan_digest.as_str())
        .bind(run.reason.as_deref())
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::query(BEGIN))?;
        Ok(added.rows_affected() == 1)
    }
}

fn account(text: Result<String, sqlx::Error>) -> Result<AccountId, StoreError> {
    let text = text.map_err(StoreError::query(PIN))?;
    AccountId::parse(&text).map_err(|error| StoreError::UnreadableJournal {
        subject: "the account".to_owned(),
        detail: error.to_string(),
    })
}

impl Journal {
    /// Ends the run and gives up its sign of life. What it still holds is open for the next run.
    ///
    /// # Errors
    /// The end is not surely journaled. The sign of life is given up all the same.
    pub async fn finish(self, status: ExitStatus) -> Result<(), StoreError> {
        let ended = self.journal_end(status).await;
        self.heartbeat.stop().await;
        ended
    }

    async fn journal_end(&self, status: ExitStatus) -> Result<(), StoreError> {
        let (runs, now) = (self.tables.runs, self.now());
        let sql = format!(
            "UPDATE {runs} SET ended_at = {now}, exit_code = $1 WHERE run_id = $2 AND ended_at IS NULL"
        );
        let mut settling = Settling::new(&self.store, END);
        loop {
            let mut transaction = settling.begin().await?;
            let work = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(i64::from(status.code()))
                .bind(self.run.as_str())
                .execute(&mut *transaction)
                .await
                .map(|_| Work::Commit(()))
                .map_err(StoreError::query(END));
            if let Some(()) = settling.conclude(transaction, work).await? {
                return Ok(());
            }
        }
    }
}
