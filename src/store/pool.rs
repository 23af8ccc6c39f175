//! The connections of one run: few, and each is used again the moment it is given back.
//!
//! It hands out none that something may be left on, a transaction, a question that was given up, a failure of the line: such
//! a connection is given up where it was used. One that was silent for a while is asked first whether the server still
//! knows it.

use std::fmt;
use std::io::ErrorKind;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError};
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, ConnectOptions, Connection as _};
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use super::connect::{self, CONNECT_TIMEOUT};
use super::dialect::Dialect;
use super::error::{is_contention, is_outage};
use super::{Access, Store, StoreError};

const MOST_ON_POSTGRES: usize = 5;
/// Writers of a file wait for each other: in turn here, by trying again there. Readers need not, and do here; but pages that
/// another connection wrote would be read from the file again.
const MOST_ON_SQLITE: usize = 1;
/// Taken this recently, a connection is not asked whether it lives: a failure would be noticed just the same.
const FRESH: Duration = Duration::from_millis(100);
/// What lies between us and the server forgets connections that say nothing, and a server may lose its role.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);
const LONGEST_LIFE: Duration = Duration::from_secs(1800);
const LONGEST_PING: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection of the pool. Dropped before it is given back, it ends.
pub(super) struct Connection {
    /// Taken by the end alone.
    lent: Option<Object<Opening>>,
}

impl Connection {
    /// When nothing is under way on it any more.
    pub fn give_back(mut self) {
        drop(self.lent.take());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take() {
            drop(Object::take(lent));
        }
    }
}

impl Deref for Connection {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match &self.lent {
            Some(lent) => lent,
            None => unreachable!("whoever gives a connection back has none"),
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.lent {
            Some(lent) => lent,
            None => unreachable!("whoever gives a connection back has none"),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    connections: managed::Pool<Opening>,
    /// Microseconds that were waited for one of them, together.
    waited: Arc<AtomicU64>,
}

/// How connections are made.
pub(super) struct Opening {
    options: AnyConnectOptions,
    dialect: Dialect,
    access: Access,
    /// What the run looked at the tables with, before it had a pool.
    first: Mutex<Option<AnyConnection>>,
}

/// The options hold the password.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

impl Pool {
    pub fn new(
        options: AnyConnectOptions,
        dialect: Dialect,
        access: Access,
        first: AnyConnection,
    ) -> Result<Self, StoreError> {
        let most = match dialect {
            Dialect::Postgres => MOST_ON_POSTGRES,
            Dialect::Sqlite => MOST_ON_SQLITE,
        };
        let opening = Opening {
            options,
            dialect,
            access,
            first: Mutex::new(Some(first)),
        };
        let pool = managed::Pool::builder(opening)
            .max_size(most)
            // The one used last is the one that is fresh, and has its statements prepared.
            .queue_mode(QueueMode::Lifo)
            .build();
        let connections = pool.map_err(|error| StoreError::Query {
            what: "connect",
            detail: error.to_string(),
        })?;
        Ok(Pool {
            connections,
            waited: Arc::default(),
        })
    }

    /// Within the time that a first connection may take.
    async fn get(&self) -> Result<Connection, sqlx::Error> {
        match self.wait(self.connections.get()).await {
            Ok(Ok(lent)) => Ok(Connection { lent: Some(lent) }),
            Ok(Err(PoolError::Backend(error))) => Err(error),
            Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// As long as that, for what all who use the database take turns at.
    pub async fn wait<T>(&self, turn: impl Future<Output = T>) -> Result<T, Elapsed> {
        let begun = Instant::now();
        let came = timeout(CONNECT_TIMEOUT, turn).await;
        let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
        came
    }

    /// One beside the pool's, for whoever may not wait while all of those are busy.
    pub async fn connect_apart(&self) -> Result<AnyConnection, sqlx::Error> {
        self.connections.manager().options.connect().await
    }

    /// Says goodbye to the server on every connection that is not in use.
    pub async fn close(self) {
        let first = self.connections.manager().first().take();
        let idle = self.connections.retain(|_, _| false).removed;
        for connection in idle.into_iter().chain(first) {
            connect::close(connection).await;
        }
        self.connections.close();
    }
}

impl Opening {
    fn first(&self) -> MutexGuard<'_, Option<AnyConnection>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        connect::prepare(&mut connection, self.dialect, self.access).await?;
        Ok(connection)
    }
}

impl Manager for Opening {
    type Type = AnyConnection;
    type Error = sqlx::Error;

    /// A server that starts is waited for.
    async fn create(&self) -> Result<AnyConnection, sqlx::Error> {
        let first = self.first().take();
        if let Some(mut first) = first
            && let Ok(Ok(())) = timeout(LONGEST_PING, first.ping()).await
        {
            return Ok(first);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            match self.open().await {
                Err(error) if will_pass(&error) => sleep(pause).await,
                opened => return opened,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn recycle(
        &self,
        connection: &mut AnyConnection,
        metrics: &Metrics,
    ) -> Result<(), RecycleError<sqlx::Error>> {
        if metrics.last_used() > LONGEST_SILENCE || metrics.age() > LONGEST_LIFE {
            return Err(RecycleError::message("it is too old"));
        }
        if metrics.last_used() > FRESH {
            let answered = timeout(LONGEST_PING, connection.ping()).await;
            answered.map_err(|_| RecycleError::message("it says nothing"))??;
        }
        Ok(())
    }
}

/// Nobody listens (yet), the server starts or stops, all its connections are taken, or the file is another's just now.
fn will_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() == ErrorKind::ConnectionRefused,
        sqlx::Error::Database(refusal) => {
            let code = refusal.code();
            code.is_some_and(|code| matches!(&*code, "53300" | "57P03") || is_contention(&code))
        }
        _ => false,
    }
}

impl Store {
    /// How long its connections, and the turns to write, were waited for, together.
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.pool.waited.load(Ordering::Relaxed))
    }

    /// `what` names the deed for messages.
    pub(super) async fn connection(&self, what: &'static str) -> Result<Connection, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            // A file is there; somebody writes to it all the time.
            sqlx::Error::PoolTimedOut if self.dialect == Dialect::Sqlite => not_free(what),
            error => StoreError::query(what)(error),
        })
    }
}

pub(super) fn not_free(what: &'static str) -> StoreError {
    StoreError::Contended {
        what,
        detail: "the file was not free within 10 seconds".to_owned(),
    }
}

/// Whether a connection is as good as before: the statement went through, or the database refused it.
fn is_whole<T>(result: &Result<T, sqlx::Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(sqlx::Error::Database(refusal)) => !refusal.code().is_some_and(|code| is_outage(&code)),
        Err(_) => false,
    }
}

/// One statement that is a transaction of its own, on any connection of the store. `what` names the deed for messages.
pub(super) trait Alone: Sized {
    async fn all(self, store: &Store, what: &'static str) -> Result<Vec<AnyRow>, StoreError>;

    /// # Errors
    /// No row is one.
    async fn one(self, store: &Store, what: &'static str) -> Result<AnyRow, StoreError>;

    /// How many rows it changed.
    async fn run(self, store: &Store, what: &'static str) -> Result<u64, StoreError>;
}

impl Alone for Query<'_, Any, AnyArguments> {
    async fn all(self, store: &Store, what: &'static str) -> Result<Vec<AnyRow>, StoreError> {
        let mut connection = store.connection(what).await?;
        let rows = self.fetch_all(&mut *connection).await;
        if is_whole(&rows) {
            connection.give_back();
        }
        rows.map_err(StoreError::query(what))
    }

    async fn one(self, store: &Store, what: &'static str) -> Result<AnyRow, StoreError> {
        let mut connection = store.connection(what).await?;
        let row = self.fetch_one(&mut *connection).await;
        if is_whole(&row) {
            connection.give_back();
        }
        row.map_err(StoreError::query(what))
    }

    async fn run(self, store: &Store, what: &'static str) -> Result<u64, StoreError> {
        let mut connection = store.connection(what).await?;
        let done = self.execute(&mut *connection).await;
        if is_whole(&done) {
            connection.give_back();
        }
        let done = done.map_err(StoreError::query(what))?;
        Ok(done.rows_affected())
    }
}
