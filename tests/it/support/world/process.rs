//! Runs the real binary in a world: clean environment, no terminal, a time limit.
//!
//! It never shares the test's own environment, so that no key or address of the machine can leak in.

use std::io::Read;
use std::process::{Child, Command, Stdio};
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
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Waits for the end, at most a minute; then the process that was started here, and only it, is killed.
pub fn run(mut command: Command) -> Output {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if started.elapsed() > LIMIT {
            stop(&mut child);
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let output = Output {
        code: status.and_then(|status| status.code()),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    assert!(
        status.is_some(),
        "relink did not end within {LIMIT:?}: {output:?}"
    );
    output
}

fn stop(child: &mut Child) {
    // It may have ended in between; either way it is gone after the wait.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads a stream to its end beside the process, so that a full pipe cannot stop it.
fn collect(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("relink writes UTF-8")
    })
}
