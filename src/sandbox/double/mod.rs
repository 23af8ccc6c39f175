//! The Stripe double: a stateful, strict stand-in for the sixteen API paths that matter here, on loopback, with its
//! own clock, scripted faults and an admin interface under `/_sandbox/`. It imports nothing from the code that talks
//! to Stripe; what it answers is checked against Stripe's published shapes. It never leaves the machine and takes
//! any key of the right form.

mod admin;
mod answer;
mod api;
mod auth;
mod change;
mod error;
mod execute;
mod expand;
mod faults;
mod http;
mod idempotency;
mod ids;
mod limits;
mod log;
mod objects;
mod paging;
mod params;
mod parking;
mod payer;
mod prepare;
mod requests;
mod seeds;
mod spec;
mod world;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use limits::Limits;
pub use log::running_address;
pub use objects::account::ACCOUNT;
pub use world::CLOCK_START;

/// How a double is started.
#[derive(Debug)]
pub struct Options {
    pub state: StateAt,
    /// 0 takes a port from the kernel.
    pub port: u16,
    pub limits: Limits,
}

/// Where the double keeps its state.
#[derive(Debug)]
pub enum StateAt {
    Memory,
    /// A directory that one process at a time may hold; created if it is not there.
    Dir(PathBuf),
}

/// Why a double could not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum DoubleError {
    #[error("another process holds the sandbox in `{}`: stop it, or use its address", dir.display())]
    InUse { dir: PathBuf },
    #[error("cannot {doing} the sandbox state in `{}`", dir.display())]
    State {
        doing: &'static str,
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen { port: u16, source: std::io::Error },
}

/// A running double.
#[derive(Debug)]
pub struct Double {
    inner: Arc<Inner>,
    base_url: String,
    accepting: JoinHandle<()>,
}

impl Double {
    /// Starts the server on 127.0.0.1, in the current tokio runtime.
    ///
    /// # Errors
    /// `InUse` when another process has held the directory for five seconds; `State` when it cannot be read or
    /// written; `Listen` when the port is taken.
    pub async fn start(options: Options) -> Result<Double, DoubleError> {
        let (log, world) = match &options.state {
            StateAt::Memory => (log::Log::Memory, world::World::new()),
            StateAt::Dir(dir) => log::Log::open(dir).await?,
        };
        let listening = |source| DoubleError::Listen {
            port: options.port,
            source,
        };
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(listening)?;
        let port = listener.local_addr().map_err(listening)?.port();
        let inner = Arc::new(Inner {
            core: Mutex::new(Core::new(world, log, options.limits)),
            parking: parking::Parking::default(),
            stop: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(http::accept(listener, Arc::clone(&inner)));
        Ok(Double {
            inner,
            base_url: format!("http://127.0.0.1:{port}"),
            accepting,
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Answers one request in this process, as it would be answered over a connection; `None` where the
    /// connection would be cut. Admin paths are answered as well.
    pub async fn call(
        &self,
        method: &str,
        target: &str,
        headers: HeaderMap,
        body: String,
    ) -> Option<(u16, Vec<(String, String)>, String)> {
        let request = http::Incoming::of(method, target, headers, body);
        let inner = Arc::clone(&self.inner);
        // In a task of its own: what a client that went away had asked for is finished.
        let task = tokio::spawn(async move { inner.serve(request).await });
        let answer = task.await.ok()?.ok()?;
        Some((answer.status, answer.headers, answer.body))
    }

    /// Writes the address into the state directory, for `running_address` in other processes; withdrawn by `stop`.
    ///
    /// # Errors
    /// `State` when the directory cannot be written.
    pub fn announce(&self) -> Result<(), DoubleError> {
        self.inner.core().log.announce(&self.base_url)
    }

    /// Stops serving. State is on disk and the directory free before it returns; parked requests are dropped.
    ///
    /// # Errors
    /// `State` when the last writes could not be flushed.
    pub async fn stop(self) -> Result<(), DoubleError> {
        self.inner.stop.send_replace(true);
        let closed = self.inner.core().log.close();
        self.inner.parking.release_all(parking::Release::Drop);
        let _ = self.accepting.await;
        closed
    }
}

/// What connections share.
#[derive(Debug)]
struct Inner {
    core: Mutex<Core>,
    parking: parking::Parking,
    stop: watch::Sender<bool>,
}

/// Everything that changes; held only for as long as one step takes, never across a wait.
#[derive(Debug)]
struct Core {
    world: world::World,
    log: log::Log,
    in_flight: idempotency::InFlight,
    limits: Limits,
    limiter: limits::Limiter,
    faults: faults::Faults,
    requests: requests::Requests,
    /// While set, any write through the API is refused and noted.
    frozen: bool,
    violations: Vec<Value>,
}

impl Core {
    fn new(world: world::World, log: log::Log, limits: Limits) -> Core {
        Core {
            world,
            log,
            in_flight: idempotency::InFlight::default(),
            limits,
            limiter: limits::Limiter::default(),
            faults: faults::Faults::default(),
            requests: requests::Requests::default(),
            frozen: false,
            violations: Vec::new(),
        }
    }
}

impl Inner {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stopped| *stopped).await;
    }

    async fn serve(&self, request: http::Incoming) -> http::Reply {
        if request.path.starts_with("/_sandbox/") {
            return Ok(admin::serve(self, &request).await);
        }
        api::serve(self, &request).await
    }
}

/// Lays `over` upon `base`: objects field by field, everything else as a whole.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
