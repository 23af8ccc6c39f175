//! The command line of what belongs to the shell: completions, manual pages, help. Names, values, help; nothing is
//! read or decided here.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::Command;

impl Command {
    /// Whether it does anything: what only tells of relink works also where the configuration is broken.
    #[must_use]
    pub fn needs_settings(&self) -> bool {
        !matches!(
            self,
            Command::Completions(_) | Command::Man(_) | Command::Schema(_) | Command::Help(_)
        )
    }

    /// Whether its result is a text of its own kind, the same with any `-o`: a script, a page, a schema, SQL. Nothing may
    /// stand before or after it.
    #[must_use]
    pub fn prints_a_text(&self) -> bool {
        match self {
            Command::Doctor(args) => args.print_sql,
            other => !other.needs_settings(),
        }
    }
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that is to complete
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write one page per command into this directory, made where it is missing; without it the main page is printed
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// What `relink help` knows beside the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum Topic {
    /// How a run can end, and what to do then
    #[command(after_help = "Example:\n  relink help exit-codes")]
    ExitCodes,
    /// Every environment variable that is read
    #[command(after_help = "Example:\n  relink help environment")]
    Environment,
    /// The JSON documents of `-o json`
    #[command(after_help = "Example:\n  relink help json")]
    Json,
}
