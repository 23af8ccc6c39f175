//! What others on the host can have of a running relink: nothing of its memory, nothing of its environment, no core dump.
//! Each attempt is made on a process without the protection as well, so that none fails for another reason.
//!
//! As root the processes and those who look at them are nobody's; else they are the user's own.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::tally;
use crate::support::world::send_signal;

const KEY: &str = "sk_test_confinedconfinedconfined";
const NOBODY: u32 = 65534;

/// A folder with the binary in it, for whoever runs it.
struct Host {
    folder: tempfile::TempDir,
    is_root: bool,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_relink"), folder.path().join("relink")).unwrap();
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), everybody).unwrap();
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        Host { folder, is_root }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs as somebody without privileges, in the folder.
    fn command(&self, program: impl Into<PathBuf>) -> Command {
        let mut command = Command::new(program.into());
        command
            .env_clear()
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// A shell that lets cores be written as far as this host allows it, then is `program`.
    fn dumping(&self, program: &Path, args: &[&str]) -> Command {
        let mut shell = self.command("/bin/sh");
        let line =
            "ulimit -c unlimited 2>/dev/null || ulimit -c \"$(ulimit -H -c)\"; exec \"$0\" \"$@\"";
        shell.args(["-c", line]).arg(program).args(args);
        shell.env("STRIPE_API_KEY", KEY);
        shell
    }

    /// relink with a key from its environment, waiting for an answer from Stripe: it has sent the key just now.
    fn waiting(&self) -> Waiting {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut command = self.dumping(&self.path().join("relink"), &["doctor"]);
        command.env("STRIPE_API_BASE", base);
        command.env("DATABASE_URL", "sqlite:///nonexistent/club.db");
        let process = command.spawn().unwrap();
        let (mut asked, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let length = asked.read(&mut head).unwrap();
        let head = String::from_utf8_lossy(&head[..length]).into_owned();
        assert!(head.contains(KEY), "{head}");
        Waiting {
            process: Process(process),
            _unanswered: (asked, listener),
        }
    }

    /// Something else with the same key, as a shell runs it.
    fn open_to_all(&self) -> Process {
        let process = Process(
            self.dumping(Path::new("/bin/sleep"), &["60"])
                .spawn()
                .unwrap(),
        );
        let begun = Instant::now();
        // Until then it still is the shell.
        let name = format!("/proc/{}/comm", process.0.id());
        while std::fs::read_to_string(&name).unwrap() != "sleep\n" {
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(5));
        }
        process
    }

    /// What the same user, without privileges, reads of a process: `None` where it may not.
    fn read(&self, process: &Process, file: &str) -> Option<String> {
        let path = format!("/proc/{}/{file}", process.0.id());
        let ended = self.command("/bin/cat").arg(path).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        ended.status.success().then_some(text)
    }

    fn may(&self, process: &Process, what: &str, file: &str) -> bool {
        let path = format!("/proc/{}/{file}", process.0.id());
        let mut shell = self.command("/bin/sh");
        shell.args(["-c", what, path.as_str()]);
        shell.output().unwrap().status.success()
    }
}

struct Process(Child);

struct Waiting {
    process: Process,
    /// Closed, it would end with an error.
    _unanswered: (TcpStream, TcpListener),
}

impl Process {
    /// Signals until it ends: the runtime takes the first SIGSEGV for a fault of its own and looks again.
    fn killed_by(&mut self, signal: &str) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it lives on");
            send_signal(signal, self.0.id());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nobody_without_privileges_reads_its_environment_or_its_memory() {
    let host = Host::new();
    let bare = host.open_to_all();
    assert!(host.read(&bare, "environ").unwrap().contains(KEY));
    assert!(host.read(&bare, "maps").is_some());
    assert!(host.may(&bare, "ls \"$0\"", "fd"));

    let waiting = host.waiting();
    let relink = &waiting.process;
    for file in ["environ", "maps", "auxv", "stack"] {
        assert_eq!(host.read(relink, file), None, "{file}");
    }
    assert!(!host.may(relink, ": < \"$0\"", "mem"));
    assert!(!host.may(relink, "ls \"$0\"", "fd"));
    let environ = format!("/proc/{}/environ", relink.0.id());
    let owner = std::fs::metadata(environ).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (0, 0));
    // How much memory it takes, and since when it runs, everybody may know: another run asks for it.
    assert!(host.read(relink, "status").unwrap().contains("VmHWM:"));
    assert!(host.read(relink, "stat").is_some());
}

#[test]
fn a_process_that_crashes_leaves_no_core() {
    let host = Host::new();
    let writes_cores = host.open_to_all().killed_by("SEGV").core_dumped();
    if !writes_cores {
        tally::tell(
            "confined: this host writes no core of any process; only the limits were looked at",
        );
    }
    for entry in std::fs::read_dir(host.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "relink" {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    // Not QUIT: who starts the tests in the background of a shell has it ignored.
    for signal in ["SEGV", "ABRT"] {
        let mut waiting = host.waiting();
        let relink = &mut waiting.process;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", relink.0.id())).unwrap();
        let core = limits
            .lines()
            .find(|line| line.contains("core file"))
            .unwrap();
        let words: Vec<&str> = core.split_whitespace().collect();
        assert_eq!(words[4..], ["0", "0", "bytes"], "{core}");
        let ended = relink.killed_by(signal);
        assert!(ended.signal().is_some(), "{ended:?}");
        assert!(!ended.core_dumped(), "{signal}: {ended:?}");
        let left = std::fs::read_dir(host.path()).unwrap().count();
        assert_eq!(left, 1, "something lies beside the binary");
    }
}

/// What a shell hands over as `/dev/fd/N` and `/dev/stdin` is a process's own to open all the same.
#[test]
fn it_still_reads_what_a_shell_hands_it() {
    let host = Host::new();
    let mut command = host.command("/bin/sh");
    let replay = "echo nonsense | ./relink webhook replay --from-file /dev/stdin --sandbox=box";
    let ended = command.args(["-c", replay]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!said.contains("cannot be read"), "{said}");
    assert!(said.contains("line 1"), "{said}");
}
