//! Connecting: every way in which it can fail has its own message, and no message holds the password.

use std::path::Path;

use relink::store::{Access, DatabaseKind, Scope, Store, StoreError};
use sqlx::{AnyConnection, Connection};
use url::Url;

use crate::store_world::{World, on_each_database, open, select};
use crate::support::postgres::{Flavour, database, server_authority};

on_each_database!(World:
    a_missing_table_is_named,
    every_missing_column_is_named,
    the_identity_names_the_database_and_no_password,
);

const SECRET: &str = "s3cr3t-pass";

async fn refusal(url: &str) -> StoreError {
    let error = open(url, Access::ReadOnly).await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(SECRET) && !text.contains("s3cr3t"), "{text}");
    }
    error
}

fn edited(url: &str, edit: impl FnOnce(&mut Url)) -> String {
    let mut url = Url::parse(url).unwrap();
    edit(&mut url);
    url.into()
}

async fn a_missing_table_is_named(world: World) {
    world.run("DROP TABLE tournament_products").await;
    let error = world.try_open(Access::ReadOnly).await.unwrap_err();
    let StoreError::Schema { missing } = &error else {
        panic!("{error}")
    };
    assert_eq!(missing, &["table `tournament_products` is missing"]);
    assert!(
        error
            .to_string()
            .contains("table `tournament_products` is missing")
    );
}

async fn every_missing_column_is_named(world: World) {
    world
        .run("ALTER TABLE orders RENAME COLUMN amount_cents TO amount")
        .await;
    world.run("ALTER TABLE parents DROP COLUMN email").await;
    let error = world.try_open(Access::ReadOnly).await.unwrap_err();
    let StoreError::Schema { missing } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        missing,
        &[
            "column `orders.amount_cents` is missing",
            "column `parents.email` is missing"
        ]
    );
}

async fn the_identity_names_the_database_and_no_password(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let identity = store.identity();
    if world.is_postgres() {
        let url = Url::parse(&world.url).unwrap();
        let place = format!("127.0.0.1:{}{}", url.port().unwrap(), url.path());
        assert_eq!(identity.to_string(), format!("postgres postgres@{place}"));
        assert_eq!(identity.kind(), DatabaseKind::Postgres);
        assert!(!format!("{store:?}").contains(url.password().unwrap()));
    } else {
        let path = world.url.strip_prefix("sqlite://").unwrap();
        assert_eq!(identity.to_string(), format!("sqlite {path}"));
        assert_eq!(identity.kind(), DatabaseKind::Sqlite);
    }
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_showing_it() {
    let malformed = [
        ("", "no scheme"),
        ("club", "no scheme"),
        ("mysql://club:s3cr3t-pass@localhost/club", "scheme"),
        ("postgres:club:s3cr3t-pass@localhost/club", "slashes"),
        (
            "postgres://club:s3cr3t-pass/x@localhost/club",
            "percent-encoded",
        ),
        (
            "postgres://club:1/s3cr3t-pass@localhost/club",
            "percent-encoded",
        ),
        (
            "postgres://club:1#s3cr3t-pass@localhost/club",
            "percent-encoded",
        ),
        (
            "postgres://club:1?s3cr3t-pass@localhost/club",
            "percent-encoded",
        ),
        ("postgres://club:s3cr3t-pass@localhost:port/club", "port"),
        (
            "postgres://club:s3cr3t-pass@localhost/club?sslmode=maybe",
            "`ssl_mode`",
        ),
        (
            "postgres://club:s3cr3t-pass@localhost/club?ssl=true",
            "parameter `ssl`",
        ),
        ("sqlite://", "no file"),
        ("sqlite::memory:", "no file"),
        ("sqlite:///club.db?cache=shared", "parameter `cache`"),
    ];
    for (url, clue) in malformed {
        let error = refusal(url).await;
        assert!(matches!(error, StoreError::Url(_)), "{url}: {error:?}");
        assert!(error.to_string().contains(clue), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_missing_sqlite_file_is_an_error_and_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.db");
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = open(&format!("sqlite://{}", path.display()), access)
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::NoSuchDatabase { .. }),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
        assert!(!path.exists());
    }
    let error = refusal(&format!("sqlite://{}", dir.path().display())).await;
    assert!(error.to_string().contains("is not a file"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(
        &path,
        "not a database, but long enough to be looked at as one".repeat(40),
    )
    .unwrap();
    let error = refusal(&format!("sqlite://{}", path.display())).await;
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn a_sqlite_path_may_hold_odd_characters() {
    let world = World::sqlite().await;
    let from = world.url.strip_prefix("sqlite://").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("the club's #1 (100%) é.db");
    std::fs::copy(from, &to).unwrap();
    let written = to.display().to_string().replace('%', "%25");
    for url in [
        format!("sqlite://{written}"),
        format!("sqlite:{written}"),
        format!("sqlite:////{}?mode=rw", written.trim_start_matches('/')),
        format!("sqlite+pysqlite:///{written}?check_same_thread=false"),
    ] {
        let store = open(&url, Access::ReadOnly).await.unwrap();
        assert_eq!(
            store.identity().to_string(),
            format!("sqlite {}", to.display())
        );
        assert_eq!(select(&store, Scope::All).await.len(), 5);
    }
}

#[tokio::test]
async fn a_read_only_sqlite_file_in_a_read_only_mode_url_stays_unwritten() {
    let world = World::sqlite().await;
    let before = std::fs::read(world.url.strip_prefix("sqlite://").unwrap()).unwrap();
    let store = open(&format!("{}?mode=ro", world.url), Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(select(&store, Scope::All).await.len(), 5);
    store.close().await;
    let path = Path::new(world.url.strip_prefix("sqlite://").unwrap());
    assert_eq!(std::fs::read(path).unwrap(), before);
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(files, 1, "no journal is left beside the file");
}

#[tokio::test]
async fn a_sqlite_file_is_written_in_wal_mode_and_read_beside_a_writer() {
    let world = World::sqlite().await;
    let stores =
        futures_util::future::join_all((0..4).map(|_| world.try_open(Access::ReadWrite))).await;
    assert!(stores.iter().all(Result::is_ok), "{stores:?}");
    let mode = world.value("PRAGMA journal_mode").await;
    assert_eq!(mode.as_deref(), Some("wal"));
    let reader = world.open(Access::ReadOnly).await;
    assert_eq!(select(&reader, Scope::All).await.len(), 5);
}

#[tokio::test]
async fn a_file_that_another_program_keeps_to_itself_is_said_not_to_be_free() {
    let world = World::sqlite().await;
    world.run("PRAGMA journal_mode = DELETE").await;
    let mut holding = AnyConnection::connect(&world.url).await.unwrap();
    let held = sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut holding);
    held.await.unwrap();
    let error = refusal(&world.url).await;
    assert!(matches!(error, StoreError::Contended { .. }), "{error:?}");
    assert!(error.to_string().contains("not free within 10 seconds"));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = refusal(&format!("postgres://club:{SECRET}@127.0.0.1:{port}/club")).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains(&format!("postgres club@127.0.0.1:{port}/club")),
        "{said}"
    );
    assert!(said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_after_ten_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let begun = std::time::Instant::now();
    let error = refusal(&format!("postgres://club:{SECRET}@127.0.0.1:{port}/club")).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    assert!(
        (9..15).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_apart() {
    let database = database(Flavour::NativeEnums).await;
    let wrong = edited(&database.url, |url| url.set_password(Some(SECRET)).unwrap());
    let error = refusal(&wrong).await;
    assert!(
        matches!(error, StoreError::Authentication { .. }),
        "{error:?}"
    );
    let missing = edited(&database.url, |url| url.set_path("no_such_club"));
    let error = refusal(&missing).await;
    assert!(
        matches!(error, StoreError::NoSuchDatabase { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("no_such_club"), "{error}");
}

#[tokio::test]
async fn sqlalchemys_spelling_of_a_url_is_understood() {
    let world = World::postgres_enums().await;
    for scheme in [
        "postgresql",
        "postgresql+psycopg2",
        "postgresql+asyncpg",
        "postgres",
    ] {
        let url = world.url.replacen("postgres", scheme, 1) + "&connect_timeout=3";
        let store = open(&url, Access::ReadOnly).await.unwrap();
        assert_eq!(select(&store, Scope::All).await.len(), 5, "{scheme}");
    }
}

#[tokio::test]
async fn a_table_that_the_role_may_not_read_is_a_missing_right_and_not_a_missing_table() {
    let world = World::postgres_enums().await;
    world
        .run("REVOKE SELECT ON parents FROM relink_test_reader")
        .await;
    let store = open(world.readonly_url(), Access::ReadOnly).await.unwrap();
    let selection = relink::store::Selection {
        scope: Scope::All,
        exclude: Vec::new(),
    };
    let error = store
        .select_orders(&selection, relink::domain::Currency::USD)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::AccessDenied { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("parents"), "{error}");
}

#[tokio::test]
async fn a_schema_is_found_through_the_search_path_of_the_url() {
    let world = World::postgres_enums().await;
    world.run("ALTER SCHEMA public RENAME TO club").await;
    let error = world.try_open(Access::ReadOnly).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Schema { missing } if missing.len() == 6),
        "{error}"
    );
    let url = format!("{}&options=-c%20search_path%3Dclub", world.url);
    let store = open(&url, Access::ReadOnly).await.unwrap();
    assert_eq!(select(&store, Scope::All).await.len(), 5);
}

/// What the server says about the sessions of a store that is open meanwhile.
async fn session(world: &World, store: &Store, column: &str) -> Option<String> {
    store.time().await.unwrap();
    world
        .value(&format!(
            "SELECT CAST({column} AS TEXT) FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s USING (pid) \
             WHERE a.datname = current_database() AND a.application_name = 'relink'"
        ))
        .await
}

#[tokio::test]
async fn tls_is_used_and_its_certificate_verified_when_the_url_asks_for_it() {
    let world = World::postgres_enums().await;
    let with = |query: &str| edited(&world.url, |url| url.set_query(Some(query)));
    let verified = with(&format!(
        "sslmode=verify-full&sslrootcert={}",
        server_authority()
    ));
    let store = open(&verified, Access::ReadOnly).await.unwrap();
    assert_eq!(
        session(&world, &store, "s.ssl").await.as_deref(),
        Some("true")
    );
    store.close().await;
    // An authority that nobody here trusts.
    let error = refusal(&with("sslmode=verify-full")).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let error = refusal(&with("sslmode=verify-full&sslrootcert=/no/such/file.pem")).await;
    assert!(error.to_string().contains("/no/such/file.pem"), "{error}");
}

#[tokio::test]
async fn a_store_says_who_it_is_to_the_server() {
    let world = World::postgres_enums().await;
    let store = world.open(Access::ReadOnly).await;
    let name = session(&world, &store, "a.application_name").await;
    assert_eq!(name.as_deref(), Some("relink"));
}
