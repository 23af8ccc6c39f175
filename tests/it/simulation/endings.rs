//! How a process of the stage ended, counted; and what a panic said.

use relink::report::Conclusion;

use super::process::Ended;
use super::stage::Stage;

pub fn count_endings(stage: &Stage, when: &str, ended: &Ended) {
    match ended {
        Ended::Reported(report) => {
            for outcome in &report.outcomes {
                let ending = match &outcome.conclusion {
                    Conclusion::Ended(ending) => ending.name(),
                    Conclusion::Held(_) => "held elsewhere",
                    Conclusion::NotBegun => "not begun",
                };
                stage.count(&format!("{when}: {ending}"));
            }
        }
        Ended::NothingToDo => stage.count(&format!("{when}: nothing to do")),
        Ended::Received(ruling) => stage.count(&format!("{when}: event ruled {ruling}")),
        Ended::Failed(_) => stage.count(&format!("{when}: failed before it began")),
    }
}

pub fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
