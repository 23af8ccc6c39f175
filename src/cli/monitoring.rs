//! The flags of a command that runs unattended: where it leaves word for monitoring.
//!
//! Nothing is opened here.

use std::path::PathBuf;

use clap::Args;

use super::Command;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Monitoring {
    /// Write gauges for Prometheus' node_exporter to this file when the run ends, however it ends; one file per job
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// A file with one URL, readable by nobody else, that is pinged as healthchecks.io wants it: URL/start when the run
    /// begins, URL/EXIT_CODE when it ends. A ping that fails is a warning
    #[arg(long, value_name = "FILE")]
    pub ping_url_file: Option<PathBuf>,
}

impl Command {
    /// Of commands that have them.
    #[must_use]
    pub fn monitoring(&self) -> Option<&Monitoring> {
        match self {
            Command::Inspect(args) => Some(&args.monitoring),
            Command::Regen(args) => Some(&args.monitoring),
            Command::Retire(args) => Some(&args.monitoring),
            Command::Mint(args) => Some(&args.monitoring),
            Command::Resolve(_)
            | Command::Webhook(_)
            | Command::Journal(_)
            | Command::Doctor(_)
            | Command::Sandbox(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Schema(_)
            | Command::Help(_) => None,
        }
    }
}
