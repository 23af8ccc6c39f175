//! Plan → approved plan → report: the writing half, shared by `regen`, `retire` and `mint`.
//!
//! Without `--commit` the run ends after the plan was shown: that is all there is to a dry run.

use crate::approval::{Answer, Approved, Consent, approve, unsound};
use crate::cli::{Commit, Common, Output};
use crate::domain::{AccountId, Mode, RunId};
use crate::error::Error;
use crate::execute::{LinkTexts, Site, execute};
use crate::exit::ExitStatus;
use crate::operator;
use crate::plan::{Plan, audit};
use crate::redact::redact;
use crate::report::Report;
use crate::store::{Access, Journal, NewRun};
use crate::stripe::{Index, SharedIndex};
use crate::ui::{self, NextStep, NoTerminal, Question};

use super::Context;
use super::opening::Opened;
use super::owed;
use super::survey::Survey;

/// Shown to whoever opens a link after it was paid or replaced.
const INACTIVE_MESSAGE: &str = "This payment link is closed. If your order is not paid yet, please use the link in our latest e-mail.";

pub fn access(commit: &Commit) -> Access {
    if commit.commit {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    }
}

/// Shows the plan and, with `--commit`, has it approved and carries it out.
///
/// # Errors
/// A guard's refusal, an account that is not known, an unsound plan. What happens to single orders is in
/// the report, not an error.
pub async fn conclude(
    opened: &Opened,
    survey: Survey,
    commit: &Commit,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let Survey {
        plan,
        index,
        snapshot,
    } = survey;
    if let Some(violation) = audit(&plan).first() {
        return Err(unsound(violation));
    }
    if !commit.commit {
        context.ui.plan(&plan, &next_step(&plan, context))?;
        return Ok(ExitStatus::Done);
    }
    if common.output == Output::Table {
        context.ui.plan_before_commit(&plan)?;
    }
    if !plan.has_work() {
        let report = nothing_done(opened, plan);
        context.ui.report(&report)?;
        return Ok(report.exit_status());
    }
    require_named_account(opened, commit).await?;
    let approved = ask(opened, plan, commit, common, context)?;
    let mut index = index;
    prepare(opened, &mut index, context).await?;
    let journal = begin_run(opened, &approved, commit, context).await?;
    let site = Site {
        store: &opened.store,
        journal: &journal,
        stripe: &opened.stripe,
        index: SharedIndex::new(index),
        currency: opened.config.currency,
        witness: snapshot.witness,
        texts: LinkTexts {
            success_url: opened.config.success_url.clone(),
            inactive_message: INACTIVE_MESSAGE.to_owned(),
        },
        concurrency: opened.config.concurrency,
        max_failures: usize::from(commit.max_failures),
    };
    let listener = context.ui.progress();
    let report = execute(approved, &site, &context.interrupt, &listener).await;
    drop(site);
    if let Err(error) = journal.finish(report.exit_status()).await {
        tracing::warn!(%error, "the end of the run could not be journaled");
    }
    owed::cross_off(&opened.store, opened.config.key.mode, &report).await;
    context.ui.report(&report)?;
    Ok(report.exit_status())
}

/// The first commit says to which account this database belongs. With a live key that is said by a person,
/// not by whichever key happened to be set.
async fn require_named_account(opened: &Opened, commit: &Commit) -> Result<(), Error> {
    let mode = opened.config.key.mode;
    let pinned = opened.store.pinned_account(mode).await?;
    let is_named = commit.expect_account.is_some() || pinned.is_some();
    refuse_unnamed_account(mode, is_named, opened.account.as_ref())
}

pub(super) fn refuse_unnamed_account(
    mode: Mode,
    is_named: bool,
    account: Option<&AccountId>,
) -> Result<(), Error> {
    if mode == Mode::Test || is_named {
        return Ok(());
    }
    let account = account.map_or("acct_…", |id| id.as_str());
    Err(Error::refused(
        "this is the first live commit to this database, and it fixes the account for all later ones",
        format!("check that the account is the right one, then add --expect-account {account}"),
    ))
}

/// From here on everything that is written is in the journal.
async fn begin_run(
    opened: &Opened,
    approved: &Approved<Plan>,
    commit: &Commit,
    context: &Context<'_>,
) -> Result<Journal, Error> {
    let run = NewRun {
        id: RunId(uuid::Uuid::now_v7().to_string()),
        command: context.command_line.clone(),
        os_user: operator::user(),
        host: operator::host(),
        version: env!("CARGO_PKG_VERSION"),
        mode: opened.config.key.mode,
        account: approved.account().clone(),
        plan_digest: approved.value().digest(),
        reason: commit.reason.as_deref().map(redact),
    };
    let timings = *opened.stripe.timings();
    Ok(opened.store.begin_run(run, timings).await?)
}

/// Whatever a run needs after it has closed something is tried before it closes anything: the right to
/// write the row, and the readings that precede a publication. It also catches up with what happened while
/// the question was on the screen.
async fn prepare(opened: &Opened, index: &mut Index, context: &Context<'_>) -> Result<(), Error> {
    let trying = async {
        opened.store.check_writable().await?;
        opened.store.open_journal().await?;
        index.refresh(&opened.stripe).await?;
        Ok(())
    };
    context.interrupt.unless_asked(trying).await
}

fn ask(
    opened: &Opened,
    plan: Plan,
    commit: &Commit,
    common: &Common,
    context: &Context<'_>,
) -> Result<Approved<Plan>, Error> {
    let ask = |plan: &Plan| {
        let database = opened.store.identity().to_string();
        let question = Question::about(plan, opened.account_name.clone(), database);
        match context.ui.confirm(&question) {
            Ok(ui::Answer::Approved) => Ok(Answer::Agreed),
            Ok(ui::Answer::Declined) => Ok(Answer::Declined),
            Ok(ui::Answer::Interrupted) => Err(Error::Interrupted(ExitStatus::Interrupted)),
            Err(NoTerminal) => Err(Error::refused("there is no terminal to ask at", "")),
        }
    };
    let consent = if commit.yes {
        Consent::Given
    } else if common.output == Output::Json {
        Consent::Nobody("the question cannot be asked together with -o json")
    } else if !context.ui.can_prompt() {
        Consent::Nobody("there is no terminal to ask at")
    } else {
        Consent::Ask(&ask)
    };
    approve(plan, opened.account.as_ref(), &consent)
}

fn nothing_done(opened: &Opened, plan: Plan) -> Report {
    Report {
        plan,
        outcomes: Vec::new(),
        stopped: Vec::new(),
        run: None,
        reads: opened.stripe.reads(),
        writes: opened.stripe.writes(),
    }
}

/// The command line as it was given, with the switch that would carry it out.
fn next_step(plan: &Plan, context: &Context<'_>) -> NextStep {
    if plan.has_work() {
        return NextStep {
            command: Some(format!("{} --commit", context.command_line)),
            note: None,
        };
    }
    // A person looks at the order first; the flag that would release it is named there.
    let advice = plan
        .for_a_person()
        .next()
        .map(|decision| format!("relink inspect --order-id {}", decision.order.id));
    NextStep {
        command: advice.map(|advice| context.with_connection(&advice)),
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_commit_to_a_database_without_an_account_needs_one_named() {
        let account = AccountId::parse("acct_1Live").ok();
        for (mode, is_named) in [(Mode::Test, false), (Mode::Test, true), (Mode::Live, true)] {
            assert!(refuse_unnamed_account(mode, is_named, account.as_ref()).is_ok());
        }
        let Err(refusal) = refuse_unnamed_account(Mode::Live, false, account.as_ref()) else {
            panic!("a first live commit went through");
        };
        let failure = refusal.describe();
        assert_eq!(failure.status, ExitStatus::Refused);
        assert!(
            failure.hint.ends_with("--expect-account acct_1Live"),
            "{}",
            failure.hint
        );
    }
}
