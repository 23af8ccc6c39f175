//! One operation from where it stands to its end: asks the protocol what comes next, commits the operation, does it,
//! feeds back what came of it.
//!
//! Who lost the lease touches nothing more, and undoes nothing.

use super::Run;
use super::key::FirstTried;
use crate::domain::{CheckoutReference, Order};
use crate::logging::ENDING;
use crate::redact::{redact, without_addresses};
use crate::saga::{Disposition, Ending, Minted, Next, Observed, Operation, Write};
use crate::store::{JournalError, Lease, Outcome, Publication, Published, StepId};
use crate::stripe::Recall;

/// The operation that is worked on, and by which right.
pub(super) struct Held {
    pub lease: Lease,
    pub operation: Operation,
    /// Seconds since the key of its mint was intended for the first time, when the operation was taken over.
    pub mint_age: Option<i64>,
    /// The mint that the operation intends.
    pub mint_tried: FirstTried,
    /// What was read since the claim and need not be read again.
    pub recall: Recall,
}

/// What came of one request, to be journaled with the state that follows from it.
pub(super) struct Concluded {
    pub step: StepId,
    pub outcome: Outcome,
}

impl Run<'_> {
    /// One operation from where it stands to its end.
    pub(super) async fn drive(
        &self,
        mut held: Held,
        mut observed: Observed,
        order: Option<&Order>,
    ) -> (Vec<CheckoutReference>, Ending) {
        let mut concluded: Option<Concluded> = None;
        loop {
            let before = held.operation.clone();
            let (moved, next) = (self.site.protocol)(held.operation, observed);
            held.operation = moved;
            if let Some(done) = concluded.take() {
                // An operation that ends here is written as ended by `end`, or left as it stood.
                let standing = match next {
                    Next::End(_) => &before,
                    _ => &held.operation,
                };
                if let Err(stop) = self.conclude(&held.lease, standing, &done).await {
                    // Known or not, whatever follows is for whoever holds the order next.
                    observed = stop;
                    continue;
                }
            }
            if self.interrupt.asked().is_some() && asks_stripe(&next) {
                // What was decided just now is not journaled: nothing was written by it.
                held.operation.has_written = before.has_written;
                observed = Observed::Interrupted;
                continue;
            }
            observed = match next {
                Next::Look => self.look(&mut held).await,
                Next::Send { write, round } => {
                    match &write {
                        Write::Deactivate(link) => held.recall.forget_link(link),
                        // Of sessions only those that are over are kept, and none of them is expired again.
                        Write::Expire(_) => {}
                    }
                    let (seen, done) = self.retire(&held, &write, round).await;
                    concluded = done;
                    seen
                }
                Next::Mint { attempt } => match self.intend_mint(&mut held, attempt, order) {
                    Ok(()) => {
                        let (seen, done) = self.mint(&mut held).await;
                        concluded = done;
                        seen
                    }
                    Err(why) => Observed::Refused(why.to_owned()),
                },
                Next::Seek => self.seek(&held).await,
                Next::Publish(minted) => {
                    held.recall.publish(&minted.id);
                    self.publish(&held, &minted).await
                }
                Next::End(ending) => {
                    let ending = discreet(ending);
                    self.end(&held, &ending).await;
                    report_ending(&held.operation, &ending);
                    return (held.operation.retired, ending);
                }
            };
        }
    }

    /// The mint of this attempt as it is made now, unless it was intended before.
    ///
    /// # Errors
    /// Why none can be made.
    fn intend_mint(
        &self,
        held: &mut Held,
        attempt: u32,
        order: Option<&Order>,
    ) -> Result<(), &'static str> {
        if held.operation.intended(attempt).is_some() {
            return Ok(());
        }
        let order = order.ok_or("what was approved of the order has moved since")?;
        let mint = self.render(order, &held.operation);
        let mint = mint.ok_or("the order lacks its product, player or amount")?;
        held.operation.intend(mint);
        held.mint_tried = FirstTried::now();
        Ok(())
    }

    async fn conclude(
        &self,
        lease: &Lease,
        operation: &Operation,
        done: &Concluded,
    ) -> Result<(), Observed> {
        let journal = self.site.journal;
        journal
            .conclude(lease, operation, done.step.clone(), &done.outcome)
            .await
            .map_err(|error| self.fenced_or_unknown(&error))
    }

    /// The row and the operation in one transaction: what is published is confirmed next, by whomever.
    async fn publish(&self, held: &Held, minted: &Minted) -> Observed {
        let (Some(order), Some(amount)) = (held.operation.order, held.operation.expected.amount)
        else {
            return Observed::RowMoved;
        };
        let publication = Publication {
            order,
            expected_reference: held
                .operation
                .expected
                .reference
                .as_ref()
                .map(|r| r.as_str().to_owned()),
            expected_amount_minor: amount.minor,
            link: minted.id.clone(),
            url: minted.url.clone(),
        };
        let (published, _) = (self.site.protocol)(held.operation.clone(), Observed::Published);
        let journal = self.site.journal;
        match journal.publish(&held.lease, &published, &publication).await {
            Ok(Published::Done) => Observed::Published,
            Ok(Published::RowMoved) => Observed::RowMoved,
            Err(error) => self.fenced_or_unknown(&error),
        }
    }

    pub(super) fn fenced_or_unknown(&self, error: &JournalError) -> Observed {
        match error {
            JournalError::Fenced => Observed::Fenced,
            JournalError::Store(error) => {
                self.note_store(error);
                Observed::Unknown(format!("the journal: {error}"))
            }
        }
    }

    /// A journal that cannot be reached leaves the operation open: the lease runs out, and the next run goes
    /// on from what was committed last.
    async fn end(&self, held: &Held, ending: &Ending) {
        let journal = self.site.journal;
        let ended = match held.operation.disposition(ending) {
            Disposition::Done => journal.close(&held.lease, &held.operation, true).await,
            Disposition::Closed => journal.close(&held.lease, &held.operation, false).await,
            Disposition::LeftOpen => journal.release(&held.lease).await,
            Disposition::NotOurs => Ok(()),
        };
        if let Err(error) = ended {
            let order = held.operation.order.map(|id| id.0);
            tracing::warn!(order, %error, "the end of an operation could not be journaled");
        }
    }
}

/// Whether it takes a request to Stripe. Whoever asked the run to stop waits for the one at hand and no other.
fn asks_stripe(next: &Next) -> bool {
    match next {
        Next::Look | Next::Send { .. } | Next::Mint { .. } | Next::Seek => true,
        Next::Publish(_) | Next::End(_) => false,
    }
}

/// Stripe repeats what it refuses: a key, or a parent's address.
pub(super) fn discreet(mut ending: Ending) -> Ending {
    if let Ending::Unknown { why, .. }
    | Ending::Unavailable { why, .. }
    | Ending::Refused { why, .. }
    | Ending::Replaced {
        unconfirmed: Some(why),
        ..
    } = &mut ending
    {
        *why = without_addresses(&redact(why));
    }
    ending
}

fn report_ending(operation: &Operation, ending: &Ending) {
    let order = operation.order.map(|id| id.0);
    match ending {
        Ending::Replaced { link, .. } => {
            tracing::info!(order, link = %link.id, "link replaced");
        }
        Ending::Retired => tracing::info!(order, "retired"),
        Ending::Moved { verdict, reason } => {
            tracing::info!(order, %verdict, %reason, "order moved since the approval");
        }
        other => tracing::warn!(target: ENDING, order, ending = ?other, "order not done"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LinkId;

    #[test]
    fn no_ending_repeats_an_address_that_stripe_repeated() {
        let why = || "Stripe refused: ann@example.com".to_owned();
        let what = String::new;
        let link = Minted {
            id: LinkId::parse("plink_new").unwrap_or_else(|e| panic!("{e}")),
            url: "https://buy.stripe.com/new".to_owned(),
        };
        for ending in [
            Ending::Refused {
                what: what(),
                why: why(),
            },
            Ending::Unavailable {
                what: what(),
                why: why(),
            },
            Ending::Unknown {
                what: what(),
                why: why(),
            },
            Ending::Replaced {
                link,
                unconfirmed: Some(why()),
            },
        ] {
            let shown = format!("{:?}", discreet(ending));
            assert!(!shown.contains("ann@"), "{shown}");
        }
    }
}
