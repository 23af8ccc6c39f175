//! What writers of one file owe each other who share a commit: nobody is answered before it, who fails fails alone, and who
//! is given up leaves nobody believing in what is not there. On a real file, looked into by another connection.

use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use tokio::task::JoinHandle;

use super::super::commit::Committed;
use super::super::journal::{Settling, Work, Writing};
use super::super::test_file::{self, fine};
use super::super::{Store, StoreError};
use super::Line;

const NOTES: &str = "CREATE TABLE authors (id INTEGER PRIMARY KEY); \
     CREATE TABLE notes (id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors (id) DEFERRABLE INITIALLY DEFERRED)";
const WHAT: &str = "take a note";

struct Notes {
    store: Store,
    /// Sees what is committed.
    other: SqliteConnection,
    _folder: tempfile::TempDir,
}

impl Notes {
    async fn joined_for(longest: Duration) -> Self {
        let folder = fine(tempfile::tempdir());
        let other = test_file::make(folder.path(), NOTES).await;
        let mut store = test_file::open(folder.path()).await;
        store.line = Line::joined_for(longest);
        Notes {
            store,
            other,
            _folder: folder,
        }
    }

    async fn new() -> Self {
        Notes::joined_for(Duration::from_secs(60)).await
    }

    async fn begin(&self) -> Writing {
        fine(self.store.begin(WHAT).await)
    }

    /// Somebody who waits for the turn.
    async fn next(&self) -> JoinHandle<Result<Writing, StoreError>> {
        let store = self.store.clone();
        let before = self.waiting();
        let next = tokio::spawn(async move { store.begin(WHAT).await });
        while self.waiting() == before {
            tokio::task::yield_now().await;
        }
        next
    }

    fn waiting(&self) -> usize {
        self.store.line.lock().next.len()
    }

    fn commit(&self, transaction: Writing) -> JoinHandle<Result<Committed, StoreError>> {
        let store = self.store.clone();
        tokio::spawn(async move { store.commit(transaction, WHAT).await })
    }

    /// The first took note 1 and waits for the commit; the second goes on.
    async fn two_in_one(&self) -> (JoinHandle<Result<Committed, StoreError>>, Writing) {
        let mut first = self.begin().await;
        fine(note(&mut first, 1).await);
        let second = self.next().await;
        let first = self.commit(first);
        (first, fine(fine(second.await)))
    }

    async fn committed(&mut self) -> Vec<i64> {
        let ids = sqlx::query_scalar("SELECT id FROM notes ORDER BY id");
        fine(ids.fetch_all(&mut self.other).await)
    }
}

async fn note(transaction: &mut Writing, id: i64) -> Result<(), sqlx::Error> {
    let insert = sqlx::query("INSERT INTO notes (id) VALUES ($1)").bind(id);
    insert.execute(&mut **transaction).await.map(drop)
}

/// No commit goes through as long as it is in.
async fn note_of_nobody(transaction: &mut Writing, id: i64) {
    let insert = sqlx::query("INSERT INTO notes (id, author) VALUES ($1, 7)").bind(id);
    fine(insert.execute(&mut **transaction).await);
}

#[tokio::test]
async fn who_waits_goes_on_in_the_same_transaction_and_nobody_is_answered_before_its_commit() {
    let mut notes = Notes::new().await;
    let (first, mut second) = notes.two_in_one().await;
    assert!(second.is_joined());
    fine(note(&mut second, 2).await);
    assert!(!first.is_finished());
    assert_eq!(notes.committed().await, [0; 0]);
    assert!(matches!(
        fine(notes.commit(second).await),
        Ok(Committed::Yes)
    ));
    assert!(matches!(fine(first.await), Ok(Committed::Yes)));
    assert_eq!(notes.committed().await, [1, 2]);
    assert!(!notes.begin().await.is_joined(), "the turn is free again");
}

#[tokio::test]
async fn who_is_refused_fails_alone() {
    let mut notes = Notes::new().await;
    let mut first = notes.begin().await;
    fine(note(&mut first, 1).await);
    let (second, third) = (notes.next().await, notes.next().await);
    let first = notes.commit(first);
    let mut second = fine(fine(second.await));
    fine(note(&mut second, 2).await);
    let refused = note(&mut second, 1).await.map_err(StoreError::query(WHAT));
    let mut settling = Settling::<()>::new(&notes.store, WHAT);
    let told = tokio::join!(
        settling.conclude(second, refused.map(Work::Commit)),
        async {
            let mut third = fine(fine(third.await));
            fine(note(&mut third, 3).await);
            fine(notes.store.commit(third, WHAT).await)
        }
    );
    assert!(
        matches!(told.0, Err(StoreError::Query { .. })),
        "{:?}",
        told.0
    );
    assert!(matches!(told.1, Committed::Yes));
    assert!(matches!(fine(first.await), Ok(Committed::Yes)));
    assert_eq!(notes.committed().await, [1, 3]);
}

#[tokio::test]
async fn who_leaves_nothing_leaves_the_others_theirs() {
    let mut notes = Notes::new().await;
    let (first, mut second) = notes.two_in_one().await;
    fine(note(&mut second, 2).await);
    fine(notes.store.leave(second, WHAT).await);
    assert!(matches!(fine(first.await), Ok(Committed::Yes)));
    assert_eq!(notes.committed().await, [1]);
}

#[tokio::test]
async fn who_is_given_up_midway_leaves_nobody_believing_that_anything_was_committed() {
    let mut notes = Notes::new().await;
    let (first, mut second) = notes.two_in_one().await;
    fine(note(&mut second, 2).await);
    drop(second);
    let told = fine(first.await);
    assert!(matches!(told, Ok(Committed::AnswerLost(_))), "{told:?}");
    let next = notes.begin().await;
    assert!(!next.is_joined());
    assert_eq!(notes.committed().await, [0; 0]);
}

#[tokio::test]
async fn a_commit_that_is_refused_is_refused_for_all_and_what_was_seen_of_it_counts_for_nothing() {
    let mut notes = Notes::new().await;
    let mut first = notes.begin().await;
    note_of_nobody(&mut first, 1).await;
    let second = notes.next().await;
    let first = notes.commit(first);
    let second = fine(fine(second.await));
    let told = notes.store.leave(second, WHAT).await;
    assert!(
        matches!(told, Err(StoreError::Contended { .. })),
        "{told:?}"
    );
    let told = fine(first.await);
    assert!(matches!(told, Err(StoreError::Query { .. })), "{told:?}");
    assert_eq!(notes.committed().await, [0; 0]);
    assert!(!notes.begin().await.is_joined());
}

#[tokio::test]
async fn nobody_goes_on_in_a_transaction_that_has_been_open_for_long() {
    let mut notes = Notes::joined_for(Duration::ZERO).await;
    let mut first = notes.begin().await;
    fine(note(&mut first, 1).await);
    let second = notes.next().await;
    assert!(matches!(
        fine(notes.commit(first).await),
        Ok(Committed::Yes)
    ));
    assert_eq!(notes.committed().await, [1]);
    assert!(!fine(fine(second.await)).is_joined());
}

/// Who held the file for long, and not alone, gives other programs the time to find it free.
#[tokio::test]
async fn after_a_shared_commit_the_file_is_free_for_a_while() {
    let notes = Notes::new().await;
    let begun = Instant::now();
    let first = notes.begin().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = notes.next().await;
    let first = notes.commit(first);
    let second = fine(fine(second.await));
    assert!(matches!(
        fine(notes.commit(second).await),
        Ok(Committed::Yes)
    ));
    assert!(matches!(fine(first.await), Ok(Committed::Yes)));
    let held = begun.elapsed();
    drop(notes.begin().await);
    let rested = begun.elapsed() - held;
    assert!(rested >= Duration::from_millis(40), "{rested:?}");
}

#[tokio::test]
async fn how_long_the_turn_is_waited_for_is_known() {
    let notes = Notes::new().await;
    let first = notes.begin().await;
    let (before, second) = (notes.store.waited(), notes.next().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(first);
    fine(fine(second.await));
    let waited = notes.store.waited() - before;
    assert!(waited >= Duration::from_millis(50), "{waited:?}");
}

#[tokio::test]
async fn who_gave_up_waiting_is_passed_over() {
    let mut notes = Notes::new().await;
    let mut first = notes.begin().await;
    fine(note(&mut first, 1).await);
    let second = notes.next().await;
    second.abort();
    assert!(second.await.is_err());
    assert!(matches!(
        fine(notes.commit(first).await),
        Ok(Committed::Yes)
    ));
    assert_eq!(notes.committed().await, [1]);
    assert!(!notes.begin().await.is_joined());
}

/// Of 300 writers at once some are refused, some leave, some are given up: whoever was told "done" is there, whoever was
/// told anything definite else is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_told_that_it_is_done_is_there_and_nobody_is_who_is_told_otherwise() {
    let mut notes = Notes::new().await;
    let writers: Vec<_> = (1..=300)
        .map(|id| {
            let store = notes.store.clone();
            tokio::spawn(async move { (id, write(&store, id).await) })
        })
        .collect();
    let mut told = Vec::new();
    for writer in writers {
        told.push(fine(writer.await));
    }
    let there = notes.committed().await;
    for (id, answer) in &told {
        if let Some(is_done) = answer {
            assert_eq!(there.contains(id), *is_done, "{id}");
        }
    }
    let known = told.iter().filter(|(_, answer)| *answer == Some(true));
    assert!(known.count() >= 100, "{told:?}");
}

/// Whether its note is there; `None` where that is not known.
async fn write(store: &Store, id: i64) -> Option<bool> {
    let mut settling = Settling::new(store, WHAT);
    let mut transaction = settling.begin().await.ok()?;
    fine(note(&mut transaction, id).await);
    let work = match id % 10 {
        1 => Ok(Work::Leave(())),
        2 => {
            let refused = note(&mut transaction, id).await;
            refused.map(Work::Commit).map_err(StoreError::query(WHAT))
        }
        3 if id % 7 == 0 => {
            drop(transaction);
            return Some(false);
        }
        _ => Ok(Work::Commit(())),
    };
    let is_commit = matches!(work, Ok(Work::Commit(())));
    let is_refused = work.is_err();
    match settling.conclude(transaction, work).await {
        Ok(Some(())) => Some(is_commit),
        Err(_) if is_refused => Some(false),
        // Its commit's answer was lost, or it is to be done again.
        Ok(None) | Err(_) => None,
    }
}
