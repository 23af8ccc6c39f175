//! Whatever reaches the receiver's port that is not Stripe's word about an order of ours: each is answered as it should,
//! changes no order, and costs no memory that is not given back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::serving::{SECRET, Serving, client};
use crate::support::tally::tell;
use crate::support::world::*;
use crate::webhook_event::no_events;
use crate::webhook_signature::odd_headers;
use crate::webhook_world::{Told, header, now, paid};

/// Kibibytes. One body alone may have 1024.
const ROOM: u64 = 24 * 1024;

/// Told of the world's first order.
fn told() -> Told {
    Told {
        order: json!("1001"),
        ..paid()
    }
}

struct Delivery {
    what: String,
    headers: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl Delivery {
    fn signed(what: &str, body: Vec<u8>) -> Delivery {
        Delivery {
            what: what.to_owned(),
            headers: vec![header(SECRET, now(), &body).into_bytes()],
            body,
        }
    }
}

/// What must be refused: by its header, or by its body though it is signed.
fn refused() -> Vec<Delivery> {
    let body = told().body("evt_refused").to_string().into_bytes();
    let with = |what: &str, headers: Vec<Vec<u8>>, body: &[u8]| Delivery {
        what: what.to_owned(),
        headers,
        body: body.to_vec(),
    };
    let good = header(SECRET, now(), &body).into_bytes();
    let mut all = vec![
        with("no header", vec![], &body),
        with("two headers", vec![good.clone(), good.clone()], &body),
        with("not ASCII", vec![b"t=1,v1=\xff\xfe".to_vec()], &body),
        with(
            "a byte more",
            vec![good.clone()],
            &[&body[..], b"\n"].concat(),
        ),
        with("a byte less", vec![good.clone()], &body[..body.len() - 1]),
        with("no body", vec![good], b""),
    ];
    // The clock goes on while they are sent: none may come of age meanwhile, and the one that would is left out.
    for (what, header, why) in odd_headers(SECRET, now() + 60, &body) {
        if !why.is_empty() && what != "301 seconds old" {
            all.push(with(what, vec![header.into_bytes()], &body));
        }
    }
    let no_events = no_events().into_iter();
    all.extend(no_events.map(|(what, body)| Delivery::signed(what, body)));
    all
}

async fn post(serving: &Serving, delivery: &Delivery) -> (u16, String) {
    let mut request = client().post(serving.url()).body(delivery.body.clone());
    if delivery.what == "gzip" {
        request = request.header("Content-Encoding", "gzip");
    }
    for value in &delivery.headers {
        let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
        request = request.header("Stripe-Signature", value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn orders(world: &World) -> Vec<(i64, String)> {
    world.rows.dump().await
}

#[tokio::test]
async fn what_is_not_stripes_is_refused_without_a_word_and_writes_nothing() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(active_link())).await;
    let serving = Serving::start(&world).await;
    let before = orders(&world).await;
    let deliveries = refused();
    assert!(deliveries.len() >= 100, "only {}", deliveries.len());
    let mut memory = Vec::new();
    for _ in 0..3 {
        for delivery in &deliveries {
            let answer = post(&serving, delivery).await;
            let refused = (400, "refused\n".to_owned());
            assert_eq!(answer, refused, "{}", delivery.what);
        }
        memory.push(serving.memory());
    }
    assert!(memory[2] < memory[0] + ROOM, "it grows: {memory:?} KiB");
    tell(&format!(
        "receiver: {} odd headers and bodies refused, three times each; memory {memory:?} KiB",
        deliveries.len()
    ));
    assert_eq!(serving.get("stripe/webhook").await.unwrap().0, 405);
    assert_eq!(serving.get("elsewhere").await.unwrap().0, 404);
    assert_eq!(orders(&world).await, before);
    for table in ["events", "payments", "incidents", "retirements"] {
        let rows = world
            .journaled(table, "SELECT CAST(COUNT(*) AS TEXT) FROM {}")
            .await;
        assert_eq!(rows, ["0"], "{table}");
    }
    let good = told().body("evt_good").to_string().into_bytes();
    let answer = post(&serving, &Delivery::signed("good", good)).await;
    assert_eq!(answer.0, 200);
    assert_eq!(world.row(order.0).await.status, "paid");
    let output = serving.stop().await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(!output.stderr.contains("whsec"), "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

/// Stripe's, and about money, but about no order that may be settled: recorded, acknowledged, shown.
#[tokio::test]
async fn what_names_no_order_of_ours_is_acknowledged_and_shown_and_changes_no_order() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(active_link())).await;
    let serving = Serving::start(&world).await;
    let before = orders(&world).await;
    let long = "9".repeat(10_000);
    let cases: Vec<(&str, Told)> = vec![
        (
            "SQL",
            Told {
                order: json!("1001; DROP TABLE orders"),
                ..told()
            },
        ),
        (
            "a quote",
            Told {
                order: json!("1001' OR '1'='1"),
                ..told()
            },
        ),
        (
            "10 kB",
            Told {
                order: json!(long),
                ..told()
            },
        ),
        (
            "nobody's",
            Told {
                order: json!("424242"),
                ..told()
            },
        ),
        (
            "none",
            Told {
                order: Value::Null,
                ..told()
            },
        ),
        (
            "a live one",
            Told {
                livemode: true,
                session: "cs_live_1",
                ..told()
            },
        ),
        (
            "another sum",
            Told {
                amount: 1,
                ..told()
            },
        ),
        (
            "a negative sum",
            Told {
                amount: -5500,
                ..told()
            },
        ),
        (
            "another currency",
            Told {
                currency: "eur",
                ..told()
            },
        ),
        (
            "an unknown status",
            Told {
                payment_status: "half_paid",
                ..told()
            },
        ),
    ];
    let count = cases.len();
    for (nth, (what, mut told)) in cases.into_iter().enumerate() {
        // Each is a payment of its own.
        let (session, intent) = (format!("{}_{nth}", told.session), format!("pi_{nth}"));
        told.session = session.leak();
        told.intent = Some(intent.leak());
        let body = told.body(&format!("evt_{nth}")).to_string().into_bytes();
        let answer = post(&serving, &Delivery::signed(what, body)).await;
        assert_eq!(answer, (200, "taken in\n".to_owned()), "{what}");
    }
    assert_eq!(orders(&world).await, before);
    let check = world
        .relink(&["inspect", "--all", "--check", "-o", "json"])
        .await;
    assert_eq!(check.code, Some(11), "{}{}", check.stdout, check.stderr);
    let open = "SELECT incident_id FROM {} WHERE resolved_at IS NULL";
    assert_eq!(world.journaled("incidents", open).await.len(), count);
    serving.stop().await;
}

/// They hold their connections, and nobody else's turn.
#[tokio::test]
async fn senders_that_dawdle_keep_nobody_waiting() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(active_link())).await;
    let serving = Serving::start(&world).await;
    let address = serving.url();
    let address = address.strip_prefix("http://").unwrap();
    let address = address.strip_suffix("/stripe/webhook").unwrap().to_owned();
    let mut dawdlers = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = "POST /stripe/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        dawdlers.push(stream);
    }
    let begun = Instant::now();
    let good = told().body("evt_good").to_string().into_bytes();
    let answer = post(&serving, &Delivery::signed("good", good)).await;
    assert_eq!(answer.0, 200);
    assert_eq!(world.row(order.0).await.status, "paid");
    // The time that a body may take.
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    drop(dawdlers);

    // One that says nothing at all is hung up on.
    let mut silent = TcpStream::connect(&address).await.unwrap();
    let mut nothing = Vec::new();
    let hung_up = tokio::time::timeout(Duration::from_secs(30), silent.read_to_end(&mut nothing));
    hung_up.await.unwrap().unwrap();
    serving.stop().await;
}
