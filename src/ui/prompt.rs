//! The one question that relink asks before it writes. The default is no, an answer counts only once Enter
//! is pressed, and no terminal means no question and no yes. For real money `y` is not enough: the mode and the
//! number are typed.

use dialoguer::console::Term;
use dialoguer::{Confirm, Input};

use super::look::{Hue, Look, count, sums};
use super::sanitize::clean;
use super::talk;
use crate::domain::{AccountId, Mode, Money};
use crate::plan::{Goal, Plan, Tally};

/// What is about to be done, and where. Holds a database address without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub goal: Goal,
    pub account: Option<AccountId>,
    pub account_name: Option<String>,
    pub mode: Mode,
    pub database: String,
    /// Orders that are touched, and objects without one.
    pub size: usize,
    /// Orders that get a new link.
    pub replace: usize,
    /// Objects that are closed, those of replaced orders included.
    pub retire: usize,
    /// What the new links ask for, per currency.
    pub totals: Vec<Money>,
    /// Orders on which an earlier run's operation is gone on with.
    pub resume: usize,
    /// What their links may ask for, per currency.
    pub resume_totals: Vec<Money>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Approved,
    Declined,
    /// Ctrl-C, or the terminal went away.
    Interrupted,
}

/// Nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no terminal to ask on")]
pub struct NoTerminal;

impl Question {
    /// The question that approves `plan`.
    #[must_use]
    pub fn about(plan: &Plan, account_name: Option<String>, database: String) -> Self {
        let tally = Tally::of(plan);
        Question {
            goal: plan.goal(),
            account: plan.account.clone(),
            account_name,
            mode: plan.mode,
            database,
            size: plan.size(),
            replace: tally.replace,
            retire: tally.objects,
            totals: tally.totals,
            resume: tally.resume,
            resume_totals: tally.resume_totals,
        }
    }
}

pub(super) fn ask(question: &Question, look: Look) -> Answer {
    talk::write_stderr(&details(question, look));
    match question.mode {
        Mode::Test => confirm(&prompt(question)),
        Mode::Live => type_out(&prompt(question), &wanted(question)),
    }
}

/// `live 17`: whoever types it has read the mode and the number.
fn wanted(question: &Question) -> String {
    format!("{} {}", question.mode, question.size)
}

fn type_out(question: &str, wanted: &str) -> Answer {
    let typed = Input::<String>::new()
        .with_prompt(format!("{question} Type `{wanted}` to go on"))
        .allow_empty(true)
        .interact_text();
    match typed {
        Ok(typed) if typed.trim() == wanted => Answer::Approved,
        Ok(_) => Answer::Declined,
        Err(_) => {
            show_cursor();
            talk::write_stderr("\n");
            Answer::Interrupted
        }
    }
}

pub(super) fn confirm(question: &str) -> Answer {
    let asked = Confirm::new()
        .with_prompt(question)
        .default(false)
        .wait_for_newline(true)
        .interact();
    match asked {
        Ok(true) => Answer::Approved,
        Ok(false) => Answer::Declined,
        Err(_) => {
            show_cursor();
            talk::write_stderr("\n");
            Answer::Interrupted
        }
    }
}

fn show_cursor() {
    // A terminal that went away has no cursor to show.
    let _ = Term::stderr().show_cursor();
}

fn details(question: &Question, look: Look) -> String {
    let Question {
        goal,
        account,
        account_name,
        mode,
        database,
        size: _,
        replace,
        retire,
        totals,
        resume,
        resume_totals,
    } = question;
    let mode = match mode {
        Mode::Live => look.paint("live", Hue::Money),
        Mode::Test => "test".to_owned(),
    };
    let account = talk::account_id(account.as_ref(), account_name.as_deref());
    let mut text = format!(
        "\naccount:  {account}\nmode:     {mode}\ndatabase: {}\n",
        clean(database)
    );
    if *replace > 0 {
        let links = count(*replace, "new link");
        text.push_str(&format!("mint:     {links}, {}\n", sums(totals)));
    }
    if *resume > 0 {
        let asked = match resume_totals.as_slice() {
            [] => String::new(),
            totals => format!(", {}", sums(totals)),
        };
        text.push_str(&format!("go on:    {}{asked}\n", count(*resume, "order")));
    }
    if *retire > 0 {
        let healthy = match goal {
            Goal::RetirePending => ", healthy links of pending orders too",
            Goal::Regen | Goal::Mint | Goal::Retire | Goal::Undo => "",
        };
        text.push_str(&format!(
            "retire:   {}{healthy}\n",
            count(*retire, "object")
        ));
    }
    text
}

/// Short, since a prompt that wraps cannot be redrawn.
fn prompt(question: &Question) -> String {
    let sum = |totals: &[Money]| match totals {
        [one] => format!(" for {one}"),
        _ => String::new(),
    };
    let mut deeds = Vec::new();
    if question.retire > 0 {
        deeds.push(format!("retire {}", count(question.retire, "object")));
    }
    if question.resume > 0 {
        let asked = sum(&question.resume_totals);
        deeds.push(format!(
            "go on with {}{asked}",
            count(question.resume, "order")
        ));
    }
    if question.replace > 0 {
        let asked = sum(&question.totals);
        deeds.push(format!("mint {}{asked}", count(question.replace, "link")));
    }
    format!("{}, in {} mode?", deeds.join(" and "), question.mode)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::Currency;

    #[test]
    fn the_question_names_account_mode_database_count_and_total() {
        let question = Question {
            goal: Goal::Regen,
            account: AccountId::parse("acct_1Utah").ok(),
            account_name: Some("Utah Hoops".to_owned()),
            mode: Mode::Live,
            database: "postgres://club@db.example.com/club".to_owned(),
            size: 19,
            replace: 17,
            retire: 1,
            totals: vec![Money::new(98_500, Currency::USD)],
            resume: 2,
            resume_totals: vec![Money::new(11_000, Currency::USD)],
        };
        let look = Look::of(false, 80);
        let shown = details(&question, look) + &prompt(&question);
        assert_snapshot!(shown, @"

account:  acct_1Utah (Utah Hoops)
mode:     live
database: postgres://club@db.example.com/club
mint:     17 new links, 985.00 USD
go on:    2 orders, 110.00 USD
retire:   1 object
retire 1 object and go on with 2 orders for 110.00 USD and mint 17 links for 985.00 USD, in live mode?
");
    }
}
