//! The command line: names, values, help. Nothing is read or decided here.
//!
//! Secrets have no flag: the key comes from `STRIPE_API_KEY` or a file, and no value taken from the
//! environment is ever shown in a help text.

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

mod grammar;
mod monitoring;
mod safety;
mod sandbox;
mod schema;
mod shell;
mod values;
mod version;
mod webhook;

pub use grammar::{command, parse};
pub use monitoring::Monitoring;
pub use safety::{Approval, Commit};
pub use sandbox::{PayMethod, SandboxCommand, ServeArgs};
pub use schema::{SchemaArgs, SchemaName};
pub use shell::{CompletionsArgs, ManArgs, Shell, Topic};
pub use values::{Moment, parse_duration};
pub use webhook::{ReceiveArgs, ReplayArgs, ResolveArgs, WebhookCommand};

use crate::plan::Verdict;
use values::{parse_moment, path_or_empty, secret};

/// Find unpaid orders behind dead Stripe checkout URLs, and give each exactly one payment link.
///
/// Nothing is written without --commit: every command first shows what it would do. `relink help exit-codes` tells how
/// a run can end; treat an unknown code as failure.
#[derive(Debug, Parser)]
#[command(name = "relink", version = version::SHORT, long_version = version::LONG.as_str())]
#[command(max_term_width = 100, arg_required_else_help = true)]
#[command(
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
#[command(
    after_help = "Examples:\n  relink regen --tournament-id 2 --sandbox\n  relink help regen\n  relink help exit-codes\n\nThe first is a rehearsal, without an account or a server."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the database says, what Stripe says, the verdict, and the next command
    #[command(
        after_help = "Examples:\n  relink inspect --tournament-id 2\n  relink inspect --order-id 207\n  relink inspect --all --verdict leaked -o json"
    )]
    Inspect(InspectArgs),
    /// Give each pending order one good link: retire what is live and wrong, mint, store
    #[command(
        after_help = "Examples:\n  relink regen --tournament-id 2\n  relink regen --tournament-id 2 --commit\n  relink regen --tournament-id 2 --plan-out plan.json\n  relink regen --plan plan.json --commit\n  relink regen --order-id 304 --allow-amount-change"
    )]
    Regen(RegenArgs),
    /// Close live sessions and links that should not be
    #[command(
        after_help = "Examples:\n  relink retire --all\n  relink retire --order-id 340 --commit\n  relink retire plink_1SbxA cs_test_b2 --commit\n  relink retire --run 01a20cf6 --commit"
    )]
    Retire(RetireArgs),
    /// Mint and store a link for pending orders that hold no live object
    #[command(
        after_help = "Examples:\n  relink mint --tournament-id 2\n  relink mint --order-id 207 --commit"
    )]
    Mint(MintArgs),
    /// Acknowledge an incident, or accept the amount that was paid, so that its alarm can end
    #[command(
        after_help = "Examples:\n  relink resolve --order-id 207 --incident 1f0c9a3b5d7e --reason 'refunded, ticket 991'\n  relink resolve --order-id 207 --incident 1f0c9a3b5d7e --accept-amount --reason agreed --commit"
    )]
    Resolve(ResolveArgs),
    /// Receive Stripe's events: mark orders paid, and close their links
    #[command(
        subcommand,
        after_help = "Examples:\n  relink webhook serve --commit --listen 127.0.0.1:8484\n  relink webhook replay --since 72h"
    )]
    Webhook(WebhookCommand),
    /// What past runs did
    #[command(
        subcommand,
        after_help = "Examples:\n  relink journal list --since 24h\n  relink journal show --order-id 207"
    )]
    Journal(JournalCommand),
    /// Check everything that relink needs, before it is needed: nothing is written
    ///
    /// It looks at the database, its tables, columns, types and rights; the journal; the key, its mode, account
    /// and permissions; the webhook endpoint; the clock. What depends on something that failed, or cannot be
    /// seen without writing, is named as not checked. Exit codes: 0 nothing failed (a warning is no failure), 5
    /// login, right or permission, 4 configuration, schema or mode, 9 Stripe or the database unavailable; the
    /// first of these that holds.
    #[command(
        after_help = "Examples:\n  relink doctor\n  relink doctor --config\n  relink doctor --live -o json\n  relink doctor --sandbox\n\nWhere the application's role may not create tables:\n  relink doctor --print-sql --role shop | psql --dbname club --username owner"
    )]
    Doctor(DoctorArgs),
    /// The local Stripe double and its sample database, for rehearsal and tests
    #[command(
        subcommand,
        after_help = "Examples:\n  relink sandbox reset\n  relink sandbox pay plink_1SbxA\n  relink sandbox serve"
    )]
    Sandbox(SandboxCommand),
    /// Print a script with which the shell completes commands, flags and verdicts
    #[command(
        after_help = "Examples:\n  relink completions bash > ~/.local/share/bash-completion/completions/relink\n  relink completions zsh > ~/.zfunc/_relink\n  relink completions fish > ~/.config/fish/completions/relink.fish"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a directory
    #[command(
        after_help = "Examples:\n  relink man | man -l -\n  relink man --out ~/.local/share/man/man1"
    )]
    Man(ManArgs),
    /// Print the JSON Schema of a document, or the names of those that have one
    #[command(after_help = "Examples:\n  relink schema\n  relink schema plan")]
    Schema(SchemaArgs),
    /// Tell about a command, or a topic: exit-codes, environment, json
    #[command(
        subcommand,
        after_help = "Examples:\n  relink help exit-codes\n  relink help environment\n  relink help json\n  relink help journal show"
    )]
    Help(Topic),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
#[group(id = "selection", required = true, multiple = false)]
pub struct Select {
    /// Orders of every product that this tournament sells
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, group = "selection")]
    pub tournament_id: Option<i64>,
    /// This order (repeatable)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, group = "selection", action = ArgAction::Append)]
    pub order_id: Vec<i64>,
    /// Every order of the database
    #[arg(long, group = "selection")]
    pub all: bool,
    /// The orders of a plan that was saved with --plan-out, as they were approved
    #[arg(long, value_name = "FILE", group = "selection")]
    pub plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct Narrow {
    /// Leave this order out (repeatable)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, action = ArgAction::Append, conflicts_with = "plan")]
    pub exclude_order_id: Vec<i64>,
    /// Only orders with this verdict (repeatable)
    #[arg(long, value_name = "VERDICT", value_parser = verdicts(), conflicts_with = "plan", action = ArgAction::Append)]
    pub verdict: Vec<String>,
}

fn verdicts() -> PossibleValuesParser {
    PossibleValuesParser::new(Verdict::ALL.map(Verdict::name))
}

/// Flags that release a hold; each order that one concerns says so in the plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Releasing a hold")]
pub struct Releases {
    /// Leave open sessions younger than this alone: a parent may be typing a card number. Such as 45m,
    /// 2h or 0 (default: 30m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "plan")]
    pub min_age: Option<i64>,
    /// Replace an object that asks another amount than the order
    #[arg(long, conflicts_with = "plan")]
    pub allow_amount_change: bool,
    /// Replace an object that asks another currency than the order
    #[arg(long, conflicts_with = "plan")]
    pub allow_currency_change: bool,
    /// Replace a live object without `order_id` metadata (only with --order-id)
    #[arg(long, conflicts_with = "plan")]
    pub adopt_unowned: bool,
    /// Go on although a recovery URL of the old session stays payable
    #[arg(long, conflicts_with = "plan")]
    pub accept_recovery_url: bool,
    /// Take an object that Stripe does not know for dead (only with --order-id, and only when another
    /// object of this database could be read in this account)
    #[arg(long, conflicts_with = "plan")]
    pub missing_is_dead: bool,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub narrow: Narrow,
    /// For monitoring: exit 10 when work is pending, 11 when money needs a person (open incidents too)
    #[arg(long, conflicts_with = "plan", help_heading = "Output")]
    pub check: bool,
    /// Write the list for the mail to the parents: whom to tell which URL, of the orders that are well. Orders that a
    /// person must look at first go to FILE's neighbour `….needs-person.csv`
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "plan",
        help_heading = "Output"
    )]
    pub csv_out: Option<PathBuf>,
    #[command(flatten)]
    pub monitoring: Monitoring,
}

#[derive(Debug, Args)]
pub struct RegenArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub releases: Releases,
    #[command(flatten)]
    pub commit: Commit,
    #[command(flatten)]
    pub approval: Approval,
    #[command(flatten)]
    pub monitoring: Monitoring,
}

#[derive(Debug, Args)]
pub struct MintArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub narrow: Narrow,
    /// Take an object that Stripe does not know for dead (only with --order-id, and only when another
    /// object of this database could be read in this account)
    #[arg(long, conflicts_with = "plan", help_heading = "Releasing a hold")]
    pub missing_is_dead: bool,
    /// Mint although the row names an object of another order, and leave that one alone (only with --order-id)
    #[arg(long, conflicts_with = "plan", help_heading = "Releasing a hold")]
    pub over_foreign: bool,
    #[command(flatten)]
    pub commit: Commit,
    #[command(flatten)]
    pub approval: Approval,
    #[command(flatten)]
    pub monitoring: Monitoring,
}

#[derive(Debug, Args)]
pub struct RetireArgs {
    #[command(flatten)]
    pub select: RetireSelect,
    #[command(flatten)]
    pub narrow: Narrow,
    /// Close healthy links of pending orders too
    #[arg(long, conflicts_with = "plan", help_heading = "Releasing a hold")]
    pub pending: bool,
    /// Leave open sessions of pending orders younger than this alone, such as 45m, 2h or 0 (default: 30m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "plan", help_heading = "Releasing a hold")]
    pub min_age: Option<i64>,
    /// Close the named objects even where they belong to no order in scope
    #[arg(long, requires = "objects", help_heading = "Releasing a hold")]
    pub force_object: bool,
    #[command(flatten)]
    pub commit: Commit,
    #[command(flatten)]
    pub approval: Approval,
    #[command(flatten)]
    pub monitoring: Monitoring,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
#[group(id = "selection", required = true, multiple = false)]
pub struct RetireSelect {
    /// Checkout sessions (cs_…) and payment links (plink_…) by id
    #[arg(value_name = "OBJECT_ID", group = "selection", action = ArgAction::Append)]
    pub objects: Vec<String>,
    /// Orders of every product that this tournament sells
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, group = "selection")]
    pub tournament_id: Option<i64>,
    /// This order (repeatable)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, group = "selection", action = ArgAction::Append)]
    pub order_id: Vec<i64>,
    /// Every order of the database
    #[arg(long, group = "selection")]
    pub all: bool,
    /// All links that this run minted or stored (its id, or the beginning of it): the undo of a run. Their orders stay
    /// without a link until `mint --order-id`
    #[arg(long, value_name = "RUN", value_parser = NonEmptyStringValueParser::new(), group = "selection")]
    pub run: Option<String>,
    /// The orders of a plan that was saved with --plan-out, as they were approved
    #[arg(long, value_name = "FILE", group = "selection")]
    pub plan: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// The runs that wrote something, the newest first
    #[command(after_help = "Example:\n  relink journal list --since 24h")]
    List(JournalListArgs),
    /// Every operation and every request of one run, or of one order over all runs
    #[command(
        after_help = "Examples:\n  relink journal show 0197a2\n  relink journal show --order-id 207"
    )]
    Show(JournalShowArgs),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct MailingArgs {
    /// Write the list for the mail to the parents: whom to tell which URL, of the links that were stored and that still are
    /// their orders'
    #[arg(long, value_name = "FILE")]
    pub csv_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct JournalListArgs {
    #[command(flatten)]
    pub mailing: MailingArgs,
    /// Only runs that began since: a time such as 2026-03-14T02:00:00Z, or a duration back from now such as 24h
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    pub since: Option<Moment>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
#[group(id = "what", required = true, multiple = false)]
pub struct JournalShowArgs {
    #[command(flatten)]
    pub mailing: MailingArgs,
    /// A run's id, or the beginning of it
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new(), group = "what")]
    pub run: Option<String>,
    /// This order
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true, group = "what")]
    pub order_id: Option<i64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct DoctorArgs {
    /// Check nothing, and print the SQL that makes the journal's tables, for the database's owner to run
    #[arg(long)]
    pub print_sql: bool,
    /// The role that relink runs as, to be granted its rights (default: the user of the database URL)
    #[arg(long, value_name = "NAME", requires = "print_sql")]
    pub role: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Common {
    /// The configuration file (default: the first of RELINK_CONFIG, ~/.config/relink/config.toml and
    /// /etc/relink/config.toml). A flag wins over the environment, and both win over the file. `doctor --config`
    /// shows every setting with its source
    #[arg(long, global = true, value_name = "FILE", num_args = 0..=1, default_missing_value = "", value_parser = path_or_empty())]
    pub config: Option<PathBuf>,
    /// The application's database: postgres://… or sqlite:///path
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_parser = secret
    )]
    pub database_url: Option<SecretString>,
    /// A file that holds the Stripe key, readable by nobody else (STRIPE_API_KEY holds the key itself)
    #[arg(long, global = true, value_name = "FILE")]
    pub stripe_key_file: Option<PathBuf>,
    /// Another address for Stripe's API; refused with a live key
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "STRIPE_API_BASE",
        hide_env_values = true
    )]
    pub stripe_api_base: Option<String>,
    /// A connected account to act for
    #[arg(long, global = true, value_name = "acct_…")]
    pub stripe_account: Option<String>,
    /// Where a parent lands after paying (default: Stripe's own confirmation page)
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RELINK_SUCCESS_URL",
        hide_env_values = true
    )]
    pub success_url: Option<String>,
    /// Currency of every order: the tables have no column for it (default: usd)
    #[arg(long, global = true, value_name = "CODE")]
    pub currency: Option<String>,
    /// Use the embedded sandbox instead of a database and Stripe; its files live in DIR
    #[arg(long, global = true, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = path_or_empty())]
    pub sandbox: Option<PathBuf>,
    /// Mean live mode: needed with a live key, refused with a test key
    #[arg(long, global = true)]
    pub live: bool,
    /// Requests per second to Stripe's account, and the same share of each endpoint's limit (default: 80 % of
    /// both; 0, no budget, only with another API base)
    #[arg(long, global = true, value_name = "N")]
    pub rps: Option<f64>,
    /// Orders in flight together, at most; how many are is found from what Stripe's answers take (default: 64)
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: Option<u16>,
    /// What goes to stdout: a table (or a wide one), one JSON document, events line by line, CSV, ids alone
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table, help_heading = "Output")]
    pub output: Output,
    /// No header row in tables and CSV
    #[arg(long, global = true, help_heading = "Output")]
    pub no_headers: bool,
    /// Show parents' e-mail addresses in tables in full; CSV and JSON always do
    #[arg(long, global = true, help_heading = "Output")]
    pub show_pii: bool,
    /// No banner, notes and progress; and nothing at all when there is nothing to do and nobody is needed
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,
    /// Say more on stderr (-vv, -vvv); without a terminal, every write is logged as with -v
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// How logs are written to stderr
    #[arg(long, global = true, value_enum, default_value_t = LogOutput::Text, help_heading = "Output")]
    pub log_format: LogOutput,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, help_heading = "Output")]
    pub color: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    // For people: ids shortened, addresses left out.
    Table,
    // For people with wide screens: one line per order, whole ids, tournament and parent too.
    Wide,
    // One document.
    Json,
    // One event per line, as it happens: first a header, last a summary with the exit code.
    Jsonl,
    // For spreadsheets.
    Csv,
    // Ids alone, one per line.
    Ids,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogOutput {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}
