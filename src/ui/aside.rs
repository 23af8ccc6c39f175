//! What is said while relink works is written by a thread of its own, in the order in which it was said. A paused terminal
//! and a reader that does not read would otherwise hold the orders in flight, and on them whatever transaction is open.
//!
//! It formats nothing. While there is no `Aside`, whoever says something writes it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Beyond this many pieces whoever says more waits until they are written: memory has an end as well.
const MOST_WAITING: usize = 100_000;

type Piece = Box<dyn FnOnce() + Send>;

struct Queue {
    pieces: Sender<Piece>,
    waiting: Arc<AtomicUsize>,
}

static QUEUE: Mutex<Option<Queue>> = Mutex::new(None);

fn queue() -> MutexGuard<'static, Option<Queue>> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as it lives, nobody but its thread waits for stdout and stderr. Dropped, it waits until all was written.
#[derive(Debug)]
#[must_use]
pub struct Aside {
    /// `None` where another one began earlier, or where the system gave no thread.
    writer: Option<JoinHandle<()>>,
}

impl Aside {
    pub(super) fn begin() -> Aside {
        let mut queue = queue();
        if queue.is_some() {
            return Aside { writer: None };
        }
        let (pieces, said) = channel::<Piece>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let writer = thread::Builder::new().name("ui".to_owned()).spawn(move || {
            for write in said {
                write();
                left.fetch_sub(1, Ordering::Relaxed);
            }
        });
        let writer = writer.ok();
        if writer.is_some() {
            *queue = Some(Queue { pieces, waiting });
        }
        Aside { writer }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            *queue() = None;
            // A panic of that thread was told by itself.
            drop(writer.join());
        }
    }
}

/// Writes now, or, beside an `Aside`, after everything that was said before.
pub fn say(write: impl FnOnce() + Send + 'static) {
    if put(Box::new(write)) > MOST_WAITING {
        wait();
    }
}

/// Until all that was said is written.
pub fn wait() {
    let (written, all) = channel();
    put(Box::new(move || {
        let _ = written.send(());
    }));
    // An error means that the thread is gone, and nobody left to wait for.
    let _ = all.recv();
}

/// How many wait to be written, this one among them.
fn put(write: Piece) -> usize {
    let refused = match &*queue() {
        Some(queue) => {
            let waiting = queue.waiting.fetch_add(1, Ordering::Relaxed) + 1;
            match queue.pieces.send(write) {
                Ok(()) => return waiting,
                Err(refused) => refused.0,
            }
        }
        None => write,
    };
    refused();
    0
}
