//! The kill points themselves: they are in the test build, where the crash tests need them, and in no other.

use std::collections::BTreeSet;

use crate::support::kill_points::{ADDRESS, KillPoints};
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

fn holds(binary: &str, text: &str) -> bool {
    let bytes = std::fs::read(binary).unwrap_or_else(|error| panic!("{binary}: {error}"));
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn the_release_binary_holds_no_trace_of_them() {
    let tested = env!("CARGO_BIN_EXE_relink");
    assert!(
        holds(tested, ADDRESS),
        "{tested} has no kill points: run tests/run"
    );
    let release = std::env::var("RELINK_TEST_RELEASE_BINARY")
        .expect("RELINK_TEST_RELEASE_BINARY is not set: run tests/run, which builds it");
    assert!(holds(&release, "relink"), "{release} is not relink");
    assert!(
        !holds(&release, ADDRESS),
        "{release} can be stopped around its commits"
    );
}

#[tokio::test]
async fn every_commit_is_announced_before_and_after_and_the_run_ends_as_it_would_have() {
    let world = World::on(Backend::Sqlite).await;
    let order = world.order(pending(5500).behind(expired_session())).await;
    let points = KillPoints::listen().await;
    let mut command = world.command(&COMMIT);
    command.env(ADDRESS, points.address());
    let running = Running::start(command);
    let watching = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(reached) = points.next_within(std::time::Duration::from_secs(3)).await {
            seen.push((reached.before, reached.number));
            reached.go_on();
        }
        seen
    });
    let output = running.finish().await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(world.live_objects_of(order).await.len(), 1);
    let seen = watching.await.unwrap();
    let numbers = |side: bool| -> BTreeSet<u64> {
        seen.iter()
            .filter(|(before, _)| *before == side)
            .map(|(_, number)| *number)
            .collect()
    };
    assert!(numbers(true).len() > 3, "{seen:?}");
    assert_eq!(numbers(true), numbers(false));
    assert_eq!(seen.len(), 2 * numbers(true).len());
}

#[tokio::test]
async fn an_address_of_another_host_is_refused() {
    let world = World::on(Backend::Sqlite).await;
    let output = world
        .relink_with(&["inspect", "--all"], &[(ADDRESS, "192.0.2.1:80")])
        .await;
    assert_eq!(output.code, Some(4), "{}", output.stderr);
}
