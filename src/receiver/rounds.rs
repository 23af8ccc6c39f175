//! Deliveries that wait at the same time are settled in the same transaction: what a commit costs is paid once for all
//! of them, and each is still answered only after it.
//!
//! Nobody waits for company. Whoever finds a free place begins a round with all who wait at that moment; what cannot
//! be settled in company is received by itself, outside of any round, and holds up nobody.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::store::{Receipt, Receiver, StoreError};
use crate::webhook::Event;

/// Rounds at once: the database works on one while the next one gathers.
const ROUNDS: usize = 2;

#[derive(Debug)]
pub(super) struct Rounds {
    receiver: Receiver,
    waiting: Mutex<Vec<Waiting>>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct Waiting {
    event: Arc<Event>,
    answer: oneshot::Sender<Option<Receipt>>,
}

impl Rounds {
    pub fn new(receiver: Receiver) -> Self {
        Rounds {
            receiver,
            waiting: Mutex::default(),
            places: Arc::new(Semaphore::new(ROUNDS)),
        }
    }

    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// As [`Receiver::receive`].
    pub async fn receive(&self, event: &Arc<Event>) -> Result<Receipt, StoreError> {
        if self.receiver.can_receive_together()
            && let Some(receipt) = self.in_company(event).await
        {
            return Ok(receipt);
        }
        self.alone(Arc::clone(event)).await
    }

    /// Of its own, as a round is: who hung up midway would undo what others wrote in the same transaction.
    async fn alone(&self, event: Arc<Event>) -> Result<Receipt, StoreError> {
        let receiver = self.receiver.clone();
        let receiving = tokio::spawn(async move { receiver.receive(&event).await });
        receiving.await.unwrap_or_else(|stopped| {
            Err(StoreError::Query {
                what: "receive a payment",
                detail: stopped.to_string(),
            })
        })
    }

    async fn in_company(&self, event: &Arc<Event>) -> Option<Receipt> {
        let (answer, mut answered) = oneshot::channel();
        let event = Arc::clone(event);
        self.lock().push(Waiting { event, answer });
        let place = tokio::select! {
            biased;
            answer = &mut answered => return answer.ok().flatten(),
            place = Arc::clone(&self.places).acquire_owned() => place.ok()?,
        };
        // All of them: one left behind might have nobody to begin its round.
        let mut round = std::mem::take(&mut *self.lock());
        // Who hung up sends it again.
        round.retain(|waiting| !waiting.answer.is_closed());
        if !round.is_empty() {
            // Of its own, so that one client's hanging up does not end it for the others.
            tokio::spawn(settle(self.receiver.clone(), round, place));
        }
        answered.await.ok().flatten()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn settle(receiver: Receiver, round: Vec<Waiting>, place: OwnedSemaphorePermit) {
    let events: Vec<&Event> = round.iter().map(|waiting| &*waiting.event).collect();
    let receipts = receiver.receive_together(&events).await;
    drop(place);
    for (waiting, receipt) in round.into_iter().zip(receipts) {
        // Who is gone by now is told when it is sent again.
        drop(waiting.answer.send(receipt));
    }
}
