//! Publishing: the compare-and-set on the order's row and the journal's word about it, together or not at all;
//! what it leaves alone, and what a session that may only read can do to it.

use url::Url;

use relink::domain::{LinkId, Mode};
use relink::saga::{Operation, State};
use relink::store::{
    Access, DatabaseKind, Journal, JournalError, Lease, NewRun, Publication, Published, StoreError,
    URL_CAPACITY, journal_sql,
};

use crate::journal_world::{
    begin, begin_at, claim_fresh, minted, new_run, order, publication, replacement_of, timings,
};
use crate::store_world::{World, on_each_database, open};

on_each_database!(World:
    a_link_is_published_and_nothing_else_changes,
    null_and_empty_references_are_the_same_fact,
    a_row_whose_status_reference_or_amount_moved_is_left_alone,
    an_order_that_is_gone_has_moved,
    publishing_twice_is_done_once,
    of_two_racing_publications_one_wins,
    a_url_that_does_not_fit_is_refused,
    a_table_without_updated_at_is_fine,
    a_row_that_moved_leaves_the_journal_as_it_was,
    a_publication_is_a_step_of_the_operation,
    a_session_that_may_only_read_is_told_so_beforehand,
);

/// A run that holds the operation of one order, ready to publish.
struct Publisher {
    journal: Journal,
    lease: Lease,
    operation: Operation,
}

impl Publisher {
    async fn of(world: &World, id: i64) -> Publisher {
        Publisher::in_run(begin(world, &format!("run of order {id}")).await, id).await
    }

    async fn in_run(journal: Journal, id: i64) -> Publisher {
        let operation = minted(&replacement_of(id, None, 0), "plink_new");
        let lease = claim_fresh(&journal, &order(id), &operation).await;
        let operation = Operation {
            state: State::Confirming,
            ..operation
        };
        Publisher {
            journal,
            lease,
            operation,
        }
    }

    async fn publish(&self, publication: &Publication) -> Result<Published, JournalError> {
        self.journal
            .publish(&self.lease, &self.operation, publication)
            .await
    }
}

fn store_error(error: JournalError) -> StoreError {
    match error {
        JournalError::Store(error) => error,
        JournalError::Fenced => panic!("fenced"),
    }
}

async fn a_link_is_published_and_nothing_else_changes(world: World) {
    let (before, other) = (world.row(1).await, world.row(3).await);
    let publisher = Publisher::of(&world, 1).await;
    let outcome = publisher
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await;
    assert_eq!(outcome.unwrap(), Published::Done);
    let updated = "SELECT CAST(updated_at AS TEXT) FROM orders WHERE id = 1";
    let (old_time, new_time) = ("2026-01-02 03:04:05", world.value(updated).await.unwrap());
    assert!(!before.is_empty() && new_time.as_str() > old_time && new_time != old_time);
    let after = world.row(1).await;
    let expected = before.replace("cs_test_one", "plink_new").replace(
        "https://checkout.example.com/one",
        "https://buy.example.com/new",
    );
    let words = |row: &str| -> Vec<String> { row.split(' ').map(ToOwned::to_owned).collect() };
    let (after, expected) = (words(&after), words(&expected));
    let changed: Vec<usize> = (0..after.len())
        .filter(|i| after[*i] != expected[*i])
        .collect();
    assert_eq!(after.len(), expected.len());
    assert_eq!(
        changed,
        [11, 12],
        "only the two words of updated_at: {after:?}"
    );
    assert_eq!(world.row(3).await, other);
    if !world.is_postgres() {
        assert_eq!(
            new_time.len(),
            "2026-01-02 03:04:05.678900".len(),
            "as SQLAlchemy writes it"
        );
    }
}

async fn null_and_empty_references_are_the_same_fact(world: World) {
    world
        .run("UPDATE orders SET status = 'pending' WHERE id = 4")
        .await;
    for (order, amount, expected) in [(3, 6500, Some("")), (4, 0, None)] {
        let publisher = Publisher::of(&world, order).await;
        let outcome = publisher
            .publish(&publication(order, expected, amount))
            .await;
        assert_eq!(outcome.unwrap(), Published::Done, "order {order}");
    }
}

async fn a_row_whose_status_reference_or_amount_moved_is_left_alone(world: World) {
    let moves = [
        "status = 'paid'",
        "status = 'canceled'",
        "stripe_checkout_session_id = 'cs_test_other'",
        "stripe_checkout_session_id = NULL",
        "stripe_checkout_session_id = ''",
        "amount_cents = 5501",
    ];
    let publisher = Publisher::of(&world, 1).await;
    let reset = "UPDATE orders SET status = 'pending', stripe_checkout_session_id = 'cs_test_one', amount_cents = 5500 \
                 WHERE id = 1";
    for change in moves {
        world.run(reset).await;
        world
            .run(&format!("UPDATE orders SET {change} WHERE id = 1"))
            .await;
        let before = world.row(1).await;
        let outcome = publisher
            .publish(&publication(1, Some("cs_test_one"), 5500))
            .await;
        assert_eq!(outcome.unwrap(), Published::RowMoved, "{change}");
        assert_eq!(world.row(1).await, before, "{change}");
    }
    world.run(reset).await;
    let outcome = publisher.publish(&publication(1, None, 5500)).await;
    assert_eq!(
        outcome.unwrap(),
        Published::RowMoved,
        "a reference where none was"
    );
}

async fn an_order_that_is_gone_has_moved(world: World) {
    let publisher = Publisher::of(&world, 77).await;
    let outcome = publisher.publish(&publication(77, None, 5500)).await;
    assert_eq!(outcome.unwrap(), Published::RowMoved);
}

/// A row that holds our link is published, whatever happened to it since: calling it moved would have the
/// caller retire a link that a parent may hold.
async fn publishing_twice_is_done_once(world: World) {
    let publisher = Publisher::of(&world, 1).await;
    let wanted = publication(1, Some("cs_test_one"), 5500);
    assert_eq!(publisher.publish(&wanted).await.unwrap(), Published::Done);
    world
        .run("UPDATE orders SET status = 'paid' WHERE id = 1")
        .await;
    let before = world.row(1).await;
    assert_eq!(publisher.publish(&wanted).await.unwrap(), Published::Done);
    assert_eq!(world.row(1).await, before);
}

async fn of_two_racing_publications_one_wins(world: World) {
    let one = Publisher::of(&world, 1).await;
    let live = NewRun {
        mode: Mode::Live,
        ..new_run("live")
    };
    let two = Publisher::in_run(begin_at(&world.url, live, timings()).await, 1).await;
    let first = publication(1, Some("cs_test_one"), 5500);
    let second = Publication {
        link: LinkId::parse("plink_other").unwrap(),
        ..first.clone()
    };
    let (first, second) = tokio::join!(one.publish(&first), two.publish(&second));
    let won =
        |outcome: &Result<Published, JournalError>| *outcome.as_ref().unwrap() == Published::Done;
    assert!(won(&first) != won(&second), "{first:?} {second:?}");
    let held = world
        .value("SELECT stripe_checkout_session_id FROM orders WHERE id = 1")
        .await;
    let winner = if won(&first) {
        "plink_new"
    } else {
        "plink_other"
    };
    assert_eq!(held.as_deref(), Some(winner));
}

async fn a_url_that_does_not_fit_is_refused(world: World) {
    let before = world.row(1).await;
    let publisher = Publisher::of(&world, 1).await;
    let mut wanted = publication(1, Some("cs_test_one"), 5500);
    wanted.url = "é".repeat(URL_CAPACITY + 1);
    let error = store_error(publisher.publish(&wanted).await.unwrap_err());
    assert!(
        matches!(error, StoreError::UrlTooLong { length: 501, .. }),
        "{error}"
    );
    assert_eq!(world.row(1).await, before);
    wanted.url = "é".repeat(URL_CAPACITY);
    assert_eq!(publisher.publish(&wanted).await.unwrap(), Published::Done);
}

async fn a_table_without_updated_at_is_fine(world: World) {
    world.run("ALTER TABLE orders DROP COLUMN updated_at").await;
    let publisher = Publisher::of(&world, 1).await;
    let outcome = publisher
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await;
    assert_eq!(outcome.unwrap(), Published::Done);
}

async fn a_row_that_moved_leaves_the_journal_as_it_was(world: World) {
    let publisher = Publisher::of(&world, 1).await;
    let before = world.journal_text().await;
    let outcome = publisher
        .publish(&publication(1, Some("cs_test_other"), 5500))
        .await;
    assert_eq!(outcome.unwrap(), Published::RowMoved);
    assert_eq!(world.journal_text().await, before);
    assert!(publisher.journal.renew(&publisher.lease).await.unwrap());
}

async fn a_publication_is_a_step_of_the_operation(world: World) {
    let publisher = Publisher::of(&world, 1).await;
    let outcome = publisher
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await;
    assert_eq!(outcome.unwrap(), Published::Done);
    let told = "SELECT o.state || ' ' || o.minted_id || ' ' || s.action || ' ' || s.object || ' ' || t.outcome || ' ' \
                || t.result_id || ' ' || t.result_url FROM {operations} o JOIN {steps} s \
                ON s.operation_id = o.operation_id JOIN {outcomes} t ON t.step_id = s.step_id \
                WHERE o.published_at IS NOT NULL AND s.order_id = 1";
    assert_eq!(
        world.journaled(told).await.as_deref(),
        Some("confirming plink_new publish plink_new done plink_new https://buy.example.com/new")
    );
}

/// Found out before anything is retired: what refuses here is the database.
async fn a_session_that_may_only_read_is_told_so_beforehand(world: World) {
    let before = world.row(1).await;
    let store = world.open(Access::ReadOnly).await;
    let error = store.check_writable().await.unwrap_err();
    assert!(
        matches!(error, StoreError::AccessDenied { .. }),
        "{error:?}"
    );
    let said = error.to_string();
    assert!(
        said.contains("read-only") || said.contains("readonly"),
        "{said}"
    );
    assert_eq!(world.row(1).await, before);
    let store = world.open(Access::ReadWrite).await;
    store.check_writable().await.unwrap();
    assert_eq!(world.row(1).await, before, "and trying it changes nothing");
}

/// It may write the journal, and not the orders. At the publication itself nothing is journaled then.
#[tokio::test]
async fn a_role_that_may_only_read_orders_cannot_publish() {
    let world = World::postgres_enums().await;
    let reader = Url::parse(world.readonly_url()).unwrap();
    world
        .run(&journal_sql(
            DatabaseKind::Postgres,
            Some(reader.username()),
        ))
        .await;
    let store = open(world.readonly_url(), Access::ReadWrite).await.unwrap();
    let beforehand = store.check_writable().await.unwrap_err();
    let journal = begin_at(world.readonly_url(), new_run("run-1"), timings()).await;
    let publisher = Publisher::in_run(journal, 1).await;
    let (before, row) = (world.journal_text().await, world.row(1).await);
    let error = publisher
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await
        .unwrap_err();
    for error in [beforehand, store_error(error)] {
        assert!(
            matches!(error, StoreError::AccessDenied { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
    assert_eq!(world.journal_text().await, before);
    assert_eq!(world.row(1).await, row);
}

/// A session that never lets go must not hold up a night's run.
#[tokio::test]
async fn a_row_that_somebody_else_holds_is_given_up_after_ten_seconds() {
    let begun = std::time::Instant::now();
    tokio::join!(
        give_up(
            World::postgres_enums().await,
            "BEGIN; UPDATE orders SET amount_cents = 1"
        ),
        give_up(World::sqlite().await, "BEGIN IMMEDIATE"),
    );
    let took = begun.elapsed().as_secs();
    assert!((9..20).contains(&took), "{took} s");
}

async fn give_up(world: World, hold: &str) {
    let publisher = Publisher::of(&world, 1).await;
    let holder = world.hold(hold).await;
    let error = publisher
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await
        .unwrap_err();
    let error = store_error(error);
    assert!(matches!(error, StoreError::Contended { .. }), "{error:?}");
    assert!(error.to_string().contains("lock"), "{error}");
    drop(holder);
}
