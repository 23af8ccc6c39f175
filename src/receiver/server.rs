//! HTTP in front of the desk: one path for deliveries, one for health, one for metrics. Headers, bodies and numbers
//! are bounded, and whoever is slow, be it to send or to read, is not waited for.
//!
//! A stop finishes what was accepted: nothing that Stripe was told is lost, and nothing it was not told is kept.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::body::Body as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;

use super::metrics::render;
use super::{Answer, Desk};
use crate::store::StoreError;
use crate::timings::Timings;
use crate::webhook::MAX_BODY;

const CONNECTIONS: usize = 512;
/// Deliveries that wait for the database at once.
const DELIVERIES: usize = 64;
/// Bytes. Stripe's events are smaller; whoever sends more, or does not say how much, waits for one of a few places and has
/// it until it is answered, so that all connections together hold no more than a few tens of MiB.
const SMALL: u64 = 64 * 1024;
const LARGE_AT_ONCE: usize = 16;
/// Questions about health and metrics at once: anybody may ask them, and deliveries need the database.
const LOOKS: usize = 2;
/// Bytes of answers that wait in the system for one client. Answers are smaller; the system's own bound is 4 MiB, which whoever
/// never reads would fill for minutes before it is noticed.
const UNREAD: usize = 16 * 1024;
const SIGNATURE: &str = "stripe-signature";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Front {
    desk: Arc<Desk>,
    places: Arc<Semaphore>,
    large: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    timings: Timings,
}

/// Answers until `stop` says so, then finishes what was accepted and returns.
pub async fn serve(
    listener: TcpListener,
    desk: Arc<Desk>,
    timings: Timings,
    mut stop: watch::Receiver<bool>,
) {
    let front = Front {
        desk,
        places: Arc::new(Semaphore::new(DELIVERIES)),
        large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
        looks: Arc::new(Semaphore::new(LOOKS)),
        timings,
    };
    let router = router(front);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut is_full = false;
    loop {
        tokio::select! {
            accepted = accept(&listener, &room) => match accepted {
                Some((stream, place)) => {
                    is_full = tell_of_room(is_full, room.available_permits());
                    connections.spawn(converse(stream, place, router.clone(), timings, stop.clone()));
                }
                // Out of descriptors, most likely: who is connected goes on.
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(timings.farewell, finished)
        .await
        .is_err()
    {
        tracing::warn!("some connections did not end in time and were closed");
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            None
        }
    }
}

/// Whether all places are taken. It is said once, and again only after half of them were free: a flood fills no log.
fn tell_of_room(was_full: bool, free: usize) -> bool {
    if free == 0 && !was_full {
        tracing::warn!(
            "all {CONNECTIONS} connections are taken: whoever comes now waits for one to end"
        );
    }
    free == 0 || (was_full && free < CONNECTIONS / 2)
}

async fn converse(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    router: Router,
    timings: Timings,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small; waiting for an acknowledgement would cost 40 ms each.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, UNREAD);
    // The time for headers does not run while an answer is written: whoever asks and never reads would stay for ever.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(timings.answer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timings.header)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            TowerToHyperService::new(router),
        );
    let mut connection = std::pin::pin!(connection);
    let mut is_told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            // Once: a channel that was closed since would say so again and again.
            _ = stop.changed(), if !is_told => {
                is_told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn router(front: Front) -> Router {
    Router::new()
        .route("/stripe/webhook", post(deliver))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .with_state(front)
}

async fn deliver(State(front): State<Front>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // Whole before it takes its turn: who dawdles keeps nobody waiting.
    let Some((body, _large)) = read(body, &front).await else {
        return plain(Answer::Refused);
    };
    let waiting = front.places.acquire();
    let Ok(Ok(_place)) = tokio::time::timeout(front.timings.body, waiting).await else {
        return plain(Answer::Later);
    };
    plain(front.desk.take(signature(&head.headers), &body).await)
}

/// `None` for a body that is too long, too slow, or cut off. A large one comes with its place, for as long as it is held.
async fn read(body: Body, front: &Front) -> Option<(Bytes, Option<SemaphorePermit<'_>>)> {
    let reading = async {
        let is_small = body.size_hint().upper().is_some_and(|most| most <= SMALL);
        let place = match is_small {
            true => None,
            false => Some(front.large.acquire().await.ok()?),
        };
        Some((to_bytes(body, MAX_BODY).await.ok()?, place))
    };
    tokio::time::timeout(front.timings.body, reading)
        .await
        .ok()?
}

/// The header's value, if there is exactly one.
fn signature(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(SIGNATURE).iter();
    match (values.next(), values.next()) {
        (Some(only), None) => Some(only.as_bytes()),
        _ => None,
    }
}

fn plain(answer: Answer) -> Response {
    let (status, text) = match answer {
        Answer::Taken => (StatusCode::OK, "taken in\n"),
        Answer::Refused => (StatusCode::BAD_REQUEST, "refused\n"),
        Answer::Later => (StatusCode::SERVICE_UNAVAILABLE, "send it again\n"),
    };
    (status, [(header::CONTENT_TYPE, TEXT)], text).into_response()
}

/// The database can be reached, and the tables that an event needs are there.
async fn health(State(front): State<Front>) -> Response {
    let looking = front.desk.receiver().store().look_for_tables();
    let (status, text) = match in_time(&front, looking).await {
        Some(Ok(())) => (StatusCode::OK, "ok\n"),
        Some(Err(error)) => {
            tracing::error!(%error, "not healthy");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer as it should\n",
            )
        }
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        ),
    };
    (status, [(header::CONTENT_TYPE, TEXT)], text).into_response()
}

async fn metrics(State(front): State<Front>) -> Response {
    let receiver = front.desk.receiver();
    let counting = receiver.store().receiver_counts(receiver.policy().mode);
    let counts = in_time(&front, counting).await.and_then(Result::ok);
    let text = render(&front.desk.tally, counts.as_ref());
    ([(header::CONTENT_TYPE, METRICS)], text).into_response()
}

/// `None` where the database did not answer in time: that it does not is to be told while somebody still listens.
async fn in_time<T>(
    front: &Front,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Option<Result<T, StoreError>> {
    let look = async {
        let _place = front.looks.acquire().await.ok()?;
        Some(asked.await)
    };
    tokio::time::timeout(front.timings.look, look).await.ok()?
}
