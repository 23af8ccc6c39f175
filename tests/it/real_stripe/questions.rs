//! What Stripe's documentation leaves open and requests alone can settle. Any answer is an answer: none of them ends the
//! script, and relink works with each.
//!
//! What needs a browser stays open: whether a page of a link that was switched off can be paid, and whether two pages of
//! one link can.

use relink::actions::{Round, expire_session};
use relink::domain::{SessionId, SessionState};
use relink::stripe::{Reply, StripeError, WriteError};

use super::bench::{Bench, said, send};
use super::script::{Stage, Told, session};

/// What becomes of a link, and of an open session, when its price and its product are archived.
pub async fn archived(bench: &mut Bench, stage: &Stage, told: &mut Told) -> Result<(), String> {
    let mut found = Vec::new();
    for (what, path) in [
        ("price", format!("/v1/prices/{}", stage.price)),
        ("product", format!("/v1/products/{}", stage.product)),
    ] {
        let archive = bench.post(&path, &[("active", "false")]);
        let reply = bench.sent(&archive).await?;
        let link = bench
            .client
            .link_family(&stage.link)
            .await
            .map_err(said)?
            .link;
        let open = bench.client.session(&stage.session).await.map_err(said)?;
        found.push(format!(
            "{what} active={}: link active={}, session {}",
            reply.body["active"],
            link.active,
            word(&open.state)
        ));
    }
    let another = session(bench, &stage.price);
    let opened = bench.send(&another).await;
    found.push(format!("a new session with it: {}", outcome(&opened)));
    told.answers
        .push(("a link whose price is archived", found.join("; ")));
    Ok(())
}

/// With which code Stripe refuses to expire what is not open, also when two ask at the same moment.
pub async fn not_open(bench: &mut Bench, stage: &Stage, told: &mut Told) -> Result<(), String> {
    let again = expiry(bench, &stage.session);
    let refused = bench.send(&again).await;
    let question = "expiring a session that is not open";
    told.answers.push((question, outcome(&refused)));

    let price = [
        ("currency", "usd"),
        ("unit_amount", "5500"),
        ("product_data[name]", "relink's own test, nobody's"),
        ("product_data[metadata][relink_test]", &bench.tag.clone()),
    ];
    let price = bench.post("/v1/prices", &price);
    let price = bench.sent(&price).await?;
    note_product(bench, &price).await;
    let fresh = session(bench, price.id().unwrap_or_default());
    let fresh = bench.sent(&fresh).await?;
    let id = SessionId::parse(fresh.id().unwrap_or_default()).map_err(|e| e.to_string())?;
    let (one, other) = (expiry(bench, &id), expiry(bench, &id));
    let (one, other) = tokio::join!(
        send(&bench.client, &one, false),
        send(&bench.client, &other, false)
    );
    let mut both = [outcome(&one), outcome(&other)];
    both.sort();
    let state = bench.client.session(&id).await.map_err(said)?.state;
    let answer = format!("{} and {}; then {}", both[0], both[1], word(&state));
    told.answers
        .push(("two expire one session at once", answer));
    Ok(())
}

/// Whether a key is another one under another version of the API.
pub async fn another_version(bench: &mut Bench, told: &mut Told) -> Result<(), String> {
    let tag = bench.tag.clone();
    let pairs = [
        ("name", "relink's own test, nobody's"),
        ("metadata[relink_test]", tag.as_str()),
    ];
    let write = bench.post("/v1/products", &pairs);
    let first = bench.sent(&write).await?;
    let mut other = write.clone();
    other.api_version = "2026-06-24.dahlia".to_owned();
    let second = bench.send(&other).await;
    let answer = match &second {
        Ok(reply) if reply.replayed && reply.id() == first.id() => {
            "the saved answer: the version does not count".to_owned()
        }
        Ok(reply) if reply.id() == first.id() => {
            "the same object, not marked as replayed".to_owned()
        }
        Ok(_) => "A SECOND OBJECT: the version is a part of the key".to_owned(),
        Err(WriteError::Refused {
            error: StripeError::KeyReused { .. },
            ..
        }) => "refused as other parameters: the version counts among them".to_owned(),
        Err(_) => outcome(&second),
    };
    told.answers
        .push(("one key, another Stripe-Version", answer));
    Ok(())
}

/// How a second price with the same lookup key is refused.
pub async fn lookup_key(bench: &mut Bench, told: &mut Told) -> Result<(), String> {
    let tag = bench.tag.clone();
    let pairs = [
        ("currency", "usd"),
        ("unit_amount", "5500"),
        ("lookup_key", tag.as_str()),
        ("product_data[name]", "relink's own test, nobody's"),
        ("product_data[metadata][relink_test]", tag.as_str()),
    ];
    let first = bench.post("/v1/prices", &pairs);
    let first = bench.sent(&first).await?;
    note_product(bench, &first).await;
    let second = bench.post("/v1/prices", &pairs);
    let second = bench.send(&second).await;
    if let Ok(reply) = &second {
        note_product(bench, reply).await;
    }
    told.answers
        .push(("two prices with one lookup key", outcome(&second)));
    Ok(())
}

/// A price made its product along with itself. The POST that changes nothing brings it among what is to be closed.
async fn note_product(bench: &mut Bench, price: &Reply) {
    if let Some(product) = price.body["product"].as_str() {
        let _ = bench.whole(&format!("/v1/products/{product}")).await;
    }
}

fn expiry(bench: &mut Bench, id: &SessionId) -> relink::actions::StripeWrite {
    let (run, number) = bench.round();
    expire_session::request(id, Round { run: &run, number })
}

fn outcome(ended: &Result<Reply, WriteError>) -> String {
    match ended {
        Ok(reply) => format!("{} accepted", reply.status),
        Err(WriteError::Refused {
            error: StripeError::Refused { status, code, .. },
            ..
        }) => format!("{status}, code {}", code.as_deref().unwrap_or("none")),
        Err(why) => why.to_string(),
    }
}

fn word(state: &SessionState) -> &'static str {
    match state {
        SessionState::Open => "open",
        SessionState::Expired => "expired",
        SessionState::Paid(_) => "paid",
        SessionState::Processing | SessionState::Failed => "complete",
        SessionState::Unknown(_) => "unknown",
    }
}
