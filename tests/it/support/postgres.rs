//! A fresh database for every test: copied from a template on Postgres, made from the schema on SQLite.
//!
//! It starts no server. `tests/run` does that and names it in the environment; without it these functions
//! panic and say so, and no test is ever skipped.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::sync::OnceCell;
use url::Url;

const SCHEMA_POSTGRES: &str = include_str!("../../../fixtures/schema.postgres.sql");
const SCHEMA_SQLITE: &str = include_str!("../../../fixtures/schema.sqlite.sql");
/// Another session held the template for a moment.
const OBJECT_IN_USE: &str = "55006";
const READER: &str = "relink_test_reader";
const READER_PASSWORD: &str = "only-select";

/// The two shapes in which `orders.status`, `products.category` and `products.type` are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Postgres enums, as SQLAlchemy makes them.
    NativeEnums,
    /// `varchar` columns.
    TextColumns,
}

/// A database with the application's tables and no rows. Dropped with this value.
pub struct TestDatabase {
    /// As the superuser.
    pub url: String,
    /// As a role that may SELECT from the application's tables and nothing else.
    pub readonly_url: String,
    name: String,
}

/// The server's superuser URL, `postgres://…/postgres`.
///
/// # Panics
/// Without the environment that `tests/run` sets up.
pub fn server_url() -> String {
    std::env::var("RELINK_TEST_POSTGRES_URL")
        .expect("RELINK_TEST_POSTGRES_URL is not set: run tests/run, which starts the PostgreSQL that the tests need")
}

/// The certificate of the authority that signed the server's, a PEM file.
pub fn server_authority() -> String {
    std::env::var("RELINK_TEST_POSTGRES_CA")
        .expect("RELINK_TEST_POSTGRES_CA is not set: run tests/run, which makes the certificate that the tests need")
}

pub async fn database(flavour: Flavour) -> TestDatabase {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let template = template(flavour).await;
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    let name = format!("relink_test_{}_{number}", std::process::id());
    let mut server = connect(&server_url()).await;
    copy(&mut server, template, &name).await;
    server.close().await.unwrap();
    TestDatabase {
        url: with_database(&server_url(), &name),
        readonly_url: as_reader(&with_database(&server_url(), &name)),
        name,
    }
}

/// A SQLite file in `dir` with the application's tables and no rows; its URL.
pub async fn sqlite_database(dir: &Path) -> String {
    sqlite_from(dir, SCHEMA_SQLITE).await
}

/// The same without `NOT NULL` and foreign keys, for rows as they should not be.
pub async fn lax_sqlite_database(dir: &Path) -> String {
    let unchecked: String = SCHEMA_SQLITE
        .lines()
        .filter(|line| !line.trim_start().starts_with("FOREIGN KEY"))
        .map(|line| line.replace(" NOT NULL", "") + "\n")
        .collect();
    sqlite_from(dir, &unchecked.replace(",\n)", "\n)")).await
}

async fn sqlite_from(dir: &Path, schema: &str) -> String {
    let url = format!("sqlite://{}", dir.join("club.db").display());
    let mut file = SqliteConnection::connect(&format!("{url}?mode=rwc"))
        .await
        .unwrap();
    run(&mut file, schema).await;
    file.close().await.unwrap();
    url
}

/// Made once per flavour and process; its tables are readable by the reader role, and so are its copies'.
async fn template(flavour: Flavour) -> &'static str {
    static NATIVE: OnceCell<String> = OnceCell::const_new();
    static TEXT: OnceCell<String> = OnceCell::const_new();
    let (cell, suffix) = match flavour {
        Flavour::NativeEnums => (&NATIVE, "native"),
        Flavour::TextColumns => (&TEXT, "text"),
    };
    cell.get_or_init(|| async {
        let name = format!("relink_template_{suffix}_{}", std::process::id());
        let mut server = connect(&server_url()).await;
        make_reader(&mut server).await;
        run_pg(&mut server, &format!("CREATE DATABASE {name}")).await;
        server.close().await.unwrap();
        let mut database = connect(&with_database(&server_url(), &name)).await;
        run_pg(&mut database, &schema(flavour)).await;
        let grant = format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}");
        run_pg(&mut database, &grant).await;
        database.close().await.unwrap();
        name
    })
    .await
}

fn schema(flavour: Flavour) -> String {
    match flavour {
        Flavour::NativeEnums => SCHEMA_POSTGRES.to_owned(),
        Flavour::TextColumns => SCHEMA_POSTGRES
            .lines()
            .filter(|line| !line.starts_with("CREATE TYPE"))
            .map(|line| {
                line.replace(" orderstatus ", " VARCHAR(8) ")
                    .replace(" productcategory ", " VARCHAR(10) ")
                    .replace(" producttype ", " VARCHAR(12) ")
                    + "\n"
            })
            .collect(),
    }
}

/// Roles belong to the server, so two test processes may both try.
async fn make_reader(server: &mut PgConnection) {
    run_pg(
        server,
        &format!(
            "DO $$ BEGIN CREATE ROLE {READER} LOGIN PASSWORD '{READER_PASSWORD}'; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        ),
    )
    .await;
}

/// File by file where that can be chosen: a small template costs less so than block by block through the log.
async fn copy(server: &mut PgConnection, template: &str, name: &str) {
    let how = match server.server_version_num() {
        Some(150_000..) => "STRATEGY FILE_COPY",
        _ => "",
    };
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template} {how}");
    for _ in 0..100 {
        match sqlx::raw_sql(AssertSqlSafe(sql.clone()))
            .execute(&mut *server)
            .await
        {
            Ok(_) => return,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(OBJECT_IN_USE) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }
    panic!("{sql}: the template stayed in use");
}

impl Drop for TestDatabase {
    /// On a thread of its own, since a test's runtime cannot be waited for from within. A failure is let
    /// be: the server does not outlive the run.
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut server = connect(&server_url()).await;
                run_pg(&mut server, &sql).await;
            });
        });
        let _ = dropping.join();
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn run_pg(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// Without TLS, whose handshake takes most of a connection's time in a build for tests.
fn with_database(url: &str, name: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_path(name);
    url.set_query(Some("sslmode=disable"));
    url.into()
}

fn as_reader(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_username(READER).unwrap();
    url.set_password(Some(READER_PASSWORD)).unwrap();
    url.into()
}
