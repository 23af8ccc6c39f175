//! The wire: loopback connections, requests in, answers out, and what only a connection can do (be reset, end in the
//! middle of a body). Every request runs in a task of its own, because Stripe, too, finishes what a client that hung
//! up had asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures_util::stream;
use hyper::body::Incoming as WireBody;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Inner;

const MAX_BODY: usize = 64 * 1024 * 1024;

/// A request, read completely.
#[derive(Debug)]
pub(super) struct Incoming {
    pub method: String,
    pub path: String,
    /// The query as sent.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Decoded pairs of a form body; empty for any other body.
    pub form: Vec<(String, String)>,
}

impl Incoming {
    /// A request that came without a connection.
    pub fn of(method: &str, target: &str, headers: HeaderMap, body: String) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let form = if path.starts_with("/_sandbox/") {
            Vec::new()
        } else {
            decode(body.as_bytes())
        };
        Incoming {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::from(body),
            form,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// Everything that was sent as parameters, query first.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = decode(self.query.as_bytes());
        pairs.extend(self.form.iter().cloned());
        pairs
    }
}

/// What goes back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A connection that ends without a whole answer.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    /// TCP reset.
    Reset,
    /// Closed in order, unanswered.
    Close,
    /// The head and half of the body, then closed.
    Truncated(Answer),
}

pub(super) type Reply = Result<Answer, Cut>;

/// Accepts connections until `inner` is stopped.
pub(super) async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, Arc::clone(&inner)));
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = inner.stopped() => break,
        }
    }
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, inner: Arc<Inner>) {
    // Answers are small; waiting for a client's acknowledgement would cost 40 ms each.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let wire = Wire {
        stream,
        reset: Arc::clone(&reset),
    };
    let service = service_fn(move |request: Request<WireBody>| {
        let (inner, reset) = (Arc::clone(&inner), Arc::clone(&reset));
        async move {
            let request = read(request).await.map_err(|()| Cut::Close)?;
            let task = tokio::spawn(async move { inner.serve(request).await });
            match task.await.unwrap_or(Err(Cut::Close)) {
                Ok(answer) => Ok(whole(answer)),
                Err(Cut::Truncated(answer)) => Ok(half(answer)),
                Err(Cut::Close) => Err(Cut::Close),
                Err(Cut::Reset) => {
                    reset.store(true, Ordering::Release);
                    Err(Cut::Reset)
                }
            }
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was cut by a scripted fault")
    }
}

impl std::error::Error for Cut {}

async fn read(request: Request<WireBody>) -> Result<Incoming, ()> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), MAX_BODY).await.map_err(|_| ())?;
    let is_form = head.headers.get(CONTENT_TYPE).is_none_or(|kind| {
        kind.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    let form = if is_form && !head.uri.path().starts_with("/_sandbox/") {
        decode(&body)
    } else {
        Vec::new()
    };
    Ok(Incoming {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
        form,
    })
}

pub(super) fn decode(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn head(answer: &Answer) -> hyper::http::response::Builder {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    builder
}

fn whole(answer: Answer) -> Response<Body> {
    let builder = head(&answer);
    built(builder.body(Body::from(answer.body)))
}

/// Half the body under the full length. The pause lets the first half leave before the connection ends.
fn half(answer: Answer) -> Response<Body> {
    let length = answer.body.len().max(2);
    let builder = head(&answer).header(CONTENT_LENGTH, length);
    let first = Bytes::from(answer.body.into_bytes()[..length / 2].to_vec());
    let chunks = stream::unfold(Some(first), |state| async move {
        match state {
            Some(chunk) if !chunk.is_empty() => Some((Ok(chunk), Some(Bytes::new()))),
            Some(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Err(Cut::Close), None))
            }
            None => None,
        }
    });
    built(builder.body(Body::from_stream(chunks)))
}

fn built(response: Result<Response<Body>, hyper::http::Error>) -> Response<Body> {
    response.unwrap_or_else(|_| {
        let mut failed = Response::new(Body::from(
            "a scripted fault named an impossible header or status",
        ));
        *failed.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

/// A connection that can end in a reset instead of an orderly close.
struct Wire {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        // An orderly shutdown would send FIN before the reset.
        if self.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
