//! A commit whose answer is lost, on a real server behind a relay that cuts the line at the word COMMIT.
//! Whatever the line does, the outcome told is the outcome in the row, or "unknown".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use relink::domain::{LinkId, OrderId};
use relink::store::{Access, Publication, Published, StoreError};

use crate::store_world::{World, open};

const LINK: &str = "plink_new";

/// What the relay does when a COMMIT comes by.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The server never sees it.
    Before,
    /// The server has committed; the client never hears of it.
    After,
    /// The client is cut off at once, and the server sees the COMMIT a second later.
    Late,
    /// As `After`, and no connection is made any more.
    ForGood,
}

/// A relay to the server of `url` that makes `cut` at the first COMMIT; the URL to reach it by.
async fn relay(url: &str, cut: Cut) -> String {
    let mut url = Url::parse(url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port()))
        .unwrap();
    let cuts = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if matches!(cut, Cut::ForGood) && cuts.load(Ordering::SeqCst) > 0 {
                continue;
            }
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(carry(client, server, cut, Arc::clone(&cuts)));
        }
    });
    url.into()
}

async fn carry(client: TcpStream, server: TcpStream, cut: Cut, cuts: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        from_server
    });
    let mut chunk = vec![0; 65_536];
    while let Ok(length @ 1..) = from_client.read(&mut chunk).await {
        let said = &chunk[..length];
        let commits = said.windows(7).any(|window| window == b"COMMIT\0");
        if commits && cuts.fetch_add(1, Ordering::SeqCst) == 0 {
            // Dropping the task that carries the answers cuts the client off from them.
            answers.abort();
            match cut {
                Cut::Before => {}
                Cut::After | Cut::ForGood => {
                    to_server.write_all(said).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Cut::Late => {
                    drop(from_client);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    to_server.write_all(said).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            return;
        }
        if to_server.write_all(said).await.is_err() {
            return;
        }
    }
    answers.abort();
}

fn publication() -> Publication {
    Publication {
        order: OrderId(1),
        expected_reference: Some("cs_test_one".to_owned()),
        expected_amount_minor: 5500,
        link: LinkId::parse(LINK).unwrap(),
        url: "https://buy.example.com/new".to_owned(),
    }
}

async fn published_through(world: &World, cut: Cut) -> Result<Published, StoreError> {
    let store = open(&relay(&world.url, cut).await, Access::ReadWrite)
        .await
        .unwrap();
    store.publish(&publication()).await
}

async fn held(world: &World) -> String {
    let reference = "SELECT stripe_checkout_session_id FROM orders WHERE id = 1";
    world.value(reference).await.unwrap()
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_in_the_row() {
    let world = World::postgres_enums().await;
    let outcome = published_through(&world, Cut::After).await;
    assert_eq!(outcome.unwrap(), Published::Done);
    assert_eq!(held(&world).await, LINK);
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_made_again() {
    let world = World::postgres_enums().await;
    let outcome = published_through(&world, Cut::Before).await;
    assert_eq!(outcome.unwrap(), Published::Done);
    assert_eq!(held(&world).await, LINK);
}

/// Told "moved", the caller would retire a link that the row is about to hold.
#[tokio::test]
async fn a_commit_still_under_way_is_waited_for() {
    let world = World::postgres_enums().await;
    let outcome = published_through(&world, Cut::Late).await;
    assert_eq!(outcome.unwrap(), Published::Done);
    assert_eq!(held(&world).await, LINK);
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_back_is_unknown() {
    let world = World::postgres_enums().await;
    let error = published_through(&world, Cut::ForGood).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::CommitUnknown {
                order: OrderId(1),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(held(&world).await, LINK, "and here it was");
}
