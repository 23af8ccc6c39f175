//! The command line of the receiver: serving, replaying, resolving. Names, values, help; nothing is read or decided
//! here.
//!
//! The secret that signs events has no flag of its own: it comes from `STRIPE_WEBHOOK_SECRET` or a file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Subcommand};

use super::Commit;
use super::values::{Moment, parse_moment};

#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The order that the incident is about
    #[arg(long, help_heading = "Selection", value_name = "N", required = true, value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true)]
    pub order_id: i64,
    /// The incident, as `inspect --check` names it
    #[arg(long, help_heading = "Selection", value_name = "ID", required = true)]
    pub incident: String,
    /// What was done about it; kept in the journal
    #[arg(long, help_heading = "Safety", value_name = "TEXT", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub reason: String,
    /// Settle the order with the amount that was paid, although it is another one
    #[arg(long, help_heading = "Releasing a hold")]
    pub accept_amount: bool,
    /// Write: without it nothing changes
    #[arg(long, help_heading = "Safety")]
    pub commit: bool,
}

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Receive Stripe's events until SIGTERM: POST /stripe/webhook, GET /healthz, GET /metrics
    ///
    /// An order whose session was paid is marked paid in one transaction, and the link it was paid by is closed at
    /// Stripe. Stripe is answered with 2xx only after the database has committed. What cannot be matched with an
    /// order, or was paid with another amount, is recorded for a person and settles nothing.
    #[command(
        after_help = "Example:\n  relink webhook serve --commit --webhook-secret-file /run/secrets/stripe-webhook"
    )]
    Serve(ReceiveArgs),
    /// Take in events that were missed: from Stripe, from a file, or off the sessions of one order
    ///
    /// Shows what would follow from each event, and writes nothing without --commit. Stripe keeps events for 30 days.
    #[command(
        after_help = "Examples:\n  relink webhook replay --since 72h\n  relink webhook replay --since 72h --commit\n  relink webhook replay --order-id 207 --commit"
    )]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct ReplayArgs {
    /// Stripe's events since: a time such as 2026-03-14T02:00:00Z, or a duration back from now (default: 72h)
    #[arg(long, value_name = "WHEN", value_parser = parse_moment, conflicts_with_all = ["from_file", "order_id"])]
    pub since: Option<Moment>,
    /// Events from a file, one a line as JSON; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "order_id")]
    pub from_file: Option<PathBuf>,
    /// What the sessions of this order tell (repeatable): for payments whose events are older than 30 days
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, action = ArgAction::Append)]
    pub order_id: Vec<i64>,
    /// Settle paid orders of every product category, and not only of those in scope
    #[arg(long)]
    pub settle_all_categories: bool,
    #[command(flatten)]
    pub commit: Commit,
}

#[derive(Debug, Args)]
pub struct ReceiveArgs {
    /// Address to listen on; put a reverse proxy with TLS in front of it
    #[arg(
        long,
        help_heading = "Connection",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8484"
    )]
    pub listen: SocketAddr,
    /// A file with the endpoint's secret, readable by nobody else; several while one is rolled, one a line
    /// (STRIPE_WEBHOOK_SECRET holds the secret itself)
    #[arg(long, help_heading = "Connection", value_name = "FILE")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Seconds that a signature's time may be off, either way
    #[arg(long, help_heading = "Safety", value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub tolerance: u32,
    /// Settle paid orders of every product category, and not only of those in scope
    #[arg(long, help_heading = "Selection")]
    pub settle_all_categories: bool,
    /// Write: without it the receiver does not start
    #[arg(long, help_heading = "Safety")]
    pub commit: bool,
    /// The account that must be meant; needed for the first live commit, and where the key may not read the account
    #[arg(long, help_heading = "Safety", value_name = "acct_…")]
    pub expect_account: Option<String>,
}
