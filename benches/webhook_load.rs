//! The load for receivers of Stripe's events: signed `checkout.session.completed` events over keep-alive connections,
//! a fixed number in flight, the time of each taken from its first byte to the end of its answer.
//!
//! It speaks HTTP/1.1 by hand on one thread, since it shares the machine with what it measures; `trivial` is an endpoint
//! that only answers, which shows how much it can drive. `benches/webhook-load` runs it.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind, Result, Write};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const USAGE: &str = "webhook_load drive ADDRESS SECRET FIRST COUNT IN_FLIGHT once|until-taken
webhook_load trivial ADDRESS
The events FIRST to FIRST+COUNT-1 pay the orders of these numbers. It prints one line of JSON.";
const PAUSE: Duration = Duration::from_millis(20);
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\ntaken in\n";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    match args[..] {
        ["drive", address, secret, first, count, in_flight, how] => {
            let load = Load {
                address: address.to_owned(),
                requests: requests(address, secret, number(first)?, number(count)?),
                next: Cell::new(0),
                until_taken: how == "until-taken",
                seen: RefCell::default(),
            };
            local.block_on(&runtime, drive(Rc::new(load), number(in_flight)?))
        }
        ["trivial", address] => local.block_on(&runtime, trivial(address)),
        _ => writeln!(std::io::stderr(), "{USAGE}"),
    }
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| bad("a number is none"))
}

fn bad(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// The events to be posted, and what became of them.
struct Load {
    address: String,
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
    /// Else each event is posted once.
    until_taken: bool,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Microseconds, of those that were answered 2xx.
    took: Vec<u64>,
    refused: u64,
    cut_off: u64,
}

impl Load {
    fn note(&self, answer: &Result<u16>, took: Duration) {
        let mut seen = self.seen.borrow_mut();
        match answer {
            Ok(200..300) => seen
                .took
                .push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            Ok(_) => seen.refused += 1,
            Err(_) => seen.cut_off += 1,
        }
    }
}

async fn drive(load: Rc<Load>, in_flight: usize) -> Result<()> {
    let begun = Instant::now();
    let posting = (0..in_flight).map(|_| tokio::task::spawn_local(post_all(Rc::clone(&load))));
    for task in posting.collect::<Vec<_>>() {
        task.await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut seen = load.seen.take();
    seen.took.sort_unstable();
    let at = |share: f64| {
        let last = seen.took.len().saturating_sub(1);
        let rank = (share * last as f64).round() as usize;
        seen.took
            .get(rank)
            .map_or(0.0, |took| *took as f64 / 1000.0)
    };
    writeln!(
        std::io::stdout(),
        "{{\"taken\": {}, \"refused\": {}, \"cut_off\": {}, \"seconds\": {seconds:.3}, \"per_second\": {:.1}, \
         \"p50_ms\": {:.2}, \"p99_ms\": {:.2}, \"max_ms\": {:.2}}}",
        seen.took.len(),
        seen.refused,
        seen.cut_off,
        seen.took.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

async fn post_all(load: Rc<Load>) {
    let mut connection = None;
    loop {
        let index = load.next.get();
        let Some(request) = load.requests.get(index) else {
            return;
        };
        load.next.set(index + 1);
        loop {
            let begun = Instant::now();
            let answer = post(&mut connection, &load.address, request).await;
            load.note(&answer, begun.elapsed());
            if answer.is_err() {
                connection = None;
            }
            if !load.until_taken || matches!(answer, Ok(200..300)) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn post(connection: &mut Option<TcpStream>, address: &str, request: &[u8]) -> Result<u16> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            connection.insert(stream)
        }
    };
    stream.write_all(request).await?;
    let mut buffer = [0; 2048];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some((status, length)) = answered(&buffer[..filled])?
            && filled >= length
        {
            return Ok(status);
        }
    }
}

/// The status of an answer whose head is complete, and the answer's length.
fn answered(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..head]).map_err(|_| bad("the head is no text"))?;
    let status = text.get(9..12).and_then(|code| code.parse().ok());
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let status = status.ok_or_else(|| bad("no status"))?;
    let length = length.ok_or_else(|| bad("no content-length"))?;
    Ok(Some((status, head + 4 + length)))
}

/// Signed before the clock starts.
fn requests(address: &str, secret: &str, first: usize, count: usize) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    (first..first + count)
        .map(|order| {
            let body = event(order, now);
            let signature = sign(secret, now, &body);
            format!(
                "POST /stripe/webhook HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json; charset=utf-8\r\n\
                 user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\ncontent-length: {}\r\n\
                 stripe-signature: t={now},v1={signature}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        })
        .collect()
}

fn sign(secret: &str, time: u64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{time}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// With the fields that Stripe sends, so that it is as long as an event is.
fn event(order: usize, now: u64) -> String {
    format!(
        r#"{{"id": "evt_load{order}", "object": "event", "api_version": "2026-07-29.dahlia", "created": {now},
  "data": {{"object": {{"id": "cs_test_load{order}", "object": "checkout.session", "adaptive_pricing": {{"enabled": false}},
    "after_expiration": null, "allow_promotion_codes": false, "amount_subtotal": 5500, "amount_total": 5500,
    "automatic_tax": {{"enabled": false, "liability": null, "provider": null, "status": null}},
    "billing_address_collection": "auto", "cancel_url": "https://stripe.com", "client_reference_id": null,
    "client_secret": null, "collected_information": null, "consent": null, "consent_collection": null,
    "created": {now}, "currency": "usd", "currency_conversion": null, "custom_fields": [],
    "custom_text": {{"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null}},
    "customer": null, "customer_creation": "if_required", "customer_details": {{"address": {{"city": null,
      "country": "US", "line1": null, "line2": null, "postal_code": "84101", "state": null}},
      "email": "parent{order}@example.com", "name": "Parent {order}", "phone": null, "tax_exempt": "none", "tax_ids": []}},
    "customer_email": null, "discounts": [], "expires_at": {now}, "invoice": null, "invoice_creation": {{"enabled": false,
      "invoice_data": {{"account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
      "issuer": null, "metadata": {{}}, "rendering_options": null}}}}, "livemode": false, "locale": "auto",
    "metadata": {{"order_id": "{order}", "player_id": "1", "product_id": "1", "tournament_id": "1"}}, "mode": "payment",
    "payment_intent": "pi_load{order}", "payment_link": "plink_load{order}", "payment_method_collection": "if_required",
    "payment_method_options": {{"card": {{"request_three_d_secure": "automatic"}}}}, "payment_method_types": ["card"],
    "payment_status": "paid", "phone_number_collection": {{"enabled": false}}, "recovered_from": null,
    "saved_payment_method_options": null, "setup_intent": null, "shipping_address_collection": null,
    "shipping_cost": null, "shipping_options": [], "status": "complete", "submit_type": "auto", "subscription": null,
    "success_url": "https://stripe.com", "total_details": {{"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}},
    "ui_mode": "hosted", "url": null, "wallet_options": null}}}},
  "livemode": false, "pending_webhooks": 1, "request": {{"id": null, "idempotency_key": null}},
  "type": "checkout.session.completed"}}"#
    )
}

/// Reads each request to its end, and answers at once.
async fn trivial(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(answer_all(stream));
    }
}

async fn answer_all(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        if let Some(length) = asked(&buffer[..filled])?
            && filled >= length
        {
            stream.write_all(ANSWER).await?;
            filled = 0;
        }
    }
}

/// The length of a request whose head is complete: a client waits for its answer before it asks again.
fn asked(bytes: &[u8]) -> Result<Option<usize>> {
    let status_line = b"HTTP/1.1 200 OK\r\n";
    let Some(line) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let head = [status_line, &bytes[line + 1..]].concat();
    let answered = answered(&head)?;
    Ok(answered.map(|(_, length)| length + line + 1 - status_line.len()))
}
