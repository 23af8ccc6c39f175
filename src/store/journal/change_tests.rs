//! How often a transaction is made whose fate is not known, or that others went before, and what is told in the
//! end. The lost answers themselves are played on a real line by `journal_commit` of the integration tests.

use std::path::Path;

use super::super::super::test_file::{self, fine};
use super::*;

const WHAT: &str = "do it";

async fn store(folder: &Path) -> Store {
    test_file::make(folder, "").await;
    test_file::open(folder).await
}

fn folder() -> tempfile::TempDir {
    fine(tempfile::tempdir())
}

fn contended() -> StoreError {
    StoreError::Contended {
        what: WHAT,
        detail: "deadlock".to_owned(),
    }
}

fn refused() -> StoreError {
    StoreError::Query {
        what: WHAT,
        detail: "no".to_owned(),
    }
}

/// Makes the transaction whose work comes to `work`, at most ten times; how often it was made, and the end.
async fn settle(
    settling: &mut Settling<'_, u8>,
    work: impl Fn(u32) -> Result<Work<u8>, StoreError>,
) -> (u32, Result<u8, StoreError>) {
    for made in 1..=10 {
        let transaction = match settling.begin().await {
            Ok(transaction) => transaction,
            Err(error) => return (made - 1, Err(error)),
        };
        match settling.conclude(transaction, work(made)).await {
            Ok(None) => {}
            Ok(Some(value)) => return (made, Ok(value)),
            Err(error) => return (made, Err(error)),
        }
    }
    panic!("it is made without end");
}

#[tokio::test]
async fn who_lost_a_race_is_sent_again_after_longer_and_longer_pauses_and_is_told_in_the_end() {
    let folder = folder();
    let store = store(folder.path()).await;
    let mut settling = Settling::new(&store, WHAT);
    let begun = Instant::now();
    let (made, end) = settle(&mut settling, |_| Err(contended())).await;
    assert_eq!(made, TRIES);
    assert!(matches!(end, Err(StoreError::Contended { .. })), "{end:?}");
    // One pause after the first, two after the second, three after the third.
    assert!(begun.elapsed() >= 6 * PAUSE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_lost_a_race_once_is_done_at_the_second_try() {
    let folder = folder();
    let store = store(folder.path()).await;
    let mut settling = Settling::new(&store, WHAT);
    let work = |made| match made {
        1 => Err(contended()),
        _ => Ok(Work::Commit(7)),
    };
    let (made, end) = settle(&mut settling, work).await;
    assert!(matches!((made, &end), (2, Ok(7))), "{made} {end:?}");
}

/// The database's own wait for a lock may have taken all the time there is.
#[tokio::test]
async fn who_waited_long_for_others_does_not_wait_again() {
    let folder = folder();
    let store = store(folder.path()).await;
    let mut settling = Settling::new(&store, WHAT);
    let Some(begun) = Instant::now().checked_sub(PATIENCE) else {
        return;
    };
    settling.begun = begun;
    let (made, end) = settle(&mut settling, |_| Err(contended())).await;
    assert_eq!(made, 1);
    assert!(matches!(end, Err(StoreError::Contended { .. })), "{end:?}");
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let folder = folder();
    let store = store(folder.path()).await;
    let mut settling = Settling::new(&store, WHAT);
    let (made, end) = settle(&mut settling, |_| Err(refused())).await;
    assert_eq!(made, 1);
    assert!(matches!(end, Err(StoreError::Query { .. })), "{end:?}");
}

/// Whatever the reading meets, a refusal or the end of all patience: it never turns "perhaps" into "no".
#[tokio::test]
async fn after_a_lost_answer_the_reading_is_tried_to_the_last_and_then_nobody_knows() {
    let folder = folder();
    let store = store(folder.path()).await;
    for error in [refused, contended] {
        let mut settling = Settling::new(&store, WHAT);
        if let Some(begun) = Instant::now().checked_sub(PATIENCE) {
            settling.begun = begun;
        }
        settling.lost = Some(7);
        let (made, end) = settle(&mut settling, |_| Err(error())).await;
        assert_eq!(made, TRIES);
        let unknown = matches!(end, Err(StoreError::JournalUnknown { what: WHAT, .. }));
        assert!(unknown, "{end:?}");
        assert_eq!(settling.lost(), Some(7));
    }
}

#[tokio::test]
async fn after_a_lost_answer_a_reading_at_the_second_try_is_the_answer() {
    let folder = folder();
    let store = store(folder.path()).await;
    let mut settling = Settling::new(&store, WHAT);
    settling.lost = Some(7);
    let work = |made| match made {
        1 => Err(refused()),
        _ => Ok(Work::Leave(7)),
    };
    let (made, end) = settle(&mut settling, work).await;
    assert!(matches!((made, &end), (2, Ok(7))), "{made} {end:?}");
}
