//! The command line of the sandbox. Names, values, help; nothing is read or decided here.
//!
//! The secret that its events are signed with has no flag of its own.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Serve the double on loopback, for Stripe's own tools and libraries
    #[command(
        after_help = "Examples:\n  relink sandbox serve --port 0\n  relink sandbox serve --webhook-url http://127.0.0.1:8484/stripe/webhook"
    )]
    Serve(ServeArgs),
    /// Put the sample incident back as it was
    #[command(after_help = "Example:\n  relink sandbox reset")]
    Reset,
    /// Open a link's URL as a parent would: makes a checkout session
    #[command(
        after_help = "Example:\n  relink sandbox visit https://buy.stripe.com/test_QxQ6ug8YSieRXkwwJV"
    )]
    Visit {
        /// A link's URL or id, or a recovery URL
        url: String,
    },
    /// Pay as a parent would
    #[command(
        after_help = "Examples:\n  relink sandbox pay https://buy.stripe.com/test_QxQ6ug8YSieRXkwwJV\n  relink sandbox pay plink_1SbxA --method async"
    )]
    Pay {
        /// A link's or session's URL or id
        url: String,
        /// How the parent pays
        #[arg(long, value_enum, default_value_t = PayMethod::Card, help_heading = "Selection")]
        method: PayMethod,
    },
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct ServeArgs {
    /// Port on 127.0.0.1; 0 lets the system choose
    #[arg(long, default_value_t = 12111)]
    pub port: u16,
    /// Send signed events of checkout sessions there, to a receiver on this machine; again until it answers with 2xx
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,
    /// A file with the secret that signs them, readable by nobody else; several while one is rolled, one a line
    /// (RELINK_SANDBOX_WEBHOOK_SECRET holds the secret itself)
    #[arg(long, value_name = "FILE", requires = "webhook_url")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Let each event arrive N times more
    #[arg(long, value_name = "N", requires = "webhook_url", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub webhook_duplicates: Option<u32>,
    /// Send events in another order than they were made in; the same SEED gives the same order
    #[arg(long, value_name = "SEED", requires = "webhook_url")]
    pub webhook_shuffle: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PayMethod {
    /// Paid at once
    Card,
    /// A bank debit that stays on its way
    Async,
    /// A bank debit that fails
    AsyncFail,
}
