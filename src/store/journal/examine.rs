//! What `doctor` is told of the journal: whether it is there, of which version, and what this role may do with it. It
//! reads, creates nothing, and judges nothing.

use sqlx::Row;

use super::super::pool::Alone;
use super::super::{Store, StoreError};
use super::open::newest;
use super::schema::VERSIONS;
use crate::doctor::JournalFacts;

const READ: &str = "read the journal";

/// What a role may do where the journal is or would be. Where there are no roles, everything.
struct Room {
    is_there: bool,
    may_use: bool,
    may_fill: bool,
    may_make: bool,
    owns_tables: bool,
}

impl Store {
    /// # Errors
    /// What any query can meet. A journal that is closed to this role, or newer, is no error here.
    pub async fn examine_journal(&self) -> Result<JournalFacts, StoreError> {
        let room = self.room().await?;
        if room.is_there && !room.may_use {
            let why = "this role may not look into the schema `relink`".to_owned();
            return Ok(JournalFacts::Closed(why));
        }
        let version = match self.any_version().await {
            Err(StoreError::AccessDenied { detail, .. }) => {
                return Ok(JournalFacts::Closed(format!(
                    "this role may not read it: {detail}"
                )));
            }
            other => other?,
        };
        let newest = newest(VERSIONS);
        Ok(match version {
            None => JournalFacts::Absent {
                may_create: if room.is_there {
                    room.may_fill
                } else {
                    room.may_make
                },
            },
            Some(version) => JournalFacts::Present {
                version,
                newest,
                may_upgrade: room.may_fill && room.owns_tables,
                // Of another version there are other tables, and asking about one that is not there is an error.
                missing_rights: if version == newest {
                    self.missing_rights().await?
                } else {
                    None
                },
            },
        })
    }

    async fn room(&self) -> Result<Room, StoreError> {
        let Some(statement) = self.dialect.journal_room() else {
            return Ok(Room {
                is_there: true,
                may_use: true,
                may_fill: true,
                may_make: true,
                owns_tables: true,
            });
        };
        let row = sqlx::query(statement).one(self, READ).await?;
        let may = |name: &str| -> Result<bool, StoreError> {
            let number: i64 = row.try_get(name).map_err(StoreError::query(READ))?;
            Ok(number == 1)
        };
        Ok(Room {
            is_there: may("is_there")?,
            may_use: may("may_use")?,
            may_fill: may("may_fill")?,
            may_make: may("may_make")?,
            owns_tables: may("owns_tables")?,
        })
    }
}
