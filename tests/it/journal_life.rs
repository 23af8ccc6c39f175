//! A run's sign of life on Postgres: shown from its beginning to its end, taken anew where it broke, and given up
//! in words, since a pooler keeps the session.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use relink::exit::ExitStatus;
use relink::stripe::Timings;

use crate::journal_world::{
    begin, begin_at, claim_fresh, claim_held, new_run, order, replacement, timings,
};
use crate::store_world::World;

/// The sessions that hold the sign of life of `run-1`.
const SIGNS: &str = "FROM pg_locks l JOIN relink.runs r \
    ON r.beacon = (CAST(l.classid AS BIGINT) << 32) + CAST(l.objid AS BIGINT) \
    WHERE l.locktype = 'advisory' AND r.run_id = 'run-1' \
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

async fn signs(world: &World) -> String {
    let count = format!("SELECT CAST(COUNT(*) AS TEXT) {SIGNS}");
    world.value(&count).await.unwrap()
}

/// The server ends the session that shows the run's life.
async fn break_sign(world: &World) {
    assert_eq!(signs(world).await, "1");
    world
        .run(&format!("SELECT pg_terminate_backend(l.pid) {SIGNS}"))
        .await;
}

/// How long it takes until the sign is there, or there again.
async fn shown_after(world: &World, broken: Instant) -> Duration {
    while signs(world).await != "1" {
        assert!(
            broken.elapsed() < Duration::from_secs(20),
            "it is not shown any more"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    broken.elapsed()
}

fn beating(heartbeat: Duration) -> Timings {
    Timings {
        heartbeat,
        ..timings()
    }
}

#[tokio::test]
async fn a_sign_of_life_that_broke_is_taken_anew() {
    let world = World::postgres_enums().await;
    let beats = beating(Duration::from_millis(100));
    let one = begin_at(&world.url, new_run("run-1"), beats).await;
    claim_fresh(&one, &order(1), &replacement()).await;
    let two = begin(&world, "run-2").await;
    break_sign(&world).await;
    // A server takes a moment to end a session.
    tokio::time::sleep(Duration::from_millis(100)).await;
    shown_after(&world, Instant::now()).await;
    claim_held(&two, &order(1)).await;
    one.finish(ExitStatus::Done).await.unwrap();
    assert_eq!(signs(&world).await, "0", "given up at the end");
}

/// The leases run on while no beat succeeds.
#[tokio::test]
async fn a_beat_that_failed_is_made_up_for_long_before_the_next_one_is_due() {
    let world = World::postgres_enums().await;
    let every = Duration::from_secs(2);
    let one = begin_at(&world.url, new_run("run-1"), beating(every)).await;
    break_sign(&world).await;
    let broken = Instant::now();
    while signs(&world).await != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let shown = shown_after(&world, broken).await;
    assert!(shown < 2 * every, "{shown:?}");
    one.finish(ExitStatus::Done).await.unwrap();
}

/// Reaches the server as through a pooler: it keeps every session that it has made for a client, and no client can
/// close one.
async fn pooled(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port()))
        .unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pool(client, server));
        }
    });
    url.into()
}

async fn pool(client: TcpStream, server: TcpStream) {
    const TERMINATE: &[u8] = b"X\0\0\0\x04";
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async { tokio::io::copy(&mut from_server, &mut to_client).await.ok() };
    let questions = async {
        let mut chunk = vec![0; 65_536];
        while let Ok(length @ 1..) = from_client.read(&mut chunk).await {
            let said = &chunk[..length];
            let said = said.strip_suffix(TERMINATE).unwrap_or(said);
            to_server.write_all(said).await.ok();
        }
        std::future::pending::<()>().await;
    };
    tokio::join!(answers, questions);
}

/// Where a run's end could not be journaled, its sign is all that others go by: they would wait for its leases.
#[tokio::test]
async fn a_run_that_ends_gives_its_sign_of_life_up_although_a_pooler_keeps_the_session() {
    let world = World::postgres_enums().await;
    let store = world.open(relink::store::Access::ReadWrite).await;
    store.open_journal().await.unwrap();
    let url = pooled(&world.url).await;
    let one = begin_at(&url, new_run("run-1"), timings()).await;
    assert_eq!(signs(&world).await, "1");
    one.finish(ExitStatus::Done).await.unwrap();
    assert_eq!(signs(&world).await, "0");
}
