//! The connections of a run: as few as there are uses at a time; one that broke in a pause is not met again, a server
//! that starts is waited for, and what was given up midway is undone at once.

use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use relink::domain::{Currency, OrderId};
use relink::exit::ExitStatus;
use relink::store::{Access, Store, StoreError};

use crate::journal_world::{
    begin, claim_fresh, done, minted, minting, order, publication, replacement,
};
use crate::store_world::{World, open};

/// Longer than a connection counts as fresh.
const PAUSE: Duration = Duration::from_millis(200);

async fn sessions(world: &World) -> String {
    let count = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {SESSIONS}");
    world.value(&count).await.unwrap()
}

const SESSIONS: &str =
    "pg_stat_activity WHERE datname = current_database() AND application_name = 'relink'";

/// Ends every session of the store that is tested.
async fn end_sessions(server: &mut AnyConnection) {
    let end = format!("SELECT pg_terminate_backend(pid) FROM {SESSIONS}");
    sqlx::raw_sql(AssertSqlSafe(end))
        .execute(&mut *server)
        .await
        .unwrap();
    let left = format!("SELECT 1 FROM {SESSIONS}");
    while !sqlx::raw_sql(AssertSqlSafe(left.clone()))
        .fetch_all(&mut *server)
        .await
        .unwrap()
        .is_empty()
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn read(store: &Store) -> Result<(), StoreError> {
    let order = store.order(OrderId(1), Currency::parse("usd").unwrap());
    order.await.map(|order| assert!(order.is_some()))
}

#[tokio::test]
async fn one_use_after_another_takes_one_connection() {
    let world = World::postgres_enums().await;
    let store = world.open(Access::ReadOnly).await;
    for _ in 0..10 {
        read(&store).await.unwrap();
    }
    assert_eq!(sessions(&world).await, "1");
    // A machine that stands still for a second lets the first be done before the second has begun.
    let mut two = false;
    for _ in 0..20 {
        let twice = tokio::join!(read(&store), read(&store));
        assert!(twice.0.is_ok() && twice.1.is_ok(), "{twice:?}");
        two = two || sessions(&world).await == "2";
    }
    assert!(two, "two uses at a time");
    assert_eq!(sessions(&world).await, "2");
    store.close().await;
    assert_eq!(sessions(&world).await, "0");
}

/// The other session shows that the run lives.
#[tokio::test]
async fn a_run_that_works_on_one_order_has_two_sessions() {
    let world = World::postgres_enums().await;
    let journal = begin(&world, "run-1").await;
    let fresh = replacement();
    let lease = claim_fresh(&journal, &order(1), &fresh).await;
    let (operation, intent) = minting(&fresh, 1, "key");
    let step = journal.intend(&lease, &operation, &intent).await.unwrap();
    let operation = minted(&operation, "plink_1");
    let outcome = done("plink_1");
    let concluded = journal.conclude(&lease, &operation, step, &outcome).await;
    concluded.unwrap();
    journal.close(&lease, &operation, true).await.unwrap();
    assert_eq!(sessions(&world).await, "2");
    journal.finish(ExitStatus::Done).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_ended_in_a_pause_is_not_met_again() {
    let world = World::postgres_enums().await;
    let store = world.open(Access::ReadOnly).await;
    read(&store).await.unwrap();
    end_sessions(&mut world.hold("SELECT 1").await).await;
    tokio::time::sleep(PAUSE).await;
    read(&store).await.unwrap();
}

/// Between the look at the tables and the first use lie requests to Stripe.
#[tokio::test]
async fn a_connection_that_ended_before_its_first_use_is_not_met_either() {
    let world = World::postgres_enums().await;
    let store = world.open(Access::ReadOnly).await;
    end_sessions(&mut world.hold("SELECT 1").await).await;
    read(&store).await.unwrap();
}

/// One that was used a moment ago is not asked first: whoever meets its end is told, and nobody after him.
#[tokio::test]
async fn a_failed_use_gives_no_connection_back() {
    let world = World::postgres_enums().await;
    let store = world.open(Access::ReadOnly).await;
    let mut server = world.hold("SELECT 1").await;
    // Where the machine is slow, too much time has passed for a failure.
    for _ in 0..50 {
        store.database_id().await.unwrap();
        end_sessions(&mut server).await;
        if let Err(failed) = store.database_id().await {
            assert!(
                matches!(failed, StoreError::Unreachable { .. }),
                "{failed:?}"
            );
            store.database_id().await.unwrap();
            return;
        }
    }
    panic!("no use was soon enough after the one before");
}

/// Carries whoever comes to the server, until the task is aborted.
async fn carry(listener: TcpListener, server: String) {
    let mut carried = tokio::task::JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut server = TcpStream::connect(&server).await.unwrap();
        carried.spawn(async move { copy_bidirectional(&mut client, &mut server).await.ok() });
    }
}

#[tokio::test]
async fn a_server_that_is_being_started_again_is_waited_for() {
    let world = World::postgres_enums().await;
    let mut url = Url::parse(&world.url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    url.set_port(Some(place.port())).unwrap();
    let first = tokio::spawn(carry(listener, server.clone()));
    let store = open(url.as_str(), Access::ReadOnly).await.unwrap();
    read(&store).await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    tokio::time::sleep(PAUSE).await;
    let (read, ()) = tokio::join!(read(&store), async {
        tokio::time::sleep(5 * PAUSE).await;
        let listener = TcpListener::bind(place).await.unwrap();
        tokio::spawn(carry(listener, server));
    });
    read.unwrap();
}

/// As when a client of the receiver hangs up while its event is taken in.
#[tokio::test]
async fn a_change_that_is_given_up_midway_is_undone_and_locks_nothing() {
    let world = World::postgres_enums().await;
    let journal = begin(&world, "run-1").await;
    let operation = minted(&replacement(), "plink_1");
    let lease = claim_fresh(&journal, &order(1), &operation).await;
    let before = world.journal_text().await;
    let blocker = world
        .hold("BEGIN; SELECT 1 FROM orders WHERE id = 1 FOR UPDATE")
        .await;
    let wanted = publication(1, Some("cs_test_one"), 5500);
    let publishing = journal.publish(&lease, &operation, &wanted);
    let given_up = tokio::time::timeout(5 * PAUSE, publishing).await;
    assert!(given_up.is_err(), "{given_up:?}");
    blocker.close().await.unwrap();
    world
        .run(
            "SET lock_timeout = '5s'; \
             UPDATE relink.operations SET state = state WHERE closed_at IS NULL",
        )
        .await;
    assert_eq!(world.journal_text().await, before);
    assert!(!world.row(1).await.contains("plink_new"));
    let published = journal.publish(&lease, &operation, &wanted).await;
    assert!(published.is_ok(), "{published:?}");
    assert!(world.row(1).await.contains("plink_new"));
}
