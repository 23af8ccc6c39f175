//! The looks: the row and every object of the order, read anew, and everything the operation has touched.
//!
//! What could not be read is said so; a look never fills a gap.

use super::Run;
use super::drive::Held;
use crate::domain::{
    JournalFacts, Order, OrderFacts, OrderId, PaymentLink, Reading, StripeObject, Timestamp,
};
use crate::plan::Moment;
use crate::saga::{Look, Minted, Observed, Operation, State, Task};
use crate::stripe::{Mark, Recall, StripeError, observe_watched};

/// Seconds. Events reach back 30 days (docs.stripe.com/api/events).
const OLDEST_EVENT: i64 = 30 * 86_400;
/// A saved answer is about a day old at most; the margin covers what two clocks may differ by.
const LEAST_LOOK_BACK: i64 = 26 * 3600;
const MARGIN: i64 = 3600;
const LOOKS_AT_A_MOVING_ROW: u32 = 5;

impl Run<'_> {
    pub(super) async fn look(&self, held: &mut Held) -> Observed {
        if held.operation.state != State::Confirming {
            held.recall.forget_examined();
        }
        if matches!(held.operation.state, State::Retiring { .. }) {
            held.recall.forget_plan();
        }
        let mark = self.site.index.latest().mark();
        let observed = self.look_at(held).await;
        if let Observed::Looked(look) = &observed {
            remember(held, look, mark);
        }
        observed
    }

    async fn look_at(&self, held: &Held) -> Observed {
        let (operation, recall) = (&held.operation, &held.recall);
        let index = self.site.index.latest();
        let looked = match operation.order {
            Some(id) => self.look_at_order(id, operation, recall).await,
            None => Ok(Look {
                decision: None,
                objects: Vec::new(),
            }),
        };
        let mut look = match looked {
            Ok(look) => look,
            Err(why) => return Observed::Unread(why),
        };
        let named = match &operation.task {
            Task::RetireObjects(objects) => objects.as_slice(),
            Task::Replace | Task::Mint | Task::Retire | Task::Withdraw => &[],
        };
        for reference in operation.watched.iter().chain(named) {
            let shown = |object: &StripeObject| object.reference() == *reference;
            if look.objects.iter().any(shown) {
                continue;
            }
            let read = self.site.stripe.read_or_recall(reference, index, recall);
            match read.await {
                Ok(Reading::Seen(object)) => look.objects.push(object),
                Ok(Reading::Unread(why)) => return Observed::Unread(why),
                Ok(Reading::NoSuchObject) => return Observed::Missing(reference.clone()),
                Ok(Reading::NotLive) => {
                    return Observed::Unread(format!("Stripe does not show {reference}"));
                }
                Err(error) => return Observed::Unread(self.note(&error)),
            }
        }
        Observed::Looked(Box::new(look))
    }

    async fn look_at_order(
        &self,
        id: OrderId,
        operation: &Operation,
        recall: &Recall,
    ) -> Result<Look, String> {
        match self.facts(id, operation, recall).await? {
            Some(facts) => Ok(Look::at_order(&facts, self.moment(), self.policy)),
            None => Ok(Look::without_row(id, self.objects_naming(id).await?)),
        }
    }

    /// What named an order whose row is gone, when it was listed.
    async fn objects_naming(&self, id: OrderId) -> Result<Vec<StripeObject>, String> {
        let site = self.site;
        let index = site.index.current(site.stripe).await;
        let index = index.map_err(|e| self.note(&e))?;
        if let Some(why) = index.gap() {
            return Err(why.to_owned());
        }
        let mut objects = Vec::new();
        for reference in index.naming(id) {
            match site.stripe.read(&reference).await {
                Ok(Reading::Seen(object)) => objects.push(object),
                Ok(Reading::NoSuchObject | Reading::NotLive) => {}
                Ok(Reading::Unread(why)) => return Err(why),
                Err(error) => return Err(self.note(&error)),
            }
        }
        Ok(objects)
    }

    /// The facts of the order as they are now; `None` when its row is gone. Its own open operation is ours and
    /// no fact about it.
    ///
    /// The row and Stripe are two readings: a session that the application makes and stores in between would
    /// look like a second one. So the row is read again, and everything once more if it moved.
    pub(super) async fn facts(
        &self,
        id: OrderId,
        operation: &Operation,
        recall: &Recall,
    ) -> Result<Option<OrderFacts>, String> {
        for _ in 0..LOOKS_AT_A_MOVING_ROW {
            let Some(row) = self.row(id).await? else {
                return Ok(None);
            };
            let facts = self.facts_of(row, operation, recall).await?;
            let again = self.row(id).await?;
            if again.is_some_and(|row| is_same_row(&facts.order, &row)) {
                return Ok(Some(facts));
            }
        }
        Err(format!("the row of order {id} does not stand still"))
    }

    async fn row(&self, id: OrderId) -> Result<Option<Order>, String> {
        let row = self.site.store.order_row(id, self.site.currency).await;
        row.map_err(|e| e.to_string())
    }

    async fn facts_of(
        &self,
        row: Order,
        operation: &Operation,
        recall: &Recall,
    ) -> Result<OrderFacts, String> {
        let (site, id) = (self.site, row.id);
        // Before publishing, what appeared since the index was built counts as well.
        let index = if operation.needs_current_index() {
            let current = site.index.current(site.stripe).await;
            current.map_err(|e| self.note(&e))?
        } else {
            site.index.latest()
        };
        let watched = &operation.watched;
        let facts = observe_watched(site.stripe, row.into(), index, watched, recall).await;
        let mut facts = facts.map_err(|e| self.note(&e))?;
        if operation.state == State::Claimed {
            facts.journal = self.journaled(id).await?;
        }
        Ok(facts)
    }

    /// What others did on purpose since the plan counts at the claim.
    async fn journaled(&self, id: OrderId) -> Result<JournalFacts, String> {
        let facts = self.site.store.ended_facts(self.mode, id).await;
        facts.map_err(|e| e.to_string())
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            taken_at: self.site.stripe.now().unwrap_or(Timestamp(0)),
            witness: self.site.witness,
        }
    }

    /// Looks for the link of the intended mint: by the events that name its key, then among the active links.
    pub(super) async fn seek(&self, held: &Held) -> Observed {
        match self.find_minted(held).await {
            Ok(minted) => Observed::Sought(minted),
            Err(error) => Observed::Unread(self.note(&error)),
        }
    }

    async fn find_minted(&self, held: &Held) -> Result<Option<Minted>, StripeError> {
        let Some(intended) = &held.operation.mint else {
            return Ok(None);
        };
        let (site, mint) = (self.site, &intended.mint);
        let now = site.stripe.now().unwrap_or(Timestamp(0));
        let since = oldest_event(now, held.mint_age);
        let by_event = site
            .stripe
            .links_minted_with(&mint.write.key, &mint.relink_key, since)
            .await?;
        let mut found = by_event;
        let index = site.index.current(site.stripe).await?;
        found.extend(index.minted_as(&mint.relink_key));
        found.sort();
        found.dedup();
        let mut best: Option<PaymentLink> = None;
        for id in found {
            let link = match site.stripe.link_family(&id).await {
                Ok(family) => family.link,
                Err(StripeError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            if best.is_none() || link.active {
                best = Some(link);
            }
        }
        Ok(best.map(|link| Minted {
            id: link.id,
            url: link.url,
        }))
    }
}

/// Keeps what a later look would show as it is: sessions that are over for good; the pages of links that were dead before
/// anything was done; and for the look after the publication the link that was read right before it.
fn remember(held: &mut Held, look: &Look, mark: Mark) {
    for object in &look.objects {
        match (object, &held.operation.state) {
            (StripeObject::Session(session), _) if object.is_over() => {
                held.recall.keep_expired(session.clone());
            }
            // What was not read in this look has the mark of the look that it was read in.
            (StripeObject::Link(family), State::Claimed)
                if object.is_over() && !held.recall.is_planned(&family.link.id) =>
            {
                held.recall.keep_dead(family.clone(), mark);
            }
            (StripeObject::Link(family), State::Examining)
                if held.recall.is_secret(&family.link.id) =>
            {
                held.recall.keep_examined(family.clone(), mark);
            }
            _ => {}
        }
    }
}

/// From when on the events are asked for a mint that was first intended so many seconds ago.
fn oldest_event(now: Timestamp, mint_age: Option<i64>) -> Timestamp {
    let age = mint_age.unwrap_or(0).max(LEAST_LOOK_BACK);
    let back = age.saturating_add(MARGIN).min(OLDEST_EVENT);
    Timestamp(now.0.saturating_sub(back))
}

/// In what a decision rests on.
fn is_same_row(one: &Order, other: &Order) -> bool {
    one.status == other.status && one.reference == other.reference && one.amount == other.amount
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn hours_back(mint_age: Option<i64>) -> i64 {
        (NOW.0 - oldest_event(NOW, mint_age).0) / HOUR
    }

    /// Under a young key Stripe may repeat an answer that is a day old: the link is as old as that.
    #[test]
    fn the_events_are_searched_for_longer_than_stripe_may_repeat_an_answer() {
        for age in [None, Some(0), Some(HOUR)] {
            assert_eq!(hours_back(age), 27, "{age:?}");
        }
    }

    #[test]
    fn the_events_are_searched_from_before_the_mint_and_never_further_than_they_reach() {
        assert_eq!(hours_back(Some(100 * HOUR)), 101);
        assert_eq!(hours_back(Some(90 * 24 * HOUR)), 30 * 24);
        assert_eq!(hours_back(Some(i64::MAX)), 30 * 24);
    }
}
