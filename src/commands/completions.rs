//! `relink completions`: the script with which a shell completes commands, flags and values, the verdicts among them.
//! Reads and opens nothing.

use clap::ValueHint;
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use crate::cli::{self, CompletionsArgs, Shell};
use crate::error::Error;
use crate::exit::ExitStatus;

use super::Context;

pub fn run(args: &CompletionsArgs, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let mut command = without_guesses(cli::command());
    let mut script = Vec::new();
    match args.shell {
        Shell::Bash => generate(Bash, &mut command, "relink", &mut script),
        Shell::Zsh => generate(Zsh, &mut command, "relink", &mut script),
        Shell::Fish => generate(Fish, &mut command, "relink", &mut script),
    }
    context.ui.text(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Done)
}

/// A value of which nothing is known, such as an order's number, would be completed with the names of files.
fn without_guesses(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let is_unknown = arg.get_value_hint() == ValueHint::Unknown;
            if is_unknown && arg.get_action().takes_values() {
                arg.value_hint(ValueHint::Other)
            } else {
                arg
            }
        })
        .mut_subcommands(without_guesses)
}
