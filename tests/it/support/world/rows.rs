//! The application's side of a world: tables, rows written as the application would, rows read back.
//!
//! Talks SQL of its own and nothing of `store/`, so that a test's eyes are not the code under test.

use relink::sandbox::sample;
use serde_json::{Map, Value, json};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use super::wording::Order;

/// One row of `orders`, as text where the databases differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: i64,
    pub status: String,
    /// NULL only where a test allowed it.
    pub amount_cents: Option<i64>,
    pub reference: Option<String>,
    pub url: Option<String>,
    pub payment_intent: Option<String>,
    pub paid_at: Option<String>,
    pub updated_at: String,
}

/// What its objects say of an order.
pub struct Keys {
    pub product_name: String,
    pub metadata: Map<String, Value>,
}

#[derive(Debug)]
pub struct Rows {
    pub pool: AnyPool,
}

impl Rows {
    pub async fn connect(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(2)
            .connect(url)
            .await
            .unwrap_or_else(|error| panic!("the test database `{url}`: {error}"));
        Rows { pool }
    }

    /// Statements in the common tongue of both databases; several at once are one transaction.
    pub async fn execute(&self, sql: &str) {
        let mut transaction = self.pool.begin().await.unwrap();
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut *transaction)
            .await
        {
            panic!("{error} in: {sql}");
        }
        transaction.commit().await.unwrap();
    }

    /// A script with transactions of its own, as an owner would feed it to the database's shell.
    pub async fn execute_script(&self, sql: &str) {
        let mut connection = self.pool.acquire().await.unwrap();
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut *connection)
            .await
        {
            panic!("{error} in: {sql}");
        }
    }

    /// The first column of every row, read as an integer: `CAST(… AS BIGINT)`.
    pub async fn numbers(&self, sql: &str) -> Vec<i64> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error} in: {sql}"));
        rows.iter().map(|row| row.get::<i64, _>(0)).collect()
    }

    /// The first column of every row, read as text: `CAST(… AS TEXT)`; NULL is the empty text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error} in: {sql}"));
        let text = |row: &sqlx::any::AnyRow| row.get::<Option<String>, _>(0).unwrap_or_default();
        rows.iter().map(text).collect()
    }

    /// Every row of the application's, and relink's schema with all that is in it. Postgres only.
    pub async fn forget_everything(&self) {
        let tables = [
            "orders",
            "tournament_products",
            "tournaments",
            "products",
            "players",
            "teams",
            "parents",
            "tenants",
        ];
        let emptied = tables.map(|table| format!("DELETE FROM {table};"));
        let sql = format!("DROP SCHEMA IF EXISTS relink CASCADE; {}", emptied.concat());
        self.execute(&sql).await;
    }

    pub async fn load_sample(&self) {
        self.execute(sample::ROWS).await;
    }

    /// Every order, by id.
    pub async fn orders(&self) -> Vec<Row> {
        let mut connection = self.pool.acquire().await.unwrap();
        // SQLite keeps texts in bytes that are none.
        let reference = match connection.backend_name() {
            "SQLite" => "CAST(stripe_checkout_session_id AS BLOB)",
            _ => "convert_to(CAST(stripe_checkout_session_id AS TEXT), 'UTF8')",
        };
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT CAST(id AS BIGINT), CAST(status AS TEXT), CAST(amount_cents AS BIGINT), {reference}, \
             CAST(stripe_checkout_url AS TEXT), CAST(stripe_payment_intent_id AS TEXT), CAST(paid_at AS TEXT), \
             CAST(updated_at AS TEXT) FROM orders ORDER BY id"
        )))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let read = |row: &sqlx::any::AnyRow| Row {
            id: row.get(0),
            status: row.get(1),
            amount_cents: row.get(2),
            reference: row
                .get::<Option<Vec<u8>>, _>(3)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            url: row.get(4),
            payment_intent: row.get(5),
            paid_at: row.get(6),
            updated_at: row.get(7),
        };
        rows.iter().map(read).collect()
    }

    /// Every order as text, updated_at and all: what a test compares before and after.
    pub async fn dump(&self) -> Vec<(i64, String)> {
        let orders = self.orders().await;
        let told = orders.iter().map(|row| (row.id, format!("{row:?}")));
        told.collect()
    }

    /// Sets one column of one order to an SQL expression.
    pub async fn set(&self, order: i64, column: &str, value: &str) {
        let sql = format!("UPDATE orders SET {column} = {value} WHERE id = {order}");
        self.execute(&sql).await;
    }

    /// Lets a column hold NULL, as a careless migration would.
    pub async fn allow_null(&self, table: &str, column: &str) {
        let mut connection = self.pool.acquire().await.unwrap();
        let sql = if connection.backend_name() == "SQLite" {
            // SQLite has no statement for it: the stored text of the table is the definition of its columns.
            let text = format!("SELECT sql FROM sqlite_master WHERE name = '{table}'");
            let old = self.texts(&text).await.remove(0);
            let lines = old.lines().map(|line| match line.trim_start() {
                it if it.starts_with(&format!("{column} ")) => line.replace(" NOT NULL", ""),
                _ => line.to_owned(),
            });
            let new = literal(&lines.collect::<Vec<_>>().join("\n"));
            let version = self.numbers("PRAGMA schema_version").await[0] + 1;
            format!(
                "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = {new} WHERE name = '{table}'; \
                 PRAGMA schema_version = {version}; PRAGMA writable_schema = RESET"
            )
        } else {
            format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
        };
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await
            .unwrap();
    }

    /// Writes the order with a family, a product and teams of its own, all numbered like the order, and
    /// tells what metadata its objects carry. It names no object yet.
    pub async fn write(&self, order: i64, said: &Order) -> Keys {
        let now = "2026-03-08T16:00:00+00:00";
        let (player, email) = (literal(&said.player), literal(&said.email));
        let product_name = format!("Entry {order}");
        let (status, amount) = (said.status, said.amount);
        let (category, active) = (said.category, said.product_active);
        let active = if active { "TRUE" } else { "FALSE" };
        let paid_at = match status {
            "paid" | "refunded" => format!("'{now}'"),
            _ => "NULL".to_owned(),
        };
        let mut sql = format!(
            "INSERT INTO tenants (id, name) SELECT 1, 'Club' WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE id = 1);
             INSERT INTO parents (id, tenant_id, name, email) VALUES ({order}, 1, 'Parent {order}', {email});
             INSERT INTO players (id, tenant_id, parent_id, team_id, name) VALUES ({order}, 1, {order}, NULL, {player});
             INSERT INTO products (id, tenant_id, name, price_cents, category, type, is_active, created_at)
             VALUES ({order}, 1, '{product_name}', {amount}, '{category}', 'one_time', {active}, '{now}');
             INSERT INTO orders (id, tenant_id, player_id, product_id, status, amount_cents, created_at, updated_at, paid_at)
             VALUES ({order}, 1, {order}, {order}, '{status}', {amount}, '{now}', '{now}', {paid_at});"
        );
        for (nth, tournament) in said.tournaments.iter().enumerate() {
            sql += &format!(
                "INSERT INTO tournaments (id, tenant_id, name, created_at) SELECT {tournament}, 1, 'Tournament {tournament}', '{now}'
                 WHERE NOT EXISTS (SELECT 1 FROM tournaments WHERE id = {tournament});"
            );
            for team in 0..said.teams_sharing {
                let key = usize::try_from(order).unwrap() * 100 + nth * said.teams_sharing + team;
                sql += &format!(
                    "INSERT INTO teams (id, tenant_id, name) VALUES ({key}, 1, 'Team {key}');
                     INSERT INTO tournament_products (id, tournament_id, product_id, team_id)
                     VALUES ({key}, {tournament}, {order}, {key});"
                );
            }
        }
        self.execute(&sql).await;
        let mut metadata = Map::new();
        for key in ["order_id", "player_id", "product_id"] {
            metadata.insert(key.to_owned(), json!(order.to_string()));
        }
        if let [only] = said.tournaments[..] {
            metadata.insert("tournament_id".to_owned(), json!(only.to_string()));
        }
        Keys {
            product_name,
            metadata,
        }
    }

    /// Sets what the order's row names.
    pub async fn name_object(
        &self,
        order: i64,
        id: Option<&str>,
        url: Option<&str>,
        payment: Option<&str>,
    ) {
        let or_null = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), literal);
        self.execute(&format!(
            "UPDATE orders SET stripe_checkout_session_id = {}, stripe_checkout_url = {}, \
             stripe_payment_intent_id = {} WHERE id = {order}",
            or_null(id),
            or_null(url),
            or_null(payment),
        ))
        .await;
    }
}

/// One line about a row, for a listing of a world. Times are left out but for whether it was paid.
pub fn tell_of(row: &Row) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let paid = row.paid_at.as_ref().map_or("", |_| ", paid");
    format!(
        "order {} {}{paid}: {} {} {}",
        row.id,
        row.status,
        row.amount_cents.unwrap_or_default(),
        or_dash(&row.reference),
        or_dash(&row.url),
    )
}

/// A text as an SQL literal of both databases.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
