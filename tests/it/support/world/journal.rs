//! The journal as a test sees it: SQL of its own over relink's tables, and the passing of a day.

use serde_json::Value;

use super::{Backend, World};

impl World {
    /// A table of the journal in this world's database: `steps` is `relink.steps` or `relink_steps`.
    pub fn journal_table(&self, name: &str) -> String {
        match self.backend {
            Backend::Sqlite => format!("relink_{name}"),
            Backend::Postgres(_) => format!("relink.{name}"),
        }
    }

    /// The first column of every row of a query over one table of the journal, as text. `{}` stands for the table.
    pub async fn journaled(&self, table: &str, query: &str) -> Vec<String> {
        let query = query.replace("{}", &self.journal_table(table));
        self.rows.texts(&query).await
    }

    /// Whether any run has made the journal's tables.
    pub async fn has_journal(&self) -> bool {
        self.has_journal_table("operations").await
    }

    /// Later tables are made by transactions of their own.
    pub async fn has_journal_table(&self, name: &str) -> bool {
        let table = self.journal_table(name);
        let found = match self.backend {
            Backend::Sqlite => format!("SELECT name FROM sqlite_master WHERE name = '{table}'"),
            Backend::Postgres(_) => format!("SELECT CAST(to_regclass('{table}') AS TEXT)"),
        };
        self.rows
            .texts(&found)
            .await
            .iter()
            .any(|name| !name.is_empty())
    }

    /// Stripe forgets its keys, and a day and an hour pass on its clock and on the database's: what was written
    /// before is that much older.
    pub async fn a_day_passes(&self) {
        let seconds = 25 * 3600;
        self.pass(seconds).await;
        self.stripe.tell("forget-keys", Value::Null).await;
        if self.has_journal().await {
            self.age_journal(seconds).await;
        }
    }

    /// What the journal holds is that much older.
    pub async fn age_journal(&self, seconds: i64) {
        let operations = self.journal_table("operations");
        let older = |column: &str| format!("{column} = {column} - {}", seconds * 1_000_000);
        let columns = [
            "mint_intended_at",
            "lease_until",
            "held_since",
            "begun_at",
            "updated_at",
        ];
        let set: Vec<String> = columns.iter().map(|column| older(column)).collect();
        self.rows
            .execute(&format!("UPDATE {operations} SET {}", set.join(", ")))
            .await;
        if !self.has_journal_table("retirements").await {
            return;
        }
        let retirements = self.journal_table("retirements");
        let due = older("next_attempt_at");
        self.rows
            .execute(&format!("UPDATE {retirements} SET {due}"))
            .await;
    }
}
