//! Creating the journal's tables and upgrading them forward, in one transaction under a lock, so that two first
//! runs at once both succeed.
//!
//! It never goes back: a journal that a newer relink wrote is refused. Where the role may not create, nothing is
//! tried further, and the database's owner is told what to run.

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::change::{Settling, Work, Writing};
use super::journal_sql;
use super::life::lock_number;
use super::schema::{Tables, VERSION, VERSIONS, Version, stamp};
use crate::doctor::Durability;

const OPEN: &str = "create the journal's tables";
const READ: &str = "read the journal";

impl Store {
    /// Makes the journal ready to be written, by this role: creates or upgrades its tables where they are not
    /// there yet.
    ///
    /// # Errors
    /// [`StoreError::JournalMissing`] with the SQL for the database's owner, where this role may not;
    /// [`StoreError::JournalNewer`]. Nothing was changed then.
    pub async fn open_journal(&self) -> Result<(), StoreError> {
        match self.try_open().await {
            Err(StoreError::AccessDenied { detail, .. }) => {
                let role = self.role().await?;
                let sql = journal_sql(self.identity.kind(), role.as_deref());
                Err(StoreError::JournalMissing { sql, detail })
            }
            other => other,
        }
    }

    async fn try_open(&self) -> Result<(), StoreError> {
        self.check_durability().await?;
        if self.journal_version().await? != Some(newest(VERSIONS)) {
            self.upgrade(VERSIONS).await?;
        }
        self.check_rights().await
    }

    /// The version of the journal, `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::JournalNewer`]; [`StoreError::AccessDenied`] where the role may not read it.
    pub(in crate::store) async fn journal_version(&self) -> Result<Option<u32>, StoreError> {
        let version = self.any_version().await?;
        refuse_newer(version)?;
        Ok(version)
    }

    /// The same, a newer one as well.
    pub(super) async fn any_version(&self) -> Result<Option<u32>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let version = self.version(&mut connection).await;
        // Who may not read the journal asks for it again and again.
        if let Ok(_) | Err(StoreError::AccessDenied { .. }) = version {
            connection.give_back();
        }
        version
    }

    async fn version(&self, connection: &mut AnyConnection) -> Result<Option<u32>, StoreError> {
        let found = sqlx::query(self.dialect.find_journal())
            .fetch_optional(&mut *connection)
            .await
            .map_err(StoreError::query(READ))?;
        if found.is_none() {
            return Ok(None);
        }
        let meta = Tables::of(self.dialect).meta;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT value FROM {meta} WHERE name = '{VERSION}'"
        )))
        .fetch_optional(connection)
        .await
        .map_err(StoreError::query(READ))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let text: String = row.try_get(0).map_err(StoreError::query(READ))?;
        let number = text.parse().map_err(|_| StoreError::UnreadableJournal {
            subject: "its version".to_owned(),
            detail: format!("`{text}` is no number"),
        })?;
        Ok(Some(number))
    }

    /// Brings the tables to the last of `versions`, from whichever they are at.
    async fn upgrade(&self, versions: &[Version]) -> Result<(), StoreError> {
        let mut settling = Settling::new(self, OPEN);
        loop {
            let mut transaction = settling.begin().await?;
            let work = self.upgrade_once(&mut transaction, versions).await;
            if let Some(()) = settling.conclude(transaction, work).await? {
                return Ok(());
            }
        }
    }

    async fn upgrade_once(
        &self,
        transaction: &mut Writing,
        versions: &[Version],
    ) -> Result<Work<()>, StoreError> {
        if let Some(lock) = self.dialect.lock() {
            sqlx::query(lock)
                .bind(lock_number("relink", "journal"))
                .fetch_one(&mut **transaction)
                .await
                .map_err(StoreError::query(OPEN))?;
        }
        // Another run may have been first.
        let found = self.version(transaction).await?;
        refuse_newer(found)?;
        let done = found.unwrap_or(0) as usize;
        if done >= versions.len() {
            return Ok(Work::Leave(()));
        }
        self.make_room(transaction).await?;
        let tables = Tables::of(self.dialect);
        for version in versions.iter().skip(done) {
            for statement in version(tables) {
                run(transaction, statement).await?;
            }
        }
        for statement in stamp(tables, versions.len()) {
            run(transaction, statement).await?;
        }
        Ok(Work::Commit(()))
    }

    /// The schema, unless an owner made it already: only then is the right to create schemas needed.
    async fn make_room(&self, transaction: &mut Writing) -> Result<(), StoreError> {
        let found = sqlx::query(self.dialect.find_journal_schema())
            .fetch_optional(&mut **transaction)
            .await
            .map_err(StoreError::query(OPEN))?;
        match self.dialect.create_journal_schema() {
            Some(statement) if found.is_none() => run(transaction, statement.to_owned()).await,
            _ => Ok(()),
        }
    }

    /// A commit that is answered must outlive a crash of the server: the request that follows from it leaves.
    async fn check_durability(&self) -> Result<(), StoreError> {
        match self.durability().await? {
            Durability::OnDisk | Durability::NeverSynced => Ok(()),
            Durability::AnsweredEarly => Err(StoreError::NotDurable),
        }
    }

    /// Everything that a run needs later is asked for now, before anything is retired.
    async fn check_rights(&self) -> Result<(), StoreError> {
        match self.missing_rights().await? {
            None => Ok(()),
            Some(rights) => Err(StoreError::AccessDenied {
                what: "write the journal",
                detail: format!("the role lacks {rights}"),
            }),
        }
    }

    /// The rights that this role lacks on the newest version's tables, as a text.
    pub(super) async fn missing_rights(&self) -> Result<Option<String>, StoreError> {
        let mut wanted = Vec::new();
        for (table, rights) in Tables::of(self.dialect).rights() {
            wanted.extend(rights.iter().map(|right| (table.to_string(), *right)));
        }
        let Some(statement) = self.dialect.missing_rights(&wanted) else {
            return Ok(None);
        };
        let row = sqlx::query(AssertSqlSafe(statement))
            .one(self, READ)
            .await?;
        row.try_get(0).map_err(StoreError::query(READ))
    }

    /// The role that this session acts as; `None` where there are no roles.
    async fn role(&self) -> Result<Option<String>, StoreError> {
        let Some(statement) = self.dialect.current_role() else {
            return Ok(None);
        };
        let row = sqlx::query(statement).one(self, READ).await?;
        row.try_get(0).map(Some).map_err(StoreError::query(READ))
    }
}

pub(super) fn newest(versions: &[Version]) -> u32 {
    u32::try_from(versions.len()).unwrap_or(u32::MAX)
}

fn refuse_newer(version: Option<u32>) -> Result<(), StoreError> {
    let known = newest(VERSIONS);
    match version {
        Some(found) if found > known => Err(StoreError::JournalNewer { found, known }),
        _ => Ok(()),
    }
}

async fn run(transaction: &mut Writing, statement: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::query(OPEN))
}
