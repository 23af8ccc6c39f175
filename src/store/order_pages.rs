//! Orders page by page, by id: of a million, no more than a page is held.
//!
//! Each page is one state of the database, and no two need be the same one: a transaction over all of them would keep
//! the application's dead rows alive for as long as Stripe takes to be read.

use std::collections::BTreeSet;

use super::order_filter::{Filter, Range, UpTo};
use super::orders::with_tournaments;
use super::{Scope, Selection, Store, StoreError};
use crate::domain::{Currency, Order, OrderId, TournamentId};

/// What may be read page by page.
#[derive(Clone, Debug)]
pub struct OrderPages {
    tournament: Option<TournamentId>,
    exclude: BTreeSet<OrderId>,
    /// Rows of a page.
    size: u32,
}

/// One of them; an excluded order is not in it.
#[derive(Debug)]
pub struct OrderPage {
    pub orders: Vec<Order>,
    /// Where the next one begins; `None`: there is none.
    pub next: Option<OrderId>,
}

impl OrderPages {
    /// `None` for orders that were named one by one: those are few.
    #[must_use]
    pub fn of(selection: &Selection, size: u32) -> Option<Self> {
        let tournament = match &selection.scope {
            Scope::All => None,
            Scope::Tournament(id) => Some(*id),
            Scope::Orders(_) | Scope::Known(_) => return None,
        };
        Some(OrderPages {
            tournament,
            exclude: selection.exclude.iter().copied().collect(),
            size,
        })
    }
}

impl Store {
    /// The orders above `above`, or the first ones.
    ///
    /// # Errors
    /// [`StoreError::UnknownTournament`]; besides it, what any query can meet.
    pub async fn order_page(
        &self,
        pages: &OrderPages,
        above: Option<OrderId>,
        currency: Currency,
    ) -> Result<OrderPage, StoreError> {
        let mut snapshot = self.snapshot().await?;
        if let Some(id) = pages.tournament.filter(|_| above.is_none()) {
            self.require_tournament(&mut snapshot, id).await?;
        }
        let above = above.unwrap_or(OrderId(i64::MIN));
        let range = |up_to| {
            Filter::Range(Range {
                tournament: pages.tournament,
                above,
                up_to,
            })
        };
        let filter = range(UpTo::Rows(pages.size));
        let fetched = self.fetch_rows(&mut snapshot, &filter).await?;
        let is_full = fetched.len() >= pages.size as usize;
        let rows = self.orders_of(&fetched, currency)?;
        let last = rows.last().map(|(order, _)| order.id);
        let orders = match last {
            None => Vec::new(),
            Some(last) => {
                let same = range(UpTo::Order(last));
                let sold_by = self.read_tournaments(&mut snapshot, &same).await?;
                with_tournaments(rows, &sold_by)
            }
        };
        snapshot.leave().await;
        let is_meant = |order: &Order| !pages.exclude.contains(&order.id);
        Ok(OrderPage {
            orders: orders.into_iter().filter(is_meant).collect(),
            next: last.filter(|_| is_full),
        })
    }
}
