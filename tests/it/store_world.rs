//! One small club per test, in each of the three databases that relink must serve alike: SQLite, Postgres
//! with enums, Postgres with text columns.
//!
//! Rows are written here with plain SQL, never through the code under test.

use secrecy::SecretString;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use tempfile::TempDir;

use relink::domain::{Currency, Order, OrderId};
use relink::store::{Access, Scope, Selection, Store, StoreError};

use crate::support::postgres::{
    Flavour, TestDatabase, database, lax_sqlite_database, sqlite_database,
};

/// Defines each named test three times, once per database. The body is an async function of the same name
/// that takes the world.
macro_rules! on_each_database {
    ($make:ident: $($test:ident),* $(,)?) => {
        mod on_sqlite { $(#[tokio::test] async fn $test() { super::$test($crate::store_world::$make::sqlite().await).await })* }
        mod on_postgres_enums { $(#[tokio::test] async fn $test() { super::$test($crate::store_world::$make::postgres_enums().await).await })* }
        mod on_postgres_text { $(#[tokio::test] async fn $test() { super::$test($crate::store_world::$make::postgres_text().await).await })* }
    };
}
pub(crate) use on_each_database;

/// What keeps a database alive while a test runs.
enum Held {
    File(#[allow(dead_code)] TempDir),
    Server(TestDatabase),
}

pub struct World {
    pub url: String,
    held: Held,
}

/// A club of four players: two tournaments, of which the first sells its fee to two teams and shares it
/// with the second; order 1 names a session, 2 a link, 3 nothing, 4 the empty text, 5 is a jersey.
const CLUB: &str = "
    INSERT INTO tenants (id, name) VALUES (1, 'Club');
    INSERT INTO parents (id, tenant_id, name, email) VALUES
        (1, 1, 'Ada Moor', 'ada@example.com'), (2, 1, 'Bo Reed', '  ');
    INSERT INTO teams (id, tenant_id, name) VALUES (1, 1, 'U12'), (2, 1, 'U14');
    INSERT INTO players (id, tenant_id, parent_id, team_id, name) VALUES
        (1, 1, 1, 1, 'Cy Moor'), (2, 1, 2, 2, 'Di Reed');
    INSERT INTO products (id, tenant_id, name, price_cents, category, type, is_active, created_at) VALUES
        (1, 1, 'Fee', 5500, 'tournament', 'one_time', true, '2026-01-01 00:00:00.000000'),
        (2, 1, 'Late fee', 6500, 'tournament', 'one_time', false, '2026-01-01 00:00:00.000000'),
        (3, 1, 'Jersey', 3000, 'jersey', 'one_time', true, '2026-01-01 00:00:00.000000');
    INSERT INTO tournaments (id, tenant_id, name, created_at) VALUES
        (1, 1, 'Spring', '2026-01-01 00:00:00.000000'), (2, 1, 'Summer', '2026-01-01 00:00:00.000000'),
        (3, 1, 'Empty', '2026-01-01 00:00:00.000000');
    INSERT INTO tournament_products (id, tournament_id, product_id, team_id) VALUES
        (1, 1, 1, 1), (2, 1, 1, 2), (3, 2, 1, 1), (4, 2, 2, 2);
    INSERT INTO orders (id, tenant_id, player_id, product_id, status, amount_cents,
        stripe_checkout_session_id, stripe_checkout_url, stripe_payment_intent_id, created_at, updated_at) VALUES
        (1, 1, 1, 1, 'pending', 5500, 'cs_test_one', 'https://checkout.example.com/one', NULL,
            '2026-01-02 03:04:05.678900', '2026-01-02 03:04:05.678900'),
        (2, 1, 2, 1, 'paid', 5500, 'plink_two', 'https://buy.example.com/two', 'pi_two',
            '2026-01-02 03:04:06.000000', '2026-01-02 03:04:06.000000'),
        (3, 1, 2, 2, 'pending', 6500, NULL, NULL, NULL,
            '2026-01-02 03:04:07.000000', '2026-01-02 03:04:07.000000'),
        (4, 1, 1, 2, 'canceled', 0, '', '', '',
            '2026-01-02 03:04:08.000000', '2026-01-02 03:04:08.000000'),
        (5, 1, 1, 3, 'refunded', 3000, 'in_five', NULL, 'ch_five',
            '2026-01-02 03:04:09.000000', '2026-01-02 03:04:09.000000');
";

/// Lets Postgres take rows as they should not be.
const LOOSEN: &str = "
    DO $$ DECLARE it record; BEGIN
        FOR it IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint WHERE contype = 'f' LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', it.tab, it.conname);
        END LOOP;
        FOR it IN SELECT attrelid::regclass AS tab, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND attnotnull AND attnum > 0
              AND attname NOT IN ('id', 'version_num') LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', it.tab, it.attname);
        END LOOP;
    END $$";

impl World {
    pub async fn sqlite() -> World {
        let dir = tempfile::tempdir().unwrap();
        let url = sqlite_database(dir.path()).await;
        World::with_club(url, Held::File(dir)).await
    }

    pub async fn postgres_enums() -> World {
        World::postgres(Flavour::NativeEnums).await
    }

    pub async fn postgres_text() -> World {
        World::postgres(Flavour::TextColumns).await
    }

    async fn postgres(flavour: Flavour) -> World {
        let database = database(flavour).await;
        World::with_club(database.url.clone(), Held::Server(database)).await
    }

    async fn with_club(url: String, held: Held) -> World {
        let world = World { url, held };
        world.run(CLUB).await;
        world
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.held, Held::Server(_))
    }

    /// The URL with which the application's tables can only be read.
    pub fn readonly_url(&self) -> &str {
        match &self.held {
            Held::File(_) => &self.url,
            Held::Server(database) => &database.readonly_url,
        }
    }

    /// A table of relink's own.
    pub fn journal_table(&self, name: &str) -> String {
        if self.is_postgres() {
            format!("relink.{name}")
        } else {
            format!("relink_{name}")
        }
    }

    /// The first column of the journal's only row of `query`, in which `{operations}` and the like are tables.
    pub async fn journaled(&self, query: &str) -> Option<String> {
        let mut sql = query.to_owned();
        for name in [
            "meta",
            "runs",
            "operations",
            "steps",
            "outcomes",
            "events",
            "payments",
            "incidents",
            "retirements",
        ] {
            sql = sql.replace(&format!("{{{name}}}"), &self.journal_table(name));
        }
        self.value(&sql).await
    }

    /// Everything that the journal holds about operations, steps and outcomes, to be compared.
    pub async fn journal_text(&self) -> String {
        let mut text = String::new();
        for (table, columns) in [
            (
                "operations",
                "operation_id || ' ' || state || ' ' || record || ' ' || last_tx || ' ' || held_by \
              || ' ' || COALESCE(lease_token, '-') || ' ' || CAST(COALESCE(closed_at, 0) AS TEXT)",
            ),
            (
                "steps",
                "step_id || ' ' || action || ' ' || COALESCE(idempotency_key, '-')",
            ),
            (
                "outcomes",
                "step_id || ' ' || outcome || ' ' || COALESCE(result_id, '-')",
            ),
        ] {
            let list = if self.is_postgres() {
                "string_agg(line, '\n' ORDER BY line)"
            } else {
                "group_concat(line, '\n')"
            };
            let from = self.journal_table(table);
            let sql = format!(
                "SELECT COALESCE({list}, 'none') FROM (SELECT {columns} AS line FROM {from} ORDER BY 1) lines"
            );
            text += &format!("{table}: {}\n", self.value(&sql).await.unwrap());
        }
        text
    }

    pub async fn open(&self, access: Access) -> Store {
        self.try_open(access).await.unwrap()
    }

    pub async fn try_open(&self, access: Access) -> Result<Store, StoreError> {
        open(&self.url, access).await
    }

    pub async fn run(&self, sql: &str) {
        let mut connection = self.connection().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// A session that has run `sql` and stays open.
    pub async fn hold(&self, sql: &str) -> AnyConnection {
        let mut connection = self.connection().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection
    }

    /// The first column of the first row, cast to text by the query.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let mut connection = self.connection().await;
        let row: AnyRow = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        row.try_get(0).unwrap()
    }

    /// Everything that `orders` holds for an id, as one text.
    pub async fn row(&self, id: i64) -> String {
        let columns = [
            "tenant_id",
            "player_id",
            "product_id",
            "status",
            "amount_cents",
            "custom_data",
            "stripe_checkout_session_id",
            "stripe_checkout_url",
            "stripe_payment_intent_id",
            "created_at",
            "updated_at",
            "paid_at",
        ];
        let fields = columns.map(|name| format!("COALESCE(CAST({name} AS TEXT), 'NULL')"));
        let sql = format!(
            "SELECT {} FROM orders WHERE id = {id}",
            fields.join(" || ' ' || ")
        );
        self.value(&sql).await.unwrap()
    }

    async fn connection(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        if !self.is_postgres() {
            sqlx::query("PRAGMA foreign_keys = OFF")
                .execute(&mut connection)
                .await
                .unwrap();
        }
        connection
    }
}

/// The same club in tables that forbid nothing.
pub struct LaxWorld;

impl LaxWorld {
    pub async fn sqlite() -> World {
        let dir = tempfile::tempdir().unwrap();
        let url = lax_sqlite_database(dir.path()).await;
        World::with_club(url, Held::File(dir)).await
    }

    pub async fn postgres_enums() -> World {
        loosened(World::postgres_enums().await).await
    }

    pub async fn postgres_text() -> World {
        loosened(World::postgres_text().await).await
    }
}

async fn loosened(world: World) -> World {
    world.run(LOOSEN).await;
    world
}

pub async fn open(url: &str, access: Access) -> Result<Store, StoreError> {
    Store::connect(&SecretString::from(url.to_owned()), access).await
}

pub async fn select(store: &Store, scope: Scope) -> Vec<Order> {
    let selection = Selection {
        scope,
        exclude: Vec::new(),
    };
    store
        .select_orders(&selection, Currency::USD)
        .await
        .unwrap()
}

pub fn ids(orders: &[Order]) -> Vec<i64> {
    orders.iter().map(|order| order.id.0).collect()
}

pub fn order_ids(ids: &[i64]) -> Vec<OrderId> {
    ids.iter().copied().map(OrderId).collect()
}
