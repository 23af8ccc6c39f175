//! What the terminal is told, on a real pseudo-terminal and through real pipes. Each test starts this test
//! binary again as a child that does one thing (`child` below), since only a process has streams to look at.

use std::io::Read;
use std::process::{Command, Output, Stdio};

use relink::domain::{AccountId, Currency, Mode, Money, Order, OrderId, OrderStatus, Timestamp};
use relink::events::{Event, Listener};
use relink::exit::{ExitStatus, Failure};
use relink::logging;
use relink::plan::{Action, Decision, Goal, Plan, Policy, Reason, StoredState, Verdict};
use relink::ui::{Answer, Banner, ColorChoice, Format, NextStep, Question, Settings, Ui};
use rexpect::session::{PtySession, spawn_command};

const TASK: &str = "RELINK_TEST_UI_TASK";

/// Not a test: what the children do. Alone it does nothing.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let task = std::env::var(TASK).unwrap_or_default();
    let settings = |format, color| Settings {
        headers: true,
        show_pii: false,
        format,
        color,
        quiet: false,
    };
    let plain = Ui::new(settings(Format::Table, ColorChoice::Auto));
    match task.as_str() {
        "ask" => ask(&plain, Mode::Test),
        "ask_live" => ask(&plain, Mode::Live),
        "plan" => loop_until_closed(&plain),
        "colors" => {
            let ui = Ui::new(settings(Format::Table, ColorChoice::Always));
            ui.warn("look");
            ui.plan(&small_plan(), None, &next(), &str::to_owned)
                .unwrap();
        }
        "quiet" => {
            let ui = Ui::new(Settings {
                quiet: true,
                ..settings(Format::Table, ColorChoice::Auto)
            });
            ui.note("a note");
            ui.banner(&Banner {
                mode: Mode::Test,
                account: None,
                account_name: None,
                database: "a database".to_owned(),
                stripe: "sandbox".to_owned(),
            });
            count_to(&ui, 20);
            ui.warn("a warning");
            ui.plan(&empty_plan(), None, &next(), &str::to_owned)
                .unwrap();
            ui.text("the result\n").unwrap();
        }
        "fail" => Ui::new(settings(Format::Json, ColorChoice::Auto)).failure(&Failure {
            code: "unknown_order",
            message: "no order 99".to_owned(),
            hint: "see `relink inspect --all`".to_owned(),
            request_id: None,
            status: ExitStatus::Usage,
        }),
        "progress" => count_to(&plain, 20),
        "log" => {
            logging::start(0, logging::Reader::Alone, logging::LogFormat::Json, false);
            tracing::warn!(order = 7, "look");
            tracing::info!("not told");
        }
        _ => {}
    }
}

fn count_to(ui: &Ui, total: usize) {
    let progress = ui.progress();
    let what = "reading orders";
    progress.hear(Event::Began { what, total });
    (0..total).for_each(|_| progress.hear(Event::Read));
    progress.hear(Event::Finished);
}

fn ask(ui: &Ui, mode: Mode) {
    let question = Question {
        goal: Goal::Regen,
        account: AccountId::parse("acct_1Utah").ok(),
        account_name: None,
        mode,
        database: "club.db".to_owned(),
        size: 17,
        replace: 17,
        retire: 0,
        totals: vec![Money::new(98_500, Currency::USD)],
        resume: 0,
        resume_totals: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let _entered = runtime.enter();
    let _listener = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    let said = match ui.confirm(&question) {
        Ok(Answer::Approved) => "it was approved",
        Ok(Answer::Declined) => "it was declined",
        Ok(Answer::Interrupted) => "it was interrupted",
        Err(_) => "nobody to ask",
    };
    ui.warn(said);
}

fn empty_plan() -> Plan {
    Plan {
        policy: Policy::new(Goal::Regen),
        mode: Mode::Test,
        account: None,
        taken_at: Timestamp(0),
        decisions: Vec::new(),
        gone: Vec::new(),
        paid_links: Vec::new(),
        forced: Vec::new(),
        left_alone: Vec::new(),
    }
}

/// One order that is as it should be.
fn small_plan() -> Plan {
    let order = Order {
        id: OrderId(1),
        status: OrderStatus::Pending,
        amount: Some(Money::new(5500, Currency::USD)),
        reference: None,
        url: None,
        payment_intent: None,
        created_at: None,
        player: None,
        parent: None,
        product: None,
        tournaments: Vec::new(),
        gaps: Vec::new(),
    };
    let decision = Decision {
        order: order.into(),
        stored: StoredState::LinkActive,
        verdict: Verdict::Healthy,
        reason: Reason::ActiveLink,
        released: Vec::new(),
        action: Action::Nothing,
    };
    Plan {
        decisions: vec![decision],
        ..empty_plan()
    }
}

fn next() -> NextStep {
    NextStep {
        command: Some("relink inspect --all".to_owned()),
        note: None,
    }
}

/// Prints until the reader has closed its end, and far beyond.
fn loop_until_closed(ui: &Ui) {
    for _ in 0..20_000 {
        ui.plan(&empty_plan(), None, &next(), &str::to_owned)
            .unwrap();
    }
    ui.warn("printed all of it");
}

fn command(task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "ui_terminal::child", "--ignored", "--nocapture"])
        .env(TASK, task)
        .env("TERM", "xterm");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

fn piped(task: &str) -> Output {
    command(task).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn on_a_terminal(task: &str) -> PtySession {
    spawn_command(command(task), Some(20_000)).unwrap()
}

fn asked() -> PtySession {
    let mut session = on_a_terminal("ask");
    session.exp_string("account:  acct_1Utah").unwrap();
    session.exp_string("mode:     test").unwrap();
    session.exp_string("database: club.db").unwrap();
    session
        .exp_string("mint 17 links for 985.00 USD, in test mode? [y/N]")
        .unwrap();
    session
}

#[test]
fn yes_and_enter_approve() {
    let mut session = asked();
    session.send_line("y").unwrap();
    session.exp_string("it was approved").unwrap();
}

/// For real money the mode and the number are typed.
#[test]
fn in_live_mode_a_yes_is_not_enough() {
    for (typed, said) in [
        ("live 17", "it was approved"),
        ("  live 17 ", "it was approved"),
        ("y", "it was declined"),
        ("", "it was declined"),
        ("live 16", "it was declined"),
        ("LIVE 17", "it was declined"),
    ] {
        let mut session = on_a_terminal("ask_live");
        session.exp_string("in live mode?").unwrap();
        session.exp_string("Type `live 17` to go on").unwrap();
        session.send_line(typed).unwrap();
        session.exp_string(said).unwrap();
    }
    let mut session = on_a_terminal("ask_live");
    session.exp_string("Type `live 17` to go on").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("it was interrupted").unwrap();
}

#[test]
fn enter_alone_declines() {
    let mut session = asked();
    session.send_line("").unwrap();
    session.exp_string("it was declined").unwrap();
}

#[test]
fn a_stray_y_that_is_taken_back_declines() {
    let mut session = asked();
    session.send_line("yn").unwrap();
    session.exp_string("it was declined").unwrap();
}

#[test]
fn ctrl_c_interrupts_and_shows_the_cursor_again() {
    let mut session = asked();
    session.exp_string("\u{1b}[?25l").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("\u{1b}[?25h").unwrap();
    session.exp_string("it was interrupted").unwrap();
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let output = piped("ask");
    assert!(stderr(&output).contains("nobody to ask"), "{output:?}");
    assert!(!stderr(&output).contains("985.00"), "{output:?}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let mut child = command("plan")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 100]).unwrap();
    drop(pipe);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    assert!(said.contains("printed all of it"), "{said}");
    assert!(!said.contains("panicked at src"), "{said}");
}

#[test]
fn the_flag_colours_even_when_no_color_is_set() {
    let output = command("colors").env("NO_COLOR", "1").output().unwrap();
    assert!(stderr(&output).contains("\u{1b}[33mwarning"), "{output:?}");
    assert!(
        stdout(&output).contains("\u{1b}[38;5;2m healthy"),
        "{output:?}"
    );
    assert!(
        stdout(&output).contains("\u{1b}[1mrelink inspect"),
        "{output:?}"
    );
}

#[test]
fn nothing_is_coloured_through_a_pipe() {
    for task in ["plan", "fail", "progress", "log"] {
        let output = piped(task);
        assert!(!stderr(&output).contains('\u{1b}'), "{output:?}");
        assert!(!stdout(&output).contains('\u{1b}'), "{task}");
    }
}

#[test]
fn a_failure_is_said_on_stderr_and_stays_json_on_stdout() {
    let output = piped("fail");
    let said = stderr(&output);
    assert!(
        said.contains("error: no order 99\nhint: see `relink inspect --all`\n"),
        "{said}"
    );
    let out = stdout(&output);
    let json = &out[out.find('{').unwrap()..=out.rfind('}').unwrap()];
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["error"]["code"], "unknown_order");
    assert_eq!(json["exit_code"], 2);
}

#[test]
fn quiet_leaves_the_result_and_the_warnings() {
    let output = piped("quiet");
    let said = stderr(&output);
    assert!(said.contains("warning: a warning\n"), "{said}");
    for text in ["a note", "a database", "reading orders"] {
        assert!(!said.contains(text), "{said}");
    }
    assert!(stdout(&output).contains("the result\n"));
    assert!(!stdout(&output).contains("no orders"), "{output:?}");
}

#[test]
fn progress_is_a_line_per_tenth_through_a_pipe() {
    let said = stderr(&piped("progress"));
    let lines: Vec<&str> = said.lines().filter(|l| l.starts_with("reading")).collect();
    assert_eq!(lines.len(), 10, "{said}");
    assert_eq!(lines[1], "reading orders: 20 % (4 of 20)");
}

#[test]
fn progress_is_a_bar_on_a_terminal() {
    let mut session = on_a_terminal("progress");
    session.exp_string("reading orders [").unwrap();
}

#[test]
fn a_log_line_is_one_json_object_on_stderr() {
    let output = piped("log");
    let said = stderr(&output);
    let lines: Vec<&str> = said.lines().filter(|l| l.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "{said}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "look");
    assert_eq!(line["order"], 7);
    assert!(!stdout(&output).contains("look"));
}
