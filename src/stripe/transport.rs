//! How a request gets to Stripe and its answer back: over the network, and in simulations over nothing at all.
//!
//! It carries one request once. It follows no redirect and repeats nothing.

use std::fmt;

use futures_util::future::BoxFuture;
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::http::describe;

/// A page of 100 expanded objects has some hundred kilobytes.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// One request. The header that holds the key is marked sensitive and prints as such.
#[derive(Debug)]
pub struct Outgoing {
    pub method: Method,
    /// The path with its query, from the root.
    pub target: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// A whole answer.
#[derive(Debug)]
pub struct Carried {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub enum NoAnswer {
    /// No connection came about: nothing was sent.
    NotSent(String),
    /// Sent in part or whole; no answer began.
    Lost(String),
    /// An answer began and did not end.
    CutOff {
        detail: String,
        request_id: Option<String>,
    },
    TooLarge {
        request_id: Option<String>,
    },
}

pub trait Transport: Send + Sync + fmt::Debug {
    fn carry(&self, request: Outgoing) -> BoxFuture<'_, Result<Carried, NoAnswer>>;
}

/// HTTP, by the one client that there is.
#[derive(Debug)]
pub(super) struct Network {
    pub http: reqwest::Client,
    /// Without a slash at its end.
    pub base: String,
}

impl Transport for Network {
    fn carry(&self, request: Outgoing) -> BoxFuture<'_, Result<Carried, NoAnswer>> {
        Box::pin(async move {
            let url = format!("{}{}", self.base, request.target);
            let mut outgoing = self
                .http
                .request(request.method.clone(), url)
                .headers(request.headers);
            // A POST without one still says that it has none.
            if request.method == Method::POST {
                outgoing = outgoing.body(request.body);
            }
            let response = outgoing.send().await.map_err(|error| {
                if error.is_connect() || error.is_builder() {
                    NoAnswer::NotSent(describe(&error))
                } else {
                    NoAnswer::Lost(describe(&error))
                }
            })?;
            read_whole(response).await
        })
    }
}

async fn read_whole(mut response: reqwest::Response) -> Result<Carried, NoAnswer> {
    let mut carried = Carried {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: Vec::new(),
    };
    let request_id = carried.headers.get("request-id");
    let request_id = request_id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
    while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::CutOff {
        detail: describe(&error),
        request_id: request_id.clone(),
    })? {
        if carried.body.len() + chunk.len() > LARGEST_BODY {
            return Err(NoAnswer::TooLarge { request_id });
        }
        carried.body.extend_from_slice(&chunk);
    }
    Ok(carried)
}
