//! From `main` to a command and back: arguments, logging, the runtime, and the one place where an error
//! becomes a message and an exit status.
//!
//! What clap would repeat of a mistaken argument loses its keys before it is shown.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, LogOutput, Output, When};
use crate::commands::{self, Context};
use crate::config::Environment;
use crate::error::Error;
use crate::exit::{ExitStatus, Failure};
use crate::interrupt::Interrupt;
use crate::logging;
use crate::redact::redact;
use crate::ui::{self, Ui};

/// Runs the whole program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(&error),
    };
    let ui = Ui::new(ui_settings(&cli));
    logging::start(verbosity(&cli, &ui), log_format(&cli), ui.colors_stderr());
    let environment = Environment::read();
    let status = match run_command(&cli, &ui, &environment) {
        Ok(status) => status,
        Err(error) => {
            let failure = error.describe();
            ui.failure(&failure);
            failure.status
        }
    };
    status.into()
}

fn run_command(cli: &Cli, ui: &Ui, environment: &Environment) -> Result<ExitStatus, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Error::Io {
            what: "starting".to_owned(),
            detail: e.to_string(),
        })?;
    runtime.block_on(async {
        let context = Context {
            ui,
            environment,
            interrupt: Interrupt::listen()?,
            command_line: shown_command_line(),
            connection: shown_connection(cli),
        };
        commands::run(cli, &context).await
    })
}

/// Help and version go to stdout and succeed; everything else is a usage error.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitStatus::Unclassified.into(),
        };
    }
    let ui = Ui::new(ui::Settings {
        format: asked_format(),
        ..ui::Settings::default()
    });
    let text = if ui.colors_stderr() {
        error.render().ansi().to_string()
    } else {
        error.render().to_string()
    };
    let plain = redact(&error.render().to_string());
    let message = plain.lines().next().unwrap_or_default();
    let failure = Failure {
        code: "usage",
        message: message.trim_start_matches("error: ").to_owned(),
        hint: "see --help".to_owned(),
        request_id: None,
        status: ExitStatus::Usage,
    };
    ui.raw_error(&redact(&text), &failure);
    failure.status.into()
}

/// The format that was asked for on a command line that could not be read otherwise.
fn asked_format() -> ui::Format {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let pair = |pair: &[String]| matches!(pair[0].as_str(), "-o" | "--output") && pair[1] == "json";
    let one = |word: &String| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json");
    if words.windows(2).any(pair) || words.iter().any(one) {
        ui::Format::Json
    } else {
        ui::Format::Table
    }
}

fn ui_settings(cli: &Cli) -> ui::Settings {
    ui::Settings {
        format: match cli.common.output {
            Output::Table => ui::Format::Table,
            Output::Json => ui::Format::Json,
        },
        color: match cli.common.color {
            When::Auto => ui::ColorChoice::Auto,
            When::Always => ui::ColorChoice::Always,
            When::Never => ui::ColorChoice::Never,
        },
        quiet: cli.common.quiet,
        ..ui::Settings::default()
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

/// The command line as it was typed, fit to be typed again: quoted where a shell needs it, and without the
/// database URL, which may hold a password.
fn shown_command_line() -> String {
    let mut words = vec!["relink".to_owned()];
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        if text == "--database-url" {
            let _password = arguments.next();
            words.push("--database-url \"$DATABASE_URL\"".to_owned());
        } else if text.starts_with("--database-url=") {
            words.push("--database-url \"$DATABASE_URL\"".to_owned());
        } else {
            words.push(quote(&redact(&text)));
        }
    }
    words.join(" ")
}

/// The flags that say where, as they were given: any command that is suggested needs them too.
fn shown_connection(cli: &Cli) -> String {
    let common = &cli.common;
    let mut flags = Vec::new();
    match &common.sandbox {
        Some(dir) if dir.as_os_str().is_empty() => flags.push("--sandbox".to_owned()),
        Some(dir) => flags.push(format!("--sandbox={}", quote(&dir.to_string_lossy()))),
        None => {}
    }
    let by_flag =
        |argument: &str| argument == "--database-url" || argument.starts_with("--database-url=");
    if std::env::args_os().any(|argument| by_flag(&argument.to_string_lossy())) {
        flags.push("--database-url \"$DATABASE_URL\"".to_owned());
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

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
