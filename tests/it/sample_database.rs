//! The sandbox's database file: made whole or not at all, put back on reset, never over a stranger's file.

use std::path::Path;

use relink::sandbox::database;

use crate::support::world::Rows;

async fn count(dir: &Path, table: &str) -> i64 {
    let rows = Rows::connect(&database::url(dir)).await;
    let counted = rows
        .numbers(&format!("SELECT CAST(count(*) AS BIGINT) FROM {table}"))
        .await;
    rows.pool.close().await;
    counted[0]
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(name)
        .map(|name| name.into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_new_directory_gets_the_sample_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a b%20c?d#e/sandbox");
    assert!(!database::exists(&dir).unwrap());
    database::create(&dir).await.unwrap();
    assert!(database::exists(&dir).unwrap());
    assert_eq!(names(&dir), ["club.db"]);
    assert_eq!(count(&dir, "orders").await, 73);
}

#[tokio::test]
async fn a_reset_brings_every_row_back() {
    let home = tempfile::tempdir().unwrap();
    database::create(home.path()).await.unwrap();
    let rows = Rows::connect(&database::url(home.path())).await;
    sqlx::raw_sql("PRAGMA journal_mode = WAL")
        .execute(&rows.pool)
        .await
        .unwrap();
    rows.execute("CREATE TABLE relink_runs (id INTEGER); DELETE FROM orders;")
        .await;
    rows.pool.close().await;
    database::create(home.path()).await.unwrap();
    assert_eq!(count(home.path(), "orders").await, 73);
    let left = "sqlite_master WHERE name LIKE 'relink%'";
    assert_eq!(count(home.path(), left).await, 0);
}

#[tokio::test]
async fn a_leftover_log_is_not_replayed_into_the_new_file() {
    let home = tempfile::tempdir().unwrap();
    database::create(home.path()).await.unwrap();
    let rows = Rows::connect(&database::url(home.path())).await;
    rows.execute("DELETE FROM orders").await;
    for log in ["club.db-wal", "club.db-shm", "club.db-journal"] {
        std::fs::write(home.path().join(log), b"stale").unwrap();
    }
    database::create(home.path()).await.unwrap();
    rows.pool.close().await;
    assert_eq!(names(home.path()), ["club.db"]);
    assert_eq!(count(home.path(), "orders").await, 73);
}

#[tokio::test]
async fn a_strangers_database_is_left_alone() {
    for content in [&b""[..], b"short", &[b'x'; 4096]] {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("club.db");
        std::fs::write(&file, content).unwrap();
        let refusal = database::create(home.path()).await.unwrap_err().to_string();
        assert!(refusal.contains("left alone"), "{refusal}");
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), b"").unwrap();
    let below = home.path().join("file/below");
    let refusal = database::create(&below).await.unwrap_err().to_string();
    assert!(refusal.contains("file/below"), "{refusal}");
}
