//! Sends a write, and keeps apart what is known from what is not.
//!
//! Nothing is repeated in here without the caller's consent, always with the same key and the same bytes.
//! Once one request's fate is unknown, only an answer that speaks for that key can settle it: a later 401
//! or 429 says nothing about the request before.

use serde_json::Value;

use super::convert::garbage;
use super::http::{Answer, Call};
use super::judge::{Effect, Trouble, judge};
use super::retry::{Failure, Retry, jitter, next};
use super::transport::NoAnswer;
use super::{Client, StripeError, WriteError};
use crate::actions::StripeWrite;
use crate::domain::LinkId;

/// Stripe's 2xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
    pub request_id: Option<String>,
    /// The saved answer to an earlier request with this key: history, not state. Read the object.
    pub replayed: bool,
}

impl Reply {
    /// The id of the object that the reply shows.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.body.get("id").and_then(Value::as_str)
    }

    /// The id and the URL of the link that a mint made. Whether it is still active only a GET can tell.
    ///
    /// # Errors
    /// [`StripeError::Garbage`]: the link was made, but the reply does not say which. Look for it.
    pub fn minted(&self) -> Result<(LinkId, String), StripeError> {
        let url = self.body.get("url").and_then(Value::as_str);
        let url = url.filter(|url| !url.is_empty());
        match (self.id().map(LinkId::parse), url) {
            (Some(Ok(id)), Some(url)) => Ok((id, url.to_owned())),
            _ => Err(garbage("the reply to a mint names no link or no URL")),
        }
    }
}

/// One request that is not known to be done, with what the retry rule needs.
struct FailedWrite {
    error: WriteError,
    failure: Failure,
}

impl Client {
    /// Sends the write, and again as the retry rule says. `may_send` is asked after the wait for its turn, `before_retry`
    /// after all waits and right before each repetition: the places to look whether the lease still holds.
    ///
    /// # Errors
    /// What `may_send` forbade it for: nothing left. Inside, refused or unknown, see [`WriteError`]; also when
    /// `before_retry` forbade another try.
    pub async fn send<N>(
        &self,
        write: &StripeWrite,
        may_send: impl FnOnce() -> Result<(), N>,
        before_retry: impl AsyncFnMut() -> bool,
    ) -> Result<Result<Reply, WriteError>, N> {
        self.wait_for_turn(&Call::Post(write)).await;
        may_send()?;
        Ok(self.send_in_turn(write, before_retry).await)
    }

    async fn send_in_turn(
        &self,
        write: &StripeWrite,
        mut before_retry: impl AsyncFnMut() -> bool,
    ) -> Result<Reply, WriteError> {
        let mut doubt: Option<WriteError> = None;
        let mut attempt = 1;
        loop {
            let failed = match self.send_now(write).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            let error = settle(doubt, failed.error);
            match next(&failed.failure, attempt, jitter(), self.timings()) {
                Retry::After(wait) => tokio::time::sleep(wait).await,
                Retry::Stop => return Err(error),
            }
            self.wait_for_turn(&Call::Post(write)).await;
            if !before_retry().await {
                return Err(error);
            }
            doubt = matches!(error, WriteError::Unknown { .. }).then_some(error);
            attempt += 1;
        }
    }

    async fn send_now(&self, write: &StripeWrite) -> Result<Reply, FailedWrite> {
        let outcome = self.exchange(&Call::Post(write)).await;
        log(write, &outcome);
        let answer = judge(outcome).map_err(|trouble| failed(*trouble))?;
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(body) if body.is_object() => Ok(Reply {
                status: answer.status,
                body,
                request_id: answer.request_id,
                replayed: answer.replayed,
            }),
            _ => Err(FailedWrite {
                error: WriteError::Unknown {
                    why: StripeError::Garbage {
                        what: format!(
                            "status {} with a body that is no JSON object",
                            answer.status
                        ),
                    },
                    replayed: answer.replayed,
                    request_id: answer.request_id,
                },
                failure: Failure::Garbage,
            }),
        }
    }
}

/// One line for every request that left, with the id by which Stripe's support finds it.
fn log(write: &StripeWrite, outcome: &Result<Answer, NoAnswer>) {
    let path = &write.path;
    match outcome {
        Ok(Answer {
            status,
            request_id,
            replayed,
            ..
        }) => {
            let request_id = request_id.as_deref().unwrap_or("none");
            tracing::info!(%path, request_id, status, replayed, "write answered");
        }
        Err(reason) => tracing::warn!(%path, ?reason, "write without an answer"),
    }
}

fn failed(trouble: Trouble) -> FailedWrite {
    let replayed = matches!(trouble.failure, Failure::Status { replayed: true, .. });
    let error = match trouble.effect {
        Effect::None => WriteError::Refused {
            error: trouble.error,
            replayed,
            request_id: trouble.request_id,
        },
        Effect::Unknown => WriteError::Unknown {
            why: trouble.error,
            replayed,
            request_id: trouble.request_id,
        },
    };
    FailedWrite {
        error,
        failure: trouble.failure,
    }
}

/// The outcome after one more answer. An earlier doubt yields to nothing but Stripe's word on the same key.
fn settle(doubt: Option<WriteError>, latest: WriteError) -> WriteError {
    let speaks_for_the_key = match &latest {
        WriteError::Refused {
            replayed, error, ..
        } => *replayed || matches!(error, StripeError::KeyReused { .. }),
        WriteError::Unknown { .. } => true,
    };
    match doubt {
        Some(doubt) if !speaks_for_the_key => doubt,
        _ => latest,
    }
}
