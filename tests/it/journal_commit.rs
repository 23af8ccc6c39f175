//! A commit whose answer is lost, on a real server behind a relay that cuts the line at the word COMMIT.
//! Whatever the line does, the outcome told is the outcome in the row, or "unknown".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use relink::domain::OrderId;
use relink::exit::ExitStatus;
use relink::store::{Access, Claim, Journal, JournalError, Published, StoreError};

use crate::journal_world::{
    begin, claim_fresh, claim_held, done, minted, minting, new_run, order, publication,
    replacement, replacement_of, take_over, timings,
};
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
    /// As `Late`, five seconds later.
    MuchLater,
    /// As `After`, and no connection is made any more.
    ForGood,
}

/// A relay to the server of `url` that makes `cut` at the COMMIT numbered `at`; the URL to reach it by.
async fn relay(url: &str, cut: Cut, at: usize) -> String {
    let mut url = Url::parse(url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port()))
        .unwrap();
    let commits = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if matches!(cut, Cut::ForGood) && commits.load(Ordering::SeqCst) >= at {
                continue;
            }
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(carry(client, server, cut, at, Arc::clone(&commits)));
        }
    });
    url.into()
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    cut: Cut,
    at: usize,
    commits: Arc<AtomicUsize>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        from_server
    });
    let mut chunk = vec![0; 65_536];
    while let Ok(length @ 1..) = from_client.read(&mut chunk).await {
        let said = &chunk[..length];
        if matches!(cut, Cut::ForGood) && commits.load(Ordering::SeqCst) >= at {
            break;
        }
        let is_commit = said.windows(7).any(|window| window == b"COMMIT\0");
        if is_commit && commits.fetch_add(1, Ordering::SeqCst) + 1 == at {
            // Dropping the task that carries the answers cuts the client off from them.
            answers.abort();
            match cut {
                Cut::Before => {}
                Cut::After | Cut::ForGood => {
                    to_server.write_all(said).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Cut::Late | Cut::MuchLater => {
                    drop(from_client);
                    let seconds = if matches!(cut, Cut::Late) { 1 } else { 5 };
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
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

/// A run that reaches its database through a relay which cuts the line at the commit numbered `at`, from 1.
async fn begin_behind(world: &World, cut: Cut, at: usize) -> Journal {
    world
        .open(Access::ReadWrite)
        .await
        .open_journal()
        .await
        .unwrap();
    let url = relay(&world.url, cut, at).await;
    let store = open(&url, Access::ReadWrite).await.unwrap();
    store.begin_run(new_run("run-1"), timings()).await.unwrap()
}

const EVERY_CUT: [Cut; 3] = [Cut::Before, Cut::After, Cut::Late];

async fn held(world: &World) -> String {
    let reference = "SELECT stripe_checkout_session_id FROM orders WHERE id = 1";
    world.value(reference).await.unwrap()
}

async fn count(world: &World, query: &str) -> String {
    let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {query}");
    world.journaled(&sql).await.unwrap()
}

/// Commits of a run up to its publication: the run, the claim.
const PUBLICATION: usize = 3;

async fn published_through(world: &World, cut: Cut) -> Result<Published, JournalError> {
    let journal = begin_behind(world, cut, PUBLICATION).await;
    let operation = minted(&replacement(), LINK);
    let lease = claim_fresh(&journal, &order(1), &operation).await;
    let wanted = publication(1, Some("cs_test_one"), 5500);
    journal.publish(&lease, &operation, &wanted).await
}

async fn published_whatever_the_line_did(cut: Cut) {
    let world = World::postgres_enums().await;
    let outcome = published_through(&world, cut).await;
    assert_eq!(outcome.unwrap(), Published::Done);
    assert_eq!(held(&world).await, LINK);
    let steps = count(&world, "{steps} WHERE action = 'publish'").await;
    assert_eq!(steps, "1", "journaled once");
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_in_the_row() {
    published_whatever_the_line_did(Cut::After).await;
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_made_again() {
    published_whatever_the_line_did(Cut::Before).await;
}

/// Told "moved", the caller would retire a link that the row is about to hold.
#[tokio::test]
async fn a_commit_still_under_way_is_waited_for() {
    published_whatever_the_line_did(Cut::Late).await;
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_back_is_unknown() {
    let world = World::postgres_enums().await;
    let error = published_through(&world, Cut::ForGood).await.unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::Store(StoreError::CommitUnknown {
                order: OrderId(1),
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(held(&world).await, LINK, "and here it was");
}

#[tokio::test]
async fn a_run_whose_beginning_was_lost_begins_once() {
    for cut in EVERY_CUT {
        let world = World::postgres_enums().await;
        let journal = begin_behind(&world, cut, 1).await;
        assert_eq!(count(&world, "{runs}").await, "1", "{cut:?}");
        claim_fresh(&journal, &order(1), &replacement()).await;
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_ours() {
    for cut in EVERY_CUT {
        let world = World::postgres_enums().await;
        let journal = begin_behind(&world, cut, 2).await;
        let lease = claim_fresh(&journal, &order(1), &replacement()).await;
        assert_eq!(count(&world, "{operations}").await, "1", "{cut:?}");
        assert!(journal.renew(&lease).await.unwrap(), "{cut:?}");
    }
}

#[tokio::test]
async fn a_take_over_whose_answer_was_lost_is_ours() {
    for cut in EVERY_CUT {
        let world = World::postgres_enums().await;
        let first = begin(&world, "run-0").await;
        let lease = claim_fresh(&first, &order(1), &replacement()).await;
        let (operation, intent) = minting(&replacement(), 1, "key-1");
        first.intend(&lease, &operation, &intent).await.unwrap();
        first.release(&lease).await.unwrap();
        let journal = begin_behind(&world, cut, 2).await;
        let (lease, found, age) = take_over(&journal, &order(1)).await;
        assert_eq!(*found, operation, "{cut:?}");
        assert!(age.is_some(), "{cut:?}");
        assert_eq!(count(&world, "{outcomes}").await, "1", "{cut:?}");
        assert!(journal.renew(&lease).await.unwrap(), "{cut:?}");
    }
}

#[tokio::test]
async fn an_intent_an_outcome_and_an_end_are_journaled_once_whatever_is_lost() {
    for (cut, at) in EVERY_CUT
        .iter()
        .flat_map(|cut| [3, 4, 5].map(|at| (*cut, at)))
    {
        let world = World::postgres_enums().await;
        let journal = begin_behind(&world, cut, at).await;
        let lease = claim_fresh(&journal, &order(1), &replacement()).await;
        let (operation, intent) = minting(&replacement(), 1, "key-1");
        let step = journal.intend(&lease, &operation, &intent).await.unwrap();
        let operation = minted(&operation, LINK);
        let outcome = done(LINK);
        journal
            .conclude(&lease, &operation, step, &outcome)
            .await
            .unwrap();
        journal.close(&lease, &operation, true).await.unwrap();
        let counts = [
            count(&world, "{steps}").await,
            count(&world, "{outcomes}").await,
            count(&world, "{operations} WHERE is_done").await,
        ];
        assert_eq!(counts, ["1", "1", "1"], "{cut:?} at {at}");
    }
}

#[tokio::test]
async fn a_release_and_a_runs_end_are_journaled_whatever_is_lost() {
    for (cut, at) in EVERY_CUT.iter().flat_map(|cut| [3, 4].map(|at| (*cut, at))) {
        let world = World::postgres_enums().await;
        let journal = begin_behind(&world, cut, at).await;
        let lease = claim_fresh(&journal, &order(1), &replacement()).await;
        journal.release(&lease).await.unwrap();
        journal.finish(ExitStatus::Done).await.unwrap();
        assert_eq!(
            count(&world, "{operations} WHERE lease_token IS NULL").await,
            "1"
        );
        assert_eq!(count(&world, "{runs} WHERE exit_code = 0").await, "1");
    }
}

/// Nobody knows whether the intent is journaled: nothing may be sent, and the caller is told so.
#[tokio::test]
async fn an_intent_that_cannot_be_read_back_is_an_error() {
    let world = World::postgres_enums().await;
    let journal = begin_behind(&world, Cut::ForGood, 3).await;
    let lease = claim_fresh(&journal, &order(1), &replacement()).await;
    let (operation, intent) = minting(&replacement(), 1, "key-1");
    let error = journal
        .intend(&lease, &operation, &intent)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::Store(StoreError::JournalUnknown { .. })
        ),
        "{error:?}"
    );
}

/// What a transaction found that has nothing to keep is told once its locks are gone: here nothing else runs in
/// between.
#[tokio::test]
async fn what_is_not_to_be_kept_is_rolled_back_before_it_is_told() {
    let world = World::postgres_enums().await;
    let journal = begin(&world, "run-1").await;
    let operation = minted(&replacement(), LINK);
    let lease = claim_fresh(&journal, &order(1), &operation).await;
    let wanted = publication(1, Some("cs_test_other"), 5500);
    let told = journal.publish(&lease, &operation, &wanted).await.unwrap();
    let open = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(count(
                &world,
                "pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
            ))
        });
        looking.join().unwrap()
    });
    assert_eq!((told, open.as_str()), (Published::RowMoved, "0"));
}

/// While the first run's claim hangs in its commit, the second one goes on to other orders.
#[tokio::test]
async fn a_claim_does_not_wait_for_another_that_is_being_committed() {
    let world = World::postgres_enums().await;
    let one = begin_behind(&world, Cut::MuchLater, 2).await;
    let two = begin(&world, "run-2").await;
    let (subject, operation) = (order(1), replacement());
    let (first, holder) = tokio::join!(one.claim(&subject, &operation), async {
        let open = "pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted \
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        // The signs of life of two runs, and the claim.
        while count(&world, open).await != "3" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let holder = claim_held(&two, &subject).await;
        let committed = count(&world, "{operations}").await;
        let other = claim_fresh(&two, &order(3), &replacement_of(3, None, 5500)).await;
        assert!(two.may_send(&other), "other orders are free");
        let begun_by = world
            .journaled("SELECT string_agg(begun_by, ' ') FROM {operations}")
            .await;
        assert_eq!(
            (committed.as_str(), begun_by.as_deref()),
            ("0", Some("run-2")),
            "both were told while the other's transaction was open"
        );
        holder
    });
    let first = first.unwrap();
    assert!(
        matches!(first, Claim::Fresh { attempt: 1, .. }),
        "{first:?}"
    );
    assert_eq!(
        holder.to_string(),
        "another run, which is claiming it just now"
    );
    assert_eq!(claim_held(&two, &subject).await.run.as_str(), "run-1");
}
