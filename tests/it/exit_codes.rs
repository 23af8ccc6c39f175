//! Every exit code that users are told of is reached here by the real binary, and none that they are not told of.

use std::process::Stdio;

use serde_json::json;

use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

async fn with(order: Order) -> World {
    let world = World::on(Backend::Sqlite).await;
    world.order(order).await;
    world
}

async fn stranded() -> World {
    with(pending(5500).behind(expired_session())).await
}

async fn healthy() -> World {
    with(pending(5500).behind(active_link())).await
}

/// Nobody knows where the parent's money went.
async fn paid_and_not_recorded() -> World {
    with(pending(5500).behind(paid_session())).await
}

/// The codes of `relink help exit-codes`.
async fn told() -> Vec<i32> {
    let world = World::on(Backend::Sqlite).await;
    let help = world.relink(&["help", "exit-codes"]).await.stdout;
    let lines = help.lines().skip_while(|line| *line != "Codes:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next()?.parse().ok())
        .collect()
}

/// Ended by this signal while its request is held, which is then let go.
async fn interrupted(signal: &str) -> Output {
    let world = stranded().await;
    let running = held_at_the_mint(&world).await;
    running.signal(signal);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    world.release(world.wait_for_parked().await).await;
    running.finish().await
}

async fn held_at_the_mint(world: &World) -> Running {
    let rule = json!({"method": "POST", "when": "before", "kind": "park", "times": 1});
    world.fault(rule).await;
    let running = world.spawn(&COMMIT);
    world.wait_for_parked().await;
    running
}

async fn with_a_full_disk() -> Output {
    let world = healthy().await;
    let mut command = world.command(&["inspect", "--all"]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ended = command.stdin(Stdio::null()).stdout(full).output().unwrap();
    Output {
        code: ended.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(ended.stderr).unwrap(),
    }
}

async fn while_another_run_is_at_it() -> Output {
    let world = stranded().await;
    let _first = held_at_the_mint(&world).await;
    world.relink(&COMMIT).await
}

async fn with_every_mint_refused() -> Output {
    let world = stranded().await;
    let body = json!({"error": {"type": "card_error", "code": "card_declined", "message": "no"}});
    let rule = json!({"method": "POST", "kind": "status", "status": 402, "body": body, "times": 9});
    world.fault(rule).await;
    world
        .relink(&[&COMMIT[..], &["--max-failures", "1"]].concat())
        .await
}

/// What ends with this code.
async fn reach(code: i32) -> Option<Output> {
    let check = ["inspect", "--all", "--check"];
    let ended = match code {
        0 => stranded().await.relink(&COMMIT).await,
        1 => with_a_full_disk().await,
        2 => {
            stranded()
                .await
                .relink(&["regen", "--order-id", "some"])
                .await
        }
        3 => paid_and_not_recorded().await.relink(&COMMIT).await,
        4 => {
            stranded()
                .await
                .relink_with(&COMMIT, &[("STRIPE_API_KEY", "")])
                .await
        }
        5 => {
            stranded()
                .await
                .relink_with(&COMMIT, &[("STRIPE_API_KEY", "sk_test_expired")])
                .await
        }
        6 => stranded().await.relink(&COMMIT[..3]).await,
        7 => {
            stranded()
                .await
                .relink(&[&COMMIT[..], &["--expect", "0000-0000"]].concat())
                .await
        }
        8 => while_another_run_is_at_it().await,
        9 => {
            stranded()
                .await
                .relink_with(&COMMIT, &[("STRIPE_API_BASE", "http://127.0.0.1:1")])
                .await
        }
        10 => stranded().await.relink(&check).await,
        11 => paid_and_not_recorded().await.relink(&check).await,
        12 => with_every_mint_refused().await,
        130 => interrupted("INT").await,
        143 => interrupted("TERM").await,
        _ => return None,
    };
    Some(ended)
}

#[tokio::test]
async fn each_code_that_users_are_told_of_is_reached() {
    let told = told().await;
    assert_eq!(told.len(), 15, "{told:?}");
    for code in told {
        let ended = reach(code).await;
        let ended = ended.unwrap_or_else(|| panic!("nothing here ends with {code}"));
        assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    }
}
