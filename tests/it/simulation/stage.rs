//! The stage: processes that run one at a time, each until its next gate, and a director who says who goes on, and
//! what befalls it there. All choices come from one seed.
//!
//! A gate is before and after every request to Stripe, before every transaction, and around every commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use relink::saga::{Next, Observed, Operation};
use relink::sandbox::double::Double;
use relink::store::{Gate, Pass, Place, Point};
use relink::stripe::{Carried, NoAnswer, Outgoing, Transport};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::{Notify, oneshot};

/// xorshift: small, and the same everywhere.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike, and zero would stay zero.
        let mixed = (seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mut dice = Dice((mixed ^ (mixed >> 31)) | 1);
        for _ in 0..8 {
            dice.roll();
        }
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() >> 11) as usize % n.max(1)
    }

    /// With a probability of so many in a thousand.
    pub fn per_mille(&mut self, chance: usize) -> bool {
        self.below(1000) < chance
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len());
        items.get(index)
    }
}

/// What the director says to a process at a gate.
#[derive(Debug)]
pub enum Word {
    Go,
    /// The request never arrives.
    Lost,
    /// The request does not arrive now: it lingers in the network and arrives when nobody waits for it.
    Lingers,
    /// Stripe meets this fault with the request.
    Fault(Value),
    /// The answer is lost.
    Unanswered,
}

/// Per thousand, drawn anew for each seed; a quarter of them are zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub lost: usize,
    pub lingers: usize,
    pub fault: usize,
    pub unanswered: usize,
    pub crash: usize,
    /// Taken for dead, and awake again later.
    pub buried: usize,
    pub commit_unknown: usize,
    pub world: usize,
    pub time: usize,
    /// Deliveries; none at all where there is no receiver.
    pub mail: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Processes between two gates.
    active: usize,
    waiting: BTreeMap<usize, (String, oneshot::Sender<Word>)>,
    lingering: Vec<Outgoing>,
    /// Events that Stripe was told are taken in.
    acknowledged: BTreeSet<String>,
    trace: Vec<String>,
    counts: BTreeMap<String, u64>,
    failed: Option<String>,
}

#[derive(Debug)]
pub struct Stage {
    inner: Mutex<Inner>,
    dice: Mutex<Dice>,
    changed: Notify,
    pub rates: Rates,
    /// In the quiet phase every gate is open.
    quiet: Mutex<bool>,
}

impl Stage {
    pub fn new(dice: Dice, rates: Rates) -> Arc<Self> {
        Arc::new(Stage {
            inner: Mutex::default(),
            dice: Mutex::new(dice),
            changed: Notify::new(),
            rates,
            quiet: Mutex::new(false),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn be_quiet(&self) {
        *self.quiet.lock().unwrap() = true;
    }

    fn is_quiet(&self) -> bool {
        *self.quiet.lock().unwrap()
    }

    pub fn count(&self, what: &str) {
        *self.inner().counts.entry(what.to_owned()).or_insert(0) += 1;
    }

    /// Something must not have happened. A process that panicked would be waited for in vain: the director says it.
    pub fn fail(&self, why: String) {
        self.inner().failed.get_or_insert(why);
    }

    pub fn failed(&self) -> Option<String> {
        self.inner().failed.clone()
    }

    pub fn note(&self, line: String) {
        self.inner().trace.push(line);
    }

    pub fn trace(&self) -> Vec<String> {
        self.inner().trace.clone()
    }

    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.inner().counts.clone()
    }

    /// Stripe is told that the event is taken in: it will not send it again by itself.
    pub fn acknowledge(&self, event: &str) {
        self.inner().acknowledged.insert(event.to_owned());
    }

    pub fn is_acknowledged(&self, event: &str) -> bool {
        self.inner().acknowledged.contains(event)
    }

    pub fn lingers(&self) -> bool {
        !self.inner().lingering.is_empty()
    }

    pub fn take_lingering(&self) -> Vec<Outgoing> {
        std::mem::take(&mut self.inner().lingering)
    }

    /// A process begins to run.
    pub fn enters(&self) {
        self.inner().active += 1;
    }

    /// A process has ended by itself.
    pub fn leaves(&self) {
        self.inner().active -= 1;
        self.changed.notify_one();
    }

    /// Until every process waits at a gate or has ended: who waits, and where.
    pub async fn at_rest(&self) -> Vec<(usize, String)> {
        loop {
            {
                let inner = self.inner();
                if inner.active == 0 {
                    let who = inner.waiting.iter();
                    return who.map(|(id, (at, _))| (*id, at.clone())).collect();
                }
            }
            self.changed.notified().await;
        }
    }

    /// Lets a waiting process go on.
    pub fn say(&self, process: usize, word: Word) {
        let mut inner = self.inner();
        if let Some((at, sender)) = inner.waiting.remove(&process) {
            inner.active += 1;
            inner.trace.push(format!("{process} at {at}: {word:?}"));
            let _ = sender.send(word);
        }
    }

    /// A waiting process is no more.
    pub fn strike(&self, process: usize) {
        let mut inner = self.inner();
        if let Some((at, _)) = inner.waiting.remove(&process) {
            inner.trace.push(format!("{process} at {at}: crash"));
        }
    }

    /// Waits at a gate for the director's word.
    async fn wait(&self, process: usize, at: String) -> Word {
        if self.is_quiet() {
            return Word::Go;
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut inner = self.inner();
            inner.active -= 1;
            inner.waiting.insert(process, (at, sender));
        }
        self.changed.notify_one();
        match receiver.await {
            Ok(word) => word,
            // Struck: this future is about to be dropped.
            Err(_) => std::future::pending().await,
        }
    }
}

/// How one process meets the world.
#[derive(Debug)]
pub struct Actor {
    pub process: usize,
    pub run: String,
    /// The transaction that has begun.
    pub begun: Mutex<Option<&'static str>>,
    pub stage: Arc<Stage>,
    pub world: Arc<dyn Reach>,
}

/// What an actor needs of the world: Stripe's double, what spoils its answers, and a look at the journal.
pub trait Reach: Send + Sync + std::fmt::Debug {
    fn double(&self) -> &Double;
    /// Whether a committed step names this key.
    fn is_journaled<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool>;
    /// A protocol's mistake, made on purpose: what the process reads is not what Stripe said.
    fn spoil(&self, method: &str, target: &str, body: Vec<u8>) -> Vec<u8>;
    /// The same of what it sends.
    fn distort<'a>(&'a self, request: &'a mut Outgoing) -> BoxFuture<'a, ()>;
    /// What comes next for an order of this run.
    fn step(&self, run: &str, operation: Operation, observed: Observed) -> (Operation, Next);
    /// The same of what a transaction finds in the database.
    fn meddle<'a>(&'a self, run: &'a str, point: Point) -> BoxFuture<'a, ()>;
    /// What was done to the run's last transaction is undone.
    fn tidy<'a>(&'a self, run: &'a str) -> BoxFuture<'a, ()>;
}

impl Actor {
    /// A transaction that began and was not committed: its lease was lost, or its row had moved.
    fn note_left_transaction(&self, point: Point) {
        let begun = match point.place {
            Place::Begin => self.begun.lock().unwrap().replace(point.what),
            Place::BeforeCommit | Place::AfterCommit => {
                *self.begun.lock().unwrap() = None;
                None
            }
        };
        if let Some(what) = begun {
            self.stage.count(&format!("nothing to commit: {what}"));
        }
    }
}

impl Gate for Actor {
    fn pass(&self, point: Point) -> BoxFuture<'_, Pass> {
        Box::pin(async move {
            self.note_left_transaction(point);
            if point.place != Place::BeforeCommit {
                self.world.tidy(&self.run).await;
            }
            if self.stage.is_quiet() {
                if point.place != Place::BeforeCommit {
                    self.world.meddle(&self.run, point).await;
                }
                return Pass::Go;
            }
            if point.place == Place::AfterCommit {
                self.world.meddle(&self.run, point).await;
            }
            // Around a commit nobody else may run: the database is locked. The dice decide at once.
            let unknown = self.stage.rates.commit_unknown;
            match point.place {
                Place::Begin => {
                    self.stage
                        .wait(self.process, format!("begin {}", point.what))
                        .await;
                    self.world.meddle(&self.run, point).await;
                    Pass::Go
                }
                Place::BeforeCommit if self.stage.dice().per_mille(unknown) => {
                    self.stage.count("commit not done, answer lost");
                    self.stage
                        .note(format!("{} not committed: {}", self.process, point.what));
                    Pass::NotCommitted
                }
                Place::BeforeCommit => Pass::Go,
                Place::AfterCommit if self.stage.dice().per_mille(unknown) => {
                    self.stage.count("commit done, answer lost");
                    self.stage.note(format!(
                        "{} committed, unanswered: {}",
                        self.process, point.what
                    ));
                    Pass::AnswerLost
                }
                Place::AfterCommit => {
                    self.stage
                        .wait(self.process, format!("committed {}", point.what))
                        .await;
                    Pass::Go
                }
            }
        })
    }
}

impl Transport for Actor {
    fn carry(&self, mut request: Outgoing) -> BoxFuture<'_, Result<Carried, NoAnswer>> {
        Box::pin(async move {
            self.world.tidy(&self.run).await;
            let told = format!("{} {}", request.method, short(&request.target));
            let lost = || Err(NoAnswer::Lost("simulated".to_owned()));
            let word = self.stage.wait(self.process, told.clone()).await;
            match word {
                Word::Lost => {
                    self.stage.count("request lost");
                    return Err(NoAnswer::Lost("simulated".to_owned()));
                }
                Word::Lingers => {
                    self.stage.count("request lingers");
                    self.stage.inner().lingering.push(request);
                    return lost();
                }
                Word::Fault(rule) => {
                    self.stage.count("fault at Stripe");
                    admin(self.world.double(), "POST", "faults", &rule.to_string()).await;
                }
                Word::Go | Word::Unanswered => {}
            }
            let method = request.method.to_string();
            let target = request.target.clone();
            if let Some(key) = request.headers.get("idempotency-key") {
                let key = key.to_str().unwrap_or_default().to_owned();
                if !self.world.is_journaled(&key).await {
                    let early = format!("{told} left before its intent was committed");
                    self.stage.fail(early);
                }
            }
            self.world.distort(&mut request).await;
            let answer = deliver(self.world.double(), request).await;
            admin(self.world.double(), "DELETE", "faults", "").await;
            if let Word::Unanswered = self
                .stage
                .wait(self.process, format!("answer to {told}"))
                .await
            {
                self.stage.count("answer lost");
                return lost();
            }
            let mut carried = answer?;
            carried.body = self.world.spoil(&method, &target, carried.body);
            Ok(carried)
        })
    }
}

/// Hands a request to the double.
pub async fn deliver(double: &Double, request: Outgoing) -> Result<Carried, NoAnswer> {
    let answer = double
        .call(
            request.method.as_str(),
            &request.target,
            request.headers,
            request.body,
        )
        .await;
    let Some((status, headers, body)) = answer else {
        return Err(NoAnswer::Lost("cut off".to_owned()));
    };
    let mut carried = Carried {
        status,
        headers: HeaderMap::new(),
        body: body.into_bytes(),
    };
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
        else {
            continue;
        };
        carried.headers.insert(name, value);
    }
    Ok(carried)
}

pub async fn admin(double: &Double, method: &str, path: &str, body: &str) -> Value {
    let target = format!("/_sandbox/{path}");
    let answer = double
        .call(method, &target, HeaderMap::new(), body.to_owned())
        .await;
    match answer {
        Some((200, _, text)) => serde_json::from_str(&text).unwrap_or(Value::Null),
        // A parent who clicks what is closed is told so.
        Some(_) | None => Value::Null,
    }
}

fn short(target: &str) -> String {
    target.split('?').next().unwrap_or(target).to_owned()
}

/// One seed's own: each is none at all in a quarter of them.
pub fn rates(dice: &mut Dice) -> Rates {
    let mut rate = |most: usize| {
        if dice.per_mille(250) {
            0
        } else {
            dice.below(most)
        }
    };
    let (lost, lingers, fault, unanswered) = (rate(60), rate(40), rate(80), rate(60));
    let crash = rate(40);
    Rates {
        lost,
        lingers,
        fault,
        unanswered,
        crash,
        buried: crash / 3,
        commit_unknown: rate(60),
        world: rate(160),
        time: rate(25),
        mail: if dice.per_mille(500) {
            40 + dice.below(160)
        } else {
            0
        },
    }
}
