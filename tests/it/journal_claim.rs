//! Claims: one holder at a time, nobody waits, and what a holder leaves behind is taken over, once it is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use relink::domain::{CheckoutReference, Mode, RunId};
use relink::exit::ExitStatus;
use relink::saga::{Expected, Operation, State, Task};
use relink::store::{Claim, Journal, JournalError, NewRun, OutcomeKind, StoreError, Subject};
use relink::stripe::Timings;

use crate::journal_world::{
    begin, begin_at, claim_fresh, claim_held, die, done, minted, minting, new_run,
    on_both_databases, order, publication, replacement, replacement_of, take_over, timings,
};
use crate::store_world::World;

on_both_databases!(
    what_is_claimed_is_held_and_told_by_whom,
    what_is_released_is_taken_over_as_it_stood,
    what_a_dead_run_held_is_taken_over_at_once,
    what_an_ended_run_held_is_taken_over,
    a_lease_that_ran_out_is_taken_over_whoever_holds_it,
    a_heartbeat_keeps_every_lease_of_its_run,
    of_two_claims_at_once_one_is_fresh_and_one_is_held,
    intents_without_an_answer_become_unknown,
    the_age_of_a_mint_counts_from_the_first_intent_of_its_key,
    who_lost_the_lease_can_write_nothing,
    subjects_and_modes_do_not_meet,
    a_new_operation_begins_after_the_attempts_of_the_ended_ones,
    an_operation_that_cannot_be_read_is_an_error_and_stays_as_it_is,
);

async fn what_is_claimed_is_held_and_told_by_whom(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    let claim = one.claim(&order(1), &replacement()).await.unwrap();
    assert!(
        matches!(claim, Claim::Fresh { attempt: 1, .. }),
        "{claim:?}"
    );
    let holder = claim_held(&two, &order(1)).await;
    let pid = std::process::id();
    assert_eq!(
        (holder.run.as_str(), holder.host.as_str(), holder.pid),
        ("run-1", "cron@db1", pid)
    );
    let said = holder.to_string();
    assert!(
        said.starts_with(&format!("run run-1 on cron@db1, process {pid}, since 20")),
        "{said}"
    );
    let again = claim_held(&one, &order(1)).await;
    assert_eq!(again.run.as_str(), "run-1", "also from itself");
    let begun = world
        .journaled(
            "SELECT subject || ' ' || state || ' ' || task || ' ' || begun_by FROM {operations}",
        )
        .await;
    assert_eq!(begun.as_deref(), Some("order:1 claimed replace run-1"));
}

async fn what_is_released_is_taken_over_as_it_stood(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    let lease = claim_fresh(&one, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    one.intend(&lease, &operation, &intent).await.unwrap();
    one.release(&lease).await.unwrap();
    assert!(!one.may_send(&lease), "given up");
    let (mine, found, _) = take_over(&two, &order(1)).await;
    assert_eq!(*found, operation);
    assert!(two.may_send(&mine));
    claim_held(&one, &order(1)).await;
    two.release(&mine).await.unwrap();
    take_over(&one, &order(1)).await;
}

async fn what_a_dead_run_held_is_taken_over_at_once(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    claim_fresh(&one, &order(1), &replacement()).await;
    claim_fresh(&two, &order(3), &replacement()).await;
    die(&world, one).await;
    let begun = Instant::now();
    let (_, found, mint_age) = take_over(&two, &order(1)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(*found, replacement());
    assert_eq!(mint_age, None);
    let held = world
        .journaled("SELECT begun_by || ' ' || held_by FROM {operations} WHERE order_id = 1")
        .await;
    assert_eq!(held.as_deref(), Some("run-1 run-2"));
    let three = begin(&world, "run-3").await;
    assert_eq!(claim_held(&three, &order(1)).await.run.as_str(), "run-2");
}

async fn what_an_ended_run_held_is_taken_over(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    claim_fresh(&one, &order(1), &replacement()).await;
    one.finish(ExitStatus::Interrupted).await.unwrap();
    let claim = two.claim(&order(1), &replacement()).await.unwrap();
    assert!(matches!(claim, Claim::TakenOver { .. }), "{claim:?}");
}

async fn run_out(world: &World) {
    let operations = world.journal_table("operations");
    world
        .run(&format!(
            "UPDATE {operations} SET lease_until = lease_until - 601000000"
        ))
        .await;
}

async fn a_lease_that_ran_out_is_taken_over_whoever_holds_it(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    let lease = claim_fresh(&one, &order(1), &replacement()).await;
    claim_held(&two, &order(1)).await;
    run_out(&world).await;
    take_over(&two, &order(1)).await;
    assert!(
        !one.renew(&lease).await.unwrap(),
        "it is somebody else's now"
    );
    assert!(!one.may_send(&lease));
}

async fn a_heartbeat_keeps_every_lease_of_its_run(world: World) {
    let short = Timings {
        lease: Duration::from_secs(4),
        heartbeat: Duration::from_millis(500),
        send_within: Duration::from_secs(3),
        ..timings()
    };
    let one = begin_at(&world.url, new_run("run-1"), short).await;
    let two = begin(&world, "run-2").await;
    let first = claim_fresh(&one, &order(1), &replacement()).await;
    let second = claim_fresh(&one, &order(3), &replacement()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(one.may_send(&first) && one.may_send(&second));
    claim_held(&two, &order(1)).await;
    claim_held(&two, &order(3)).await;
    assert!(one.renew(&first).await.unwrap());
}

async fn of_two_claims_at_once_one_is_fresh_and_one_is_held(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    for id in 1..=20 {
        let (subject, operation) = (order(id), replacement_of(id, None, 5500));
        let (first, second) = tokio::join!(
            one.claim(&subject, &operation),
            two.claim(&subject, &operation)
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        let pair = (&first, &second);
        assert!(
            matches!(
                pair,
                (Claim::Fresh { .. }, Claim::Held(_)) | (Claim::Held(_), Claim::Fresh { .. })
            ),
            "{pair:?}"
        );
    }
    let count = world
        .journaled("SELECT CAST(COUNT(*) AS TEXT) FROM {operations}")
        .await;
    assert_eq!(count.as_deref(), Some("20"));
}

async fn intents_without_an_answer_become_unknown(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    let lease = claim_fresh(&one, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let answered = one.intend(&lease, &operation, &intent).await.unwrap();
    one.conclude(&lease, &operation, answered, &done("plink_new"))
        .await
        .unwrap();
    one.intend(&lease, &operation, &intent).await.unwrap();
    die(&world, one).await;
    let (_, _, mint_age) = take_over(&two, &order(1)).await;
    assert!(
        mint_age.is_some_and(|age| (0..60).contains(&age)),
        "{mint_age:?}"
    );
    let outcomes = "SELECT MIN(o.outcome) || ' ' || MAX(o.outcome) || ' ' || MIN(o.run_id) || ' ' || MAX(o.run_id) \
                    || ' ' || MAX(o.error) || ' ' || CAST(COUNT(*) AS TEXT) FROM {outcomes} o";
    assert_eq!(
        world.journaled(outcomes).await.as_deref(),
        Some("done unknown run-1 run-2 the run ended before the answer was journaled 2")
    );
}

async fn the_age_of_a_mint_counts_from_the_first_intent_of_its_key(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let operations = world.journal_table("operations");
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    journal.intend(&lease, &operation, &intent).await.unwrap();
    world
        .run(&format!(
            "UPDATE {operations} SET mint_intended_at = mint_intended_at - 90000000000"
        ))
        .await;
    journal.intend(&lease, &operation, &intent).await.unwrap();
    journal.release(&lease).await.unwrap();
    let (lease, _, age) = take_over(&journal, &order(1)).await;
    assert!(
        age.is_some_and(|age| (90_000..90_060).contains(&age)),
        "the same key: {age:?}"
    );
    let (operation, intent) = minting(&operation, 2, "key-2");
    journal.intend(&lease, &operation, &intent).await.unwrap();
    journal.release(&lease).await.unwrap();
    let (_, _, age) = take_over(&journal, &order(1)).await;
    assert!(
        age.is_some_and(|age| (0..60).contains(&age)),
        "another key: {age:?}"
    );
}

async fn who_lost_the_lease_can_write_nothing(world: World) {
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    let lease = claim_fresh(&one, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let step = one.intend(&lease, &operation, &intent).await.unwrap();
    run_out(&world).await;
    let (theirs, ..) = take_over(&two, &order(1)).await;
    let (before, row) = (world.journal_text().await, world.row(1).await);

    let after = minted(&operation, "plink_new");
    let wanted = publication(1, Some("cs_test_one"), 5500);
    fenced(one.intend(&lease, &operation, &intent).await);
    fenced(one.conclude(&lease, &after, step, &done("plink_new")).await);
    fenced(one.publish(&lease, &after, &wanted).await);
    fenced(one.close(&lease, &after, false).await);
    fenced(one.release(&lease).await);
    assert!(!one.renew(&lease).await.unwrap());
    assert_eq!(world.journal_text().await, before);
    assert_eq!(world.row(1).await, row);

    two.close(&theirs, &operation, false).await.unwrap();
    fenced(two.intend(&theirs, &operation, &intent).await);
}

fn fenced<T: std::fmt::Debug>(written: Result<T, JournalError>) {
    assert!(matches!(written, Err(JournalError::Fenced)), "{written:?}");
}

async fn subjects_and_modes_do_not_meet(world: World) {
    let test = begin(&world, "run-1").await;
    let live = NewRun {
        mode: Mode::Live,
        ..new_run("run-2")
    };
    let live = begin_at(&world.url, live, timings()).await;
    let reference = CheckoutReference::classify("plink_1");
    let object = Subject::Object(reference.clone());
    let expected = Expected {
        reference: None,
        amount: None,
    };
    let retirement = Operation::new(None, Task::RetireObjects(vec![reference]), expected);
    claim_fresh(&test, &order(1), &replacement()).await;
    claim_fresh(&test, &order(3), &replacement()).await;
    claim_fresh(&test, &object, &retirement).await;
    claim_fresh(&live, &order(1), &replacement()).await;
    claim_fresh(&live, &object, &retirement).await;
    claim_held(&live, &object).await;
    let subject = world
        .journaled("SELECT subject || ' ' || task FROM {operations} WHERE order_id IS NULL AND mode = 'test'")
        .await;
    assert_eq!(subject.as_deref(), Some("object:plink_1 retire_objects"));
}

async fn a_new_operation_begins_after_the_attempts_of_the_ended_ones(world: World) {
    let journal = begin(&world, "run-1").await;
    let (lease, attempt) = fresh(&journal, "cs_test_one").await;
    assert_eq!(attempt, 1);
    let (operation, intent) = minting(&replacement(), 3, "key-3");
    journal.intend(&lease, &operation, &intent).await.unwrap();
    let ended = Operation {
        state: State::Ended(relink::saga::Ending::LostRace),
        // Never intended, so never sent: it does not count.
        attempt: 7,
        ..operation
    };
    journal.close(&lease, &ended, false).await.unwrap();
    let (lease, attempt) = fresh(&journal, "cs_test_one").await;
    assert_eq!(attempt, 4);
    journal.release(&lease).await.unwrap();
    let (lease, found, _) = take_over(&journal, &order(1)).await;
    assert_eq!(found.attempt, 4, "whoever takes it over goes on with it");
    journal.close(&lease, &found, false).await.unwrap();
    let (lease, attempt) = fresh(&journal, "cs_test_other").await;
    assert_eq!(attempt, 1, "the row holds another object");
    journal.close(&lease, &found, false).await.unwrap();
    let (_, attempt) = fresh(&journal, "cs_test_one").await;
    assert_eq!(attempt, 4);
}

async fn fresh(journal: &Journal, reference: &str) -> (relink::store::Lease, u32) {
    let operation = replacement_of(1, Some(reference), 5500);
    match journal.claim(&order(1), &operation).await.unwrap() {
        Claim::Fresh { lease, attempt } => (lease, attempt),
        other => panic!("{other:?}"),
    }
}

async fn an_operation_that_cannot_be_read_is_an_error_and_stays_as_it_is(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    journal.release(&lease).await.unwrap();
    let operations = world.journal_table("operations");
    world
        .run(&format!(
            "UPDATE {operations} SET record = '{{\"version\": 9}}'"
        ))
        .await;
    let before = world.journal_text().await;
    let error = journal.claim(&order(1), &replacement()).await.unwrap_err();
    let StoreError::UnreadableJournal { subject, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(subject, "order:1");
    assert_eq!(world.journal_text().await, before);
}

/// The holder's own transaction has the row; whoever comes by is told so at once.
#[tokio::test]
async fn a_claim_does_not_wait_for_a_transaction_of_the_holder() {
    let world = World::postgres_enums().await;
    let one = begin(&world, "run-1").await;
    let two = begin(&world, "run-2").await;
    claim_fresh(&one, &order(1), &replacement()).await;
    for open in [
        "BEGIN; SELECT 1 FROM relink.operations FOR UPDATE",
        "BEGIN; UPDATE relink.operations SET state = 'retiring'",
    ] {
        let session = world.hold(open).await;
        let begun = Instant::now();
        let holder = claim_held(&two, &order(1)).await;
        assert_eq!(holder.run, RunId("run-1".to_owned()));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        drop(session);
    }
}

#[test]
fn the_spellings_of_outcomes_are_the_journals() {
    let names = [
        OutcomeKind::Done,
        OutcomeKind::Refused,
        OutcomeKind::Unknown,
    ]
    .map(OutcomeKind::name);
    assert_eq!(names, ["done", "refused", "unknown"]);
}

/// One run works on many orders at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_shared_by_many_tasks() {
    let world = World::postgres_enums().await;
    let journal = Arc::new(begin(&world, "run-1").await);
    let tasks: Vec<_> = (1..=12)
        .map(|id| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                let subject = order(id);
                let lease = claim_fresh(&journal, &subject, &replacement_of(id, None, 1)).await;
                let (operation, intent) = minting(&replacement_of(id, None, 1), 1, "key-1");
                let step = journal.intend(&lease, &operation, &intent).await.unwrap();
                let operation = minted(&operation, "plink_new");
                let outcome = done("plink_new");
                journal
                    .conclude(&lease, &operation, step, &outcome)
                    .await
                    .unwrap();
                let wanted = publication(id, None, 1);
                journal.publish(&lease, &operation, &wanted).await.unwrap();
                assert!(journal.renew(&lease).await.unwrap());
                journal.close(&lease, &operation, true).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let count = "SELECT CAST(COUNT(*) AS TEXT) FROM {operations} WHERE is_done";
    assert_eq!(world.journaled(count).await.as_deref(), Some("12"));
}
