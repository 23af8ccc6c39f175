//! One file per subcommand: arguments in, the pipeline, an exit status out.
//!
//! A command's `run` reads as an operator would describe the job. It decides nothing and prints nothing:
//! it hands values from one room to the next.

mod commit;
mod completions;
mod doctor;
mod findings;
mod help;
mod incidents;
mod inspect;
mod journal;
mod mailing;
mod man;
mod mint;
mod opening;
pub mod owed;
mod past_run;
mod regen;
mod replay;
mod resolve;
mod retire;
mod sandbox;
mod saved;
mod schema;
mod settings;
mod survey;
mod walk;
mod webhook;

use crate::cli::{Cli, Command};
use crate::command_line::CommandLine;
use crate::config::Environment;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::monitor::Monitor;
use crate::settings::Settings;
use crate::ui::Ui;

/// What every command is given.
pub struct Context<'a> {
    pub ui: &'a Ui,
    pub environment: &'a Environment,
    pub settings: Settings,
    pub interrupt: Interrupt,
    /// Is told what the run reached.
    pub monitor: &'a Monitor,
    /// As it was typed.
    pub command_line: CommandLine,
    /// The flags of it that say where: `--sandbox`, `--live`, …
    pub connection: String,
}

impl Context<'_> {
    /// A suggested command with the flags that say where.
    #[must_use]
    pub fn with_connection(&self, command: &str) -> String {
        if self.connection.is_empty() {
            command.to_owned()
        } else {
            format!("{command} {}", self.connection)
        }
    }
}

/// # Errors
/// Whatever kept the command from being carried out; see `error::Error`.
pub async fn run(cli: &Cli, context: &Context<'_>) -> Result<ExitStatus, Error> {
    match &cli.command {
        Command::Inspect(args) => inspect::run(args, &cli.common, context).await,
        Command::Regen(args) => regen::run(args, &cli.common, context).await,
        Command::Retire(args) => retire::run(args, &cli.common, context).await,
        Command::Mint(args) => mint::run(args, &cli.common, context).await,
        Command::Resolve(args) => resolve::run(args, &cli.common, context).await,
        Command::Webhook(command) => webhook::run(command, &cli.common, context).await,
        Command::Journal(command) => journal::run(command, &cli.common, context).await,
        Command::Doctor(args) => doctor::run(args, &cli.common, context).await,
        Command::Sandbox(command) => sandbox::run(command, &cli.common, context).await,
        Command::Completions(args) => completions::run(args, context),
        Command::Man(args) => man::run(args, context),
        Command::Schema(args) => schema::run(args, context),
        Command::Help(topic) => help::run(*topic, context),
    }
}
