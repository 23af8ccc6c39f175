//! `relink regen`: each pending order of the selection gets exactly one good link.

use crate::cli::{Common, RegenArgs};
use crate::config;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::plan::Goal;

use super::commit::Proposal;
use super::opening::Opened;
use super::survey::survey;
use super::{Context, commit, owed, saved};

pub async fn run(
    args: &RegenArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let approving = (&args.commit, &args.approval);
    if let Some(path) = &args.select.plan {
        return saved::run(path, "regen", approving, common, context).await;
    }
    let selection = config::selection(&args.select, &args.narrow);
    let releases = config::releases(&args.releases);
    let mut policy = config::policy(
        Goal::Regen,
        &releases,
        &args.select.order_id,
        &context.settings,
    )?;
    policy.min_age = args.releases.min_age.unwrap_or(policy.min_age);
    let verdicts = config::verdicts(&args.narrow);
    let expected = config::expected_account(args.commit.expect_account.as_deref())?;
    let access = commit::access(args.commit.commit);

    let opened = Opened::open(common, context, access, expected).await?;
    let mut survey = survey(&opened, &selection, &policy, &verdicts, context).await?;
    if args.select.all {
        // What was left open without an order belongs to no narrower selection.
        let (store, mode) = (&opened.store, opened.config.key.mode);
        owed::add_left_open(store, mode, &selection.exclude, &mut survey.plan).await?;
        owed::add(store, mode, &mut survey.plan).await?;
    }
    let proposal = Proposal::of(survey, &opened).await?;
    let status = commit::conclude(&opened, proposal, approving, context).await?;
    opened.close().await?;
    Ok(status)
}
