//! From `main` to a command and back: arguments, logging, the runtime, and the one place where an error
//! becomes a message and an exit status.
//!
//! Nothing is read, not even the arguments, before the process is closed to others on this host.
//! What clap would repeat of a mistaken argument loses its keys before it is shown.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use secrecy::ExposeSecret;

use crate::cli::{self, Cli, Command, LogOutput, Output, When};
use crate::command_line::{CommandLine, quote};
use crate::commands::{self, Context};
use crate::config::Environment;
use crate::confine;
use crate::error::Error;
use crate::exit::{ExitStatus, Failure};
use crate::host_clock;
use crate::interrupt::Interrupt;
use crate::logging;
use crate::monitor::{Ended, Monitor};
use crate::ping::Ping;
use crate::redact::redact;
use crate::settings::{ConfigFile, Settings};
use crate::ui::{self, Ui};

/// Runs the whole program.
pub fn run() -> ExitCode {
    // Before anything is read: the environment and every file may hold a secret.
    let confined = confine::memory();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(error),
    };
    let ui = Ui::new(ui_settings(&cli));
    let reader = if ui.is_read_at_a_terminal() {
        logging::Reader::BesideTheReport
    } else {
        logging::Reader::Alone
    };
    let (format, color) = (log_format(&cli), ui.colors_stderr());
    logging::start(verbosity(&cli, &ui), reader, format, color);
    let environment = Environment::read();
    let command_line = typed();
    let tells_events = !cli.command.prints_a_text();
    if tells_events {
        ui.begin(&command_line);
    }
    if let Err(why) = confined {
        ui.warn(&format!(
            "this host does not let relink close its memory to other processes and core dumps: {why}"
        ));
    }
    if shows_password(&cli, &command_line) {
        ui.warn(
            "the password in --database-url is shown to every user of this host; leave it to DATABASE_URL, \
             PGPASSWORD, a private configuration file or a credential",
        );
    }
    let status = run_watched(&cli, &ui, &environment, command_line);
    if tells_events {
        ui.end(status);
    }
    status.into()
}

/// The command with whatever watches it. Monitoring hears how the run ended and changes nothing about it.
fn run_watched(
    cli: &Cli,
    ui: &Ui,
    environment: &Environment,
    command_line: CommandLine,
) -> ExitStatus {
    let runtime = descriptors_are_left().and_then(|()| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    });
    let monitor = Monitor::of(cli);
    match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(async {
                let ping = begin_ping(cli, ui);
                let ended = run_command(cli, ui, environment, &monitor, command_line).await;
                let status = conclude(ended, &monitor, ui);
                if let Some(ping) = ping
                    && let Err(why) = ping.end(status, monitor.run().as_ref()).await
                {
                    ui.warn(&format!("the ping URL was {why}"));
                }
                status
            });
            // A name that is still being looked up keeps nobody waiting.
            runtime.shutdown_background();
            status
        }
        Err(error) => {
            let error = Error::Io {
                what: "starting".to_owned(),
                detail: error.to_string(),
            };
            conclude(Err(error), &monitor, ui)
        }
    }
}

/// The runtime opens a few before anything else, and panics where it cannot hear of signals.
fn descriptors_are_left() -> std::io::Result<()> {
    let pairs: std::io::Result<Vec<_>> = (0..4).map(|_| UnixStream::pair()).collect();
    pairs.map(drop)
}

async fn run_command(
    cli: &Cli,
    ui: &Ui,
    environment: &Environment,
    monitor: &Monitor,
    command_line: CommandLine,
) -> Result<ExitStatus, Error> {
    let settings = settings(cli, environment, &command_line)?;
    let last = *ui;
    let last_words = move || {
        last.last_words("ended at once, in the middle of its work; run the same command again")
    };
    let context = Context {
        ui,
        environment,
        interrupt: Interrupt::listen(last_words)?,
        monitor,
        connection: shown_connection(cli, &command_line),
        command_line,
        settings,
    };
    commands::run(cli, &context).await
}

fn settings(
    cli: &Cli,
    environment: &Environment,
    command_line: &CommandLine,
) -> Result<Settings, Error> {
    let named = cli.common.config.as_deref();
    if named.is_some_and(is_empty) && !matches!(cli.command, Command::Doctor(_)) {
        return Err(Error::usage(
            "--config names no file",
            "give it as `--config FILE`; `relink doctor --config` shows every setting",
        ));
    }
    // What only tells of relink works wherever relink does.
    let file = if cli.command.needs_settings() {
        ConfigFile::find(named, environment)?
    } else {
        ConfigFile::default()
    };
    Settings::resolve(&cli.common, file, command_line)
}

/// Says why the run failed, if it did, and leaves the metrics file.
fn conclude(ended: Result<ExitStatus, Error>, monitor: &Monitor, ui: &Ui) -> ExitStatus {
    let status = ended.unwrap_or_else(|error| {
        let failure = error.describe();
        ui.failure(&failure);
        failure.status
    });
    if let Err(error) = monitor.finish(Ended {
        at: host_clock::now(),
        status,
    }) {
        ui.warn(&format!("monitoring was not told of this run: {error}"));
    }
    status
}

/// A watchdog that is not pinged raises its alarm by itself, so that a warning is enough.
fn begin_ping(cli: &Cli, ui: &Ui) -> Option<Ping> {
    let file = cli.command.monitoring()?.ping_url_file.as_ref()?;
    match Ping::begin(file) {
        Ok(ping) => Some(ping),
        Err(error) => {
            ui.warn(&format!("nothing is pinged: {error}"));
            None
        }
    }
}

/// Arguments are no secret: `ps` lists them.
fn shows_password(cli: &Cli, command_line: &CommandLine) -> bool {
    let url = cli
        .common
        .database_url
        .as_ref()
        .map(ExposeSecret::expose_secret);
    let holds_one = |url: &str| redact(url) != url || url.contains("password=");
    command_line.gives("--database-url") && url.is_some_and(holds_one)
}

fn typed() -> CommandLine {
    let exported = std::env::var_os("DATABASE_URL");
    CommandLine::shown_beside(std::env::args_os().skip(1), exported.as_deref())
}

/// Help and version go to stdout and succeed; everything else is a usage error.
fn refuse_arguments(error: clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return show(&error);
    }
    let ui = Ui::new(ui::Settings {
        format: asked_format(),
        ..ui::Settings::default()
    });
    let error = harmless(error);
    if let Some(failure) = variable_that_is_no_text(&error) {
        ui.begin(&typed());
        ui.failure(&failure);
        ui.end(failure.status);
        return failure.status.into();
    }
    let text = if ui.colors_stderr() {
        error.render().ansi().to_string()
    } else {
        error.render().to_string()
    };
    let plain = redact(&error.render().to_string());
    // What is missing, or what would be possible, stands below the first line.
    let lines = plain.lines().take_while(|line| !line.is_empty());
    let message = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    // What was probably meant, for a program that shows no more than the document.
    let tips = plain
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("tip: "));
    let hints: Vec<&str> = tips.chain(["see --help"]).collect();
    let failure = Failure {
        code: "usage",
        message: message.trim_start_matches("error: ").to_owned(),
        hint: hints.join("; "),
        request_id: None,
        status: ExitStatus::Usage,
    };
    ui.begin(&typed());
    ui.raw_error(&redact(&text), &failure);
    ui.end(failure.status);
    failure.status.into()
}

/// What was typed stands in the message as one line that moves nothing on a screen, and not at any length.
fn harmless(mut error: clap::Error) -> clap::Error {
    const LONGEST: usize = 200;
    let shown = |(kind, value): (ContextKind, &ContextValue)| match value {
        ContextValue::String(text) => Some((kind, ui::shortened(text, LONGEST))),
        _ => None,
    };
    let texts: Vec<_> = error.context().filter_map(shown).collect();
    for (kind, text) in texts {
        error.insert(kind, ContextValue::String(text));
    }
    error
}

/// The argument parser does not say in which one it found bytes that are no text.
fn variable_that_is_no_text(error: &clap::Error) -> Option<Failure> {
    const READ: [&str; 3] = ["DATABASE_URL", "STRIPE_API_BASE", "RELINK_SUCCESS_URL"];
    let is_no_text =
        |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    let name = READ.into_iter().find(is_no_text)?;
    (error.kind() == ErrorKind::InvalidUtf8).then(|| {
        let what = format!("{name} holds bytes that are no UTF-8 text");
        Error::usage(what, format!("set {name} anew, or unset it")).describe()
    })
}

/// Help, or the version. A reader that has gone has had enough, as of any other result.
fn show(text: &clap::Error) -> ExitCode {
    match text.print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) if why.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(why) => {
            let failure = Error::from(why).describe();
            Ui::new(ui::Settings::default()).failure(&failure);
            failure.status.into()
        }
    }
}

/// The format that was asked for on a command line that could not be read otherwise.
fn asked_format() -> ui::Format {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut words = words.iter().map(String::as_str);
    let mut asked = None;
    while asked.is_none()
        && let Some(word) = words.next()
    {
        asked = match format_in(word) {
            Some("") => words.next(),
            found => found,
        };
    }
    match asked {
        Some("json") => ui::Format::Json,
        Some("jsonl") => ui::Format::Jsonl,
        // Nothing but a document can tell of a failure.
        Some("csv") => ui::Format::Csv,
        Some("ids") => ui::Format::Ids,
        _ => ui::Format::Table,
    }
}

/// What this word gives to `-o` or `--output`: nothing yet where the next word does.
fn format_in(word: &str) -> Option<&str> {
    const SWITCHES: &str = "qvhV";
    if let Some(rest) = word.strip_prefix("--output") {
        return Some(rest)
            .filter(|rest| rest.is_empty())
            .or(rest.strip_prefix('='));
    }
    let (before, rest) = word.strip_prefix('-')?.split_once('o')?;
    let are_switches = before.chars().all(|c| SWITCHES.contains(c));
    are_switches.then(|| rest.strip_prefix('=').unwrap_or(rest))
}

fn ui_settings(cli: &Cli) -> ui::Settings {
    ui::Settings {
        format: match cli.common.output {
            Output::Table => ui::Format::Table,
            Output::Wide => ui::Format::Wide,
            Output::Json => ui::Format::Json,
            Output::Jsonl => ui::Format::Jsonl,
            Output::Csv => ui::Format::Csv,
            Output::Ids => ui::Format::Ids,
        },
        headers: !cli.common.no_headers,
        show_pii: cli.common.show_pii,
        color: match cli.common.color {
            When::Auto => ui::ColorChoice::Auto,
            When::Always => ui::ColorChoice::Always,
            When::Never => ui::ColorChoice::Never,
        },
        quiet: cli.common.quiet,
    }
}

/// Where stderr is kept (a log file, cron's mail), every write is in it with Stripe's request id; a person
/// at a terminal sees the report and asks for more.
fn verbosity(cli: &Cli, ui: &Ui) -> u8 {
    let kept = !ui.stderr_is_terminal() && !cli.common.quiet;
    cli.common.verbose.max(u8::from(kept))
}

fn log_format(cli: &Cli) -> logging::LogFormat {
    match cli.common.log_format {
        LogOutput::Text => logging::LogFormat::Text,
        LogOutput::Json => logging::LogFormat::Json,
    }
}

/// The flags that say where, as they were given: any command that is suggested needs them too.
fn shown_connection(cli: &Cli, command_line: &CommandLine) -> String {
    let common = &cli.common;
    let mut flags = Vec::new();
    if let Some(file) = common.config.as_deref().filter(|file| !is_empty(file)) {
        flags.push(format!("--config {}", quote(&file.to_string_lossy())));
    }
    match &common.sandbox {
        Some(dir) if dir.as_os_str().is_empty() => flags.push("--sandbox".to_owned()),
        Some(dir) => flags.push(format!("--sandbox={}", quote(&dir.to_string_lossy()))),
        // Its own commands need not be told; the others would go to the real database.
        None if matches!(cli.command, Command::Sandbox(_)) => flags.push("--sandbox".to_owned()),
        None => {}
    }
    flags.extend(command_line.database_url().map(str::to_owned));
    // What comes from the environment is there for the next command, too.
    let typed = [
        ("--stripe-api-base", common.stripe_api_base.as_deref()),
        ("--success-url", common.success_url.as_deref()),
        ("--currency", common.currency.as_deref()),
    ];
    for (flag, value) in typed {
        if let Some(value) = value.filter(|_| command_line.gives(flag)) {
            flags.push(format!("{flag} {}", quote(&redact(value))));
        }
    }
    if let Some(file) = &common.stripe_key_file {
        flags.push(format!(
            "--stripe-key-file {}",
            quote(&file.to_string_lossy())
        ));
    }
    if let Some(account) = &common.stripe_account {
        flags.push(format!("--stripe-account {}", quote(account)));
    }
    if common.live {
        flags.push("--live".to_owned());
    }
    flags.join(" ")
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}
