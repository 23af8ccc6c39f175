//! `relink mint`: pending orders that hold no live object get a link. It retires nothing.

use crate::cli::{Common, MintArgs};
use crate::config;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::plan::{Goal, Release};

use super::commit::Proposal;
use super::opening::Opened;
use super::survey::survey;
use super::{Context, commit, saved};

pub async fn run(
    args: &MintArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let approving = (&args.commit, &args.approval);
    if let Some(path) = &args.select.plan {
        return saved::run(path, "mint", approving, common, context).await;
    }
    let selection = config::selection(&args.select, &args.narrow);
    let given = [
        (args.missing_is_dead, Release::MissingIsDead),
        (args.over_foreign, Release::OverForeign),
    ];
    let releases: Vec<Release> = given
        .into_iter()
        .filter_map(|(present, release)| present.then_some(release))
        .collect();
    let policy = config::policy(
        Goal::Mint,
        &releases,
        &args.select.order_id,
        &context.settings,
    )?;
    let verdicts = config::verdicts(&args.narrow);
    let expected = config::expected_account(args.commit.expect_account.as_deref())?;
    let access = commit::access(args.commit.commit);

    let opened = Opened::open(common, context, access, expected).await?;
    let survey = survey(&opened, &selection, &policy, &verdicts, context).await?;
    let proposal = Proposal::of(survey, &opened).await?;
    let status = commit::conclude(&opened, proposal, approving, context).await?;
    opened.close().await?;
    Ok(status)
}
