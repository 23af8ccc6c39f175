//! The script: relink's own actions from mint to expiry, each read back. It stops at the first thing that is not as relink
//! assumes.

use relink::actions::{MintTerms, NameTemplate, Round, deactivate_link, expire_session, mint_link};
use relink::domain::{Currency, LinkId, Listing, Mode, Money, OrderId, SessionId, SessionState};
use serde_json::Value;

use super::bench::{Bench, said};
use super::questions;

/// What was found.
#[derive(Debug, Default)]
pub struct Told {
    pub steps: Vec<String>,
    /// What Stripe's documentation leaves open, with Stripe's own answer.
    pub answers: Vec<(&'static str, String)>,
}

impl Told {
    /// Numbered, since whoever shows them sorts them.
    pub fn lines(&self) -> Vec<String> {
        let width = self
            .answers
            .iter()
            .map(|(question, _)| question.chars().count())
            .max();
        let width = width.unwrap_or(0);
        let steps = self.steps.iter().cloned();
        let answers = self
            .answers
            .iter()
            .map(|(question, answer)| format!("{question:width$} | {answer}"));
        let all = steps.chain(answers).enumerate();
        all.map(|(at, line)| format!("{:02} {line}", at + 1))
            .collect()
    }

    fn step(&mut self, done: impl Into<String>) {
        self.steps.push(done.into());
    }
}

/// What the script goes on with.
pub struct Stage {
    pub link: LinkId,
    pub price: String,
    pub product: String,
    pub session: SessionId,
}

pub async fn run(bench: &mut Bench) -> Result<Told, String> {
    let mut told = Told::default();
    let (link, whole) = minted(bench, &mut told).await?;
    let item = &whole["line_items"]["data"][0]["price"];
    let (price, product) = (text(item, "id")?, text(item, "product")?);
    let session = opened(bench, &price, &mut told).await?;
    let stage = Stage {
        link,
        price,
        product,
        session,
    };
    questions::archived(bench, &stage, &mut told).await?;
    told.step("the price is archived");
    retired(bench, &stage, &mut told).await?;
    questions::not_open(bench, &stage, &mut told).await?;
    questions::another_version(bench, &mut told).await?;
    questions::lookup_key(bench, &mut told).await?;
    Ok(told)
}

async fn minted(bench: &mut Bench, told: &mut Told) -> Result<(LinkId, Value), String> {
    let account = bench.client.account().await.map_err(said)?;
    let order = bench.client.now().ok_or("the answer has no Date")?;
    let terms = MintTerms {
        account: account.id,
        mode: Mode::Test,
        order: OrderId(order.0),
        old: Some(bench.tag.clone()),
        attempt: 1,
        amount: Money::new(5500, Currency::USD),
        shown_as: NameTemplate::default(),
        product_name: "relink's own test, nobody's".to_owned(),
        player_id: 1,
        player_name: bench.tag.clone(),
        product_id: 1,
        tournament: None,
        parent_email: Some("nobody@example.com".to_owned()),
        success_url: Some("https://example.com/thanks?a=1&b=2".to_owned()),
        inactive_message: "This was a test.".to_owned(),
    };
    let mut mint = mint_link::render(&terms);
    // Its key holds for this body too: no other run has this name in it.
    for at in [
        "metadata",
        "line_items[0][price_data][product_data][metadata]",
    ] {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair(&format!("{at}[relink_test]"), &bench.tag);
        mint.write.body += &format!("&{}", form.finish());
    }
    let reply = bench.sent(&mint.write).await?;
    let (id, url) = reply.minted().map_err(said)?;
    require(
        url.len() <= 500,
        "the URL fits the column of 500 characters",
    )?;
    told.step("a link is minted by one request, its price inline");

    let again = bench.sent(&mint.write).await?;
    require(
        again.replayed && again.id() == reply.id(),
        "the same key answers with the same link",
    )?;
    told.step("the same key answers with the same link, and says that it does");

    let read = bench.client.link_family(&id).await.map_err(said)?;
    let link = &read.link;
    require(link.active, "a new link is active")?;
    require(
        link.url == url && link.amount == Some(terms.amount),
        "a link asks for what was minted",
    )?;
    require(
        link.owner.order() == Some(terms.order),
        "a link names its order",
    )?;
    require(
        link.relink_key.as_ref() == Some(&mint.relink_key),
        "a link names its key",
    )?;
    require(
        read.sessions == Listing::Complete(Vec::new()),
        "a new link has no session",
    )?;
    require(
        link.completed_count.unwrap_or(0) == 0,
        "nothing was paid through a new link",
    )?;
    told.step("read back: active, 55.00 USD, its order and key in the metadata, no session yet");

    let whole = bench.whole(&format!("/v1/payment_links/{id}")).await?;
    for never in ["expires_at", "created"] {
        require(
            whole.get(never).is_none(),
            "a link has neither an expiry nor a date",
        )?;
    }
    told.step("a link has no expiry");
    require(
        whole["restrictions"]["completed_sessions"]["limit"] == 1,
        "a link is paid once",
    )?;
    let (here, there) = (
        &whole["metadata"],
        &whole["payment_intent_data"]["metadata"],
    );
    for name in ["order_id", "player_id", "product_id", "relink_key"] {
        let alike = here[name].is_string() && here[name] == there[name];
        require(alike, "a link and its payments have the same metadata")?;
    }
    require(
        there["parent_email"] == "nobody@example.com",
        "payments carry the parent's address",
    )?;
    told.step("metadata: on the link, and kept for its payments");
    Ok((id, whole))
}

/// A session of its own: those of a link begin in a browser.
async fn opened(bench: &mut Bench, price: &str, told: &mut Told) -> Result<SessionId, String> {
    let write = session(bench, price);
    let reply = bench.sent(&write).await?;
    let body = &reply.body;
    let id = SessionId::parse(reply.id().unwrap_or_default()).map_err(|e| e.to_string())?;
    require(
        body["metadata"]["relink_test"] == bench.tag.as_str(),
        "a session has its metadata",
    )?;
    told.step(match body["payment_intent"].as_str() {
        None => {
            "a session has no payment intent before somebody pays: its metadata cannot be read yet"
                .to_owned()
        }
        Some(intent) => format!("a session begins with a payment intent ({intent})"),
    });
    let read = bench.client.session(&id).await.map_err(said)?;
    require(read.state == SessionState::Open, "a new session is open")?;
    let lasts = read.expires_at.seconds_since(read.created);
    require(
        (86_000..=86_400).contains(&lasts),
        "a session ends within 24 hours",
    )?;
    told.step("a session is open, and ends within 24 hours");
    Ok(id)
}

pub fn session(bench: &Bench, price: &str) -> relink::actions::StripeWrite {
    let tag = bench.tag.as_str();
    let pairs = [
        ("mode", "payment"),
        ("line_items[0][price]", price),
        ("line_items[0][quantity]", "1"),
        ("success_url", "https://example.com/thanks"),
        ("metadata[relink_test]", tag),
        ("payment_intent_data[metadata][relink_test]", tag),
    ];
    bench.post("/v1/checkout/sessions", &pairs)
}

async fn retired(bench: &mut Bench, stage: &Stage, told: &mut Told) -> Result<(), String> {
    let (run, number) = bench.round();
    let off = deactivate_link::request(&stage.link, Round { run: &run, number });
    bench.sent(&off).await?;
    let read = bench.client.link_family(&stage.link).await.map_err(said)?;
    require(
        !read.link.active,
        "a link that was switched off is inactive",
    )?;
    told.step("a link is switched off: active=false");

    let (run, number) = bench.round();
    let expire = expire_session::request(&stage.session, Round { run: &run, number });
    bench.sent(&expire).await?;
    let read = bench.client.session(&stage.session).await.map_err(said)?;
    require(
        read.state == SessionState::Expired,
        "an expired session is expired",
    )?;
    require(
        read.recovery.is_none(),
        "a session offers no recovery unless it was asked to",
    )?;
    told.step("a session is expired");
    Ok(())
}

pub fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("NOT SO: {what}"))
    }
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    let found = value[name].as_str().map(str::to_owned);
    found.ok_or_else(|| format!("NOT SO: an expanded line item names its {name}"))
}
