//! relink's own client with a test key, and a note of everything that was made with it, so that it can be closed. It keeps
//! nothing that could be paid.

use relink::actions::{
    API_VERSION, IdempotencyKey, Round, StripeWrite, deactivate_link, expire_session,
};
use relink::domain::{LinkId, Listing, Mode, SessionId, SessionState};
use relink::stripe::{Client, Reply, Rps, Settings, StripeError, Timings, WriteError};
use secrecy::SecretString;
use uuid::Uuid;

/// What may be open.
#[derive(PartialEq)]
enum Made {
    Link(LinkId),
    Session(SessionId),
    /// `/v1/prices/…` or `/v1/products/…`.
    Catalog(String),
}

pub struct Bench {
    pub client: Client,
    /// `metadata[relink_test]` of everything, and no other run's.
    pub tag: String,
    made: Vec<Made>,
    round: u32,
}

/// Sends it; `again`, while its outcome is unknown.
pub async fn send(client: &Client, write: &StripeWrite, again: bool) -> Result<Reply, WriteError> {
    let sent = client
        .send(write, || Ok::<(), ()>(()), async || again)
        .await;
    sent.unwrap()
}

impl Bench {
    pub fn new(key: SecretString, base: &str, timings: Timings) -> Result<Self, String> {
        let settings = Settings {
            key,
            base: base.parse().map_err(|_| "no address".to_owned())?,
            account: None,
            mode: Mode::Test,
            rps: Rps::Default,
            timings,
        };
        Ok(Bench {
            client: Client::new(settings).map_err(said)?,
            tag: Uuid::now_v7().simple().to_string(),
            made: Vec::new(),
            round: 0,
        })
    }

    /// A write with a key of its own.
    pub fn post(&self, path: &str, pairs: &[(&str, &str)]) -> StripeWrite {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        StripeWrite {
            path: path.to_owned(),
            body: form.finish(),
            key: IdempotencyKey::parse(&Uuid::new_v4().to_string()).unwrap(),
            api_version: API_VERSION.to_owned(),
        }
    }

    /// Sends it, again while its outcome is unknown, and notes what it made.
    pub async fn send(&mut self, write: &StripeWrite) -> Result<Reply, WriteError> {
        let reply = send(&self.client, write, true).await?;
        self.note(&reply);
        Ok(reply)
    }

    /// As [`Bench::send`]; a refusal ends the script.
    pub async fn sent(&mut self, write: &StripeWrite) -> Result<Reply, String> {
        let path = write.path.clone();
        self.send(write)
            .await
            .map_err(|why| format!("POST {path}: {why}"))
    }

    /// The whole object as it is: a POST that changes nothing answers with it. The client's own reads keep only what
    /// relink needs.
    pub async fn whole(&mut self, path: &str) -> Result<serde_json::Value, String> {
        let expanded = if path.contains("payment_links") {
            &[("expand[0]", "line_items")][..]
        } else {
            &[]
        };
        let write = self.post(path, expanded);
        Ok(self.sent(&write).await?.body)
    }

    pub fn round(&mut self) -> (String, u32) {
        self.round += 1;
        (self.tag.clone(), self.round)
    }

    fn note(&mut self, reply: &Reply) {
        let body = &reply.body;
        let id = reply.id().unwrap_or_default();
        let made = match body["object"].as_str() {
            Some("payment_link") => LinkId::parse(id).ok().map(Made::Link),
            Some("checkout.session") => SessionId::parse(id).ok().map(Made::Session),
            Some("price") => Some(Made::Catalog(format!("/v1/prices/{id}"))),
            Some("product") => Some(Made::Catalog(format!("/v1/products/{id}"))),
            _ => None,
        };
        made.into_iter().for_each(|one| self.remember(one));
        // Made along with the link, and named nowhere else.
        for item in body["line_items"]["data"].as_array().into_iter().flatten() {
            let price = &item["price"];
            for (path, id) in [("prices", &price["id"]), ("products", &price["product"])] {
                if let Some(id) = id.as_str() {
                    self.remember(Made::Catalog(format!("/v1/{path}/{id}")));
                }
            }
        }
    }

    fn remember(&mut self, one: Made) {
        if !self.made.contains(&one) {
            self.made.push(one);
        }
    }

    /// Closes everything, each whatever became of the others, and proves it.
    pub async fn clean_up(&mut self) -> Result<(), String> {
        let mut left = Vec::new();
        // A link names the price that it was made with only when it is asked to.
        for path in self.links() {
            let _ = self.whole(&path).await;
        }
        let made = std::mem::take(&mut self.made);
        for one in made.iter().rev() {
            let closed = match one {
                Made::Link(id) => self.close_link(id).await,
                Made::Session(id) => self.close_session(id).await,
                Made::Catalog(path) => {
                    let archive = self.post(path, &[("active", "false")]);
                    self.sent(&archive).await.map(drop)
                }
            };
            left.extend(closed.err());
        }
        if left.is_empty() {
            return Ok(());
        }
        Err(format!(
            "LEFT OPEN, look for metadata relink_test={} in the Dashboard: {}",
            self.tag,
            left.join("; ")
        ))
    }

    fn links(&self) -> Vec<String> {
        let links = self.made.iter().filter_map(|one| match one {
            Made::Link(id) => Some(format!("/v1/payment_links/{id}")),
            _ => None,
        });
        links.collect()
    }

    async fn close_link(&mut self, id: &LinkId) -> Result<(), String> {
        let (run, number) = self.round();
        let off = deactivate_link::request(id, Round { run: &run, number });
        self.sent(&off).await?;
        let family = self.client.link_family(id).await.map_err(said)?;
        let Listing::Complete(sessions) = family.sessions else {
            return Err(format!("the sessions of {id} were not listed"));
        };
        for session in sessions {
            self.close_session(&session.id).await?;
        }
        if family.link.active {
            return Err(format!("{id} is active"));
        }
        Ok(())
    }

    async fn close_session(&mut self, id: &SessionId) -> Result<(), String> {
        let open = |state: &SessionState| matches!(state, SessionState::Open);
        if !open(&self.client.session(id).await.map_err(said)?.state) {
            return Ok(());
        }
        let (run, number) = self.round();
        let expire = expire_session::request(id, Round { run: &run, number });
        self.sent(&expire).await?;
        if open(&self.client.session(id).await.map_err(said)?.state) {
            return Err(format!("{id} is open"));
        }
        Ok(())
    }
}

pub fn said(why: StripeError) -> String {
    why.to_string()
}
