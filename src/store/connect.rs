//! Opening connections: the first one, with a plain error and a deadline, and what each of them is told first.
//!
//! The pool alone would try a refused connection again until its deadline and then say "timed out"; the
//! first connection says what is wrong at once.

use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Executor, Row};

use super::address::Address;
use super::dialect::Dialect;
use super::pool::not_free;
use super::{Access, StoreError};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Waits for another writer of the SQLite file, milliseconds in the statement.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL;";
const WAL_TRIES: u32 = 100;
const WAL_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn open(address: &Address, access: Access) -> Result<AnyConnection, StoreError> {
    let options = options(address)?;
    let opening = async {
        let mut connection = options.connect().await?;
        prepare(&mut connection, address.dialect(), access).await?;
        Ok(connection)
    };
    let failure = match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error,
        Err(_) if address.dialect() == Dialect::Sqlite => return Err(not_free("be opened")),
        Err(_) => sqlx::Error::PoolTimedOut,
    };
    Err(match StoreError::query("open the database")(failure) {
        StoreError::Unreachable { detail } => StoreError::Unreachable {
            detail: format!("{}: {detail}", address.identity()),
        },
        StoreError::NoSuchDatabase { detail } if address.dialect() == Dialect::Sqlite => {
            StoreError::NoSuchDatabase {
                detail: format!("`{}`: {detail}", address.identity().place()),
            }
        }
        other => other,
    })
}

pub(super) async fn close(connection: AnyConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection was not closed in good order");
    }
}

pub(super) fn options(address: &Address) -> Result<AnyConnectOptions, StoreError> {
    sqlx::any::install_default_drivers();
    AnyConnectOptions::from_url(address.url()).map_err(StoreError::query("read the database URL"))
}

/// Postgres has its session settings from the startup packet (see `address.rs`); SQLite needs them said.
pub(super) async fn prepare(
    connection: &mut AnyConnection,
    dialect: Dialect,
    access: Access,
) -> Result<(), sqlx::Error> {
    match (dialect, access) {
        (Dialect::Postgres, _) => Ok(()),
        (Dialect::Sqlite, Access::ReadOnly) => connection.execute(SQLITE_SESSION).await.map(drop),
        (Dialect::Sqlite, Access::ReadWrite) => {
            connection.execute(SQLITE_SESSION).await?;
            enter_wal(connection).await
        }
    }
}

/// The switch to WAL needs the file for itself for a moment, and no busy timeout applies to that.
async fn enter_wal(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut tries = 0;
    loop {
        let mode: String = connection
            .fetch_one("PRAGMA journal_mode")
            .await?
            .try_get(0)?;
        if mode == "wal" {
            return Ok(());
        }
        match connection.execute("PRAGMA journal_mode = WAL").await {
            Ok(_) => return Ok(()),
            Err(sqlx::Error::Database(_)) if tries < WAL_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(WAL_PAUSE).await;
    }
}
