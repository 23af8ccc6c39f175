//! What a command looks at, in the words of a label: numbers of another selection must never pass for those of all
//! orders. It is known from the command line alone, so that a run that opened nothing has the same.

use crate::cli::{Command, Narrow, RetireSelect, Select};

/// The subcommand and its scope; `None` for commands that are not monitored.
#[must_use]
pub fn scope(command: &Command) -> Option<(&'static str, String)> {
    Some(match command {
        Command::Inspect(args) => ("inspect", narrowed(selected(&args.select), &args.narrow)),
        Command::Regen(args) => ("regen", narrowed(selected(&args.select), &args.narrow)),
        Command::Mint(args) => ("mint", narrowed(selected(&args.select), &args.narrow)),
        Command::Retire(args) => ("retire", narrowed(to_retire(&args.select), &args.narrow)),
        Command::Resolve(_)
        | Command::Webhook(_)
        | Command::Journal(_)
        | Command::Doctor(_)
        | Command::Sandbox(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Schema(_)
        | Command::Help(_) => return None,
    })
}

fn selected(select: &Select) -> String {
    let Select {
        tournament_id,
        order_id,
        all,
        plan,
    } = select;
    match (tournament_id, plan) {
        (Some(id), _) => format!("tournament {id}"),
        (None, Some(_)) => "saved plan".to_owned(),
        (None, None) if *all => "all".to_owned(),
        (None, None) => listed("order", order_id),
    }
}

fn to_retire(select: &RetireSelect) -> String {
    let RetireSelect {
        objects,
        tournament_id,
        order_id,
        all,
        run,
        plan,
    } = select;
    match (tournament_id, plan, run) {
        (Some(id), _, _) => format!("tournament {id}"),
        (None, Some(_), _) => "saved plan".to_owned(),
        (None, None, Some(_)) => "run".to_owned(),
        (None, None, None) if *all => "all".to_owned(),
        (None, None, None) if !objects.is_empty() => "objects".to_owned(),
        (None, None, None) => listed("order", order_id),
    }
}

fn narrowed(mut scope: String, narrow: &Narrow) -> String {
    let Narrow {
        exclude_order_id,
        verdict,
    } = narrow;
    if !exclude_order_id.is_empty() {
        scope = format!("{scope} except {}", listed("order", exclude_order_id));
    }
    if !verdict.is_empty() {
        let mut verdicts = verdict.clone();
        verdicts.sort();
        verdicts.dedup();
        scope = format!("{scope} verdict {}", verdicts.join(" "));
    }
    scope
}

fn listed(what: &str, ids: &[i64]) -> String {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let plural = if ids.len() == 1 { "" } else { "s" };
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("{what}{plural} {}", ids.join(" "))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn of(words: &str) -> Option<(&'static str, String)> {
        let words = words.split(' ');
        let cli = Cli::try_parse_from(std::iter::once("relink").chain(words));
        let cli = cli.unwrap_or_else(|error| panic!("{error}"));
        scope(&cli.command)
    }

    #[test]
    fn only_all_orders_are_called_all() {
        for (words, command, scope) in [
            ("inspect --all --check", "inspect", "all"),
            ("regen --tournament-id 2", "regen", "tournament 2"),
            (
                "mint --order-id 9 --order-id 7 --order-id 9",
                "mint",
                "orders 7 9",
            ),
            (
                "inspect --all --exclude-order-id 7 --verdict dying --verdict dead",
                "inspect",
                "all except order 7 verdict dead dying",
            ),
            ("regen --plan plan.json", "regen", "saved plan"),
            ("retire --run 01a2", "retire", "run"),
            ("retire cs_test_1", "retire", "objects"),
        ] {
            assert_eq!(of(words), Some((command, scope.to_owned())), "{words}");
        }
        assert_eq!(of("journal list"), None);
    }
}
