//! Who holds an operation, and whether that run is still at it: the same question for a claim, which must be
//! right, and for a plan, which only shows it.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::super::dialect::Dialect;
use super::process::{Alive, ProcessIdentity};
use super::{Holder, StoreError};
use crate::domain::{RunId, Timestamp};

const READ: &str = "read who holds an order";

/// A row of `operations` joined with the run that holds it.
pub(super) struct Held {
    pub holder: Holder,
    pub beacon: i64,
    /// It has a lease, which has not run out, and the run has not ended.
    pub is_leased: bool,
    process: ProcessIdentity,
}

impl Held {
    /// The columns, of `operations o JOIN runs r`.
    pub fn fields(dialect: Dialect) -> String {
        let now = dialect.epoch_micros();
        format!(
            "r.run_id AS holder, r.os_user, r.host, r.machine, r.boot_id, r.pid_namespace, r.pid, \
             r.process_started, r.beacon, o.held_since, \
             CAST(CASE WHEN o.lease_token IS NULL OR o.lease_until < {now} OR r.ended_at IS NOT NULL \
             THEN 0 ELSE 1 END AS BIGINT) AS is_leased"
        )
    }

    pub fn read(row: &AnyRow) -> Result<Held, StoreError> {
        Self::of(row).map_err(StoreError::query(READ))
    }

    fn of(row: &AnyRow) -> Result<Held, sqlx::Error> {
        let (user, host): (String, String) = (row.try_get("os_user")?, row.try_get("host")?);
        let pid: i64 = row.try_get("pid")?;
        let pid = u32::try_from(pid).unwrap_or_default();
        let since: i64 = row.try_get("held_since")?;
        Ok(Held {
            holder: Holder {
                run: RunId(row.try_get("holder")?),
                host: format!("{user}@{host}"),
                pid,
                since: seconds(since),
            },
            beacon: row.try_get("beacon")?,
            is_leased: row.try_get::<i64, _>("is_leased")? == 1,
            process: ProcessIdentity {
                machine: row.try_get("machine")?,
                boot: row.try_get("boot_id")?,
                namespace: row.try_get("pid_namespace")?,
                pid,
                started: row.try_get("process_started")?,
            },
        })
    }

    /// Whether its process is surely gone, as far as this host can tell.
    pub fn process_is_gone(&self, own: &ProcessIdentity) -> bool {
        own.sees(&self.process) == Alive::No
    }
}

/// From the journal's clock.
pub(super) fn seconds(micros: i64) -> Timestamp {
    Timestamp(micros.div_euclid(1_000_000))
}
