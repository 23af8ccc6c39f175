//! `--ping-url-file` before a real server: what it hears and in which order, and that no server, however bad, changes
//! how a run ends or learns or shows anything that it should not.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client_server::{Answer, Request, Server, status};
use crate::support::serving::free_port;
use crate::support::world::*;

/// Whoever knows it can silence the alarm.
const SECRET: &str = "1f0c9a3b-watch";

struct Desk(tempfile::TempDir);

impl Desk {
    /// A private file that holds the URL of a check at this server.
    fn with(base: &str) -> Self {
        Desk::holding(&format!("{base}/{SECRET}\n"), 0o600)
    }

    fn holding(text: &str, mode: u32) -> Self {
        let desk = Desk(tempfile::tempdir().unwrap());
        std::fs::write(desk.file(), text).unwrap();
        std::fs::set_permissions(desk.file(), PermissionsExt::from_mode(mode)).unwrap();
        desk
    }

    fn file(&self) -> String {
        self.0.path().join("ping").display().to_string()
    }

    async fn run(&self, world: &World, arguments: &[&str]) -> Output {
        let mut all = arguments.to_vec();
        let file = self.file();
        all.extend(["--ping-url-file", &file]);
        world.relink(&all).await
    }
}

fn well() -> Answer {
    status(200, json!("OK"))
}

/// `/SECRET/start` as `start`.
fn told(heard: &[Request]) -> Vec<String> {
    let last = |request: &Request| {
        let rest = request.path().strip_prefix(&format!("/{SECRET}/"));
        rest.unwrap_or_else(|| panic!("{}", request.target))
            .to_owned()
    };
    heard.iter().map(last).collect()
}

#[tokio::test]
async fn it_is_told_that_a_run_begins_and_then_how_and_as_what_it_ended() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let server = Server::start(|_| well()).await;
    let desk = Desk::with(&server.base);
    let probe = desk.run(&world, &["inspect", "--all", "--check"]).await;
    assert_eq!(probe.code, Some(10), "{}{}", probe.stdout, probe.stderr);
    let commit = desk
        .run(&world, &["regen", "--all", "--commit", "--yes"])
        .await;
    assert_eq!(commit.code, Some(0), "{}{}", commit.stdout, commit.stderr);

    let heard = server.heard();
    assert_eq!(told(&heard), ["start", "10", "start", "0"]);
    let rids: Vec<String> = heard
        .iter()
        .map(|request| request.query("rid").unwrap())
        .collect();
    assert!(
        rids.iter().all(|rid| uuid::Uuid::parse_str(rid).is_ok()),
        "{rids:?}"
    );
    assert_eq!((&rids[0], &rids[2]), (&rids[1], &rids[3]));
    assert_ne!(rids[0], rids[2]);
    let runs = world.journaled("runs", "SELECT run_id FROM {}").await;
    let said: Vec<(&str, &str)> = heard
        .iter()
        .map(|r| (r.method.as_str(), r.body.as_str()))
        .collect();
    let expected = [
        ("GET", ""),
        ("GET", ""),
        ("GET", ""),
        ("POST", runs[0].as_str()),
    ];
    assert_eq!(said, expected);
    for request in &heard {
        assert!(!format!("{request:?}").contains(KEY), "{request:?}");
        assert_eq!(request.header("authorization"), None);
    }
    for output in [probe, commit] {
        let shown = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !shown.contains(SECRET) && !shown.contains("warning"),
            "{shown}"
        );
    }
    let journaled = world.journaled("runs", "SELECT command FROM {}").await;
    assert!(!journaled[0].contains(SECRET), "{journaled:?}");
}

/// Before anything was opened, with a value that names nothing, and by a signal; but not for flags that no command has.
#[tokio::test]
async fn it_is_told_of_every_run_that_failed() {
    let world = World::on(Backend::Sqlite).await;
    world.order(pending(5500).behind(expired_session())).await;
    let server = Server::start(|_| well()).await;
    let desk = Desk::with(&server.base);
    let file = desk.file();
    let all = ["inspect", "--all", "--ping-url-file", &file];
    let refused = world
        .relink_with(&all, &[("STRIPE_API_KEY", "nonsense")])
        .await;
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    let unknown = desk.run(&world, &["inspect", "--order-id", "77"]).await;
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    let unread = desk.run(&world, &["inspect", "--every"]).await;
    assert_eq!(unread.code, Some(2), "{}", unread.stderr);
    assert_eq!(told(&server.heard()), ["start", "4", "start", "2"]);

    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        world.fault(json!({"method": "POST", "path": "/v1/payment_links", "when": "before", "kind": "park", "times": 1})).await;
        let running = world.spawn(&[
            "regen",
            "--all",
            "--commit",
            "--yes",
            "--ping-url-file",
            &file,
        ]);
        let parked = world.wait_for_parked().await;
        running.signal(signal);
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.drop_parked(parked).await;
        let output = running.finish().await;
        assert_eq!(
            output.code,
            Some(code),
            "{}{}",
            output.stdout,
            output.stderr
        );
        assert_eq!(told(&server.heard()).pop(), Some(code.to_string()));
    }
}

/// What a run says and does with a server that is of no use.
async fn shrugs(base: &str, why: &str) -> Duration {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let desk = Desk::with(base);
    let began = Instant::now();
    let output = desk
        .run(
            &world,
            &["regen", "--all", "--commit", "--yes", "-o", "json", "-q"],
        )
        .await;
    let took = began.elapsed();
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["exit_code"], 0);
    assert_eq!(world.live_objects_of(order).await.len(), 1);
    let warnings: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    assert_eq!(warnings.len(), 1, "{}", output.stderr);
    assert!(warnings[0].contains(why), "{}", warnings[0]);
    let hidden = [SECRET, base.trim_start_matches("http://")];
    assert!(
        !hidden.iter().any(|hidden| output.stderr.contains(hidden)),
        "{}",
        output.stderr
    );
    took
}

#[tokio::test]
async fn a_server_that_fails_is_asked_once_more_and_then_left_alone() {
    let server = Server::start(|_| status(500, json!("no"))).await;
    shrugs(&server.base, "told nothing of this run: it answered 500").await;
    assert_eq!(told(&server.heard()), ["start", "start", "0"]);
}

#[tokio::test]
async fn a_server_that_recovers_was_told() {
    let world = World::on(Backend::Sqlite).await;
    let server = Server::sequence(vec![|| status(503, json!("no")), well]).await;
    let output = Desk::with(&server.base)
        .run(&world, &["inspect", "--all"])
        .await;
    assert!(!output.stderr.contains("warning"), "{}", output.stderr);
    assert_eq!(told(&server.heard()), ["start", "start", "0"]);
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up_for_long() {
    let server = Server::start(|_| Answer::Silence).await;
    let took = shrugs(&server.base, "it did not answer in time").await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(told(&server.heard()), ["start", "start", "0"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_breaks_off_changes_nothing() {
    shrugs(
        &format!("http://127.0.0.1:{}", free_port()),
        "told nothing of this run: no answer",
    )
    .await;
    let server = Server::start(|_| Answer::Reset).await;
    shrugs(&server.base, "told nothing of this run: no answer").await;
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let other = Server::start(|_| well()).await;
    let elsewhere = format!("{}/elsewhere", other.base);
    let server =
        Server::start(move |_| status(302, json!("there")).with("Location", &elsewhere)).await;
    shrugs(&server.base, "told nothing of this run: it answered 302").await;
    assert_eq!(other.heard().len(), 0);
    // What was refused is not tried again.
    assert_eq!(told(&server.heard()), ["start", "0"]);
}

#[tokio::test]
async fn a_file_that_is_of_no_use_is_said_to_be_so_without_its_words() {
    let world = World::on(Backend::Sqlite).await;
    let url = format!("http://127.0.0.1:{}/{SECRET}", free_port());
    for (text, mode, why) in [
        (url.as_str(), 0o644, "is open to everybody"),
        (
            "http://hc.example.com/1f0c9a3b-watch",
            0o600,
            "without encryption",
        ),
        (
            "ftp://hc.example.com/1f0c9a3b-watch",
            0o600,
            "no https address",
        ),
        ("1f0c9a3b-watch", 0o600, "holds no URL"),
        ("", 0o600, "exactly one line"),
        (
            "https://a.example/1f0c9a3b-watch\nhttps://b.example/",
            0o600,
            "exactly one line",
        ),
    ] {
        let output = Desk::holding(text, mode)
            .run(&world, &["inspect", "--all"])
            .await;
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(
            output
                .stderr
                .contains("warning: nothing is pinged: ping URL file"),
            "{}",
            output.stderr
        );
        assert!(output.stderr.contains(why), "{text}: {}", output.stderr);
        assert!(!output.stderr.contains(SECRET), "{}", output.stderr);
    }
    let missing = ["inspect", "--all", "--ping-url-file", "/nonexistent/ping"];
    let output = world.relink(&missing).await;
    assert_eq!(output.code, Some(0));
    assert!(
        output.stderr.contains("cannot be read"),
        "{}",
        output.stderr
    );
}

/// Where hosts reach the world through a proxy alone.
#[tokio::test]
async fn a_proxy_of_the_environment_is_used_and_the_url_is_not_told_to_it() {
    let world = World::on(Backend::Sqlite).await;
    let proxy = Server::start(|_| status(502, json!("no"))).await;
    let desk = Desk::holding(&format!("https://hc.example.com/{SECRET}"), 0o600);
    let file = desk.file();
    let arguments = ["inspect", "--all", "--ping-url-file", &file];
    let output = world
        .relink_with(&arguments, &[("HTTPS_PROXY", &proxy.base)])
        .await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stderr.contains("told nothing of this run"),
        "{}",
        output.stderr
    );
    let heard = proxy.heard();
    assert!(!heard.is_empty());
    for request in heard {
        assert_eq!(request.method, "CONNECT", "{request:?}");
        assert_eq!(request.target, "hc.example.com:443");
    }
}
