//! Publishing: the compare-and-set, what it leaves alone, and what a read-only session can do to it.

use relink::domain::{LinkId, OrderId};
use relink::store::{Access, Publication, Published, StoreError, URL_CAPACITY};

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
    a_read_only_session_cannot_write_even_if_it_tries,
    a_role_that_may_only_read_cannot_publish,
);

fn publication(order: i64, expected: Option<&str>, amount: i64) -> Publication {
    Publication {
        order: OrderId(order),
        expected_reference: expected.map(ToOwned::to_owned),
        expected_amount_minor: amount,
        link: LinkId::parse("plink_new").unwrap(),
        url: "https://buy.example.com/new".to_owned(),
    }
}

async fn a_link_is_published_and_nothing_else_changes(world: World) {
    let (before, other) = (world.row(1).await, world.row(3).await);
    let store = world.open(Access::ReadWrite).await;
    let outcome = store
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
    let store = world.open(Access::ReadWrite).await;
    for (order, amount, expected) in [(3, 6500, Some("")), (4, 0, None)] {
        let outcome = store.publish(&publication(order, expected, amount)).await;
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
    let store = world.open(Access::ReadWrite).await;
    let reset = "UPDATE orders SET status = 'pending', stripe_checkout_session_id = 'cs_test_one', amount_cents = 5500 \
                 WHERE id = 1";
    for change in moves {
        world.run(reset).await;
        world
            .run(&format!("UPDATE orders SET {change} WHERE id = 1"))
            .await;
        let before = world.row(1).await;
        let outcome = store
            .publish(&publication(1, Some("cs_test_one"), 5500))
            .await;
        assert_eq!(outcome.unwrap(), Published::RowMoved, "{change}");
        assert_eq!(world.row(1).await, before, "{change}");
    }
    world.run(reset).await;
    let outcome = store.publish(&publication(1, None, 5500)).await;
    assert_eq!(
        outcome.unwrap(),
        Published::RowMoved,
        "a reference where none was"
    );
}

async fn an_order_that_is_gone_has_moved(world: World) {
    let store = world.open(Access::ReadWrite).await;
    let outcome = store.publish(&publication(77, None, 5500)).await;
    assert_eq!(outcome.unwrap(), Published::RowMoved);
}

/// A row that holds our link is published, whatever happened to it since: calling it moved would have the
/// caller retire a link that a parent may hold.
async fn publishing_twice_is_done_once(world: World) {
    let store = world.open(Access::ReadWrite).await;
    let wanted = publication(1, Some("cs_test_one"), 5500);
    assert_eq!(store.publish(&wanted).await.unwrap(), Published::Done);
    world
        .run("UPDATE orders SET status = 'paid' WHERE id = 1")
        .await;
    let before = world.row(1).await;
    assert_eq!(store.publish(&wanted).await.unwrap(), Published::Done);
    assert_eq!(world.row(1).await, before);
}

async fn of_two_racing_publications_one_wins(world: World) {
    let (one, two) = (
        world.open(Access::ReadWrite).await,
        world.open(Access::ReadWrite).await,
    );
    let first = publication(1, Some("cs_test_one"), 5500);
    let second = Publication {
        link: LinkId::parse("plink_other").unwrap(),
        ..first.clone()
    };
    let (first, second) = tokio::join!(one.publish(&first), two.publish(&second));
    let won =
        |outcome: &Result<Published, StoreError>| *outcome.as_ref().unwrap() == Published::Done;
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
    let store = world.open(Access::ReadWrite).await;
    let mut wanted = publication(1, Some("cs_test_one"), 5500);
    wanted.url = "é".repeat(URL_CAPACITY + 1);
    let error = store.publish(&wanted).await.unwrap_err();
    assert!(
        matches!(error, StoreError::UrlTooLong { length: 501, .. }),
        "{error}"
    );
    assert_eq!(world.row(1).await, before);
    wanted.url = "é".repeat(URL_CAPACITY);
    assert_eq!(store.publish(&wanted).await.unwrap(), Published::Done);
}

async fn a_table_without_updated_at_is_fine(world: World) {
    world.run("ALTER TABLE orders DROP COLUMN updated_at").await;
    let store = world.open(Access::ReadWrite).await;
    let outcome = store
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await;
    assert_eq!(outcome.unwrap(), Published::Done);
}

/// `publish` has no guard of its own: what refuses here is the database, on a role that may write.
async fn a_read_only_session_cannot_write_even_if_it_tries(world: World) {
    let before = world.row(1).await;
    let store = world.open(Access::ReadOnly).await;
    let error = store
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await
        .unwrap_err();
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
}

async fn a_role_that_may_only_read_cannot_publish(world: World) {
    if !world.is_postgres() {
        return;
    }
    let store = open(world.readonly_url(), Access::ReadWrite).await.unwrap();
    let error = store
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::AccessDenied { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("permission denied"), "{error}");
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
    let store = world.open(Access::ReadWrite).await;
    let holder = world.hold(hold).await;
    let error = store
        .publish(&publication(1, Some("cs_test_one"), 5500))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Contended { .. }), "{error:?}");
    assert!(error.to_string().contains("lock"), "{error}");
    drop(holder);
}
