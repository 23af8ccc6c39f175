//! Deliveries to `webhook serve`: events as Stripe makes and signs them, with what the case has changed in them.
//!
//! The signature is made here, not by the code under test. What follows in the database is the runner's to look at.

use std::os::unix::ffi::OsStringExt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::case::{Case, Delivery};
use super::spelling::Spelling;
use crate::support::serving::{SECRET, Serving, client, free_port};
use crate::support::world::{Output, World};
use crate::webhook_world::{Told, header, paid};

/// Kibibytes; one body may have 1024.
const MEMORY: u64 = 128 * 1024;

/// How the receiver ended, and what was wrong with its answers.
pub async fn serve(case: &Case, world: &World, spelling: &Spelling<'_>) -> (Output, Vec<String>) {
    let environment: Vec<(String, String)> = case
        .env
        .iter()
        .map(|(name, value)| (name.clone(), spelling.text(value)))
        .chain([("STRIPE_API_KEY".to_owned(), super::spelling::KEY.to_owned())])
        .collect();
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let serving = Serving::on(world, free_port(), &environment).await;
    let mut wrong = Vec::new();
    for (nth, delivery) in case.deliveries.iter().enumerate() {
        for _ in 0..delivery.times {
            let (status, text) = post(&serving, delivery, spelling, nth).await;
            let hung_up = status == 0 && delivery.may_hang_up;
            if status != delivery.answer && !hung_up {
                let expected = delivery.answer;
                wrong.push(format!(
                    "delivery {}: {status} {text:?} in place of {expected}",
                    nth + 1
                ));
            }
            if text.len() > 200 {
                wrong.push(format!("delivery {}: a long answer: {text}", nth + 1));
            }
        }
    }
    let memory = serving.memory();
    if memory > MEMORY {
        wrong.push(format!("it holds {memory} KiB"));
    }
    (serving.stop().await, wrong)
}

async fn post(
    serving: &Serving,
    delivery: &Delivery,
    spelling: &Spelling<'_>,
    nth: usize,
) -> (u16, String) {
    let body = match &delivery.body {
        Some(body) => spelling.os(body).into_vec(),
        None => event(delivery, spelling, nth).to_string().into_bytes(),
    };
    let method = delivery.method.parse().unwrap();
    let url = serving.url().replace("stripe/webhook", &delivery.path);
    let mut request = client().request(method, url);
    let secret = delivery.secret.as_deref().unwrap_or(SECRET);
    let signed = match delivery.signature.as_deref() {
        Some("none") => None,
        Some(odd) => Some(spelling.os(odd).into_vec()),
        None => Some(header(secret, now() + delivery.signed_at, &body).into_bytes()),
    };
    if let Some(signed) = signed {
        let value = reqwest::header::HeaderValue::from_bytes(&signed).unwrap();
        request = request.header("Stripe-Signature", value);
    }
    for (name, value) in &delivery.headers {
        request = request.header(name, spelling.text(value));
    }
    match request.body(body).send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            (status, answer.text().await.unwrap_or_default())
        }
        Err(why) => (0, why.to_string()),
    }
}

/// Of a payment for the world's first order, another one each time.
fn event(delivery: &Delivery, spelling: &Spelling<'_>, nth: usize) -> Value {
    let told = Told {
        order: json!("1001"),
        link: Some("plink_w1001a"),
        ..paid()
    };
    let mut event = told.body(&format!("evt_corpus_{nth}"));
    for (pointer, value) in &delivery.set {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let object = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        object.insert(name.to_owned(), spelt(value, spelling));
    }
    for pointer in &delivery.remove {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let object = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        assert!(object.remove(name).is_some(), "the event has no {pointer}");
    }
    event
}

fn spelt(value: &toml::Value, spelling: &Spelling<'_>) -> Value {
    match value {
        toml::Value::String(text) => Value::String(spelling.text(text)),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}
