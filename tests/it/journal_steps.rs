//! What a run writes about an operation: the intent byte for byte, exactly one outcome, and the end.

use std::time::Duration;

use relink::domain::{CheckoutReference, Timestamp};
use relink::saga::{Ending, Operation, State};
use relink::store::{
    Access, Intent, JournalError, Outcome, OutcomeKind, Published, StepAction, StoreError,
};
use relink::stripe::Timings;

use crate::journal_world::{
    begin, begin_at, claim_fresh, done, mint, minted, minting, new_run, on_both_databases, order,
    publication, replacement, replacement_of, take_over, timings,
};
use crate::store_world::World;

on_both_databases!(
    an_intent_is_journaled_byte_for_byte_before_anything_leaves,
    a_step_has_one_outcome_and_it_stays,
    a_step_of_another_operation_has_no_outcome_here,
    an_end_says_how_and_what_is_left_live,
    an_end_leaves_no_step_without_an_outcome,
    what_is_closed_makes_room_for_the_next_operation,
    every_change_extends_the_lease,
    a_change_is_a_reason_to_send_again_and_a_row_that_moved_is_none,
    what_a_plan_passes_over_is_written_down_whole_or_not_at_all,
);

async fn an_intent_is_journaled_byte_for_byte_before_anything_leaves(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let session = CheckoutReference::classify("cs_test_one");
    let expire = Intent {
        action: StepAction::Expire,
        object: Some(session),
        attempt: 1,
        write: mint("key-e"),
    };
    journal
        .intend(&lease, &replacement(), &expire)
        .await
        .unwrap();
    let (operation, intent) = minting(&replacement(), 2, "key-m");
    journal.intend(&lease, &operation, &intent).await.unwrap();
    let told = |action: &str| {
        format!(
            "SELECT run_id || ' ' || CAST(order_id AS TEXT) || ' ' || CAST(attempt AS TEXT) || ' ' \
             || COALESCE(object, 'none') || ' ' || idempotency_key || ' ' || api_version || ' ' || body \
             FROM {{steps}} WHERE action = '{action}'"
        )
    };
    assert_eq!(
        world.journaled(&told("expire")).await.as_deref(),
        Some("run-1 1 1 cs_test_one key-e 2026-07-29.dahlia metadata[order_id]=1")
    );
    assert_eq!(
        world.journaled(&told("mint")).await.as_deref(),
        Some("run-1 1 2 none key-m 2026-07-29.dahlia metadata[order_id]=1")
    );
    let stands = "SELECT state || ' ' || CAST(attempt AS TEXT) || ' ' || mint_key || ' ' || relink_key \
                  FROM {operations}";
    assert_eq!(
        world.journaled(stands).await.as_deref(),
        Some("minting 2 key-m r_key-m")
    );
    let record = world.journaled("SELECT record FROM {operations}").await;
    assert_eq!(Operation::from_record(&record.unwrap()).unwrap(), operation);
}

async fn a_step_has_one_outcome_and_it_stays(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let step = journal.intend(&lease, &operation, &intent).await.unwrap();
    let refused = Outcome {
        kind: OutcomeKind::Refused,
        result_id: None,
        result_url: None,
        request_id: Some("req_9".to_owned()),
        error: Some("no such product".to_owned()),
    };
    journal
        .conclude(&lease, &operation, step.clone(), &refused)
        .await
        .unwrap();
    let before = world.journal_text().await;
    let after = minted(&operation, "plink_new");
    let error = journal
        .conclude(&lease, &after, step, &done("plink_new"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, JournalError::Store(StoreError::Query { detail, .. })
            if detail == "the step has its outcome already: refused"),
        "{error:?}"
    );
    assert_eq!(
        world.journal_text().await,
        before,
        "nor is the rest of it written"
    );
    let told =
        "SELECT outcome || ' ' || request_id || ' ' || error || ' ' || run_id FROM {outcomes}";
    assert_eq!(
        world.journaled(told).await.as_deref(),
        Some("refused req_9 no such product run-1")
    );
}

async fn a_step_of_another_operation_has_no_outcome_here(world: World) {
    let journal = begin(&world, "run-1").await;
    let one = claim_fresh(&journal, &order(1), &replacement()).await;
    let three = claim_fresh(&journal, &order(3), &replacement_of(3, None, 6500)).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let step = journal.intend(&one, &operation, &intent).await.unwrap();
    let before = world.journal_text().await;
    let wrong = journal
        .conclude(&three, &operation, step, &done("plink_new"))
        .await;
    assert!(
        matches!(wrong, Err(JournalError::Store(StoreError::Query { .. }))),
        "{wrong:?}"
    );
    assert_eq!(world.journal_text().await, before);
}

async fn an_end_says_how_and_what_is_left_live(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let live = ["plink_1", "cs_test_1"].map(CheckoutReference::classify);
    let ended = Operation {
        state: State::Ended(Ending::StillLive(live.to_vec())),
        ..replacement()
    };
    journal.close(&lease, &ended, false).await.unwrap();
    let told = "SELECT state || ' ' || ending || ' ' || CASE WHEN is_done THEN 'done' ELSE 'not done' END || ' ' \
                || live_left || ' ' || COALESCE(lease_token, 'free') FROM {operations} WHERE closed_at IS NOT NULL";
    assert_eq!(
        world.journaled(told).await.as_deref(),
        Some("ended still_live not done [\"plink_1\",\"cs_test_1\"] free")
    );
    let again = journal.close(&lease, &ended, true).await;
    assert!(matches!(again, Err(JournalError::Fenced)), "{again:?}");
}

async fn an_end_leaves_no_step_without_an_outcome(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-m");
    journal.intend(&lease, &operation, &intent).await.unwrap();
    // Its answer was known, and could not be journaled.
    journal.close(&lease, &operation, false).await.unwrap();
    let told = "SELECT o.outcome || ' ' || o.error FROM {steps} s JOIN {outcomes} o ON o.step_id = s.step_id";
    assert_eq!(
        world.journaled(told).await.as_deref(),
        Some("unknown the run ended before the answer was journaled")
    );
}

async fn what_is_closed_makes_room_for_the_next_operation(world: World) {
    let journal = begin(&world, "run-1").await;
    for _ in 0..3 {
        let lease = claim_fresh(&journal, &order(1), &replacement()).await;
        journal.close(&lease, &replacement(), false).await.unwrap();
    }
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    journal.release(&lease).await.unwrap();
    take_over(&journal, &order(1)).await;
    let count =
        "SELECT CAST(COUNT(*) AS TEXT) || ' ' || CAST(COUNT(closed_at) AS TEXT) FROM {operations}";
    assert_eq!(world.journaled(count).await.as_deref(), Some("4 3"));
}

async fn every_change_extends_the_lease(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let operations = world.journal_table("operations");
    let shorten = format!("UPDATE {operations} SET lease_until = updated_at + 1000000");
    let left = "SELECT CAST((lease_until - begun_at) / 1000000 AS TEXT) FROM {operations}";
    world.run(&shorten).await;
    let step = journal.intend(&lease, &operation, &intent).await.unwrap();
    let after_intent = world.journaled(left).await.unwrap();
    world.run(&shorten).await;
    journal
        .conclude(&lease, &operation, step, &done("plink_new"))
        .await
        .unwrap();
    let after_outcome = world.journaled(left).await.unwrap();
    world.run(&shorten).await;
    assert!(journal.renew(&lease).await.unwrap());
    let after_renewal = world.journaled(left).await.unwrap();
    for seconds in [after_intent, after_outcome, after_renewal] {
        let seconds: i64 = seconds.parse().unwrap();
        assert!((600..660).contains(&seconds), "{seconds}");
    }
    assert!(journal.may_send(&lease));
}

/// The heart does not beat in between: only what the database granted counts.
async fn a_change_is_a_reason_to_send_again_and_a_row_that_moved_is_none(world: World) {
    let send_within = Duration::from_secs(2);
    let brief = Timings {
        send_within,
        ..timings()
    };
    let journal = begin_at(&world.url, new_run("run-1"), brief).await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    tokio::time::sleep(send_within).await;
    assert!(!journal.may_send(&lease), "nobody renewed it");
    let after = minted(&operation, "plink_new");
    let elsewhere = publication(1, Some("cs_test_other"), 5500);
    let told = journal.publish(&lease, &after, &elsewhere).await.unwrap();
    assert_eq!(told, Published::RowMoved);
    assert!(
        !journal.may_send(&lease),
        "it was rolled back with all that it did"
    );
    journal.intend(&lease, &operation, &intent).await.unwrap();
    assert!(journal.may_send(&lease));
}

/// A plan of which half was written down would come due again by halves.
async fn what_a_plan_passes_over_is_written_down_whole_or_not_at_all(world: World) {
    let journal = begin(&world, "run-1").await;
    let store = world.open(Access::ReadOnly).await;
    let (digest, made) = ("e828-75b4".parse().unwrap(), Timestamp(1_800_000_000));
    let subjects = ["order:1", "order:2", "object:plink_%'\""].map(ToOwned::to_owned);
    let refusal = if world.is_postgres() {
        "ALTER TABLE relink.meta ADD CONSTRAINT refused CHECK (name NOT LIKE '%order:2')"
    } else {
        "CREATE TRIGGER refused BEFORE INSERT ON relink_meta WHEN NEW.name LIKE '%order:2' \
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    };
    world.run(refusal).await;
    let noted = journal.pass_over(&digest, made, &subjects).await;
    assert!(matches!(noted, Err(StoreError::Query { .. })), "{noted:?}");
    let none = store.passed_over(&digest, made).await.unwrap();
    assert_eq!(none, [""; 0]);
    let pardon = if world.is_postgres() {
        "ALTER TABLE relink.meta DROP CONSTRAINT refused"
    } else {
        "DROP TRIGGER refused"
    };
    world.run(pardon).await;
    for _ in 0..2 {
        journal.pass_over(&digest, made, &subjects).await.unwrap();
        let mut all = store.passed_over(&digest, made).await.unwrap();
        all.sort_by_key(|subject| subjects.iter().position(|it| it == subject));
        assert_eq!(all, subjects);
    }
    let other = store.passed_over(&digest, Timestamp(made.0 + 1)).await;
    assert_eq!(other.unwrap(), [""; 0]);
}
