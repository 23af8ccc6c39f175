//! The sandbox's own database: `DIR/club.db`, the application's tables with the sample rows.
//!
//! It makes and replaces this one file and reads nothing back; everything after that goes through `store/`
//! as with any other database. A `club.db` that a sandbox did not make is refused, never replaced.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

use super::{private, sample};

const FILE: &str = "club.db";

/// `PRAGMA application_id` of a file made here (`RLSB`); SQLite keeps it in bytes 68 to 71 of the file
/// (sqlite.org/fileformat.html, "application ID").
const APPLICATION_ID: u32 = 0x524c_5342;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error(
        "`{}` was not made by a sandbox and is left alone; choose another directory with `--sandbox=DIR`",
        .0.display()
    )]
    NotOurs(PathBuf),
    #[error("the sandbox cannot write `{}`: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the sandbox cannot build its database `{}`: {source}", .path.display())]
    Sql { path: PathBuf, source: sqlx::Error },
}

/// The database's URL, as `DATABASE_URL` takes it. The file need not exist.
#[must_use]
pub fn url(dir: &Path) -> String {
    let file = dir.join(FILE);
    let absolute = std::path::absolute(&file).unwrap_or(file);
    match url::Url::from_file_path(&absolute) {
        Ok(url) => format!("sqlite://{}", url.path()),
        Err(()) => format!("sqlite://{}", absolute.display()),
    }
}

/// Whether this directory holds a sandbox's database.
///
/// # Errors
/// `NotOurs` for a `club.db` that a sandbox did not make, `File` for one that cannot be read.
pub fn exists(dir: &Path) -> Result<bool, DatabaseError> {
    let path = dir.join(FILE);
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(DatabaseError::File { path, source }),
    };
    let mut header = [0u8; 72];
    match file.read_exact(&mut header) {
        Ok(()) if header.ends_with(&APPLICATION_ID.to_be_bytes()) => Ok(true),
        Ok(()) => Err(DatabaseError::NotOurs(path)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(DatabaseError::NotOurs(path))
        }
        Err(source) => Err(DatabaseError::File { path, source }),
    }
}

/// Makes the directory and the database, or puts it back as it was made. Whoever has the old file open
/// keeps the old file; nobody ever sees a half-made one.
///
/// # Errors
/// `NotOurs` as in [`exists`]; `File` and `Sql` when the directory or the file cannot be written.
pub async fn create(dir: &Path) -> Result<(), DatabaseError> {
    exists(dir)?;
    let path = dir.join(FILE);
    let failed = |source| DatabaseError::File {
        path: path.clone(),
        source,
    };
    private::folder(dir).map_err(failed)?;
    let draft = dir.join(format!(".{FILE}.{}", uuid::Uuid::new_v4().simple()));
    // SQLite gives its logs the mode of the file, and takes an empty one as it finds it.
    private::file()
        .create_new(true)
        .open(&draft)
        .map_err(failed)?;
    let built = match build(&draft).await {
        Ok(()) => replace(&draft, &path).await.map_err(failed),
        Err(source) => Err(DatabaseError::Sql {
            path: path.clone(),
            source,
        }),
    };
    if built.is_err() {
        // The first error is the one to report; a draft that stays behind is never read.
        let _ = tokio::fs::remove_file(&draft).await;
    }
    built
}

async fn build(draft: &Path) -> Result<(), sqlx::Error> {
    let mut connection = SqliteConnectOptions::new()
        .filename(draft)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Delete)
        .foreign_keys(true)
        .connect()
        .await?;
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mark))
        .execute(&mut connection)
        .await?;
    let mut transaction = connection.begin().await?;
    for text in [sample::SCHEMA_SQLITE, sample::ROWS] {
        sqlx::raw_sql(text).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    connection.close().await
}

/// A log left by the old file would be replayed into the new one, so the logs go first.
async fn replace(draft: &Path, path: &Path) -> io::Result<()> {
    for suffix in ["-journal", "-wal", "-shm"] {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        match tokio::fs::remove_file(&log).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    tokio::fs::rename(draft, path).await
}
