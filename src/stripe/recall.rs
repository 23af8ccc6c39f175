//! What one operation has read and need not read again: a session that expired for good; the pages of a link that was
//! dead before anything was done; for the look after the publication, the own link as it was right before it.
//!
//! It never keeps what is live but for that look, nor anything for another operation: whoever goes on with one reads
//! everything anew. An operation that is begun knows the dead links that its plan was made of, until it has something to
//! close: who ends without a publication must have read everything itself. Links are read again in every look; only what is listed of them is kept, until the index tells of a
//! change.

use std::collections::{BTreeSet, HashMap};

use super::{Client, Index, Mark, StripeError};
use crate::domain::{
    CheckoutReference, Family, LinkId, OrderFacts, Owner, Reading, Session, SessionId, StripeObject,
};
use crate::plan;

#[derive(Clone, Debug, Default)]
pub struct Recall {
    expired: HashMap<SessionId, Session>,
    /// Links that were dead, with all their pages.
    dead: HashMap<LinkId, (Family, Mark)>,
    /// The same, as they were read for the plan.
    planned: HashMap<LinkId, (Family, Mark)>,
    /// Links that this operation made and that nobody else knows of.
    secret: BTreeSet<LinkId>,
    /// The own link as it was read to be published.
    examined: Option<(Family, Mark)>,
}

impl Recall {
    /// The dead links that name the order, as they were read for its plan; `mark` is from before that. Of a link that names
    /// nobody, a page that is opened later is found by its list alone.
    #[must_use]
    pub fn of_plan(facts: &OrderFacts, mark: Mark) -> Recall {
        let own = Owner::Order(facts.order.id);
        let dead = plan::objects(facts).filter(|object| object.is_over() && *object.owner() == own);
        let families = dead.filter_map(|object| match object {
            StripeObject::Link(family) => Some((family.link.id.clone(), (family.clone(), mark))),
            StripeObject::Session(_) => None,
        });
        Recall {
            planned: families.collect(),
            ..Recall::default()
        }
    }

    /// Something is to be closed.
    pub fn forget_plan(&mut self) {
        self.planned.clear();
    }

    /// Whether it is shown as it was for the plan.
    #[must_use]
    pub fn is_planned(&self, link: &LinkId) -> bool {
        self.planned.contains_key(link)
    }

    /// Nothing would be shown that was not read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expired.is_empty()
            && self.dead.is_empty()
            && self.planned.is_empty()
            && self.secret.is_empty()
            && self.examined.is_none()
    }

    /// To be shown as it is from now on.
    pub fn keep_expired(&mut self, session: Session) {
        self.expired.insert(session.id.clone(), session);
    }

    /// Its pages are those from now on, until it is active or the index tells of a change after `mark`.
    pub fn keep_dead(&mut self, family: Family, mark: Mark) {
        self.dead.insert(family.link.id.clone(), (family, mark));
    }

    /// The link was made just now, by a request that was answered for the first time.
    pub fn keep_secret(&mut self, link: LinkId) {
        self.secret.insert(link);
    }

    /// It is about to be stored: from now on somebody may open it.
    pub fn publish(&mut self, link: &LinkId) {
        self.secret.remove(link);
    }

    #[must_use]
    pub fn is_secret(&self, link: &LinkId) -> bool {
        self.secret.contains(link)
    }

    /// For the look that follows on the publication, and for no other.
    pub fn keep_examined(&mut self, family: Family, mark: Mark) {
        self.examined = Some((family, mark));
    }

    /// A request that changes the link is about to leave: whatever was known of it is history, event or not.
    pub fn forget_link(&mut self, link: &LinkId) {
        self.dead.remove(link);
        self.planned.remove(link);
        self.secret.remove(link);
        self.examined = None;
    }

    pub fn forget_examined(&mut self) {
        self.examined = None;
    }
}

impl Client {
    /// [`Client::read`], but for what is recalled.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn read_or_recall(
        &self,
        reference: &CheckoutReference,
        index: &Index,
        recall: &Recall,
    ) -> Result<Reading, StripeError> {
        let id = match reference {
            CheckoutReference::Session(id) => {
                return match recall.expired.get(id) {
                    Some(session) => Ok(Reading::Seen(StripeObject::Session(session.clone()))),
                    None => self.read(reference).await,
                };
            }
            CheckoutReference::Link(id) => id,
            CheckoutReference::Other(_) => return self.read(reference).await,
        };
        let stands = |(family, mark): &&(Family, Mark)| {
            family.link.id == *id && !index.has_changed_since(id, *mark)
        };
        if let Some((family, _)) = recall.examined.as_ref().filter(stands) {
            return Ok(Reading::Seen(StripeObject::Link(family.clone())));
        }
        if recall.is_secret(id) {
            return self.read_secret(id).await;
        }
        let dead = recall.dead.get(id).or_else(|| recall.planned.get(id));
        match dead.filter(stands) {
            Some((family, _)) => self.read_dead(family).await,
            None => self.read(reference).await,
        }
    }
}
