//! Saved plans at work: written by a dry run, held against the facts of now, and committed in part or not at all.
//!
//! A plan is committed only in the account, the mode and the database that it was made for, while it is young enough, and
//! only where no fact has moved.

use std::path::Path;

use crate::cli::{Approval, Commit, Common};
use crate::command_line::{CommandLine, quote};
use crate::config;
use crate::domain::{AccountId, LinkId};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::files::{Kind, read_input, write_atomically};
use crate::plan::Goal;
use crate::saved_plan::{Due, Making, Moved, Now, SavedPlan, SavedScope, Standing, Stands};
use crate::settings::{Source, written_duration};
use crate::store::{Access, Scope, Selection};
use crate::ui::{self, NextStep, counted};

use super::Context;
use super::commit::{self, Proposal};
use super::opening::{Opened, refuse_other_account};
use super::survey::{Survey, survey};

/// Names of players are in it.
const PRIVATE: u32 = 0o600;

/// Stripe's answers come from many hosts, whose clocks may differ by so many seconds.
const SKEW: i64 = 5 * 60;

/// How many moved orders a message names before it only counts them.
const NAMED: usize = 3;

/// Writes the plan of this survey to `path`.
///
/// # Errors
/// Configuration: the account is not known, or the file cannot be written.
pub async fn save(
    path: &Path,
    survey: &Survey,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<(), Error> {
    let Some(account) = opened.account.clone() else {
        return Err(Error::configuration(
            "a plan is saved for one account, and the key may not read which one it belongs to",
            "add --expect-account acct_…, or give the key the permission to read the account",
        ));
    };
    let making = Making {
        made_at_database: opened.store.time().await?,
        command: looking(&context.command_line).to_string(),
        account,
        database: opened.store.database_id().await?,
        scope: saved_scope(survey),
    };
    let saved = SavedPlan::of(&survey.plan, &survey.snapshot, making);
    write_atomically(path, Kind::SavedPlan, saved.render()?.as_bytes(), PRIVATE)?;
    context.ui.note(&format!(
        "plan {} for {} saved in {}",
        saved.digest,
        counted(saved.size(), "order"),
        path.display()
    ));
    Ok(())
}

fn saved_scope(survey: &Survey) -> SavedScope {
    let mut scope = SavedScope {
        excluded_order_ids: survey.selection.exclude.clone(),
        verdicts: survey.verdicts.iter().map(ToString::to_string).collect(),
        ..SavedScope::default()
    };
    match &survey.selection.scope {
        Scope::All => scope.all = true,
        Scope::Tournament(id) => scope.tournament_id = Some(*id),
        Scope::Orders(ids) | Scope::Known(ids) => scope.order_ids.clone_from(ids),
    }
    scope
}

/// The command without what commits, what limits a commit, and what is written besides.
fn looking(command: &CommandLine) -> CommandLine {
    const VALUES: [&str; 6] = [
        "--plan-out",
        "--csv-out",
        "--expect",
        "--expect-count",
        "--max-orders",
        "--max-amount",
    ];
    let switches = ["--commit", "--yes"];
    let command = switches
        .iter()
        .fold(command.clone(), |it, flag| it.without(flag));
    VALUES
        .iter()
        .fold(command, |it, flag| it.without_value(flag))
}

/// What commits the plan in `path`; `account` where the key alone does not tell it.
#[must_use]
pub fn commit_command(
    path: &Path,
    goal: Goal,
    account: Option<&str>,
    context: &Context<'_>,
) -> String {
    let (command, plan) = (goal.command(), plan_flag(path));
    let account = account.map(|account| format!(" --expect-account {}", quote(account)));
    let account = account.unwrap_or_default();
    context.with_connection(&format!("relink {command} {plan} --commit{account}"))
}

/// A name that begins with a dash would be taken for a flag.
fn plan_flag(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.starts_with('-') && text != "-" {
        quote(&format!("--plan={text}"))
    } else {
        format!("--plan {}", quote(&text))
    }
}

/// `relink regen --plan FILE`, and the same of `mint` and `retire`.
///
/// # Errors
/// Usage: no saved plan, or another command's. Configuration: another account, mode or database. Stale: expired, moved,
/// applied. Besides them what any commit can meet.
pub async fn run(
    path: &Path,
    command: &str,
    args: (&Commit, &Approval),
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let (commit, approval) = args;
    let saved = read(path)?;
    let own = saved.goal().command();
    if own != command {
        let instead = context.command_line.clone().renamed(command, own);
        return Err(Error::usage(
            format!("`{}` is a plan of `relink {own}`", path.display()),
            format!("run it as that: {instead}"),
        ));
    }
    let expected = config::expected_account(commit.expect_account.as_deref())?;
    let access = commit::access(commit.commit);
    let opened = Opened::open(common, context, access, expected).await?;
    let (survey, standing) = stand(&saved, path, &opened, context).await?;
    refuse_expired(&saved, &standing, approval.plan_max_age, context)?;
    refuse_moved(&saved, &standing, approval.strict_plan, path, context)?;
    let skipped = standing.skipped();
    let survey = Survey {
        plan: standing.apply(survey.plan),
        ..survey
    };
    let proposal = Proposal {
        survey,
        digest: saved.digest.clone(),
        skipped,
        saved_at: Some(saved.made_at_database),
    };
    let status = commit::conclude(&opened, proposal, args, context).await?;
    opened.close().await?;
    Ok(status)
}

/// `relink inspect --plan FILE`: how the plan stands, whatever has become of it.
///
/// # Errors
/// As [`run`], but no plan is too old or too stale to be looked at.
pub async fn inspect(
    path: &Path,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let saved = read(path)?;
    let mut opened = Opened::open(common, context, Access::ReadOnly, None).await?;
    let account = take_account(&saved, &mut opened, context).await?;
    let (_, standing) = stand(&saved, path, &opened, context).await?;
    let is_due = standing.subjects.iter().any(Due::is_due);
    let oldest = context.settings.limits.plan_max_age.value;
    let is_old = is_due && standing.age(&saved) > oldest;
    let next = NextStep {
        command: is_due.then(|| {
            let account = account.as_ref().map(AccountId::as_str);
            commit_command(path, saved.goal(), account, context)
        }),
        note: is_old.then(|| {
            let oldest = written_duration(oldest);
            format!("older than {oldest}: a commit needs --plan-max-age, or a new plan")
        }),
    };
    context.ui.standing(&saved, &standing, &next)?;
    opened.close().await?;
    Ok(ExitStatus::Done)
}

/// Where the key may not read its account, a look takes the plan's word for it: nothing is written. What was taken is
/// given back, for whoever commits to say.
async fn take_account(
    saved: &SavedPlan,
    opened: &mut Opened,
    context: &Context<'_>,
) -> Result<Option<AccountId>, Error> {
    if opened.account.is_some() {
        return Ok(None);
    }
    let account = saved.account.clone();
    refuse_other_account(&opened.store, saved.mode, Some(&account)).await?;
    context.ui.warn(&format!(
        "the key may not read its account: that it is {account}, as the plan says, could not be checked"
    ));
    opened.account = Some(account.clone());
    Ok(Some(account))
}

fn read(path: &Path) -> Result<SavedPlan, Error> {
    SavedPlan::parse(&read_input(path)?, &path.to_string_lossy())
}

/// The plan held against fresh facts; the survey's plan is of its orders and no other.
async fn stand(
    saved: &SavedPlan,
    path: &Path,
    opened: &Opened,
    context: &Context<'_>,
) -> Result<(Survey, Standing), Error> {
    refuse_other_place(saved, path, opened).await?;
    refuse_other_scope(saved, path, context)?;
    let selection = Selection {
        scope: Scope::Known(saved.order_ids()),
        exclude: Vec::new(),
    };
    let mut survey = survey(opened, &selection, &saved.policy, &[], context).await?;
    let (store, mode) = (&opened.store, saved.mode);
    let worked = store
        .worked_under(mode, &saved.digest, saved.made_at_database)
        .await?;
    let gone = store.gone_orders(mode).await?;
    let owed = store.open_retirements(mode).await?;
    let owed: Vec<LinkId> = owed.into_iter().map(|retirement| retirement.link).collect();
    let passed = store
        .passed_over(&saved.digest, saved.made_at_database)
        .await?;
    let mut standing = saved.stand(&Now {
        plan: &survey.plan,
        snapshot: &survey.snapshot,
        worked: &worked,
        gone: &gone,
        owed: &owed,
    });
    pass_over(&mut standing, &passed);
    survey.plan.gone.clone_from(&saved.gone_orders);
    survey.plan.paid_links.clone_from(&saved.paid_links);
    survey.plan.forced.clone_from(&saved.forced_objects);
    Ok((survey, standing))
}

/// What a commit of this plan passed over stays so, though every fact be as it was again: whoever saw that report may
/// have acted on it since.
fn pass_over(standing: &mut Standing, passed: &[String]) {
    for due in &mut standing.subjects {
        if due.stands == Stands::Due && subject(due).is_some_and(|name| passed.contains(&name)) {
            due.stands = Stands::Stale(vec![Moved {
                fact: "its turn under this plan".to_owned(),
                was: "to come".to_owned(),
                is: "over: a fact had moved then".to_owned(),
            }]);
        }
    }
}

/// As the journal names them.
#[must_use]
pub fn stale_subjects(skipped: &[Due]) -> Vec<String> {
    let stale = skipped.iter().filter(|due| due.is_stale());
    stale.filter_map(subject).collect()
}

fn subject(due: &Due) -> Option<String> {
    match (&due.order, &due.object) {
        (Some(order), _) => Some(format!("order:{order}")),
        (None, Some(object)) => Some(format!("object:{object}")),
        (None, None) => None,
    }
}

async fn refuse_other_place(saved: &SavedPlan, path: &Path, opened: &Opened) -> Result<(), Error> {
    let other = |what: &str, was: &str, is: &str| {
        Error::configuration(
            format!(
                "the plan in `{}` is for {what} {was}, and this is {is}",
                path.display()
            ),
            "use the key and the database that the plan was made with, or make a new plan here",
        )
    };
    let mode = opened.config.key.mode;
    if mode != saved.mode {
        return Err(other("mode", &saved.mode.to_string(), &mode.to_string()));
    }
    match &opened.account {
        Some(account) if *account == saved.account => {}
        Some(account) => return Err(other("account", saved.account.as_str(), account.as_str())),
        None => {
            return Err(Error::configuration(
                "the plan is for one account, and the key may not read which one it belongs to",
                format!(
                    "check that it is the right one, then add --expect-account {}",
                    saved.account
                ),
            ));
        }
    }
    let database = opened.store.database_id().await?;
    if database != saved.database {
        return Err(other("database", &saved.database, &database));
    }
    Ok(())
}

/// What may be touched at all is not a plan's to say.
fn refuse_other_scope(saved: &SavedPlan, path: &Path, context: &Context<'_>) -> Result<(), Error> {
    let (was, is) = (&saved.policy.scope, &context.settings.categories.value);
    if was == is {
        return Ok(());
    }
    Err(Error::configuration(
        format!(
            "the plan in `{}` is for the categories {}, and those in scope are {}",
            path.display(),
            was.join(", "),
            is.join(", ")
        ),
        "use the configuration that the plan was made with, or make a new plan",
    ))
}

fn refuse_expired(
    saved: &SavedPlan,
    standing: &Standing,
    typed_max_age: Option<i64>,
    context: &Context<'_>,
) -> Result<(), Error> {
    let age = standing.age(saved);
    let limit = &context.settings.limits.plan_max_age;
    let max_age = typed_max_age.unwrap_or(limit.value);
    let what = if age < -SKEW {
        format!(
            "{}, which is {} minutes from now, and so would never be too old",
            saved.made_at,
            -age / 60
        )
    } else if age > max_age {
        let says = match (typed_max_age, &limit.source) {
            (Some(_), _) => "--plan-max-age says",
            (None, Source::File(_)) => "`limits.plan_max_age` of the configuration file says",
            (None, _) => "--plan-max-age is, unless given,",
        };
        let (ago, most) = (ui::age(age), written_duration(max_age));
        format!("{}, {ago} ago, and {says} {most}", saved.made_at)
    } else {
        return Ok(());
    };
    let anew = saved.made_anew_by(context.settings.limits.min_age.value);
    let hint = match anew {
        Some(command) => format!("look at a new plan: {}", context.with_connection(&command)),
        None => "make a new plan with --plan-out".to_owned(),
    };
    Err(Error::stale(
        format!("nothing was written: the plan was made at {what}"),
        hint,
    ))
}

/// Nothing is left of it, or not all of it where all was wanted.
fn refuse_moved(
    saved: &SavedPlan,
    standing: &Standing,
    is_strict: bool,
    path: &Path,
    context: &Context<'_>,
) -> Result<(), Error> {
    let subjects = &standing.subjects;
    let is_left = subjects.is_empty() || subjects.iter().any(Due::is_due);
    let stale: Vec<&Due> = subjects.iter().filter(|due| due.is_stale()).collect();
    let look = format!("relink inspect {}", plan_flag(path));
    let look = format!("see what moved: {}", context.with_connection(&look));
    if is_strict && !stale.is_empty() {
        return Err(Error::stale(
            format!(
                "nothing was written: {} of the {} approved moved ({}), and --strict-plan wants all or nothing",
                stale.len(),
                subjects.len(),
                named(&stale)
            ),
            look,
        ));
    }
    if is_left {
        return Ok(());
    }
    let count =
        |stands: fn(&Stands) -> bool| subjects.iter().filter(|due| stands(&due.stands)).count();
    let done = count(|stands| matches!(stands, Stands::Done));
    let refused = count(|stands| matches!(stands, Stands::Refused));
    let what = if stale.is_empty() {
        "is applied already"
    } else {
        "is stale"
    };
    Err(Error::stale(
        format!(
            "nothing was written: plan {} {what}: {done} done, {refused} refused, {} moved",
            saved.digest,
            stale.len()
        ),
        look,
    ))
}

fn named(stale: &[&Due]) -> String {
    let mut names: Vec<String> = stale
        .iter()
        .take(NAMED)
        .map(|due| match (&due.order, &due.object) {
            (Some(order), _) => format!("order {order}"),
            (None, Some(object)) => object.to_string(),
            (None, None) => String::new(),
        })
        .collect();
    if stale.len() > NAMED {
        names.push(format!("{} more", stale.len() - NAMED));
    }
    names.join(", ")
}
