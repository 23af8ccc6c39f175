//! What monitoring is told about a run: commands say what they reached, and at the end of every run, also of one that
//! failed, the metrics file is written.
//!
//! It changes nothing about a run, and never its exit status.

pub(crate) mod exposition;
mod gauges;
mod observation;
mod scope;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cli::Cli;
use crate::domain::{AccountId, Currency, Mode, RunId};
use crate::error::Error;
use crate::files::{Kind, read_if_there, write_atomically};
use crate::plan::Plan;
use crate::report::Report;

pub use gauges::{Ended, Identity};
use gauges::{Told, families};
pub use observation::Observation;

/// The node's collector runs as another user.
const FOR_EVERYBODY: u32 = 0o644;

/// Hears what a command reached. With no metrics file it keeps what it hears for nobody.
#[derive(Debug)]
pub struct Monitor {
    file: Option<(PathBuf, Identity)>,
    told: Mutex<Told>,
}

impl Monitor {
    /// For a command line that could be read.
    #[must_use]
    pub fn of(cli: &Cli) -> Self {
        let path = cli
            .command
            .monitoring()
            .and_then(|m| m.metrics_file.clone());
        let mode = if cli.common.live {
            Mode::Live
        } else {
            Mode::Test
        };
        let file = path.zip(scope::scope(&cli.command));
        Monitor {
            file: file.map(|(path, (command, scope))| {
                let identity = Identity {
                    command,
                    mode,
                    scope,
                };
                (path, identity)
            }),
            told: Mutex::default(),
        }
    }

    #[must_use]
    pub fn wants_metrics(&self) -> bool {
        self.file.is_some()
    }

    pub fn reached(&self, account: Option<&AccountId>) {
        self.told().account = account.cloned();
    }

    /// All orders that the command looked at and may change, as they were.
    pub fn observed(&self, plan: &Plan, currency: Currency) {
        let mut observation = Observation::new(plan.taken_at, currency);
        observation.add(plan);
        observation.keep(plan);
        self.told().observation = Some(observation);
    }

    /// All orders that the command only looked at, once it has seen the last of them: a part of them would look like few.
    pub fn looked_at(&self, observation: Observation) {
        self.told().observation = Some(observation);
    }

    pub fn incidents(&self, open: usize) {
        self.told().open_incidents = Some(open);
    }

    /// From here on the run is in the journal.
    pub fn began(&self, run: &RunId) {
        self.told().run = Some(run.clone());
    }

    /// What became of the orders that were observed.
    pub fn reported(&self, report: &Report) {
        if let Some(observation) = &mut self.told().observation {
            observation.conclude(report);
        }
    }

    /// Its id in the journal, if it wrote there.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        self.told().run.clone()
    }

    /// Writes the metrics file, if one is wanted.
    ///
    /// # Errors
    /// Configuration: it cannot be written there. What was there before is untouched.
    pub fn finish(&self, ended: Ended) -> Result<(), Error> {
        let Some((path, identity)) = &self.file else {
            return Ok(());
        };
        // A former file that cannot be read has nothing that could be kept.
        let former = read_if_there(path).unwrap_or_default();
        let families = families(identity, &self.told(), ended, &exposition::parse(&former));
        write_atomically(
            path,
            Kind::Gauges,
            exposition::render(&families).as_bytes(),
            FOR_EVERYBODY,
        )
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
