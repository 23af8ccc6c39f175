//! The background task that sends what is owed until it has arrived: a POST that is signed anew for each attempt, as
//! Stripe's. It never holds the state while it waits, so a slow receiver slows nothing but its own events. When the
//! double stops it begins nothing more and finishes what is on its way; what has not arrived stays owed.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::super::change::{Cause, Change};
use super::super::world::{Kind, Mode};
use super::super::{Core, Inner};
use super::outbox::{Next, Parcel};
use super::{Webhooks, signature};

/// How long events gather, when they are to be sent in another order than they were made in.
const GATHERING: Duration = Duration::from_millis(200);

/// Runs until the double stops.
pub(in super::super) async fn run(inner: Arc<Inner>) {
    let mut client = None;
    while !*inner.stop.borrow() {
        let next = inner.core().next_delivery();
        match next {
            Next::Wait => tokio::select! {
                () = inner.due.notified() => gather(&inner).await,
                () = inner.stopped() => {}
            },
            Next::WaitUntil(moment) => tokio::select! {
                () = inner.due.notified() => gather(&inner).await,
                () = tokio::time::sleep_until(moment.into()) => {}
                () = inner.stopped() => {}
            },
            Next::Send(webhooks, parcels) => {
                let client = client.get_or_insert_with(new_client);
                send_all(&inner, client, &webhooks, parcels).await;
            }
        }
    }
}

async fn gather(inner: &Inner) {
    let shuffled = inner
        .core()
        .outbox
        .webhooks
        .as_ref()
        .is_some_and(|to| to.shuffle.is_some());
    if shuffled {
        tokio::time::sleep(GATHERING).await;
    }
}

fn new_client() -> Result<reqwest::Client, String> {
    crate::tls::choose_provider();
    // A redirect is a failed delivery, as at Stripe; a proxy must not see what never leaves the machine, and no certificate
    // is looked at.
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|problem| problem.to_string())
}

/// One after the other, but for the copies of an event: those are under way together.
async fn send_all(
    inner: &Inner,
    client: &Result<reqwest::Client, String>,
    webhooks: &Webhooks,
    parcels: Vec<Parcel>,
) {
    let together = 1 + webhooks.duplicates as usize;
    stream::iter(parcels)
        .take_until(Box::pin(inner.stopped()))
        .map(|parcel| async move {
            let outcome = match client {
                Ok(client) => send(client, webhooks, &parcel).await,
                Err(problem) => Err(problem.clone()),
            };
            (parcel, outcome)
        })
        .buffer_unordered(together)
        .for_each(|(parcel, outcome)| async {
            inner.core().note_delivery(webhooks, parcel, outcome);
        })
        .await;
}

async fn send(
    client: &reqwest::Client,
    webhooks: &Webhooks,
    parcel: &Parcel,
) -> Result<u16, String> {
    // Stripe sends its events indented; a receiver that verifies anything but the bytes it got is found out.
    let body =
        serde_json::to_string_pretty(&parcel.event).map_err(|problem| problem.to_string())?;
    // The receiver judges the signature's age by its own clock, so it is the host's and not the double's.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let time = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let answer = client
        .post(&webhooks.url)
        .timeout(webhooks.timeout)
        .header("Content-Type", "application/json; charset=utf-8")
        .header(
            "User-Agent",
            "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        )
        .header("Cache-Control", "no-cache")
        .header(
            "Stripe-Signature",
            signature::header(&webhooks.secrets, time, &body),
        )
        .body(body)
        .send()
        .await
        .map_err(|problem| reason(&problem))?;
    Ok(answer.status().as_u16())
}

/// The innermost cause: "connection refused", not "error sending request".
fn reason(problem: &reqwest::Error) -> String {
    if problem.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = problem;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Core {
    fn next_delivery(&mut self) -> Next {
        self.outbox
            .next(&self.world, self.origin.as_deref(), Instant::now())
    }

    /// An event that has arrived is owed no more. When that cannot be written it stays owed and is sent again:
    /// twice is allowed, never is not.
    fn note_delivery(&mut self, webhooks: &Webhooks, parcel: Parcel, outcome: Result<u16, String>) {
        let Some((mode, event)) = self.outbox.note(webhooks, parcel, outcome) else {
            return;
        };
        if let Some(undo) = self.settle_event(mode, &event) {
            undo.revert(&mut self.world);
        }
    }

    fn settle_event(&mut self, mode: Mode, event: &str) -> Option<super::super::change::Undo> {
        let mut record = self.world.realm(mode).get(Kind::Event, event)?.clone();
        record.value["pending_webhooks"] = json!(0);
        let mut change = Change::new(&mut self.world, mode, Cause::default());
        change.put(Kind::Event, record);
        let (entries, undo) = change.finish();
        self.log.append(&entries).is_err().then_some(undo)
    }
}
