//! A SQLite file with the application's tables, for the unit tests of the store. It is made by the driver itself, never by
//! the code under test.

use std::path::Path;

use secrecy::SecretString;
use sqlx::{Connection, SqliteConnection};

use super::{Access, Store};

const SCHEMA: &str = include_str!("../../fixtures/schema.sqlite.sql");

pub(super) fn fine<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Makes the file: `before` runs before the application's tables are there. The connection sees what is committed.
pub(super) async fn make(folder: &Path, before: &'static str) -> SqliteConnection {
    let url = format!("{}?mode=rwc", url(folder));
    let mut file = fine(SqliteConnection::connect(&url).await);
    for sql in [before, SCHEMA] {
        fine(sqlx::raw_sql(sql).execute(&mut file).await);
    }
    file
}

pub(super) async fn open(folder: &Path) -> Store {
    let url = SecretString::from(url(folder));
    fine(Store::connect(&url, Access::ReadWrite).await)
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("club.db").display())
}
