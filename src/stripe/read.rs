//! The GETs. A listing is read to its last page or counts as not read; an object of the wrong kind, of
//! another id or of the other mode is never passed on.

use std::collections::HashSet;

use super::convert::{self, garbage};
use super::http::Call;
use super::judge::judge;
use super::retry::{Retry, jitter, next};
use super::wire::{self, Object};
use super::{Client, StripeError};
use crate::domain::{
    AccountId, CheckoutReference, Family, LinkId, Listing, Mode, PaymentIntentId, PaymentLink,
    Reading, Session, SessionId, StripeObject,
};

/// A listing that goes on beyond this is taken for one that never ends: a million objects.
const MOST_PAGES: usize = 10_000;

pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

/// The account that the key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub display_name: Option<String>,
}

impl Client {
    /// # Errors
    /// [`StripeError::Permission`] with a restricted key that may not read it.
    pub async fn account(&self) -> Result<Account, StripeError> {
        let account: wire::Account = self.get("/v1/account", &[]).await?;
        let dashboard = account.settings.and_then(|settings| settings.dashboard);
        let profile = account.business_profile.and_then(|profile| profile.name);
        Ok(Account {
            id: AccountId::parse(&account.id).map_err(|e| garbage(e.to_string()))?,
            display_name: dashboard
                .and_then(|dashboard| dashboard.display_name)
                .or(profile)
                .filter(|name| !name.is_empty()),
        })
    }

    /// The link, then every session it opened, whatever their status: in this order, so that a session
    /// opened in between is seen.
    ///
    /// # Errors
    /// Everything that kept the link from being read, and what [`StripeError::stops_the_run`]. A listing of
    /// sessions that failed otherwise is `Unfinished`.
    pub async fn link_family(&self, id: &LinkId) -> Result<Family, StripeError> {
        Ok(Family {
            link: self.link(id).await?,
            sessions: self.link_sessions(id).await?,
        })
    }

    /// A link that nobody was told of yet: it opened no session, and none is asked for.
    pub(super) async fn read_secret(&self, id: &LinkId) -> Result<Reading, StripeError> {
        let family = |link| Family {
            link,
            sessions: Listing::Complete(Vec::new()),
        };
        told(
            self.link(id)
                .await
                .map(|link| StripeObject::Link(family(link))),
        )
    }

    /// A link that was dead with these pages: they are listed again only if it is not as it was.
    pub(super) async fn read_dead(&self, was: &Family) -> Result<Reading, StripeError> {
        let link = match self.link(&was.link.id).await {
            Ok(link) => link,
            Err(error) => return told(Err(error)),
        };
        if link != was.link {
            return self.read(&CheckoutReference::Link(link.id)).await;
        }
        let sessions = was.sessions.clone();
        Ok(Reading::Seen(StripeObject::Link(Family { link, sessions })))
    }

    async fn link(&self, id: &LinkId) -> Result<PaymentLink, StripeError> {
        let path = format!("/v1/payment_links/{id}");
        let wire: wire::PaymentLink = self
            .object(&path, id.as_str(), &[("expand[0]", "line_items")])
            .await?;
        convert::link(&wire)
    }

    async fn link_sessions(&self, id: &LinkId) -> Result<Listing<Session>, StripeError> {
        let query = [
            ("payment_link", id.as_str()),
            ("expand[0]", "data.payment_intent"),
        ];
        let listed = match self
            .list::<wire::Session>("/v1/checkout/sessions", &query)
            .await
        {
            Ok(listed) => listed,
            Err(error) if error.stops_the_run() => return Err(error),
            Err(error) => return Ok(Listing::Unfinished(error.to_string())),
        };
        let mut sessions = Vec::with_capacity(listed.len());
        for wire in listed {
            match self.understand(wire).await {
                Ok(session) => sessions.push(session),
                Err(error) if error.stops_the_run() => return Err(error),
                Err(error) => return Ok(Listing::Unfinished(error.to_string())),
            }
        }
        Ok(Listing::Complete(sessions))
    }

    /// # Errors
    /// Everything that kept it from being read.
    pub async fn session(&self, id: &SessionId) -> Result<Session, StripeError> {
        self.refuse_other_mode(id)?;
        let path = format!("/v1/checkout/sessions/{id}");
        let wire = self
            .object(&path, id.as_str(), &[("expand[0]", "payment_intent")])
            .await?;
        self.understand(wire).await
    }

    /// What the reference names. A failure is a fact of its own (`Unread`), but for those after which
    /// nothing else should be read either.
    ///
    /// # Errors
    /// Only what [`StripeError::stops_the_run`].
    pub async fn read(&self, reference: &CheckoutReference) -> Result<Reading, StripeError> {
        let outcome = match reference {
            CheckoutReference::Session(id) => self.session(id).await.map(StripeObject::Session),
            CheckoutReference::Link(id) => self.link_family(id).await.map(StripeObject::Link),
            CheckoutReference::Other(text) => {
                return Ok(Reading::Unread(format!(
                    "`{text}` is neither a session nor a link"
                )));
            }
        };
        told(outcome)
    }

    /// One object at most, of any kind: whether the key may read these at all, and of which mode they are.
    pub(super) async fn newest(&self, path: &str) -> Result<(), StripeError> {
        let page: wire::List<wire::Named> = self.get(path, &[("limit", "1")]).await?;
        page.data
            .iter()
            .try_for_each(|object| self.check_mode(object))
    }

    /// The smallest question there is, for the `Date` of its answer.
    pub(super) async fn probe(&self) -> Result<(), StripeError> {
        let query = [("limit", "1")];
        let _: wire::List<wire::Named> = self.get("/v1/payment_links", &query).await?;
        Ok(())
    }

    /// Minor units given back of this payment and settled, per currency code.
    pub(super) async fn refunds(
        &self,
        intent: &PaymentIntentId,
    ) -> Result<Vec<(String, i64)>, StripeError> {
        let query = [("payment_intent", intent.as_str())];
        let refunds = self.list::<wire::Refund>("/v1/refunds", &query).await?;
        let settled = refunds
            .into_iter()
            .filter(|refund| refund.status.as_deref() == Some("succeeded"));
        Ok(settled
            .map(|refund| (refund.currency.unwrap_or_default(), refund.amount))
            .collect())
    }

    /// A session with its payment intent, read where it was left open. An intent that cannot be read
    /// leaves the session processing.
    async fn understand(&self, mut wire: wire::Session) -> Result<Session, StripeError> {
        if let Some(intent) = convert::open_question(&wire) {
            let intent = PaymentIntentId::parse(intent).map_err(|e| garbage(e.to_string()))?;
            let path = format!("/v1/payment_intents/{intent}");
            match self
                .object::<wire::PaymentIntent>(&path, intent.as_str(), &[])
                .await
            {
                Ok(read) => wire.payment_intent = Some(wire::Expandable::Object(Box::new(read))),
                Err(error) if error.stops_the_run() => return Err(error),
                Err(error) => tracing::warn!(%intent, %error, "payment intent not read"),
            }
        }
        convert::session(&wire)
    }

    /// A session's id tells its mode. One of the other mode is refused before the network: Stripe would
    /// only say the same.
    pub(super) fn refuse_other_mode(&self, id: &SessionId) -> Result<(), StripeError> {
        let told = match id.as_str() {
            text if text.starts_with("cs_live_") => Mode::Live,
            text if text.starts_with("cs_test_") => Mode::Test,
            _ => return Ok(()),
        };
        if told == self.mode() {
            return Ok(());
        }
        Err(StripeError::WrongMode {
            message: format!(
                "`{id}` is a {told} mode object, but a {} mode key is set",
                self.mode()
            ),
        })
    }

    /// One object by its id.
    async fn object<T: Object>(
        &self,
        path: &str,
        id: &str,
        query: Query<'_>,
    ) -> Result<T, StripeError> {
        let object: T = self.get(path, query).await?;
        self.check(&object)?;
        if object.id() != id {
            return Err(garbage(format!(
                "asked for `{id}`, was given `{}`",
                object.id()
            )));
        }
        Ok(object)
    }

    /// All pages, newest first, each object once.
    pub(super) async fn list<T: Object>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<Vec<T>, StripeError> {
        self.list_until(path, query, |_| false).await
    }

    /// As [`Client::list`], to the end of the first page on which everything is old.
    pub(super) async fn list_newer<T: Object>(
        &self,
        path: &str,
        query: Query<'_>,
        is_old: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, StripeError> {
        let is_old = |page: &[T]| !page.is_empty() && page.iter().all(&is_old);
        self.list_until(path, query, is_old).await
    }

    async fn list_until<T: Object>(
        &self,
        path: &str,
        query: Query<'_>,
        is_enough: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>, StripeError> {
        let mut all: Vec<T> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let take = |page: Vec<T>| {
            let before = all.len();
            let is_new = |object: &T| seen.insert(object.id().to_owned());
            all.extend(page.into_iter().filter(is_new));
            Ok(all.len() > before)
        };
        self.each_page(path, query, is_enough, take).await?;
        Ok(all)
    }

    /// As [`Client::list`], but none of it is kept: for lists that may be long. What moves from one page to the next
    /// meanwhile is told once.
    pub(super) async fn for_each<T: Object>(
        &self,
        path: &str,
        query: Query<'_>,
        mut each: impl FnMut(T) -> Result<(), StripeError>,
    ) -> Result<(), StripeError> {
        let mut latest: HashSet<String> = HashSet::new();
        let take = |page: Vec<T>| {
            let ids = page.iter().map(|object| object.id().to_owned()).collect();
            let before = std::mem::replace(&mut latest, ids);
            let mut is_new = false;
            for object in page {
                if !before.contains(object.id()) {
                    is_new = true;
                    each(object)?;
                }
            }
            Ok(is_new)
        };
        self.each_page(path, query, |_| false, take).await
    }

    /// Page by page; `take` tells whether it showed anything new.
    async fn each_page<T: Object>(
        &self,
        path: &str,
        query: Query<'_>,
        is_enough: impl Fn(&[T]) -> bool,
        mut take: impl FnMut(Vec<T>) -> Result<bool, StripeError>,
    ) -> Result<(), StripeError> {
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = query.to_vec();
            query.push(("limit", "100"));
            query.extend(cursor.as_deref().map(|id| ("starting_after", id)));
            let page: wire::List<T> = self.get(path, &query).await?;
            if page.object != "list" {
                return Err(garbage(format!("`{}` instead of a list", page.object)));
            }
            for object in &page.data {
                self.check(object)?;
            }
            let is_last = !page.has_more || is_enough(&page.data);
            cursor = page.data.last().map(|last| last.id().to_owned());
            let shows_new = take(page.data)?;
            if is_last {
                return Ok(());
            }
            if !shows_new {
                return Err(garbage("a list that promises more and shows nothing new"));
            }
        }
        Err(garbage(format!("a list of more than {MOST_PAGES} pages")))
    }

    fn check<T: Object>(&self, object: &T) -> Result<(), StripeError> {
        let id = object.id();
        match object.kind() {
            Some(kind) if kind == T::KIND => {}
            other => {
                let other = other.unwrap_or("nothing");
                return Err(garbage(format!(
                    "`{id}` says it is `{other}`, not `{}`",
                    T::KIND
                )));
            }
        }
        self.check_mode(object)
    }

    fn check_mode<T: Object>(&self, object: &T) -> Result<(), StripeError> {
        let (id, mode) = (object.id(), self.mode());
        match object.livemode().map(Mode::from_livemode) {
            Some(told) if told != mode => Err(StripeError::WrongMode {
                message: format!("`{id}` is a {told} mode object, but a {mode} mode key is set"),
            }),
            None if T::TELLS_MODE => Err(garbage(format!("`{id}` says nothing of its mode"))),
            _ => Ok(()),
        }
    }

    /// One GET, repeated as the retry rule says.
    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<T, StripeError> {
        let mut target = path.to_owned();
        if !query.is_empty() {
            let encoded: String = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(query)
                .finish();
            target = format!("{path}?{encoded}");
        }
        let mut attempt = 1;
        let answer = loop {
            let call = Call::Get(&target);
            self.wait_for_turn(&call).await;
            let trouble = match judge(self.exchange(&call).await) {
                Ok(answer) => break answer,
                Err(trouble) => trouble,
            };
            match next(&trouble.failure, attempt, jitter(), self.timings()) {
                Retry::Stop => return Err(trouble.error),
                Retry::After(wait) => {
                    tracing::debug!(path, attempt, error = %trouble.error, ?wait, "reading again");
                    tokio::time::sleep(wait).await;
                }
            }
            attempt += 1;
        };
        tracing::debug!(
            path,
            status = answer.status,
            request_id = answer.request_id,
            "read"
        );
        serde_json::from_slice(&answer.body)
            .map_err(|error| garbage(format!("`{path}` answered with {}", describe_json(&error))))
    }
}

/// A failure is a fact of its own, but for those after which nothing else should be read either.
fn told(outcome: Result<StripeObject, StripeError>) -> Result<Reading, StripeError> {
    match outcome {
        Ok(object) => Ok(Reading::Seen(object)),
        Err(StripeError::NotFound { .. }) => Ok(Reading::NoSuchObject),
        Err(error) if error.stops_the_run() => Err(error),
        Err(error) => Ok(Reading::Unread(error.to_string())),
    }
}

/// What is wrong with the text, without quoting it: an answer may hold a payer's data.
fn describe_json(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => format!("an unexpected shape at {place}"),
        _ => format!("no JSON at {place}"),
    }
}
