//! A run that stands still until its lease has run out, and then goes on: whoever took the order over has decided,
//! and the sleeper writes nothing.

use std::time::Duration;

use crate::on_each_backend;
use crate::support::kill_points::{ADDRESS, KillPoints};
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];
/// The commit after which nothing but the publication is left to do.
const MINTED: &str = "journal an outcome";

on_each_backend! {
    async fn a_sleeper_does_not_publish_over_what_came_after_its_lease(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        let session = world.row(order.0).await.reference.unwrap();
        let points = KillPoints::listen().await;
        let mut command = world.command(&COMMIT);
        command.env(ADDRESS, points.address());
        let sleeper = Running::start(command);
        let asleep = loop {
            let reached = points.next_within(Duration::from_secs(20)).await.expect("no outcome was journaled");
            if !reached.before && reached.what == MINTED {
                break reached;
            }
            reached.go_on();
        };
        let operations = world.journal_table("operations");
        world.rows.execute(&format!("UPDATE {operations} SET lease_until = 1")).await;
        let second = world.relink(&COMMIT).await;
        assert_eq!(second.code, Some(0), "{}{}", second.stdout, second.stderr);
        assert_eq!(world.live_objects_of(order).await, [world.row(order.0).await.reference.unwrap()]);

        // The application names its session again: to the sleeper the row looks as it did when it fell asleep.
        world.rows.set(order.0, "stripe_checkout_session_id", &format!("'{session}'")).await;
        asleep.go_on();
        let ending = tokio::spawn(sleeper.finish());
        tokio::pin!(ending);
        let output = loop {
            tokio::select! {
                ended = &mut ending => break ended.unwrap(),
                reached = points.next() => reached.go_on(),
            }
        };
        assert_eq!(world.row(order.0).await.reference, Some(session), "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("fenced"), "{}{}", output.stdout, output.stderr);
    }
}
