//! The Stripe double: a stateful, strict stand-in for the sixteen API paths that matter here, on loopback, with its
//! own clock, scripted faults, a small hosted page, signed webhooks and an admin interface under `/_sandbox/`. It
//! imports nothing from the code that talks to Stripe; what it answers is checked against Stripe's published shapes.
//! It never leaves the machine and takes any key of the right form.

mod addresses;
mod admin;
mod answer;
mod api;
mod auth;
mod change;
mod error;
mod execute;
mod expand;
mod faults;
mod hosted;
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
mod webhooks;
mod world;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use limits::Limits;
pub use log::running_address;
pub use objects::account::ACCOUNT;
pub use webhooks::{Delivery, Webhooks};
pub use world::CLOCK_START;

/// How long a delivery that is on its way may hold up the double's end.
const GRACE: Duration = Duration::from_secs(2);

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
    #[error(
        "another process holds the sandbox in `{}`: stop it; several share one where `relink sandbox serve` was started \
         first",
        dir.display()
    )]
    InUse { dir: PathBuf },
    #[error("cannot {doing} the sandbox state in `{}`", dir.display())]
    State {
        doing: &'static str,
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen { port: u16, source: std::io::Error },
    #[error("{reason}")]
    Webhooks { reason: String },
}

/// A running double.
#[derive(Debug)]
pub struct Double {
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
    sending: JoinHandle<()>,
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
            base_url: format!("http://127.0.0.1:{port}"),
            sends: AtomicBool::new(false),
            due: Notify::new(),
        });
        let accepting = tokio::spawn(http::accept(listener, Arc::clone(&inner)));
        let sending = tokio::spawn(webhooks::sender::run(Arc::clone(&inner)));
        Ok(Double {
            inner,
            accepting,
            sending,
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    /// From now on links and sessions carry this double's own URLs, which a browser can open; until then Stripe's.
    pub fn hand_out_own_urls(&self) {
        self.inner.core().origin = Some(self.inner.base_url.clone());
    }

    /// Sends events from now on, and those that are still owed from before.
    ///
    /// # Errors
    /// `Webhooks` when the URL is not on loopback, or there is no secret.
    pub fn send_webhooks(&self, to: Webhooks) -> Result<(), DoubleError> {
        let started = self.inner.send_webhooks(to);
        started.map_err(|reason| DoubleError::Webhooks { reason })
    }

    /// Every attempt so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.core().outbox.deliveries()
    }

    /// Ids of the events that have not arrived yet, oldest first.
    pub fn owed_events(&self) -> Vec<String> {
        self.inner.core().owed_events()
    }

    /// Waits until every event has arrived, for at most this long; whether it has.
    pub async fn webhooks_settled(&self, patience: Duration) -> bool {
        self.inner.webhooks_settled(patience).await
    }

    /// Every object of both modes, as `GET /_sandbox/objects` shows them.
    #[must_use]
    pub fn objects(&self) -> serde_json::Value {
        admin::all_objects(&self.inner.core().world)
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
        self.inner.core().log.announce(&self.inner.base_url)
    }

    /// Stops serving. State is on disk and the directory free before it returns; parked requests are dropped, and a
    /// delivery that is not answered within two seconds is given up and stays owed.
    ///
    /// # Errors
    /// `State` when the last writes could not be flushed.
    pub async fn stop(mut self) -> Result<(), DoubleError> {
        self.inner.stop.send_replace(true);
        if tokio::time::timeout(GRACE, &mut self.sending)
            .await
            .is_err()
        {
            self.sending.abort();
        }
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
    /// `http://127.0.0.1:PORT`
    base_url: String,
    /// Whether events are sent at all, so that a double that sends none is not woken up by every request.
    sends: AtomicBool,
    /// Something may have become due.
    due: Notify,
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
    outbox: webhooks::Outbox,
    /// Handed out instead of Stripe's addresses, once asked for.
    origin: Option<String>,
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
            outbox: webhooks::Outbox::default(),
            origin: None,
        }
    }

    fn owed_events(&self) -> Vec<String> {
        let modes = [world::Mode::Test, world::Mode::Live].into_iter();
        let owed = modes.flat_map(|mode| self.world.realm(mode).owed());
        owed.map(|(_, id)| id.clone()).collect()
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
        let reply = if request.path.starts_with("/_sandbox/") {
            Ok(admin::serve(self, &request).await)
        } else if let Some(address) = addresses::of_path(&request.path) {
            hosted::serve(self, &request, &address)
        } else {
            api::serve(self, &request).await
        };
        if self.sends.load(Ordering::Acquire) {
            self.due.notify_one();
        }
        reply.map(|answer| self.with_own_urls(answer))
    }

    /// The one place where Stripe's addresses become this double's, replays of older answers included.
    fn with_own_urls(&self, mut answer: http::Answer) -> http::Answer {
        let origin = self.core().origin.clone();
        if let Some(origin) = origin
            && let Ok(mut value) = serde_json::from_str(&answer.body)
        {
            addresses::rewrite(&origin, &mut value);
            answer.body = value.to_string();
        }
        answer
    }

    fn send_webhooks(&self, to: Webhooks) -> Result<(), String> {
        to.check()?;
        let mut core = self.core();
        core.world.subscribed = Some(world::Subscribed {
            url: to.url.clone(),
            events: to.events.clone(),
        });
        core.outbox.webhooks = Some(Arc::new(to));
        self.sends.store(true, Ordering::Release);
        self.due.notify_one();
        Ok(())
    }

    async fn webhooks_settled(&self, patience: Duration) -> bool {
        let settled = async {
            while !self.core().owed_events().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
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
