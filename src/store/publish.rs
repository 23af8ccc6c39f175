//! Publishing: the compare-and-set that writes a new link into an order's row, if the row still is what the
//! decision was made on.
//!
//! It refuses to write over a row that moved. It commits nothing: the journal does, together with its own word
//! about it.

use sqlx::AssertSqlSafe;

use super::row;
use super::schema::Names;
use super::transaction::Transaction;
use super::{Publication, Published, Store, StoreError, URL_CAPACITY};

const WHAT: &str = "publish the link of an order";

impl Publication {
    /// # Errors
    /// [`StoreError::UrlTooLong`]: the row could not hold the URL.
    pub(super) fn check_length(&self) -> Result<(), StoreError> {
        let length = self.url.chars().count();
        if length > URL_CAPACITY {
            let order = self.order;
            return Err(StoreError::UrlTooLong { order, length });
        }
        Ok(())
    }
}

impl Store {
    /// Whether this session may publish at all, found out with the very statements that publish, on no row,
    /// rolled back. Asked before anything is retired: a run that may close links but not store new ones
    /// would leave parents with none.
    ///
    /// # Errors
    /// [`StoreError::AccessDenied`] where the role or the session may not write.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        const NO_ORDER: i64 = 0;
        let mut transaction = self.begin(WHAT).await?;
        sqlx::query(AssertSqlSafe(self.look_statement()))
            .bind(NO_ORDER)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(StoreError::query(WHAT))?;
        sqlx::query(AssertSqlSafe(self.set_statement()))
            .bind("")
            .bind("")
            .bind(NO_ORDER)
            .bind("")
            .bind("")
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::query(WHAT))?;
        transaction
            .rollback()
            .await
            .map_err(|error| StoreError::sort(WHAT, &error))
    }

    /// Writes the link and its URL (and `updated_at`) into the order's row, within a writing transaction, if the
    /// order is still pending and still has the expected reference and amount. It begins with a look at the locked
    /// row, which waits for a commit under way. A row that already holds the link is `Done`, whatever else moved.
    ///
    /// # Errors
    /// What any query can meet; the transaction is not committed then.
    pub(super) async fn set_link(
        &self,
        transaction: &mut Transaction,
        publication: &Publication,
    ) -> Result<Published, StoreError> {
        let row = sqlx::query(AssertSqlSafe(self.look_statement()))
            .bind(publication.order.0)
            .fetch_optional(&mut **transaction)
            .await
            .map_err(StoreError::query(WHAT))?;
        let Some(row) = row else {
            return Ok(Published::RowMoved);
        };
        let held = row::text(&row, "reference").map_err(StoreError::query(WHAT))?;
        if held.as_deref() == Some(publication.link.as_str()) {
            return Ok(Published::Done);
        }
        let written = sqlx::query(AssertSqlSafe(self.set_statement()))
            .bind(publication.link.as_str())
            .bind(publication.url.as_str())
            .bind(publication.order.0)
            .bind(publication.expected_reference.as_deref().unwrap_or(""))
            .bind(publication.expected_amount_minor.to_string())
            .execute(&mut **transaction)
            .await
            .map_err(StoreError::query(WHAT))?;
        match written.rows_affected() {
            0 => Ok(Published::RowMoved),
            1 => Ok(Published::Done),
            rows => {
                let order = publication.order;
                let detail = format!(
                    "{rows} rows of `{}` have id {order}",
                    self.names.orders_table.path()
                );
                Err(StoreError::Query { what: WHAT, detail })
            }
        }
    }

    /// What every UPDATE of an order sets besides, where the table has the column.
    pub(super) fn set_updated_at(&self) -> String {
        match self.has_updated_at {
            true => format!(
                ", {} = {}",
                self.names.order_updated_at.bare(),
                self.dialect.now()
            ),
            false => String::new(),
        }
    }

    fn look_statement(&self) -> String {
        let Names {
            order_id,
            order_reference,
            orders_table,
            ..
        } = &*self.names;
        let reference = self.read_as_text(order_reference);
        let lock = self.dialect.row_lock();
        format!("SELECT {reference} AS reference FROM {orders_table} WHERE {order_id} = $1{lock}")
    }

    /// The compare-and-set. The amount is compared as text, so that a value which is not exactly that
    /// whole number never matches.
    fn set_statement(&self) -> String {
        let Names {
            order_amount,
            order_id,
            order_reference,
            order_status,
            order_url,
            orders_table,
            ..
        } = &*self.names;
        let (reference, url) = (order_reference.bare(), order_url.bare());
        let (status, amount) = (
            self.dialect.text(order_status),
            self.dialect.text(order_amount),
        );
        let pending = self.names.states.literal("pending");
        let touched = self.set_updated_at();
        format!(
            "UPDATE {orders_table} SET {reference} = $1, {url} = $2{touched} \
             WHERE {order_id} = $3 AND {status} = {pending} \
             AND COALESCE({order_reference}, '') = $4 AND {amount} = $5"
        )
    }
}
