//! The circle through real processes: `relink` mints a link in a served sandbox, a browser's requests open and pay it,
//! and the receiver gets an event that the official SDK verifies.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sandbox_process::{Served, folder, in_sandbox};
use crate::support::receiver::{Receiver, verified_by_stripe};
use crate::support::world::*;

const SECRET: &str = "whsec_of_the_circle";

fn secret_file(dir: &Path, mode: u32) -> PathBuf {
    let file = dir.join("webhook-secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    file
}

/// Mints the links of the sample's tournament 2; the first one's URL.
fn mint(dir: &Path) -> String {
    let command = [
        "regen",
        "--tournament-id",
        "2",
        "--commit",
        "--yes",
        "-o",
        "json",
    ];
    let minted = in_sandbox(dir, &command);
    assert_eq!(minted.code, Some(0), "{}", minted.stderr);
    let report: Value = serde_json::from_str(&minted.stdout).unwrap();
    report["outcomes"][0]["link"]["url"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Opens a page and sends its form, as a browser would.
async fn open_and_pay(base: &str, url: &str) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = client.get(url).send().await.unwrap();
    if page.status() != 200 {
        return page.status().as_u16();
    }
    let text = page.text().await.unwrap();
    let form = text.split("action=\"").nth(1).unwrap();
    let action = form.split('"').next().unwrap();
    let paying = client
        .post(format!("{base}{action}"))
        .header("Origin", base);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let paid = paying
        .header(form.0, form.1)
        .body("method=card")
        .send()
        .await;
    paid.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_minted_link_is_opened_and_paid_and_the_receiver_is_told() {
    let (dir, secrets) = (folder(), folder());
    let receiver = Receiver::start().await;
    let file = secret_file(secrets.path(), 0o600);
    let url = receiver.url();
    let args = [
        "--webhook-url",
        &url,
        "--webhook-secret-file",
        file.to_str().unwrap(),
    ];
    let served = Served::with(dir.path(), &args, &[]);

    let link = mint(dir.path());
    assert!(link.starts_with(&format!("{}/buy/", served.base)), "{link}");
    assert_eq!(open_and_pay(&served.base, &link).await, 200);

    let received = receiver.wait_for(1).await;
    assert_eq!(received[0].event()["type"], "checkout.session.completed");
    assert_eq!(verified_by_stripe(&received, SECRET).await, receiver.ids());
    assert_eq!(
        open_and_pay(&served.base, &link).await,
        410,
        "the second payer"
    );
}

#[tokio::test]
async fn an_event_outlives_a_kill_of_the_sandbox() {
    let dir = folder();
    let port = Receiver::start().await.port;
    let url = format!("http://127.0.0.1:{port}/stripe/webhook");
    let args = ["--webhook-url", url.as_str(), "--webhook-duplicates", "1"];
    let secret = [("RELINK_SANDBOX_WEBHOOK_SECRET", SECRET)];
    let served = Served::with(dir.path(), &args, &secret);
    let link = mint(dir.path());
    assert_eq!(open_and_pay(&served.base, &link).await, 200);
    served.kill();

    let receiver = Receiver::on(port, &[], std::time::Duration::ZERO).await;
    let _served = Served::with(dir.path(), &args, &secret);

    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(verified_by_stripe(&received, SECRET).await, receiver.ids());
}

#[test]
fn without_a_secret_that_is_private_nothing_is_served() {
    let dir = folder();
    let open = secret_file(dir.path(), 0o644);
    let open = open.to_str().unwrap();
    let url = ["sandbox", "serve", "--port", "0", "--webhook-url"];
    for (more, told) in [
        (&["http://127.0.0.1:9/"][..], "no secret that signs events"),
        (
            &["http://127.0.0.1:9/", "--webhook-secret-file", open],
            "open to everybody",
        ),
    ] {
        let output = in_sandbox(dir.path(), &[&url[..], more].concat());
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert!(output.stderr.contains(told), "{}", output.stderr);
        assert!(!output.stderr.contains(SECRET), "{}", output.stderr);
    }
    let lone = in_sandbox(dir.path(), &["sandbox", "serve", "--webhook-shuffle", "1"]);
    assert_eq!(lone.code, Some(2), "{}", lone.stderr);
}

#[tokio::test]
async fn a_world_sends_webhooks_too() {
    let world = World::on(Backend::Sqlite).await;
    let receiver = Receiver::start().await;
    world.send_webhooks(&receiver.url(), SECRET).await;
    let order = world.order(pending(55_00).behind(active_link())).await;
    let link = world.link(order).await;

    world.pay(link["id"].as_str().unwrap()).await;

    let deliveries = world.deliveries().await;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    let sent = receiver.received()[0].event();
    assert_eq!(
        sent["data"]["object"]["metadata"]["order_id"],
        order.to_string()
    );
}
