//! Nobody reads what relink says, because a terminal was paused or a pager waits: no order waits for that, no event, and no
//! row stays locked. What was said is there in whole once somebody reads on.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::on_each_backend;
use crate::support::serving::{SECRET, client, free_port};
use crate::support::world::*;

/// What a pipe holds while nobody reads.
const PIPE: usize = 65_536;

/// Kills what the test did not see end.
struct Unread(Child);

impl Unread {
    fn start(mut command: std::process::Command) -> Unread {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Unread(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Reads all of it now, and waits for the end: exit code, stdout, stderr.
    async fn read_on(mut self) -> (Option<i32>, String, String) {
        tokio::task::spawn_blocking(move || {
            let mut stderr = self.0.stderr.take().unwrap();
            let told = std::thread::spawn(move || {
                let mut text = String::new();
                stderr.read_to_string(&mut text).unwrap();
                text
            });
            let mut stdout = String::new();
            let mut result = self.0.stdout.take().unwrap();
            result.read_to_string(&mut stdout).unwrap();
            let code = self.0.wait().unwrap().code();
            (code, stdout, told.join().unwrap())
        })
        .await
        .unwrap()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn waits_for(world: &World, orders: &[OrderId]) {
    let begun = Instant::now();
    for order in orders {
        while !world
            .row(order.0)
            .await
            .reference
            .is_some_and(|id| id.starts_with("plink_"))
        {
            assert!(
                begun.elapsed() < Duration::from_secs(40),
                "{}",
                world.listing().await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

on_each_backend! {
async fn a_commit_goes_on_while_nobody_reads_its_events(world) {
    let mut orders = Vec::new();
    for _ in 0..200 {
        orders.push(world.order(pending(5500).behind(expired_session())).await);
    }
    let unread = Unread::start(world.command(&["regen", "--all", "--commit", "--yes", "-o", "jsonl"]));
    waits_for(&world, &orders).await;
    // No row is locked either.
    world.rows.set(orders[0].0, "amount_cents", "5600").await;

    let (code, stdout, stderr) = unread.read_on().await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.len() > PIPE, "{} bytes would have fitted", stdout.len());
    let types: Vec<String> = stdout.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["type"].as_str().unwrap().to_owned()
    }).collect();
    assert_eq!(types[0], "header");
    assert!(types[1..=200].iter().all(|kind| kind == "outcome"), "{types:?}");
    assert_eq!(types[201..], ["totals", "summary"]);
}
}

#[tokio::test]
async fn the_receiver_answers_while_nobody_reads_its_log() {
    let world = World::on(Backend::Sqlite).await;
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.command(&["webhook", "serve", "--commit", "--listen", &listen]);
    command.envs([("STRIPE_WEBHOOK_SECRET", SECRET), ("RUST_LOG", "debug")]);
    let unread = Unread::start(command);

    let client = client();
    let url = format!("http://{listen}/healthz");
    let begun = Instant::now();
    let mut answers = 0;
    while answers < 400 {
        let asked = client
            .get(&url)
            .timeout(Duration::from_secs(10))
            .send()
            .await;
        match asked {
            Ok(answer) => {
                assert_eq!(answer.status(), 200);
                answers += 1;
            }
            Err(error) => {
                // It may not listen yet.
                assert!(
                    answers == 0 && begun.elapsed() < Duration::from_secs(20),
                    "after {answers} answers: {error}"
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    send_signal("TERM", unread.0.id());
    let (code, _, stderr) = unread.read_on().await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.len() > PIPE,
        "{} bytes would have fitted",
        stderr.len()
    );
}
