//! How a run begins and ends for whoever reads: a failure on stderr, and for programs on stdout too; the first and the last
//! line of a stream of events.
//!
//! That nobody listens any more changes nothing about how the run ended.

use super::{Format, Ui, json, print, print_json, talk};
use crate::command_line::CommandLine;
use crate::exit::{ExitStatus, Failure};

impl Ui {
    /// Says on stderr why the run could not be carried out; with JSON, a JSON object on stdout says it too.
    pub fn failure(&self, failure: &Failure) {
        talk::failure(failure, self.stderr);
        self.failure_document(failure);
    }

    /// The run has failed already; that nobody listens changes nothing.
    fn failure_document(&self, failure: &Failure) {
        let document = json::ErrorDocument::new(failure);
        let _ = match self.format {
            Format::Json => print_json(&document),
            Format::Jsonl => print(&document.line()),
            Format::Table | Format::Wide | Format::Csv | Format::Ids => Ok(()),
        };
    }

    /// The first line of a stream of events. Nothing in any other format.
    pub fn begin(&self, command: &CommandLine) {
        if self.format == Format::Jsonl {
            let header = serde_json::json!({
                "schema": json::EVENTS,
                "version": env!("CARGO_PKG_VERSION"),
                "command": command.to_string(),
            });
            // A closed stdout is found by whatever is printed next.
            let _ = print(&json::line("header", header));
        }
    }

    /// The last line of a stream of events.
    pub fn end(&self, status: ExitStatus) {
        if self.format == Format::Jsonl {
            let summary = serde_json::json!({"exit_code": status.code(), "status": status});
            let _ = print(&json::line("summary", summary));
        }
    }

    /// A refusal that is already worded and coloured: the argument parser's. With JSON, stdout says it too.
    pub fn raw_error(&self, text: &str, failure: &Failure) {
        talk::write_stderr(text);
        self.failure_document(failure);
    }
}
