//! The connections of one run: few, and each is used again the moment it is given back.
//!
//! It hands out no connection with a transaction on it, and none that was silent for long without a word from the
//! server.

use std::fmt;
use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Manager, Metrics, PoolError, QueueMode, RecycleResult, Timeouts};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection as _};

use super::connect::{self, CONNECT_TIMEOUT};
use super::dialect::Dialect;
use super::{Access, Store, StoreError};

const MAX_CONNECTIONS: usize = 5;
/// Used this recently, a connection is not asked whether it lives: a failure would be noticed just the same.
const FRESH: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection that goes back to the pool when it is dropped.
pub(super) type Connection = managed::Object<Opening>;

#[derive(Clone, Debug)]
pub(super) struct Pool(managed::Pool<Opening>);

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
        let opening = Opening {
            options,
            dialect,
            access,
            first: Mutex::new(Some(first)),
        };
        let pool = managed::Pool::builder(opening)
            .max_size(MAX_CONNECTIONS)
            // The one used last is the one that is fresh, and has its statements prepared.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts {
                wait: Some(CONNECT_TIMEOUT),
                create: Some(CONNECT_TIMEOUT),
                recycle: Some(CONNECT_TIMEOUT),
            })
            .runtime(Runtime::Tokio1)
            .build();
        pool.map(Pool).map_err(|error| StoreError::Query {
            what: "connect",
            detail: error.to_string(),
        })
    }

    async fn get(&self) -> Result<Connection, sqlx::Error> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::PoolClosed
            }
        })
    }

    /// One beside the pool's, for whoever may not wait while all of those are busy.
    pub async fn connect_apart(&self) -> Result<AnyConnection, sqlx::Error> {
        self.0.manager().options.connect().await
    }

    /// Says goodbye to the server on every connection that is not in use.
    pub async fn close(self) {
        for connection in self.0.retain(|_, _| false).removed {
            connect::close(connection).await;
        }
        self.0.close();
    }
}

impl Manager for Opening {
    type Type = AnyConnection;
    type Error = sqlx::Error;

    /// A server that starts is waited for.
    async fn create(&self) -> Result<AnyConnection, sqlx::Error> {
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(first) = first {
            return Ok(first);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            match self.options.connect().await {
                Ok(mut connection) => {
                    connect::prepare(&mut connection, self.dialect, self.access).await?;
                    return Ok(connection);
                }
                Err(error) if will_pass(&error) => tokio::time::sleep(pause).await,
                Err(error) => return Err(error),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn recycle(
        &self,
        connection: &mut AnyConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.last_used() > FRESH {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// Nobody listens (yet), the server starts or stops, or all its connections are taken.
fn will_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() == ErrorKind::ConnectionRefused,
        sqlx::Error::Database(refusal) => {
            matches!(refusal.code().as_deref(), Some("53300" | "57P03"))
        }
        _ => false,
    }
}

impl Store {
    /// For one statement, which is a transaction of its own; `what` names the deed for messages.
    pub(super) async fn connection(&self, what: &'static str) -> Result<Connection, StoreError> {
        self.pool.get().await.map_err(StoreError::query(what))
    }
}
