//! One check and its outcome, all of them together, and the exit status that follows.
//!
//! A warning never fails a run: it is what relink can work with, and a person should know.

use crate::exit::{ExitStatus, Failure};

use super::facts::Finding;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable, such as `update_rights`.
    pub name: &'static str,
    pub outcome: Outcome,
    /// What was seen; empty where nothing was.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed(Trouble),
    Warned,
    /// It depends on something that failed, or cannot be seen from here.
    NotChecked {
        why: String,
    },
}

/// What a failure is about. There is no other kind: each has its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Authentication or a right.
    Permission,
    /// A setting, the schema or the mode.
    Configuration,
    /// Something did not answer.
    Unavailable,
}

impl Trouble {
    #[must_use]
    pub fn status(self) -> ExitStatus {
        match self {
            Trouble::Permission => ExitStatus::Permission,
            Trouble::Configuration => ExitStatus::Configuration,
            Trouble::Unavailable => ExitStatus::Unavailable,
        }
    }

    /// A malformed setting ends other commands as a usage error; here it is a setting that is wrong. Whatever else
    /// keeps an answer away is like no answer.
    fn of(status: ExitStatus) -> Trouble {
        match status {
            ExitStatus::Permission => Trouble::Permission,
            ExitStatus::Configuration | ExitStatus::Usage => Trouble::Configuration,
            _ => Trouble::Unavailable,
        }
    }
}

impl Check {
    pub(super) fn passed(name: &'static str, found: impl Into<String>) -> Check {
        Check {
            name,
            outcome: Outcome::Passed,
            found: found.into(),
            remedy: None,
        }
    }

    pub(super) fn failed(
        name: &'static str,
        trouble: Trouble,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            name,
            outcome: Outcome::Failed(trouble),
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    pub(super) fn warned(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            name,
            outcome: Outcome::Warned,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    pub(super) fn not_checked(name: &'static str, why: impl Into<String>) -> Check {
        Check {
            name,
            outcome: Outcome::NotChecked { why: why.into() },
            found: String::new(),
            remedy: None,
        }
    }

    /// Failed by what any other command would end with.
    pub(super) fn failed_by(name: &'static str, failure: &Failure) -> Check {
        let mut found = failure.message.clone();
        if let Some(request) = &failure.request_id {
            found.push_str(&format!(" (Stripe request {request})"));
        }
        Check {
            name,
            outcome: Outcome::Failed(Trouble::of(failure.status)),
            found,
            remedy: Some(failure.hint.clone()).filter(|hint| !hint.is_empty()),
        }
    }

    /// `judge` where there is something to judge; else what kept it away.
    pub(super) fn of<T>(
        name: &'static str,
        finding: &Finding<T>,
        judge: impl FnOnce(&T) -> Check,
    ) -> Check {
        match finding {
            Finding::Found(facts) => judge(facts),
            Finding::Failed(failure) => Check::failed_by(name, failure),
            Finding::Skipped(why) => Check::not_checked(name, why.as_str()),
        }
    }
}

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub checks: Vec<Check>,
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub warned: usize,
    pub not_checked: usize,
}

impl Diagnosis {
    /// The worst of what failed, in the order of all exit statuses: 5, 4, 9, 0.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        let troubles = self.checks.iter().filter_map(|check| match check.outcome {
            Outcome::Failed(trouble) => Some(trouble.status()),
            Outcome::Passed | Outcome::Warned | Outcome::NotChecked { .. } => None,
        });
        ExitStatus::foremost(&troubles.collect())
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for check in &self.checks {
            match check.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Failed(_) => counts.failed += 1,
                Outcome::Warned => counts.warned += 1,
                Outcome::NotChecked { .. } => counts.not_checked += 1,
            }
        }
        counts
    }
}
