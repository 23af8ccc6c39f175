//! The whole command line as clap knows it, and its parser: what the derived types cannot say is said here.
//!
//! `relink help COMMAND` is the same text as `relink COMMAND --help`, by asking for just that.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Subcommand};

use super::{Cli, Command, Common, Topic};
use crate::domain::{Currency, Money};

const HELP: &str = "help";

/// The command line with everything that can be said on it; for the parser, completions and manual pages alike.
#[must_use]
pub fn command() -> clap::Command {
    let derived = Cli::command();
    // fish would take a `help` below `help` for one that is typed already.
    let others = derived
        .get_subcommands()
        .filter(|other| other.get_name() != HELP);
    let named: Vec<_> = others.map(name_of).collect();
    // What every command takes stands after what only one does.
    let mut place = 1000;
    derived
        .arg(help_flag())
        .arg(version_flag())
        .mut_args(|flag| {
            place += 1;
            flag.display_order(place)
        })
        .mut_subcommand(HELP, |help| {
            help.subcommands(named)
                .subcommand_required(false)
                .arg_required_else_help(false)
                .subcommand_value_name("TOPIC|COMMAND")
                .subcommand_help_heading("Topics and commands")
        })
}

/// Reads a command line, its first word the program's name.
///
/// # Errors
/// What is to be shown in place of a run: a mistake, a help text, the version.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(line)?;
    if let Some(words) = asks_for_help_of(&matches) {
        let line = ["relink"].into_iter().chain(words).chain(["--help"]);
        command.try_get_matches_from_mut(line)?;
    }
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    drop_empty_variables(&mut cli.common, &matches);
    match limited_twice(&cli) {
        Some(currency) => Err(command.error(
            ErrorKind::ArgumentConflict,
            format!("the argument '--max-amount' gives more than one limit in {currency}"),
        )),
        None => Ok(cli),
    }
}

/// An empty variable is as one that is not set. An empty flag stays, and is refused: whoever typed it meant something.
fn drop_empty_variables(common: &mut Common, matches: &clap::ArgMatches) {
    let is_empty = |id: &str| {
        let is_of_a_variable = matches.value_source(id) == Some(ValueSource::EnvVariable);
        let mut raw = matches.get_raw(id).into_iter().flatten();
        is_of_a_variable && raw.all(OsStr::is_empty)
    };
    if is_empty("database_url") {
        common.database_url = None;
    }
    if is_empty("stripe_api_base") {
        common.stripe_api_base = None;
    }
    if is_empty("success_url") {
        common.success_url = None;
    }
}

fn limited_twice(cli: &Cli) -> Option<Currency> {
    let approval = match &cli.command {
        Command::Regen(args) => &args.approval,
        Command::Mint(args) => &args.approval,
        Command::Retire(args) => &args.approval,
        _ => return None,
    };
    Money::limited_twice(&approval.max_amount)
}

/// The command named after `relink help`; none of its words for relink itself. A topic is no command.
fn asks_for_help_of(matches: &clap::ArgMatches) -> Option<Vec<&str>> {
    let (HELP, mut matches) = matches.subcommand()? else {
        return None;
    };
    let mut words = Vec::new();
    while let Some((word, below)) = matches.subcommand() {
        words.push(word);
        matches = below;
    }
    let is_topic = words
        .first()
        .is_some_and(|word| Topic::has_subcommand(word));
    (!is_topic).then_some(words)
}

/// A command's name and those below it, without its arguments: what may stand after `relink help`.
fn name_of(command: &clap::Command) -> clap::Command {
    let name = clap::Command::new(command.get_name().to_owned());
    let name = match command.get_about() {
        Some(about) => name.about(about.clone()),
        None => name,
    };
    name.subcommands(command.get_subcommands().map(name_of))
}

/// clap's own would stand alone, under no heading.
fn help_flag() -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .global(true)
        .help_heading("Output")
        .help("Print help; -h is the shorter one")
}

fn version_flag() -> Arg {
    Arg::new("version")
        .short('V')
        .long("version")
        .action(ArgAction::Version)
        .help_heading("Output")
        .help("Print the version; --version also what it was built from and for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Cli, clap::Error> {
        parse(["relink"].iter().chain(words).map(OsString::from))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn help_of_a_command_is_what_the_command_says_of_itself() {
        let commands: [&[&str]; 4] = [&[], &["regen"], &["journal"], &["journal", "show"]];
        for words in commands {
            let asked = read(&[&["help"], words].concat()).unwrap_err();
            let own = read(&[words, &["--help"]].concat()).unwrap_err();
            assert_eq!(asked.kind(), ErrorKind::DisplayHelp, "{words:?}");
            assert_eq!(asked.to_string(), own.to_string(), "{words:?}");
        }
    }

    #[test]
    fn a_topic_is_a_command_of_its_own() {
        let cli = read(&["help", "exit-codes"]).unwrap();
        assert!(matches!(cli.command, Command::Help(Topic::ExitCodes)));
    }
}
