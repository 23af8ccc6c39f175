//! The sandbox as a user has it: its own process, its own folder. What relink prints against it is
//! snapshotted whole: exit code, stdout, stderr.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::world::*;

/// A `relink sandbox serve` of its own; ended with the test, it and nothing else.
pub struct Served {
    child: Child,
    pub base: String,
    database: String,
}

impl Served {
    pub fn start(dir: &Path) -> Self {
        Served::with(dir, &[], &[])
    }

    pub fn with(dir: &Path, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut all = vec!["sandbox", "serve", "--port", "0"];
        all.extend(args);
        let mut child = sandbox_command(dir, &all)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            text += &line;
            if line == "}" {
                break;
            }
        }
        let said: Value = serde_json::from_str(&text).unwrap();
        let word = |name: &str| said[name].as_str().unwrap().to_owned();
        Served {
            child,
            base: word("stripe_api_base"),
            database: word("database_url"),
        }
    }

    /// No goodbye: SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sandbox_command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relink"));
    command
        .args(args)
        .arg(format!("--sandbox={}", dir.display()))
        .env_clear()
        .env("NO_COLOR", "1");
    command
}

pub fn in_sandbox(dir: &Path, args: &[&str]) -> Output {
    Running::start(sandbox_command(dir, args)).wait()
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Exit code, stdout and stderr in one text; what differs from run to run is blanked, and of the log lines
/// only what was logged is kept.
fn shown(output: &Output, blanks: &[(&str, &str)]) -> String {
    let mut text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.code.unwrap(),
        output.stdout.lines().map(without_run).collect::<String>(),
        output.stderr.lines().map(without_time).collect::<String>()
    );
    for (from, to) in blanks {
        text = text.replace(from, to);
    }
    without_digests(&text)
}

fn without_run(line: &str) -> String {
    match line.split_once("journal show ") {
        Some((before, _run)) => format!("{before}journal show RUN\n"),
        None => format!("{line}\n"),
    }
}

/// A log line begins with its time and names Stripe's request.
fn without_time(line: &str) -> String {
    let line = match line.split_once(" INFO ") {
        Some((_, logged)) => format!("INFO {logged}"),
        None => line.to_owned(),
    };
    let words = line.split(' ').map(|word| match word.split_once("req_") {
        Some((name, _)) => format!("{name}req_…\""),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ") + "\n"
}

const ORDERS: [&str; 3] = ["--order-id", "201", "--order-id=206"];

async fn against_the_served_sandbox(world: &World) -> String {
    world.rows.load_sample().await;
    let dir = folder();
    let served = Served::start(dir.path());
    let port = served.base.rsplit(':').next().unwrap().to_owned();
    let environment = [("STRIPE_API_BASE", served.base.as_str())];
    let mut text = String::new();
    let plain = world
        .relink_with(&["inspect", "--order-id", "201"], &environment)
        .await;
    let database = plain
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("database: "));
    let blanks = [(database.unwrap(), "DATABASE"), (port.as_str(), "PORT")];
    for command in [
        &["inspect", ORDERS[0], ORDERS[1], ORDERS[2]][..],
        &["regen", ORDERS[0], ORDERS[1], ORDERS[2]],
        &["regen", ORDERS[0], ORDERS[1], ORDERS[2], "--commit"],
        &[
            "regen", ORDERS[0], ORDERS[1], ORDERS[2], "--commit", "--yes",
        ],
        &[
            "regen", ORDERS[0], ORDERS[1], ORDERS[2], "--commit", "--yes", "-q",
        ],
        &["regen", "--order-id", "999"],
    ] {
        let output = world.relink_with(command, &environment).await;
        text += &format!(
            "$ relink {}\n{}\n",
            command.join(" "),
            shown(&output, &blanks)
        );
    }
    text
}

/// The same text from both databases, but for the name of the database.
#[tokio::test]
async fn what_is_printed_against_a_served_sandbox_is_as_it_was_on_both_databases() {
    let sqlite = against_the_served_sandbox(&World::on(Backend::Sqlite).await).await;
    let native = Backend::Postgres(Flavour::NativeEnums);
    let postgres = against_the_served_sandbox(&World::on(native).await).await;
    assert_eq!(sqlite, postgres);
    insta::assert_snapshot!(sqlite, @r#"
    $ relink inspect --order-id 201 --order-id=206
    exit 0
    --- stdout
    ┌───────┬────────────────┬───────────┬───────────────────────────────────┬─────────┬────────────────────┐
    │ order ┆ player         ┆ amount    ┆ old object                        ┆ verdict ┆ what would be done │
    ╞═══════╪════════════════╪═══════════╪═══════════════════════════════════╪═════════╪════════════════════╡
    │   201 ┆ Avery Nakamura ┆ 55.00 USD ┆ cs_test_utah201 (session paid)    ┆ settled ┆ —                  │
    │   206 ┆ Ivy Sorensen   ┆ 55.00 USD ┆ cs_test_utah206 (session expired) ┆ dead    ┆ would mint         │
    └───────┴────────────────┴───────────┴───────────────────────────────────┴─────────┴────────────────────┘
    2 orders: 1 settled, 1 dead; would mint 1 link, 55.00 USD; 0 need a person
    next: relink regen --order-id 201 --order-id=206 --rps 0
    --- stderr
    stripe:   test mode, account acct_1SandboxRelink (Utah Hoops Club (sandbox)), 127.0.0.1
    database: DATABASE
    reading orders: 50 % (1 of 2)
    reading orders: 100 % (2 of 2)

    $ relink regen --order-id 201 --order-id=206
    exit 0
    --- stdout
    ┌───────┬────────────────┬───────────┬───────────────────────────────────┬─────────┬────────────────────┐
    │ order ┆ player         ┆ amount    ┆ old object                        ┆ verdict ┆ what would be done │
    ╞═══════╪════════════════╪═══════════╪═══════════════════════════════════╪═════════╪════════════════════╡
    │   201 ┆ Avery Nakamura ┆ 55.00 USD ┆ cs_test_utah201 (session paid)    ┆ settled ┆ —                  │
    │   206 ┆ Ivy Sorensen   ┆ 55.00 USD ┆ cs_test_utah206 (session expired) ┆ dead    ┆ would mint         │
    └───────┴────────────────┴───────────┴───────────────────────────────────┴─────────┴────────────────────┘
    2 orders: 1 settled, 1 dead; would mint 1 link, 55.00 USD; 0 need a person
    digest: DIGEST
    next: relink regen --order-id 201 --order-id=206 --rps 0 --commit
    --- stderr
    stripe:   test mode, account acct_1SandboxRelink (Utah Hoops Club (sandbox)), 127.0.0.1
    database: DATABASE
    reading orders: 50 % (1 of 2)
    reading orders: 100 % (2 of 2)
    note: a commit asks Stripe about 3 times (1 to write)

    $ relink regen --order-id 201 --order-id=206 --commit
    exit 6
    --- stdout
    ┌───────┬────────────────┬───────────┬───────────────────────────────────┬─────────┬────────────────────┐
    │ order ┆ player         ┆ amount    ┆ old object                        ┆ verdict ┆ what would be done │
    ╞═══════╪════════════════╪═══════════╪═══════════════════════════════════╪═════════╪════════════════════╡
    │   201 ┆ Avery Nakamura ┆ 55.00 USD ┆ cs_test_utah201 (session paid)    ┆ settled ┆ —                  │
    │   206 ┆ Ivy Sorensen   ┆ 55.00 USD ┆ cs_test_utah206 (session expired) ┆ dead    ┆ would mint         │
    └───────┴────────────────┴───────────┴───────────────────────────────────┴─────────┴────────────────────┘
    2 orders: 1 settled, 1 dead; would mint 1 link, 55.00 USD; 0 need a person
    digest: DIGEST
    --- stderr
    stripe:   test mode, account acct_1SandboxRelink (Utah Hoops Club (sandbox)), 127.0.0.1
    database: DATABASE
    reading orders: 50 % (1 of 2)
    reading orders: 100 % (2 of 2)
    error: nothing was written: 1 new link waits for a yes, and there is no terminal to ask at
    hint: look at the plan; if it is right: relink regen --order-id 201 --order-id=206 --commit --rps 0 --yes --expect DIGEST

    $ relink regen --order-id 201 --order-id=206 --commit --yes
    exit 0
    --- stdout
    ┌───────┬────────────────┬───────────┬───────────────────────────────────┬─────────┬────────────────────┐
    │ order ┆ player         ┆ amount    ┆ old object                        ┆ verdict ┆ what would be done │
    ╞═══════╪════════════════╪═══════════╪═══════════════════════════════════╪═════════╪════════════════════╡
    │   201 ┆ Avery Nakamura ┆ 55.00 USD ┆ cs_test_utah201 (session paid)    ┆ settled ┆ —                  │
    │   206 ┆ Ivy Sorensen   ┆ 55.00 USD ┆ cs_test_utah206 (session expired) ┆ dead    ┆ would mint         │
    └───────┴────────────────┴───────────┴───────────────────────────────────┴─────────┴────────────────────┘
    2 orders: 1 settled, 1 dead; would mint 1 link, 55.00 USD; 0 need a person
    digest: DIGEST
    ┌───────┬──────────────┬───────────┬──────────┬─────────────────────────────────────────────────────────────────────────────────────┐
    │ order ┆ player       ┆ amount    ┆ outcome  ┆ new link, or why not                                                                │
    ╞═══════╪══════════════╪═══════════╪══════════╪═════════════════════════════════════════════════════════════════════════════════════╡
    │   206 ┆ Ivy Sorensen ┆ 55.00 USD ┆ replaced ┆ http://127.0.0.1:PORT/buy/test_QxQ6ug8YSieRXkwwJV (plink_1SbxIr9L7vmiPQsEKPj6IYu9) │
    └───────┴──────────────┴───────────┴──────────┴─────────────────────────────────────────────────────────────────────────────────────┘
    1 approved: 1 done, 0 failed, 0 unknown, 0 need a person
    minted 1 link, 55.00 USD
    Stripe requests: 14 reads, 1 write
    plan: DIGEST
    journal: relink journal show RUN
    1 parent holds a dead URL in the mail; the new ones: relink journal show RUN
    --- stderr
    stripe:   test mode, account acct_1SandboxRelink (Utah Hoops Club (sandbox)), 127.0.0.1
    database: DATABASE
    reading orders: 50 % (1 of 2)
    reading orders: 100 % (2 of 2)
    INFO relink::stripe::write: write answered path=/v1/payment_links request_id="req_…" status=200 replayed=false
    INFO relink::execute::drive: link replaced order=206 link=plink_1SbxIr9L7vmiPQsEKPj6IYu9
    orders: 100 % (1 of 1)

    $ relink regen --order-id 201 --order-id=206 --commit --yes -q
    exit 0
    --- stdout
    --- stderr

    $ relink regen --order-id 999
    exit 2
    --- stdout
    --- stderr
    stripe:   test mode, account acct_1SandboxRelink (Utah Hoops Club (sandbox)), 127.0.0.1
    database: DATABASE
    error: no row of `orders` has id 999
    hint: check the id, and that DATABASE_URL names the right database
    "#);
}

#[test]
fn a_rehearsal_survives_from_call_to_call_and_reset_puts_it_back() {
    let dir = folder();
    let dry = in_sandbox(dir.path(), &["regen", "--tournament-id", "2", "-o", "json"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    let done = in_sandbox(
        dir.path(),
        &[
            "regen",
            "--tournament-id",
            "2",
            "--commit",
            "--yes",
            "-o",
            "json",
        ],
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["outcomes"].as_array().unwrap().len(), 17);
    let url = report["outcomes"][0]["link"]["url"].as_str().unwrap();

    let paid = in_sandbox(dir.path(), &["sandbox", "pay", url, "-o", "json"]);
    assert_eq!(paid.code, Some(0), "{}", paid.stderr);
    let session: Value = serde_json::from_str(&paid.stdout).unwrap();
    assert_eq!(session["payment_status"], "paid");
    let again = in_sandbox(dir.path(), &["sandbox", "pay", url]);
    assert_eq!(
        again.code,
        Some(6),
        "the link is closed: {}{}",
        again.stdout,
        again.stderr
    );
    let id = report["outcomes"][0]["order_id"].to_string();
    let seen = in_sandbox(dir.path(), &["inspect", "--order-id", &id, "-o", "json"]);
    assert!(seen.stdout.contains("paid_unrecorded"), "{}", seen.stdout);

    let reset = in_sandbox(dir.path(), &["sandbox", "reset"]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let fresh = in_sandbox(dir.path(), &["regen", "--tournament-id", "2", "-o", "json"]);
    assert_eq!(fresh.stdout, dry.stdout);
}

#[test]
fn a_served_sandbox_is_shared_and_what_it_answered_survives_sigkill() {
    let dir = folder();
    let served = Served::start(dir.path());
    assert!(served.database.starts_with("sqlite://"));
    let done = in_sandbox(
        dir.path(),
        &["regen", "--tournament-id", "2", "--commit", "--yes"],
    );
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    served.kill();
    let again = in_sandbox(dir.path(), &["regen", "--tournament-id", "2", "-o", "json"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let plan: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(plan["counts"]["verdicts"]["healthy"], 17);
}

#[test]
fn serve_ends_quietly_on_a_signal() {
    let dir = folder();
    let mut served = Served::start(dir.path());
    send_signal("TERM", served.child.id());
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    served
        .child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!(rest, "");
}

/// The sandbox speaks without encryption, to itself.
#[test]
fn a_host_without_any_certificate_has_a_sandbox() {
    let dir = folder();
    let empty = folder();
    let none = empty.path().join("none.pem");
    std::fs::write(&none, "").unwrap();
    let mut command = sandbox_command(dir.path(), &["inspect", "--order-id", "207"]);
    command.env("SSL_CERT_FILE", &none);
    command.env("SSL_CERT_DIR", empty.path().join("nowhere"));
    let output = Running::start(command).wait();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

/// Whoever names a database as well may mean that one, also where only the journal is read.
#[test]
fn a_sandbox_stands_beside_no_database() {
    let dir = folder();
    let sandbox = format!("--sandbox={}", dir.path().join("sandbox").display());
    for args in [&["journal", "list"][..], &["inspect", "--all"]] {
        let mut all = args.to_vec();
        all.push(&sandbox);
        let elsewhere = [("DATABASE_URL", "sqlite:///nowhere/club.db")];
        let output = run_binary(&all, &elsewhere);
        assert_eq!(output.code, Some(2), "{args:?}: {}", output.stderr);
        let said = "--sandbox cannot be combined with a database URL";
        assert!(output.stderr.contains(said), "{args:?}: {}", output.stderr);
    }
}

/// A session has Stripe's shape: with `-o csv` and `-o ids` it is told as any other result.
#[test]
fn what_a_parent_did_is_told_in_each_format() {
    let dir = folder();
    let pay = |format: &str| {
        let reset = in_sandbox(dir.path(), &["sandbox", "reset"]);
        assert_eq!(reset.code, Some(0), "{}", reset.stderr);
        let said = in_sandbox(
            dir.path(),
            &["sandbox", "pay", "plink_spring105", "-o", format],
        );
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout
    };
    let session: Value = serde_json::from_str(&pay("json")).unwrap();
    assert_eq!(session["payment_status"], "paid");
    let id = session["id"].as_str().unwrap();
    assert!(id.starts_with("cs_test_"), "{id}");
    let ids = pay("ids");
    assert!(
        ids.starts_with("cs_test_") && ids.lines().count() == 1,
        "{ids}"
    );
    let rows = pay("csv");
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(
        rows[0].starts_with("session,status,payment_status,order_id"),
        "{rows:?}"
    );
    assert!(rows[1].contains(",complete,paid,"), "{rows:?}");
    for line in pay("jsonl").lines() {
        let _: Value = serde_json::from_str(line).unwrap();
    }
}

#[test]
fn every_suggested_command_is_of_this_sandbox() {
    let dir = folder();
    let here = format!("--sandbox={}", dir.path().display());
    let plan = in_sandbox(dir.path(), &["regen", "--all", "-o", "json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let orders = plan["orders"].as_array().unwrap();
    let advised: Vec<&str> = orders.iter().filter_map(|o| o["advice"].as_str()).collect();
    assert!(advised.len() > 30, "{advised:?}");
    for advice in advised {
        assert!(advice.trim_end_matches('`').ends_with(&here), "{advice}");
    }
    let list = dir.path().join("blast.csv");
    let list = [
        "inspect",
        "--all",
        "-o",
        "csv",
        "--csv-out",
        list.to_str().unwrap(),
    ];
    let rows = in_sandbox(dir.path(), &list).stdout;
    let people = std::fs::read_to_string(dir.path().join("blast.needs-person.csv")).unwrap();
    for csv in [rows, people] {
        let suggests = csv.lines().filter(|line| line.contains("relink "));
        let suggests: Vec<&str> = suggests.collect();
        assert!(suggests.len() > 10, "{csv}");
        for line in suggests {
            assert!(line.contains(&here), "{line}");
        }
    }
}

#[test]
fn what_the_sandboxs_own_commands_suggest_stays_in_the_sandbox() {
    let dir = folder();
    let mut pay = Command::new(env!("CARGO_BIN_EXE_relink"));
    pay.args(["sandbox", "pay", "plink_spring105"])
        .env_clear()
        .env("XDG_STATE_HOME", dir.path());
    let paid = Running::start(pay).wait();
    assert_eq!(paid.code, Some(0), "{}", paid.stderr);
    let next = "next: relink inspect --order-id 105 --sandbox\n";
    assert!(paid.stdout.ends_with(next), "{}", paid.stdout);
}

#[test]
fn a_port_that_is_taken_is_said_to_be_so() {
    let dir = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = in_sandbox(dir.path(), &["sandbox", "serve", "--port", &port]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    let why = format!("error: cannot listen on 127.0.0.1:{port}: Address already in use");
    let hint = "\nhint: give --port one that is free, or 0 to let the system choose\n";
    assert!(output.stderr.starts_with(&why), "{}", output.stderr);
    assert!(output.stderr.ends_with(hint), "{}", output.stderr);
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let dir = folder();
    std::fs::write(dir.path().join("club.db"), "somebody's").unwrap();
    let output = in_sandbox(dir.path(), &["regen", "--all"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(
        output.stderr.contains("not made by a sandbox"),
        "{}",
        output.stderr
    );
    assert_eq!(
        std::fs::read_to_string(dir.path().join("club.db")).unwrap(),
        "somebody's"
    );
}
