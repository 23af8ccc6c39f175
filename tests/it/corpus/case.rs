//! A case of bad input as data: what is given, how the run must end, and what it must say.
//!
//! It runs nothing and judges nothing. A key that no case has is an error, so that a misspelt expectation cannot pass.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence.
    pub name: String,
    #[serde(default)]
    pub database: Database,
    /// Numbered from 1001; what the rows name is told by the word.
    #[serde(default = "one_dead")]
    pub orders: Vec<Held>,
    /// Statements over the whole database, before anything else.
    #[serde(default)]
    pub sql: String,
    /// JSON: an object of Stripe's, or an array of them.
    #[serde(default)]
    pub objects: String,
    /// JSON: a rule of the double's, or an array of them.
    #[serde(default)]
    pub faults: String,
    /// What stands between relink and the double.
    pub wire: Option<Wire>,
    #[serde(default)]
    pub files: Vec<Given>,
    /// Runs that come first and must end well.
    #[serde(default)]
    pub before: Vec<Vec<String>>,
    /// What befalls the files and the database after those.
    #[serde(default)]
    pub then_sql: String,
    /// Seconds that pass at Stripe after those.
    #[serde(default)]
    pub then_passes: i64,
    #[serde(default)]
    pub alter: Vec<Alteration>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Without database, Stripe and key in the environment.
    #[serde(default)]
    pub bare: bool,
    #[serde(default)]
    pub surroundings: Surroundings,
    /// The client may do only what anybody may, also where the tests run as root.
    #[serde(default)]
    pub as_nobody: bool,
    pub signal: Option<Signal>,
    /// To `webhook serve`, which is started with `args` and stopped after the last one.
    #[serde(default)]
    pub deliveries: Vec<Delivery>,

    /// None: it dies of a signal.
    pub exit: Option<i32>,
    /// Texts that must be there, and that must not.
    #[serde(default)]
    pub says: Vec<String>,
    #[serde(default)]
    pub prints: Vec<String>,
    #[serde(default)]
    pub hides: Vec<String>,
    /// Nothing on stdout.
    #[serde(default)]
    pub prints_nothing: bool,
    /// Nobody asks Stripe anything.
    #[serde(default)]
    pub reaches_nobody: bool,
    /// Requests that write, at Stripe, and the orders whose rows are other ones afterwards.
    #[serde(default)]
    pub writes: usize,
    #[serde(default)]
    pub changes: Vec<i64>,
    /// Files that are new afterwards.
    #[serde(default)]
    pub leaves: Vec<String>,
    /// Texts that a file holds afterwards.
    #[serde(default)]
    pub holds: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    #[default]
    Sqlite,
    Postgres,
}

/// An order by what its row names.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// Pending, behind a session that expired.
    Dead,
    /// Pending, behind an active link.
    Healthy,
    /// Pending, behind an open session.
    Open,
    /// Pending, and it names nothing.
    Nothing,
    /// Pending, behind a session that is paid.
    Unrecorded,
    /// Paid, behind an active link.
    Leaked,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// Which paths are answered here; the others are the double's.
    #[serde(default = "every_path")]
    pub at: String,
    #[serde(default = "every_method")]
    pub method: String,
    /// The whole answer, byte for byte. `Connection: close` is not added.
    pub raw: Option<String>,
    /// Every answer's `Date`, in place of the double's.
    pub date: Option<String>,
    /// In every answer's body, each first text becomes the second.
    #[serde(default)]
    pub replace: Vec<[String; 2]>,
}

/// A file in the case's own folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    pub path: String,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default)]
    pub text: String,
    /// Octal.
    #[serde(default = "private")]
    pub mode: String,
    /// Of a link.
    #[serde(default)]
    pub to: String,
    /// Of a hole of so many bytes.
    #[serde(default)]
    pub size: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Text,
    Folder,
    Pipe,
    Link,
    Hole,
}

/// In a file, the first text becomes the second.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alteration {
    pub path: String,
    pub from: String,
    pub to: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surroundings {
    #[default]
    Ordinary,
    StdoutFull,
    StdoutClosed,
    /// A pipe that nobody reads any more.
    StdoutGone,
    StderrFull,
    StderrClosed,
    StdinClosed,
    /// No file can grow.
    DiskFull,
    FewDescriptors,
    NoFolder,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// `INT`, `TERM`, `HUP`, `PIPE`, `KILL`, ….
    pub name: String,
    /// So often, 100 ms apart.
    #[serde(default = "once")]
    pub times: usize,
    /// Sent when the double holds a request; else so many milliseconds after the start.
    pub after_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// In place of an event of a payment for order 1001.
    pub body: Option<String>,
    /// Where in the event something else stands.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    #[serde(default)]
    pub remove: Vec<String>,
    /// Seconds from now at which it was signed.
    #[serde(default)]
    pub signed_at: i64,
    /// In place of the right one; "none" for none.
    pub signature: Option<String>,
    /// That signs it, in place of the receiver's.
    pub secret: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "post")]
    pub method: String,
    #[serde(default = "endpoint")]
    pub path: String,
    pub answer: u16,
    /// Nobody has to hear what is too long to its end.
    #[serde(default)]
    pub may_hang_up: bool,
    #[serde(default = "once")]
    pub times: usize,
}

fn one_dead() -> Vec<Held> {
    vec![Held::Dead]
}

fn every_path() -> String {
    "/".to_owned()
}

fn every_method() -> String {
    "*".to_owned()
}

fn private() -> String {
    "600".to_owned()
}

fn once() -> usize {
    1
}

fn post() -> String {
    "POST".to_owned()
}

fn endpoint() -> String {
    "stripe/webhook".to_owned()
}

impl Case {
    /// The same in good surroundings.
    pub fn ordinary(&self) -> Case {
        Case {
            surroundings: Surroundings::Ordinary,
            as_nobody: false,
            signal: None,
            ..self.clone()
        }
    }

    /// Nobody could read a message.
    pub fn is_mute(&self) -> bool {
        use Surroundings::{StderrClosed, StderrFull};
        matches!(self.surroundings, StderrClosed | StderrFull)
    }
}
