//! The requests that write. Each is journaled before it leaves, and only its own answer is believed of it.
//!
//! A request whose lease may be gone does not leave.

use super::Run;
use super::drive::{Concluded, Held};
use super::key::FirstTried;
use crate::actions::{
    Mint, MintTerms, Round, StripeWrite, deactivate_link, expire_session, mint_link,
};
use crate::domain::Order;
use crate::saga::{Minted, Observed, Operation, Write};
use crate::store::{Intent, Outcome, OutcomeKind, StepAction};
use crate::stripe::{Reply, StripeError, WriteError};

/// Why a request did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeptBack {
    AskedToStop,
    /// Whoever holds the order by then may have sent it.
    LeaseMayBeGone,
    /// An earlier request with the key may have left, and Stripe may know nothing of it any more.
    KeyMayBeForgotten,
}

impl KeptBack {
    fn words(self) -> &'static str {
        match self {
            KeptBack::AskedToStop => "it was not sent: the run was asked to stop",
            KeptBack::LeaseMayBeGone => "this run did not send it: its lease may have run out",
            KeptBack::KeyMayBeForgotten => {
                "this run did not send it: Stripe may have forgotten its key"
            }
        }
    }

    /// Only the stop says that nothing happened: what the lease or the key was for may have been done by another
    /// request.
    fn seen(self) -> Observed {
        match self {
            KeptBack::AskedToStop => Observed::Interrupted,
            KeptBack::LeaseMayBeGone | KeptBack::KeyMayBeForgotten => {
                Observed::Unknown(self.words().to_owned())
            }
        }
    }

    fn outcome(self) -> Outcome {
        Outcome {
            kind: OutcomeKind::Refused,
            result_id: None,
            result_url: None,
            request_id: None,
            error: Some(self.words().to_owned()),
        }
    }
}

impl Run<'_> {
    pub(super) async fn retire(
        &self,
        held: &Held,
        write: &Write,
        round: u32,
    ) -> (Observed, Option<Concluded>) {
        let run = self.site.journal.run();
        let round = Round {
            run: run.as_str(),
            number: round,
        };
        let (action, request) = match write {
            Write::Deactivate(link) => (
                StepAction::Deactivate,
                deactivate_link::request(link, round),
            ),
            Write::Expire(session) => (StepAction::Expire, expire_session::request(session, round)),
        };
        let intent = Intent {
            action,
            object: Some(write.target()),
            attempt: held.operation.attempt,
            write: request,
        };
        self.perform(held, &intent, |answer| match answer {
            Ok(_) => Observed::Done,
            Err(error) => self.failed(error),
        })
        .await
    }

    /// Sends the mint that the operation intends, byte for byte as it is journaled.
    pub(super) async fn mint(&self, held: &mut Held) -> (Observed, Option<Concluded>) {
        let Some(intended) = &held.operation.mint else {
            let why = "no mint was intended".to_owned();
            return (Observed::Refused(why), None);
        };
        let intent = Intent {
            action: StepAction::Mint,
            object: None,
            attempt: intended.attempt,
            write: intended.mint.write.clone(),
        };
        let mut is_new = false;
        let (seen, done) = self
            .perform(held, &intent, |answer| match answer {
                Ok(reply) => match reply.minted() {
                    Ok((id, url)) => {
                        is_new = !reply.replayed;
                        Observed::Minted(Minted { id, url })
                    }
                    Err(error) => Observed::Unknown(error.to_string()),
                },
                Err(error) if is_spent(error) => Observed::KeySpent(error.to_string()),
                Err(error) => self.failed(error),
            })
            .await;
        if let Observed::Minted(minted) = &seen
            && is_new
        {
            held.recall.keep_secret(minted.id.clone());
        }
        (seen, done)
    }

    async fn perform(
        &self,
        held: &Held,
        intent: &Intent,
        read: impl FnOnce(&Result<Reply, WriteError>) -> Observed,
    ) -> (Observed, Option<Concluded>) {
        let journal = self.site.journal;
        let step = match journal.intend(&held.lease, &held.operation, intent).await {
            Ok(step) => step,
            Err(error) => return (self.fenced_or_unknown(&error), None),
        };
        let tried = match intent.action {
            StepAction::Mint => held.mint_tried,
            StepAction::Deactivate | StepAction::Expire | StepAction::Publish => FirstTried::now(),
        };
        let (seen, outcome) = match self.send(held, &intent.write, tried).await {
            Ok(answer) => (read(&answer), outcome(intent.action, &answer)),
            Err(kept_back) => (kept_back.seen(), kept_back.outcome()),
        };
        (seen, Some(Concluded { step, outcome }))
    }

    /// # Errors
    /// It did not leave: somebody asked the run to stop, or too much time passed since the intent was committed, in
    /// this process's sleep or in the wait for the request's turn. A key that Stripe may have forgotten is not sent
    /// again either, also when nobody took the order over in the meantime.
    async fn send(
        &self,
        held: &Held,
        write: &StripeWrite,
        tried: FirstTried,
    ) -> Result<Result<Reply, WriteError>, KeptBack> {
        let journal = self.site.journal;
        // Whoever asked the run to stop does not wait for repetitions: the next run settles what is in doubt.
        let may_repeat = async || {
            self.interrupt.asked().is_none()
                && journal.renew(&held.lease).await.unwrap_or(false)
                && tried.key_is_known()
        };
        let may_send = || {
            if self.interrupt.asked().is_some() {
                Err(KeptBack::AskedToStop)
            } else if !journal.may_send(&held.lease) {
                Err(KeptBack::LeaseMayBeGone)
            } else if !tried.key_is_known() {
                Err(KeptBack::KeyMayBeForgotten)
            } else {
                Ok(())
            }
        };
        let stripe = self.site.stripe;
        stripe.send(write, may_send, may_repeat).await
    }

    /// The mint of the operation's attempt, as this order's link is made now. `None` where the row lacks
    /// something; such an order is `invalid_order` and never gets here.
    pub(super) fn render(&self, order: &Order, operation: &Operation) -> Option<Mint> {
        let player = order.player.as_ref()?;
        let product = order.product.as_ref()?;
        let expected = &operation.expected;
        let terms = MintTerms {
            account: self.account.clone(),
            mode: self.mode,
            order: order.id,
            old: expected.reference.as_ref().map(|r| r.as_str().to_owned()),
            attempt: operation.attempt,
            amount: expected.amount?,
            shown_as: self.site.texts.product_name.clone(),
            product_name: product.name.clone(),
            player_id: player.id,
            player_name: player.name.clone(),
            product_id: product.id,
            tournament: match order.tournaments.as_slice() {
                [only] => Some(only.id),
                _ => None,
            },
            parent_email: order
                .parent
                .as_ref()
                .and_then(|parent| parent.email.clone()),
            success_url: self.site.texts.success_url.clone(),
            inactive_message: self.site.texts.inactive_message.clone(),
        };
        Some(mint_link::render(&terms))
    }

    fn failed(&self, error: &WriteError) -> Observed {
        match error {
            // What the key was first used for may exist: not a "no".
            WriteError::Refused {
                error: why @ StripeError::KeyReused { .. },
                ..
            } => Observed::Unknown(why.to_string()),
            WriteError::Refused {
                error: why @ (StripeError::RateLimited { .. } | StripeError::Unreachable { .. }),
                ..
            } => Observed::Unavailable(why.to_string()),
            WriteError::Refused { error: why, .. } => Observed::Refused(self.note(why)),
            WriteError::Unknown { why, .. } => Observed::Unknown(self.note(why)),
        }
    }
}

/// Stripe will not say anything else for this key: it saved this failure, or the key belongs to another
/// request.
fn is_spent(error: &WriteError) -> bool {
    match error {
        WriteError::Refused {
            error, replayed, ..
        } => *replayed || matches!(error, StripeError::KeyReused { .. }),
        WriteError::Unknown { replayed, .. } => *replayed,
    }
}

fn outcome(action: StepAction, answer: &Result<Reply, WriteError>) -> Outcome {
    match answer {
        Ok(reply) => {
            let minted = (action == StepAction::Mint)
                .then(|| reply.minted().ok())
                .flatten();
            Outcome {
                kind: OutcomeKind::Done,
                result_id: reply.id().map(str::to_owned),
                result_url: minted.map(|(_, url)| url),
                request_id: reply.request_id.clone(),
                error: None,
            }
        }
        Err(error) => Outcome {
            kind: match error {
                WriteError::Refused { .. } => OutcomeKind::Refused,
                WriteError::Unknown { .. } => OutcomeKind::Unknown,
            },
            result_id: None,
            result_url: None,
            request_id: error.request_id().map(str::to_owned),
            error: Some(error.to_string()),
        },
    }
}
