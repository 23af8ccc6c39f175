//! What a plan learns from the journal, with a role that may only read: what is open and whether its run still
//! lives, links that nobody was told of, and orders that were withdrawn on purpose.

use std::time::{Duration, Instant};

use relink::domain::{CheckoutReference, JournalFacts, LinkId, Mode, OpenTask, OrderId};
use relink::saga::{Expected, Operation, Task};
use relink::store::{Access, Store, Subject};

use crate::journal_world::{
    begin, claim_fresh, die, minted, minting, on_both_databases, order, publication, replacement,
    replacement_of,
};
use crate::store_world::World;

on_both_databases!(
    without_a_journal_there_is_nothing_to_know,
    an_open_operation_is_shown_with_its_run,
    every_task_is_told_as_what_it_asks_for,
    a_run_that_died_or_gave_up_holds_nothing,
    a_link_that_was_minted_and_never_stored_is_remembered,
    an_order_is_withdrawn_until_something_else_is_done,
    objects_of_no_order_are_listed_while_they_are_open,
    ten_thousand_orders_are_no_more_queries_than_one,
);

async fn facts_of(store: &Store, id: i64) -> JournalFacts {
    let facts = store
        .journal_facts(Mode::Test, &[OrderId(id), OrderId(99)])
        .await;
    facts.unwrap().remove(&OrderId(id)).unwrap_or_default()
}

async fn without_a_journal_there_is_nothing_to_know(world: World) {
    let store = world.open(Access::ReadOnly).await;
    assert_eq!(facts_of(&store, 1).await, JournalFacts::default());
    assert!(store.open_objects(Mode::Test).await.unwrap().is_empty());
    begin(&world, "run-1").await;
    assert_eq!(facts_of(&store, 1).await, JournalFacts::default());
}

async fn an_open_operation_is_shown_with_its_run(world: World) {
    let journal = begin(&world, "run-1").await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    journal.intend(&lease, &operation, &intent).await.unwrap();
    let store = world.open(Access::ReadOnly).await;
    let open = facts_of(&store, 1).await.open.unwrap();
    assert_eq!(
        (
            open.task,
            open.state.as_str(),
            open.run.as_str(),
            open.host.as_str(),
            open.is_held
        ),
        (OpenTask::Replace, "minting", "run-1", "cron@db1", true)
    );
    assert!(open.since.0 > 1_700_000_000, "{}", open.since);
    let live = store
        .journal_facts(Mode::Live, &[OrderId(1)])
        .await
        .unwrap();
    assert!(live.is_empty(), "another mode is another world");
    assert!(
        store
            .journal_facts(Mode::Test, &[])
            .await
            .unwrap()
            .is_empty()
    );
}

async fn every_task_is_told_as_what_it_asks_for(world: World) {
    let journal = begin(&world, "run-1").await;
    let tasks = [
        (1, Task::Replace, OpenTask::Replace),
        (2, Task::Mint, OpenTask::Mint),
        (3, Task::Retire, OpenTask::Retire),
        (4, Task::Withdraw, OpenTask::Retire),
    ];
    let store = world.open(Access::ReadOnly).await;
    for (id, task, told) in tasks {
        let operation = Operation {
            task,
            ..replacement_of(id, None, 1)
        };
        claim_fresh(&journal, &order(id), &operation).await;
        assert_eq!(facts_of(&store, id).await.open.unwrap().task, told);
    }
}

async fn a_run_that_died_or_gave_up_holds_nothing(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let one = begin(&world, "run-1").await;
    let lease = claim_fresh(&one, &order(1), &replacement()).await;
    claim_fresh(&one, &order(3), &replacement()).await;
    one.release(&lease).await.unwrap();
    let is_held = async |id| facts_of(&store, id).await.open.unwrap().is_held;
    assert!(!is_held(1).await, "released");
    assert!(is_held(3).await);
    die(&world, one).await;
    let begun = Instant::now();
    while is_held(3).await {
        assert!(begun.elapsed() < Duration::from_secs(5), "still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let two = begin(&world, "run-2").await;
    claim_fresh(&two, &order(2), &replacement()).await;
    assert!(is_held(2).await);
    let operations = world.journal_table("operations");
    world
        .run(&format!("UPDATE {operations} SET lease_until = begun_at"))
        .await;
    assert!(!is_held(2).await, "its lease ran out");
}

async fn a_link_that_was_minted_and_never_stored_is_remembered(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let journal = begin(&world, "run-1").await;
    for link in ["plink_a", "plink_b"] {
        let operation = minted(&replacement(), link);
        let lease = claim_fresh(&journal, &order(1), &operation).await;
        assert!(
            !facts_of(&store, 1)
                .await
                .unstored
                .contains(&LinkId::parse(link).unwrap())
        );
        journal.close(&lease, &operation, false).await.unwrap();
    }
    let links = ["plink_a", "plink_b"].map(|id| LinkId::parse(id).unwrap());
    assert_eq!(facts_of(&store, 1).await.unstored, links.clone().into());
    let operation = minted(&replacement(), "plink_new");
    let lease = claim_fresh(&journal, &order(1), &operation).await;
    let wanted = publication(1, Some("cs_test_one"), 5500);
    journal.publish(&lease, &operation, &wanted).await.unwrap();
    journal.close(&lease, &operation, true).await.unwrap();
    assert_eq!(
        facts_of(&store, 1).await.unstored,
        links.into(),
        "the stored one is none of them"
    );
}

async fn an_order_is_withdrawn_until_something_else_is_done(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let journal = begin(&world, "run-1").await;
    let close = async |task: Task, done: bool| {
        let operation = Operation {
            task,
            ..replacement()
        };
        let lease = claim_fresh(&journal, &order(1), &operation).await;
        journal.close(&lease, &operation, done).await.unwrap();
        facts_of(&store, 1).await.withdrawn
    };
    let old = Some(CheckoutReference::classify("cs_test_one"));
    assert_eq!(close(Task::Withdraw, false).await, None, "it was not done");
    assert_eq!(close(Task::Withdraw, true).await, old);
    assert_eq!(
        close(Task::Replace, false).await,
        old,
        "what was not done changes nothing"
    );
    assert_eq!(close(Task::Mint, true).await, None);
    assert_eq!(close(Task::Withdraw, true).await, old);
}

async fn objects_of_no_order_are_listed_while_they_are_open(world: World) {
    let store = world.open(Access::ReadOnly).await;
    let journal = begin(&world, "run-1").await;
    let objects = ["plink_1", "cs_test_9"].map(CheckoutReference::classify);
    let mut leases = Vec::new();
    for object in &objects {
        let expected = Expected {
            reference: None,
            amount: None,
        };
        let operation = Operation::new(None, Task::RetireObjects(vec![object.clone()]), expected);
        let subject = Subject::Object(object.clone());
        leases.push((claim_fresh(&journal, &subject, &operation).await, operation));
    }
    claim_fresh(&journal, &order(1), &replacement()).await;
    assert_eq!(store.open_objects(Mode::Test).await.unwrap(), objects);
    assert!(store.open_objects(Mode::Live).await.unwrap().is_empty());
    let (lease, operation) = &leases[0];
    journal.close(lease, operation, true).await.unwrap();
    assert_eq!(
        store.open_objects(Mode::Test).await.unwrap(),
        [objects[1].clone()]
    );
}

async fn ten_thousand_orders_are_no_more_queries_than_one(world: World) {
    let journal = begin(&world, "run-1").await;
    claim_fresh(&journal, &order(7000), &replacement()).await;
    let ids: Vec<OrderId> = (1..=10_000).map(OrderId).collect();
    let store = world.open(Access::ReadOnly).await;
    let begun = Instant::now();
    let facts = store.journal_facts(Mode::Test, &ids).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(facts.into_keys().collect::<Vec<_>>(), [OrderId(7000)]);
}

/// The role has been given the right to read the journal and nothing else.
#[tokio::test]
async fn a_role_that_may_only_read_sees_what_is_held() {
    let world = World::postgres_enums().await;
    let journal = begin(&world, "run-1").await;
    claim_fresh(&journal, &order(1), &replacement()).await;
    let reader = url::Url::parse(world.readonly_url()).unwrap();
    let reader = reader.username();
    world
        .run(&format!(
            "GRANT USAGE ON SCHEMA relink TO {reader}; GRANT SELECT ON ALL TABLES IN SCHEMA relink TO {reader}"
        ))
        .await;
    let store = crate::store_world::open(world.readonly_url(), Access::ReadOnly)
        .await
        .unwrap();
    assert!(facts_of(&store, 1).await.open.unwrap().is_held);
    let pinned = store.pinned_account(Mode::Test).await.unwrap();
    assert_eq!(pinned.unwrap().as_str(), "acct_one");
}
