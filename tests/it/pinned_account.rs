//! The first commit says to which Stripe account a database belongs; from then on no other one will do.

use crate::on_each_backend;
use crate::support::world::*;

const COMMIT: [&str; 4] = ["regen", "--all", "--commit", "--yes"];

on_each_backend! {
    async fn the_first_commit_fixes_the_account_and_a_dry_run_does_not(world) {
        world.order(pending(5500).behind(expired_session())).await;
        let dry = world.relink(&["regen", "--all"]).await;
        assert_eq!(dry.code, Some(0), "{}", dry.stderr);
        let committed = world.relink(&COMMIT).await;
        assert_eq!(committed.code, Some(0), "{}{}", committed.stdout, committed.stderr);
        let pinned = world.journaled("meta", "SELECT value FROM {} WHERE name = 'account.test'").await;
        assert_eq!(pinned, ["acct_1SandboxRelink"]);
    }
}

on_each_backend! {
    /// In another account every object of this database would look missing, and every order dead.
    async fn with_the_key_of_another_account_nothing_runs_and_nothing_is_written(world) {
        let order = world.order(pending(5500).behind(expired_session())).await;
        assert_eq!(world.relink(&COMMIT).await.code, Some(0));
        let meta = world.journal_table("meta");
        world.rows.execute(&format!("UPDATE {meta} SET value = 'acct_1Another' WHERE name = 'account.test'")).await;
        world.order(pending(5500).behind(expired_session())).await;
        world.freeze_writes().await;
        let before = world.listing().await;
        for command in [&COMMIT[..], &["regen", "--all"], &["inspect", "--all"]] {
            let output = world.relink(command).await;
            assert_eq!(output.code, Some(4), "{command:?}: {}{}", output.stdout, output.stderr);
            assert!(output.stderr.contains("belongs to account acct_1Another"), "{}", output.stderr);
        }
        assert!(world.violations().await.is_empty());
        assert_eq!(world.listing().await, before);
        assert_eq!(world.live_objects_of(order).await.len(), 1);
    }
}
