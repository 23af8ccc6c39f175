//! Plan → approved plan → report: the writing half, shared by `regen`, `retire` and `mint`.
//!
//! Without `--commit` the run ends after the plan was shown: that is all there is to a dry run.

use crate::approval::{Answer, Approved, Consent, Terms, approve, unsound};
use crate::cli::{Approval, Commit};
use crate::command_line::CommandLine;
use crate::config;
use crate::domain::{AccountId, Mode, RunId, Timestamp};
use crate::error::Error;
use crate::execute::{LinkTexts, Site, execute, recalled};
use crate::exit::ExitStatus;
use crate::operator;
use crate::plan::{Digest, Plan, audit};
use crate::redact::redact;
use crate::report::Report;
use crate::saved_plan::Due;
use crate::store::{Access, Journal, NewRun, StoreError};
use crate::stripe::{Index, SharedIndex};
use crate::ui::{self, Agreed, NextStep, NoTerminal, Question};

use super::opening::Opened;
use super::survey::Survey;
use super::{Context, mailing, owed, saved};

/// With `--commit`, and not otherwise, the database may be written to.
pub fn access(commits: bool) -> Access {
    if commits {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    }
}

/// What is put before whoever approves.
pub struct Proposal {
    /// Its plan is what would be carried out.
    pub survey: Survey,
    /// What is said on the phone: of a saved plan, that of the whole.
    pub digest: Digest,
    /// Of a saved plan: what of it is passed over.
    pub skipped: Vec<Due>,
    /// Of a saved plan: when it was made, on the database's clock.
    pub saved_at: Option<Timestamp>,
}

impl Proposal {
    /// A plan that was just made.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn of(survey: Survey, opened: &Opened) -> Result<Self, Error> {
        let database = match opened.store.database_id().await {
            Ok(database) => Some(database),
            // Where that may not be asked, the digest is of the rest: never of another database.
            Err(StoreError::AccessDenied { .. } | StoreError::Query { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Proposal {
            digest: survey.plan.digest_in(database.as_deref()),
            skipped: Vec::new(),
            saved_at: None,
            survey,
        })
    }

    fn agreed(&self) -> Agreed<'_> {
        Agreed {
            digest: &self.digest,
            skipped: &self.skipped,
        }
    }
}

/// Shows the plan, saves it if that is wanted, and, with `--commit`, has it approved and carries it out.
///
/// # Errors
/// A guard's refusal, another plan than the expected one, an account that is not known, an unsound plan. What happens to
/// single orders is in the report, not an error.
pub async fn conclude(
    opened: &Opened,
    proposal: Proposal,
    args: (&Commit, &Approval),
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let (commit, approval) = args;
    watch_incidents(opened, context).await;
    if let Some(violation) = audit(&proposal.survey.plan).first() {
        return Err(unsound(violation));
    }
    if let Some(path) = &approval.csv_out {
        mailing::check(path)?;
    }
    if let Some(path) = &approval.plan_out {
        saved::save(path, &proposal.survey, opened, context).await?;
    }
    if !commit.commit {
        return propose(opened, &proposal, args, context);
    }
    context
        .ui
        .plan_before_commit(&proposal.survey.plan, proposal.agreed())?;
    if proposal.survey.plan.has_work() {
        carry_out(opened, proposal, args, context).await
    } else {
        do_nothing(opened, proposal, approval, context).await
    }
}

/// The end of a dry run: what would be done, and what that would ask of Stripe.
fn propose(
    opened: &Opened,
    proposal: &Proposal,
    args: (&Commit, &Approval),
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let plan = &proposal.survey.plan;
    let next = next_step(plan, args, context);
    let agreed = Some(proposal.agreed());
    context.ui.plan(plan, agreed, &next, &|command| {
        context.with_connection(command)
    })?;
    if plan.has_work() {
        context.ui.cost(&plan.cost(), opened.stripe.pace());
    }
    Ok(ExitStatus::Done)
}

/// Nobody is asked about an empty list; it is held to the guards all the same, since it is another list than the expected
/// one, too.
async fn do_nothing(
    opened: &Opened,
    proposal: Proposal,
    approval: &Approval,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let guards = config::guards(approval, &context.settings);
    let (plan, digest) = (&proposal.survey.plan, &proposal.digest);
    let accepted = guards.accepted(plan, digest, &context.command_line);
    guards.check(plan, digest, &accepted)?;
    let mut report = nothing_done(opened, proposal);
    write_mailing(approval, &mut report, opened, context).await;
    context
        .ui
        .report(&report, |advice| context.with_connection(advice))?;
    Ok(report.exit_status())
}

/// Has the plan approved, and does what it says.
async fn carry_out(
    opened: &Opened,
    proposal: Proposal,
    args: (&Commit, &Approval),
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let (commit, approval) = args;
    let Proposal {
        survey,
        digest,
        skipped,
        saved_at,
    } = proposal;
    let Survey {
        plan,
        index,
        snapshot,
        ..
    } = survey;
    let terms = Terms {
        consent: consent(commit, context),
        guards: &config::guards(approval, &context.settings),
        digest,
        command: &context.command_line,
    };
    require_named_account(opened, commit, &terms.accepted(&plan)).await?;
    let ask = |plan: &Plan| ask(opened, plan, context);
    let approved = approve(plan, opened.account.as_ref(), terms, &ask)?;
    let recalled = recalled(&snapshot, &index);
    let mut index = index;
    prepare(opened, &mut index, context).await?;
    let journal = begin_run(opened, &approved, commit, context).await?;
    if let Some(made) = saved_at {
        // Before anything is done, so that what was done cannot make it due again.
        let subjects = saved::stale_subjects(&skipped);
        let noted = journal.pass_over(approved.digest(), made, &subjects).await;
        if let Err(error) = noted {
            // What could not be said of the run's end is known from its beacon.
            let _ = journal.finish(ExitStatus::Unavailable).await;
            return Err(error.into());
        }
    }
    let standing = context.settings.limits.max_failures.value;
    let max_failures = commit.max_failures.unwrap_or(standing);
    let site = Site {
        store: &opened.store,
        journal: &journal,
        stripe: &opened.stripe,
        index: SharedIndex::new(index),
        recalled,
        currency: opened.config.currency,
        witness: snapshot.witness,
        texts: LinkTexts {
            success_url: opened.config.success_url.clone(),
            inactive_message: context.settings.inactive_message.value.clone(),
            product_name: context.settings.product_name.value.clone(),
        },
        concurrency: opened.config.concurrency,
        max_failures: usize::from(max_failures),
        protocol: &crate::saga::step,
    };
    let listener = context.ui.progress();
    let work = execute(approved, &site, &context.interrupt, &listener);
    let mut report = telling_of_a_stop(work, context).await;
    report.skipped = skipped;
    context.monitor.reported(&report);
    drop(site);
    write_mailing(approval, &mut report, opened, context).await;
    if let Err(error) = journal.finish(report.exit_status()).await {
        tracing::warn!(%error, "the end of the run could not be journaled");
    }
    owed::cross_off(&opened.store, opened.config.key.mode, &report).await;
    context
        .ui
        .report(&report, |advice| context.with_connection(advice))?;
    mailing::remind(report.run.as_ref(), opened, context).await;
    Ok(report.exit_status())
}

/// A signal changes nothing here; whoever sent it is told that it was heard, before they send another.
pub(super) async fn telling_of_a_stop<T>(
    work: impl Future<Output = T>,
    context: &Context<'_>,
) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = context.interrupt.heard() => {}
    }
    let heard = "finishing the requests at hand; a second Ctrl-C ends at once";
    context.ui.note(heard);
    work.await
}

/// Only for monitoring: that they cannot be read is no reason to do nothing.
async fn watch_incidents(opened: &Opened, context: &Context<'_>) {
    if !context.monitor.wants_metrics() {
        return;
    }
    match opened.store.open_incidents(opened.config.key.mode).await {
        Ok(open) => context.monitor.incidents(open.len()),
        Err(error) => tracing::warn!(%error, "open incidents could not be counted"),
    }
}

/// What the run did is done, listed or not; the list can be made anew from the journal.
async fn write_mailing(
    approval: &Approval,
    report: &mut Report,
    opened: &Opened,
    context: &Context<'_>,
) {
    let Some(path) = &approval.csv_out else {
        return;
    };
    let (store, currency) = (&opened.store, opened.config.currency);
    if let Err(error) = mailing::write_report(path, report, store, currency, context).await {
        report.is_unlisted = true;
        context.ui.warn(&format!("{error}"));
    }
}

/// The first commit says to which account this database belongs. With a live key that is said by a person,
/// not by whichever key happened to be set. `accepted` is what nothing else would refuse.
async fn require_named_account(
    opened: &Opened,
    commit: &Commit,
    accepted: &CommandLine,
) -> Result<(), Error> {
    let mode = opened.config.key.mode;
    let pinned = opened.store.pinned_account(mode).await?;
    let is_named = commit.expect_account.is_some() || pinned.is_some();
    refuse_unnamed_account(mode, is_named, opened.account.as_ref(), accepted)
}

pub(super) fn refuse_unnamed_account(
    mode: Mode,
    is_named: bool,
    account: Option<&AccountId>,
    command: &CommandLine,
) -> Result<(), Error> {
    if mode == Mode::Test || is_named {
        return Ok(());
    }
    let account = account.map_or("acct_…", |id| id.as_str());
    Err(Error::refused(
        "this is the first live commit to this database, and it fixes the account for all later ones",
        format!(
            "check that {account} is the right account; if it is: {}",
            command.clone().with_value("--expect-account", account)
        ),
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
        command: context.command_line.to_string(),
        os_user: operator::user(),
        host: operator::host(),
        version: env!("CARGO_PKG_VERSION"),
        mode: opened.config.key.mode,
        account: approved.account().clone(),
        plan_digest: approved.digest().to_string(),
        reason: commit.reason.as_deref().map(redact),
    };
    let id = run.id.clone();
    let journal = opened
        .store
        .begin_run(run, *opened.stripe.timings())
        .await?;
    context.monitor.began(&id);
    Ok(journal)
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

fn consent(commit: &Commit, context: &Context<'_>) -> Consent {
    if commit.yes {
        Consent::Given
    } else if !context.ui.is_for_people() {
        Consent::Nobody("the question cannot be asked together with this -o")
    } else if !context.ui.can_prompt() {
        Consent::Nobody("there is no terminal to ask at")
    } else {
        Consent::Ask
    }
}

fn ask(opened: &Opened, plan: &Plan, context: &Context<'_>) -> Result<Answer, Error> {
    let database = opened.store.identity().to_string();
    let question = Question::about(plan, opened.account_name.clone(), database);
    match context.ui.confirm(&question) {
        Ok(ui::Answer::Approved) => Ok(Answer::Agreed),
        Ok(ui::Answer::Declined) => Ok(Answer::Declined),
        Ok(ui::Answer::Interrupted) => Err(Error::Interrupted(ExitStatus::Interrupted)),
        Err(NoTerminal) => Err(Error::refused("there is no terminal to ask at", "")),
    }
}

fn nothing_done(opened: &Opened, proposal: Proposal) -> Report {
    Report {
        plan: proposal.survey.plan,
        digest: proposal.digest,
        skipped: proposal.skipped,
        outcomes: Vec::new(),
        stopped: Vec::new(),
        run: None,
        is_unlisted: false,
        reads: opened.stripe.reads(),
        writes: opened.stripe.writes(),
    }
}

/// The command line as it was given, with the switch that would carry it out.
fn next_step(plan: &Plan, args: (&Commit, &Approval), context: &Context<'_>) -> NextStep {
    let (commit, approval) = args;
    if plan.has_work() {
        let command = match &approval.plan_out {
            Some(path) => {
                let account = commit.expect_account.as_deref();
                saved::commit_command(path, plan.goal(), account, context)
            }
            None => {
                let command = context.command_line.for_a_person();
                command.with("--commit").to_string()
            }
        };
        return NextStep {
            command: Some(command),
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
        let command = CommandLine::shown(["regen", "--all", "--live", "--commit"].map(Into::into));
        let refuse =
            |mode, is_named| refuse_unnamed_account(mode, is_named, account.as_ref(), &command);
        for (mode, is_named) in [(Mode::Test, false), (Mode::Test, true), (Mode::Live, true)] {
            assert!(refuse(mode, is_named).is_ok());
        }
        let Err(refusal) = refuse(Mode::Live, false) else {
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
