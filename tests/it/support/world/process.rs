//! Runs the real binary in a world: clean environment, no terminal, a time limit.
//!
//! It never shares the test's own environment, so that no key or address of the machine can leak in.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// How the binary ended. `code` is `None` when a signal ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The binary with nothing in its environment but what is given here.
pub fn command(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relink"));
    command
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .env("NO_COLOR", "1");
    command
}

/// Runs the binary without a world.
pub fn run_binary(args: &[&str], environment: &[(&str, &str)]) -> Output {
    Running::start(command(args, environment)).wait()
}

/// A process that a test started. Dropped before its end, it is killed: it, and nothing else.
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    started: Instant,
    /// What it was given in its environment and must show to nobody.
    secrets: Vec<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let secrets = secrets_of(&command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            stdout: child.stdout.take().map(collect),
            stderr: child.stderr.take().map(collect),
            child,
            started: Instant::now(),
            secrets,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        send_signal(name, self.child.id());
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end without blocking the test's thread.
    pub async fn finish(self) -> Output {
        tokio::task::spawn_blocking(|| self.wait()).await.unwrap()
    }

    /// Waits for the end, at most a minute.
    pub fn wait(mut self) -> Output {
        let mut code = None;
        let mut ended = false;
        while !ended && self.started.elapsed() < LIMIT {
            match self.child.try_wait().unwrap() {
                Some(status) => (ended, code) = (true, status.code()),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        self.stop();
        let text = |stream: Option<JoinHandle<String>>| stream.unwrap().join().unwrap();
        let output = Output {
            code,
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        };
        for secret in &self.secrets {
            let shown = output.stdout.contains(secret) || output.stderr.contains(secret);
            assert!(!shown, "the secret {secret} is shown: {output:?}");
        }
        assert!(ended, "relink did not end within {LIMIT:?}: {output:?}");
        output
    }

    fn stop(&mut self) {
        // It may have ended already; either way it is gone after the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Keys, signing secrets, and the database's password. Shorter ones are those of tests about malformed values.
fn secrets_of(command: &Command) -> Vec<String> {
    const SECRETS: [&str; 3] = [
        "STRIPE_API_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "RELINK_SANDBOX_WEBHOOK_SECRET",
    ];
    let given = command.get_envs();
    let given = given.filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    let mut secrets = Vec::new();
    for (name, value) in given {
        if SECRETS.contains(&name) {
            secrets.extend(value.split_whitespace().map(str::to_owned));
        }
        if name == "DATABASE_URL" {
            let url = url::Url::parse(value).ok();
            secrets.extend(url.and_then(|url| url.password().map(str::to_owned)));
        }
    }
    secrets.retain(|secret| secret.len() >= 8);
    secrets
}

/// The shell's own `kill`: a small system has no other.
pub fn send_signal(name: &str, process: u32) {
    let line = format!("kill -s {name} {process}");
    let sent = Command::new("sh").args(["-c", &line]).status();
    assert!(sent.unwrap().success(), "signal {name} was not sent");
}

/// Reads a stream to its end beside the process, so that a full pipe cannot stop it.
fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("relink writes UTF-8")
    })
}
