//! Pings a watchdog such as healthchecks.io: that a run begins, and with which exit code it ended. What stays away
//! raises the alarm there, so that a cron job that never starts is noticed too.
//!
//! It follows no redirect, asks at most twice, and never shows the URL: whoever knows it can silence the alarm. No
//! failure here changes anything about the run.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Response, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use url::Url;
use uuid::Uuid;

use crate::domain::RunId;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::files;
use crate::loopback::is_on_loopback;
use crate::redact::redact;
use crate::timings::Timings;
use crate::tls;

const USER_AGENT: &str = concat!("relink/", env!("CARGO_PKG_VERSION"));

/// A run that is being watched.
pub struct Ping {
    peer: Peer,
    begun: JoinHandle<Result<(), String>>,
}

/// Whom to ping, and as which run.
#[derive(Clone)]
struct Peer {
    http: Client,
    url: SecretString,
    rid: Uuid,
}

/// How often a ping is sent at most.
#[derive(Clone, Copy, PartialEq)]
enum Tries {
    One,
    Two,
}

impl Ping {
    /// Tells that a run begins, and does not wait for the answer: the run goes on meanwhile. Within the runtime.
    ///
    /// # Errors
    /// Configuration: the file is unreadable, open to others, or holds no usable URL. The message does not repeat it.
    pub fn begin(file: &Path) -> Result<Ping, Error> {
        let url = read_url(file)?;
        let peer = Peer {
            http: client(&url)?,
            url: SecretString::from(url.to_string()),
            rid: Uuid::new_v4(),
        };
        let starter = peer.clone();
        let begun = tokio::spawn(async move { starter.send("start", None, Tries::Two).await });
        Ok(Ping { peer, begun })
    }

    /// Tells how the run ended, after it was told that it began.
    ///
    /// # Errors
    /// What was not told, and why, without the URL.
    pub async fn end(self, status: ExitStatus, run: Option<&RunId>) -> Result<(), String> {
        let begun = match self.begun.await {
            Ok(begun) => begun,
            Err(_) => Err("the ping was broken off".to_owned()),
        };
        // Who just did not answer is not waited for twice more.
        let tries = if begun.is_ok() {
            Tries::Two
        } else {
            Tries::One
        };
        let code = status.code().to_string();
        let ended = self.peer.send(&code, run, tries).await;
        match (begun, ended) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(why), Ok(())) => Err(format!("not told that the run began: {why}")),
            (Ok(()), Err(why)) => Err(format!("not told how the run ended: {why}")),
            (Err(_), Err(why)) => Err(format!("told nothing of this run: {why}")),
        }
    }
}

impl Peer {
    async fn send(&self, what: &str, run: Option<&RunId>, tries: Tries) -> Result<(), String> {
        let url = self.address(what)?;
        let mut outcome = self.send_once(url.clone(), run).await;
        if tries == Tries::Two && outcome.as_ref().is_err_and(|failure| failure.may_pass) {
            outcome = self.send_once(url, run).await;
        }
        outcome.map_err(|failure| failure.why)
    }

    async fn send_once(&self, url: Url, run: Option<&RunId>) -> Result<(), Failed> {
        let request = match run {
            Some(run) => self.http.post(url).body(run.as_str().to_owned()),
            None => self.http.get(url),
        };
        match request.send().await {
            Ok(answer) => judge(&answer),
            Err(error) => Err(Failed {
                why: describe(&error),
                may_pass: true,
            }),
        }
    }

    /// `URL/start?rid=…`
    fn address(&self, what: &str) -> Result<Url, String> {
        let unusable = || "the URL cannot be pinged".to_owned();
        let mut url = Url::parse(self.url.expose_secret()).map_err(|_| unusable())?;
        url.path_segments_mut()
            .map_err(|()| unusable())?
            .pop_if_empty()
            .push(what);
        url.query_pairs_mut()
            .append_pair("rid", &self.rid.to_string());
        Ok(url)
    }
}

struct Failed {
    why: String,
    /// Another try may fare better.
    may_pass: bool,
}

fn judge(answer: &Response) -> Result<(), Failed> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Failed {
        why: format!("it answered {}", status.as_u16()),
        may_pass: status.is_server_error() || status.as_u16() == 429,
    })
}

/// The innermost cause; the outer ones show the URL.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(|cause| cause.source()) {
        cause = Some(inner);
    }
    let cause = cause.map_or_else(|| "it cannot be sent".to_owned(), ToString::to_string);
    format!("no answer: {}", redact(&cause))
}

/// Never with a word of what was read.
fn read_url(file: &Path) -> Result<Url, Error> {
    const NAME: &str = "ping URL file";
    const REMEDY: &str =
        "give --ping-url-file a file that holds one URL, such as https://hc-ping.com/…";
    let text = files::read_private(file, NAME, REMEDY)?;
    let unusable =
        |why: &str| Error::configuration(format!("{NAME} `{}` {why}", file.display()), REMEDY);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(unusable("does not hold exactly one line"));
    };
    let url = Url::parse(line).map_err(|_| unusable("holds no URL"))?;
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_on_loopback(&url) => Ok(url),
        "http" => Err(unusable(
            "holds a URL without encryption: https, or http on this host alone",
        )),
        _ => Err(unusable("holds no https address")),
    }
}

fn client(url: &Url) -> Result<Client, Error> {
    tls::choose_provider();
    let wait: Duration = if is_on_loopback(url) {
        Timings::on_loopback().ping
    } else {
        Timings::default().ping
    };
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .timeout(wait);
    if is_on_loopback(url) {
        // A proxy has no business between two processes of one host.
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    } else {
        builder = builder.https_only(true);
    }
    builder.build().map_err(|error| {
        let why = describe(&error);
        Error::configuration(format!("nothing can be pinged: {why}"), "")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, what: &str) -> String {
        let parsed = Url::parse(url).unwrap_or_else(|error| panic!("{error}"));
        let peer = Peer {
            http: client(&parsed).unwrap_or_else(|error| panic!("{error}")),
            url: SecretString::from(url.to_owned()),
            rid: Uuid::nil(),
        };
        peer.address(what)
            .unwrap_or_else(|error| panic!("{error}"))
            .to_string()
            .replace(&Uuid::nil().to_string(), "RID")
    }

    #[test]
    fn what_is_told_is_the_last_part_of_the_path() {
        for (url, expected) in [
            (
                "https://hc-ping.com/1f0c",
                "https://hc-ping.com/1f0c/start?rid=RID",
            ),
            (
                "https://hc-ping.com/1f0c/",
                "https://hc-ping.com/1f0c/start?rid=RID",
            ),
            (
                "https://hc-ping.com/key/slug?create=1",
                "https://hc-ping.com/key/slug/start?create=1&rid=RID",
            ),
            (
                "http://127.0.0.1:8000",
                "http://127.0.0.1:8000/start?rid=RID",
            ),
        ] {
            assert_eq!(address(url, "start"), expected);
        }
    }
}
