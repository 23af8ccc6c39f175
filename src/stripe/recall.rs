//! What one operation has read and need not read again: what nobody can make payable any more without a change that the
//! index tells of.
//!
//! It never keeps what is live, nor anything for another operation: whoever goes on with one reads everything anew.

use std::collections::{BTreeSet, HashMap};

use super::{Client, Index, Mark, StripeError};
use crate::domain::{CheckoutReference, LinkId, Reading, StripeObject};

#[derive(Debug, Default)]
pub struct Recall {
    kept: HashMap<CheckoutReference, (StripeObject, Mark)>,
    /// Links that this operation made and that nobody else knows of.
    secret: BTreeSet<LinkId>,
}

impl Recall {
    /// To be shown from now on as it was read after `mark`, until the index tells of a change.
    pub fn keep(&mut self, object: StripeObject, mark: Mark) {
        self.kept.insert(object.reference(), (object, mark));
    }

    /// To be read again.
    pub fn forget(&mut self, reference: &CheckoutReference) {
        self.kept.remove(reference);
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

    fn find(&self, reference: &CheckoutReference, index: &Index) -> Option<&StripeObject> {
        let (object, mark) = self.kept.get(reference)?;
        match object {
            StripeObject::Link(family) if index.has_changed_since(&family.link.id, *mark) => None,
            _ => Some(object),
        }
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
        if let Some(object) = recall.find(reference, index) {
            return Ok(Reading::Seen(object.clone()));
        }
        match reference {
            CheckoutReference::Link(id) if recall.is_secret(id) => self.read_secret(id).await,
            _ => self.read(reference).await,
        }
    }
}
