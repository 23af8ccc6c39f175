//! The flags of a command that writes: whether it does, who agreed, to what, and where it must stop.
//!
//! Nothing is checked here beyond the form of a value.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::parse_duration;
use super::values::parse_new_file;
use crate::domain::Money;
use crate::plan::Digest;

#[derive(Debug, Args)]
#[command(next_help_heading = "Safety")]
pub struct Commit {
    /// Write: without it nothing leaves for Stripe but reads, and the database session is read-only
    #[arg(long)]
    pub commit: bool,
    /// Do not ask before writing; needed where there is no terminal. In live mode only together with --expect,
    /// --expect-count or --max-orders
    #[arg(long)]
    pub yes: bool,
    /// The account that must be meant; needed where the key may not read the account
    #[arg(long, value_name = "acct_…")]
    pub expect_account: Option<String>,
    /// Why, kept in the journal with the run
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Stop after this many failed orders in a row, or once half of at least 10 failed (default: 5)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_failures: Option<u16>,
}

/// What an approval is bound to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Safety")]
pub struct Approval {
    /// Write the plan to a file as well, to be committed later, by anybody, with --plan
    #[arg(long, value_name = "FILE", conflicts_with = "plan", value_parser = parse_new_file())]
    pub plan_out: Option<PathBuf>,
    /// Write the list for the mail to the parents: whom to tell which URL, of the orders whose new link is stored. Orders
    /// that a person must look at first go to FILE's neighbour `….needs-person.csv`
    #[arg(
        long,
        value_name = "FILE",
        requires = "commit",
        help_heading = "Output"
    )]
    pub csv_out: Option<PathBuf>,
    /// The digest of the plan that was agreed to, such as 7f3a-91c2: another plan is not carried out
    #[arg(long, value_name = "DIGEST")]
    pub expect: Option<Digest>,
    /// How many orders the plan must touch
    #[arg(long, value_name = "N")]
    pub expect_count: Option<usize>,
    /// How many orders the plan may touch (in live mode 50, unless --expect or --expect-count is given)
    #[arg(long, value_name = "N")]
    pub max_orders: Option<usize>,
    /// What all new links together may ask for, those of orders that are gone on with included (repeatable: once per
    /// currency)
    #[arg(long, value_name = "AMOUNT:CODE", value_parser = Money::parse, action = ArgAction::Append)]
    pub max_amount: Vec<Money>,
    /// How old a saved plan may be, such as 90m or 2h (default: 24h)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "plan")]
    pub plan_max_age: Option<i64>,
    /// Carry out all of a saved plan or nothing of it
    #[arg(long, requires = "plan")]
    pub strict_plan: bool,
}
