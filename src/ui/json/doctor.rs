//! `relink.doctor/1`: one entry per check, in the order of the table.

use serde::Serialize;

use super::shape::{Document, Shape, plain};
use crate::doctor::{Check, Diagnosis, Outcome};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DoctorDocument<'a> {
    schema: &'static str,
    checks: Vec<CheckBody<'a>>,
    passed: usize,
    failed: usize,
    warned: usize,
    not_checked: usize,
    exit_code: u8,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CheckBody<'a> {
    name: &'static str,
    outcome: &'static str,
    /// What this check alone would end the run with: 0 unless it failed.
    exit_code: u8,
    /// Null where nothing was looked at.
    found: Option<&'a str>,
    /// Only of what was not checked.
    why: Option<&'a str>,
    remedy: Option<&'a str>,
}

impl Document for DoctorDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "checks",
        item: "check",
        id: "/name",
        columns: &[
            plain("check", "/name"),
            plain("outcome", "/outcome"),
            plain("exit_code", "/exit_code"),
            plain("found", "/found"),
            plain("why", "/why"),
            plain("remedy", "/remedy"),
        ],
    };
}

impl<'a> DoctorDocument<'a> {
    #[must_use]
    pub fn new(diagnosis: &'a Diagnosis) -> Self {
        let counts = diagnosis.counts();
        DoctorDocument {
            schema: "relink.doctor/1",
            checks: diagnosis.checks.iter().map(CheckBody::new).collect(),
            passed: counts.passed,
            failed: counts.failed,
            warned: counts.warned,
            not_checked: counts.not_checked,
            exit_code: diagnosis.status().code(),
        }
    }
}

impl<'a> CheckBody<'a> {
    fn new(check: &'a Check) -> Self {
        let (outcome, exit_code, why) = match &check.outcome {
            Outcome::Passed => ("passed", 0, None),
            Outcome::Failed(trouble) => ("failed", trouble.status().code(), None),
            Outcome::Warned => ("warned", 0, None),
            Outcome::NotChecked { why } => ("not_checked", 0, Some(why.as_str())),
        };
        CheckBody {
            name: check.name,
            outcome,
            exit_code,
            found: Some(check.found.as_str()).filter(|found| !found.is_empty()),
            why,
            remedy: check.remedy.as_deref(),
        }
    }
}
