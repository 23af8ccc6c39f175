//! The receiver as it runs: a real process, events that Stripe's double signs and delivers, and the link closed
//! afterwards, whatever is killed or fails in between.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::on_each_backend;
use crate::support::receiver::{Received, Receiver};
use crate::support::world::*;

const SECRET: &str = "whsec_for_these_tests";
const REGEN: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

/// What is left to close of a link that was paid: the pages that others had open.
const EXPIRE: &str = "/v1/checkout/sessions/*/expire";

/// A receiver of this world, ready to be told.
struct Serving {
    process: Running,
    port: u16,
}

impl Serving {
    async fn start(world: &World) -> Serving {
        let port = free_port();
        Serving::on(world, port, &[]).await
    }

    async fn on(world: &World, port: u16, more: &[&str]) -> Serving {
        let listen = format!("127.0.0.1:{port}");
        let mut args = vec!["webhook", "serve", "--commit", "--listen", &listen];
        args.extend(more);
        let mut command = world.command(&args);
        command.env(
            "STRIPE_WEBHOOK_SECRET",
            format!("whsec_an_old_one {SECRET}"),
        );
        let serving = Serving {
            process: Running::start(command),
            port,
        };
        serving.wait_until_healthy().await;
        serving
    }

    async fn wait_until_healthy(&self) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if self
                .get("healthz")
                .await
                .is_some_and(|(code, _)| code == 200)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the receiver is not healthy");
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/stripe/webhook", self.port)
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let answer = client().get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    async fn post(&self, signature: Option<&str>, body: Vec<u8>) -> (u16, String) {
        let mut request = client().post(self.url()).body(body);
        if let Some(signature) = signature {
            request = request.header("Stripe-Signature", signature);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn stop(self) -> Output {
        self.process.signal("TERM");
        self.process.finish().await
    }

    async fn kill(self) {
        self.process.signal("KILL");
        self.process.finish().await;
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// An order with a link of ours in its row, and that link.
async fn regenerated(world: &World) -> (OrderId, String) {
    let order = world.order(pending(5500).behind(expired_session())).await;
    let output = world.relink(&REGEN).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let link = world.row(order.0).await.reference.unwrap();
    (order, link)
}

async fn wait_until_closed(world: &World, order: OrderId) {
    let begun = Instant::now();
    while !world.live_objects_of(order).await.is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            world.listing().await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn assert_paid(world: &World, order: OrderId) {
    let row = world.row(order.0).await;
    assert_eq!(row.status, "paid");
    assert!(row.paid_at.is_some());
    assert!(row.payment_intent.unwrap().starts_with("pi_"));
}

async fn open_retirements(world: &World) -> Vec<String> {
    world
        .journaled("retirements", "SELECT link FROM {} WHERE done_at IS NULL")
        .await
}

async fn wait_until_none_is_due(world: &World) {
    let begun = Instant::now();
    while !open_retirements(world).await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_each_backend! {
    async fn a_paid_link_settles_its_order_and_is_closed_and_a_second_payer_is_refused(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        let second = world.visit(&link).await;
        world.pay(&link).await;
        let deliveries = world.deliveries().await;
        assert!(deliveries.iter().all(|delivery| delivery["status"] == 200), "{deliveries:?}");
        assert_paid(&world, order).await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        let second = world.object(second["id"].as_str().unwrap()).await;
        assert_eq!(second["status"], "expired", "the page that was open");

        let writes = world.journaled("steps", "SELECT action FROM {} ORDER BY intended_at").await;
        // Stripe switched the link off by itself: its one payment was made.
        assert_eq!(writes, ["mint", "publish", "expire"]);
        let (_, metrics) = serving.get("metrics").await.unwrap();
        assert!(metrics.contains("relink_webhook_events{ruling=\"settled\"} 1"), "{metrics}");
        assert!(metrics.contains("relink_links_to_close 0"), "{metrics}");
        let output = serving.stop().await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stderr.contains("whsec"), "{}", output.stderr);
        let quiet = world.relink(&["inspect", "--order-id", &order.to_string(), "-o", "json"]).await;
        assert!(quiet.stdout.contains("\"settled\""), "{}", quiet.stdout);
    }
}

on_each_backend! {
    async fn a_link_that_cannot_be_closed_undoes_no_payment_and_is_closed_later(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        let rule = json!({"method": "POST", "path": EXPIRE, "kind": "status", "status": 503, "times": null});
        world.fault(rule).await;
        world.visit(&link).await;
        world.pay(&link).await;
        world.deliveries().await;
        assert_paid(&world, order).await;
        let begun = Instant::now();
        while world.journaled("retirements", "SELECT last_error FROM {} WHERE attempts > 0 AND last_error IS NOT NULL").await.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no attempt was noted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.clear_faults().await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        assert_paid(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_receiver_killed_between_the_payment_and_the_closing_closes_after_its_restart(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        let rule = json!({"method": "POST", "path": EXPIRE, "when": "before", "kind": "park", "times": 1});
        world.fault(rule).await;
        world.visit(&link).await;
        world.pay(&link).await;
        let parked = world.wait_for_parked().await;
        assert_paid(&world, order).await;
        serving.kill().await;
        world.drop_parked(parked).await;
        assert_eq!(open_retirements(&world).await, [link]);

        let again = Serving::start(&world).await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        again.stop().await;
    }
}

on_each_backend! {
    async fn what_is_delivered_while_the_receiver_is_away_is_taken_in_when_it_is_back(world) {
        let (order, link) = regenerated(&world).await;
        let port = free_port();
        world.send_webhooks(&format!("http://127.0.0.1:{port}/stripe/webhook"), SECRET).await;
        world.pay(&link).await;
        assert_eq!(world.row(order.0).await.status, "pending");
        let serving = Serving::on(&world, port, &[]).await;
        world.deliveries().await;
        assert_paid(&world, order).await;
        wait_until_closed(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn a_database_that_refuses_is_answered_with_503_and_the_event_is_taken_in_later(world) {
        let (order, link) = regenerated(&world).await;
        let serving = Serving::start(&world).await;
        world.send_webhooks(&serving.url(), SECRET).await;
        world.rows.execute("ALTER TABLE orders RENAME TO orders_away").await;
        world.pay(&link).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.rows.execute("ALTER TABLE orders_away RENAME TO orders").await;
        let deliveries = world.deliveries().await;
        assert!(deliveries.iter().any(|delivery| delivery["status"] == 503), "{deliveries:?}");
        assert_paid(&world, order).await;
        serving.stop().await;
    }
}

on_each_backend! {
    async fn two_receivers_that_are_told_at_once_settle_once(world) {
        let (order, link) = regenerated(&world).await;
        let (one, other) = (Serving::start(&world).await, Serving::start(&world).await);
        let delivered = deliver_to_a_witness(&world, &link).await;
        let (signature, body) = (delivered.header("stripe-signature"), delivered.body.as_bytes());
        let tell = async |serving: &Serving| serving.post(Some(signature), body.to_vec()).await;
        let answers = tokio::join!(tell(&one), tell(&other), tell(&one), tell(&other));
        let taken = (200, "taken in\n".to_owned());
        assert_eq!(answers, (taken.clone(), taken.clone(), taken.clone(), taken));
        assert_paid(&world, order).await;
        wait_until_closed(&world, order).await;
        wait_until_none_is_due(&world).await;
        let rulings = world.journaled("events", "SELECT ruling FROM {}").await;
        assert_eq!(rulings, ["settled"]);
        one.stop().await;
        other.stop().await;
    }
}

/// The link is paid, and somebody else is told of it: what the receiver under test has not heard of yet.
async fn deliver_to_a_witness(world: &World, link: &str) -> Received {
    let witness = Receiver::start().await;
    world.send_webhooks(&witness.url(), SECRET).await;
    world.pay(link).await;
    witness.wait_for(1).await.remove(0)
}

#[tokio::test]
async fn what_is_not_stripes_is_refused_without_a_word_and_writes_nothing() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(active_link())).await;
    let serving = Serving::start(&world).await;
    let before = world.listing().await;
    let event = br#"{"id":"evt_1","object":"event"}"#.to_vec();
    let forged = format!("t=1,v1={}", "0".repeat(64));
    let cases: [(Option<&str>, Vec<u8>); 5] = [
        (None, event.clone()),
        (Some(""), event.clone()),
        (Some(&forged), event.clone()),
        (Some("t=1,v0=00"), event.clone()),
        (Some(&forged), vec![b' '; 1024 * 1024 + 1]),
    ];
    for (signature, body) in cases {
        let answer = serving.post(signature, body).await;
        assert_eq!(answer, (400, "refused\n".to_owned()), "{signature:?}");
    }
    assert_eq!(serving.get("stripe/webhook").await.unwrap().0, 405);
    assert_eq!(serving.get("elsewhere").await.unwrap().0, 404);
    let (_, metrics) = serving.get("metrics").await.unwrap();
    assert!(
        metrics.contains("relink_webhook_deliveries_total{answer=\"refused\"} 4"),
        "{metrics}"
    );
    assert_eq!(world.listing().await, before);
    assert_eq!(
        world.journaled("events", "SELECT event_id FROM {}").await,
        Vec::<String>::new()
    );
    serving.stop().await;
}

#[tokio::test]
async fn it_does_not_start_without_commit_or_a_secret() {
    let world = World::on(Backend::Sqlite).await;
    let refused = world.relink(&["webhook", "serve"]).await;
    assert_eq!(refused.code, Some(6), "{}", refused.stderr);
    assert!(refused.stderr.contains("--commit"), "{}", refused.stderr);
    let unsigned = world.relink(&["webhook", "serve", "--commit"]).await;
    assert_eq!(unsigned.code, Some(4), "{}", unsigned.stderr);
    assert!(
        unsigned.stderr.contains("STRIPE_WEBHOOK_SECRET"),
        "{}",
        unsigned.stderr
    );
    let secret = [("STRIPE_WEBHOOK_SECRET", SECRET)];
    let zero = world
        .relink_with(
            &["webhook", "serve", "--commit", "--tolerance", "0"],
            &secret,
        )
        .await;
    assert_eq!(zero.code, Some(2), "{}", zero.stderr);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["webhook", "serve", "--commit", "--listen", &address];
    let busy = world.relink_with(&args, &secret).await;
    assert_eq!(busy.code, Some(4), "{}", busy.stderr);
    assert!(busy.stderr.contains("cannot listen on"), "{}", busy.stderr);
}

on_each_backend! {
    async fn what_the_receiver_could_not_close_is_closed_by_any_later_run_over_all_orders(world) {
        for command in ["regen", "retire"] {
            let (order, link) = regenerated(&world).await;
            let serving = Serving::start(&world).await;
            world.send_webhooks(&serving.url(), SECRET).await;
            let rule = json!({"method": "POST", "path": EXPIRE, "when": "before", "kind": "park", "times": 1});
            world.fault(rule).await;
            world.visit(&link).await;
            world.pay(&link).await;
            let parked = world.wait_for_parked().await;
            serving.kill().await;
            world.drop_parked(parked).await;
            world.clear_faults().await;
            assert_eq!(open_retirements(&world).await, [link.as_str()]);

            let dry = world.relink(&[command, "--all"]).await;
            assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
            let output = world.relink(&[command, "--all", "--commit", "--yes"]).await;
            assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
            assert_eq!(world.live_objects_of(order).await, Vec::<String>::new(), "{command}");
            assert_eq!(open_retirements(&world).await, Vec::<String>::new(), "{command}");
        }
    }
}
