//! Everything that a person or a program sees: the only place in relink that writes to stdout and stderr.
//!
//! stdout carries the result and nothing else; banner, notes, progress and questions go to stderr. Text from
//! the database or Stripe passes `sanitize` first. A reader that closes stdout early has had enough: that is
//! success, and ends quietly.

mod aside;
mod doctor;
mod ends;
mod explain;
mod format;
mod journal;
mod json;
mod look;
mod manual;
mod pages;
mod plan;
mod progress;
mod prompt;
mod replay;
mod report;
mod sanitize;
mod settings;
mod standing;
mod stdout;
mod talk;
#[cfg(test)]
mod tests;
mod topics;
mod words;

use std::io::{self, IsTerminal};

use dialoguer::console::Term;

pub use aside::Aside;
pub use explain::Explanation;
pub use format::{Format, Settings};
pub use journal::Runs;
pub use look::ColorChoice;
pub use look::count as counted;
pub use look::name as shortened;
pub use manual::{ManualPage, manual_pages};
pub use pages::Pages;
pub use progress::Progress;
pub use prompt::{Answer, NoTerminal, Question};
pub use replay::Tense;
pub use report::{detail as outcome_detail, outcome_words};
pub use standing::age;
pub use stdout::Reader;
pub use talk::{Banner, Stderr};

use crate::doctor::Diagnosis;
use crate::domain::OrderId;
use crate::plan::{Cost, Digest, Plan, Tally, Verdict};
use crate::receiver::Foreseen;
use crate::report::Report;
use crate::saved_plan::{Due, SavedPlan, Standing};
use crate::settings::Listing;
use crate::store::{History, RunEntry};
use crate::stripe::Pace;
use look::{Look, WIDE, wants_color};
use stdout::{print, print_json};

/// What to do next, as the last lines of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextStep {
    /// `relink regen --tournament-id 2 --sandbox --commit`
    pub command: Option<String>,
    pub note: Option<String>,
}

/// An incident, as a document tells it.
#[derive(Clone, Copy, Debug)]
pub struct Incident<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub order: Option<OrderId>,
    pub session: &'a str,
    pub detail: &'a serde_json::Value,
    pub is_resolved: bool,
}

/// What is put before whoever approves, besides the plan itself.
#[derive(Clone, Copy, Debug)]
pub struct Agreed<'a> {
    pub digest: &'a Digest,
    /// Of a saved plan: what of it is passed over.
    pub skipped: &'a [Due],
}

#[derive(Clone, Copy, Debug)]
pub struct Ui {
    format: Format,
    headers: bool,
    quiet: bool,
    stdout: Look,
    stderr: Look,
    stderr_is_terminal: bool,
}

impl Ui {
    /// Looks once at the environment and at both streams.
    #[must_use]
    pub fn new(settings: Settings) -> Ui {
        let variable = |name: &str| std::env::var(name).ok();
        let look = |term: &Term| {
            let is_terminal = term.is_term();
            let width = match term.size_checked() {
                Some((_, columns)) if is_terminal && columns > 0 => columns,
                _ => WIDE,
            };
            let is_wide = settings.format == Format::Wide;
            Look {
                color: wants_color(settings.color, variable, is_terminal),
                width: if is_wide { u16::MAX } else { width },
                is_wide,
                headers: settings.headers,
                show_pii: settings.show_pii,
            }
        };
        Ui {
            format: settings.format,
            headers: settings.headers,
            quiet: settings.quiet,
            stdout: look(&Term::stdout()),
            stderr: look(&Term::stderr()),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Whether stderr shows colours; for the logs, which go there too.
    #[must_use]
    pub fn colors_stderr(&self) -> bool {
        self.stderr.color
    }

    #[must_use]
    pub fn stderr_is_terminal(&self) -> bool {
        self.stderr_is_terminal
    }

    /// Whether a person has both the result and stderr on the screen.
    #[must_use]
    pub fn is_read_at_a_terminal(&self) -> bool {
        io::stdout().is_terminal() && self.stderr_is_terminal && self.is_for_people()
    }

    /// Whether the result is for a person to read, and not for a program.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        self.format.is_for_people()
    }

    /// `agreed` where a commit of this very plan could follow. `with_connection` completes a suggested command.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn plan(
        &self,
        plan: &Plan,
        agreed: Option<Agreed<'_>>,
        next: &NextStep,
        with_connection: &dyn Fn(&str) -> String,
    ) -> io::Result<()> {
        let skips = agreed.is_some_and(|agreed| !agreed.skipped.is_empty());
        if self.has_nothing_to_say(plan, &Tally::of(plan)) && !skips {
            return Ok(());
        }
        self.show(
            || plan::text(plan, agreed, next, self.stdout),
            || json::PlanDocument::new(plan, agreed, next, with_connection),
        )
    }

    /// The plan as a person reads it before a question. A program, which is asked none, is told by the report alone.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn plan_before_commit(&self, plan: &Plan, agreed: Agreed<'_>) -> io::Result<()> {
        if !self.is_for_people() {
            return Ok(());
        }
        // No single order's command is in it.
        self.plan(plan, Some(agreed), &NextStep::default(), &str::to_owned)
    }

    /// One order in full.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn explain(&self, explanation: &Explanation) -> io::Result<()> {
        self.show(
            || explain::text(explanation, self.stdout),
            || json::OrderDocument::new(explanation),
        )
    }

    /// How a saved plan stands.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn standing(
        &self,
        saved: &SavedPlan,
        standing: &Standing,
        next: &NextStep,
    ) -> io::Result<()> {
        self.show(
            || standing::text(saved, standing, next, self.stdout),
            || json::StandingDocument::new(saved, standing, next),
        )
    }

    /// Past runs.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn runs(&self, runs: &Runs) -> io::Result<()> {
        self.show(
            || journal::runs(runs, self.stdout),
            || json::RunsDocument::new(runs),
        )
    }

    /// One past run. `with_connection` completes a suggested command.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn run(
        &self,
        run: &RunEntry,
        history: &History,
        with_connection: impl Fn(&str) -> String,
    ) -> io::Result<()> {
        let next = journal::next(history, with_connection);
        self.show(
            || journal::run(run, history, &next, self.stdout),
            || json::RunDocument::new(run, history, next.clone()),
        )
    }

    /// What any run did for one order. `with_connection` completes a suggested command.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn order_history(
        &self,
        order: OrderId,
        history: &History,
        with_connection: impl Fn(&str) -> String,
    ) -> io::Result<()> {
        let next = journal::next(history, with_connection);
        self.show(
            || journal::order(history, &next, self.stdout),
            || json::OrderHistoryDocument::new(order, history, next.clone()),
        )
    }

    /// What `doctor` found.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn diagnosis(&self, diagnosis: &Diagnosis) -> io::Result<()> {
        self.show(
            || doctor::text(diagnosis, self.stdout),
            || json::DoctorDocument::new(diagnosis),
        )
    }

    /// Every setting with its source.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn settings(&self, listing: &Listing) -> io::Result<()> {
        self.show(
            || settings::text(listing, self.stdout),
            || json::SettingsDocument::new(listing),
        )
    }

    /// A text of our own, as it is.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn text(&self, text: &str) -> io::Result<()> {
        print(text)
    }

    /// How a run can end.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn exit_codes(&self) -> io::Result<()> {
        print(&topics::exit_codes(self.reading_width()))
    }

    /// The environment variables that are read.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn environment(&self) -> io::Result<()> {
        print(&topics::environment(self.reading_width()))
    }

    /// The JSON documents that are printed.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn documents(&self) -> io::Result<()> {
        print(&topics::documents(self.reading_width()))
    }

    fn reading_width(&self) -> usize {
        usize::from(self.stdout.width).min(topics::WIDEST)
    }

    /// A value as it is: JSON, whatever the format; in a stream of events, one of them.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn value(&self, value: &serde_json::Value) -> io::Result<()> {
        match self.format {
            Format::Jsonl => print(&json::line("object", value.clone())),
            _ => print_json(value),
        }
    }

    /// A checkout session of the sandbox, in one line for a person.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn session(
        &self,
        fact: &str,
        session: &serde_json::Value,
        next: &NextStep,
    ) -> io::Result<()> {
        self.show(
            || plan::fact(fact, next, self.stdout),
            || json::SessionDocument(session),
        )
    }

    /// An incident that a person ends, or would end, in one line.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn resolution(
        &self,
        fact: &str,
        incident: &Incident<'_>,
        next: &NextStep,
    ) -> io::Result<()> {
        self.show(
            || plan::fact(fact, next, self.stdout),
            || json::ResolutionDocument::new(incident, next),
        )
    }

    /// What missed events lead to, or led to.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn replay(&self, foreseen: &Foreseen, tense: Tense, next: &NextStep) -> io::Result<()> {
        self.show(
            || replay::text(foreseen, tense, next, self.stdout),
            || json::ReplayDocument::new(foreseen, tense, next),
        )
    }

    /// What a commit did. `with_connection` completes a suggested command.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn report(
        &self,
        report: &Report,
        with_connection: impl Fn(&str) -> String,
    ) -> io::Result<()> {
        let is_empty = report.outcomes.is_empty() && report.skipped.is_empty();
        if is_empty && self.has_nothing_to_say(&report.plan, &Tally::of(&report.plan)) {
            return Ok(());
        }
        match self.format {
            // The others were told as they ended.
            Format::Jsonl => print(&json::lines(&json::ReportDocument::of_untold(
                report,
                &with_connection,
            ))?),
            _ => self.show(
                || report::text(report, &with_connection, self.stdout),
                || json::ReportDocument::new(report, &with_connection),
            ),
        }
    }

    /// Quiet means silent where nothing would be done and nobody is needed: cron sends no mail then.
    fn has_nothing_to_say(&self, plan: &Plan, tally: &Tally) -> bool {
        self.quiet
            && self.format.is_for_people()
            && !tally.has_work()
            && plan.left_alone.is_empty()
            && tally.for_a_person() == 0
            // `regen` leaves it to `retire`, and somebody must be told to.
            && tally.with(Verdict::Leaked) == 0
    }

    fn show<D: json::Document>(
        &self,
        text: impl FnOnce() -> String,
        document: impl FnOnce() -> D,
    ) -> io::Result<()> {
        match self.format {
            Format::Table | Format::Wide => print(&text()),
            Format::Json => print_json(&document()),
            Format::Jsonl => print(&json::lines(&document())?),
            Format::Csv => print(&json::csv(&document(), self.headers)?),
            Format::Ids => print(&json::ids(&document())?),
        }
    }

    /// One or two lines on stderr: where this run reads and writes. Not when quiet.
    pub fn banner(&self, banner: &Banner) {
        if !self.quiet {
            talk::banner(banner, self.stderr);
        }
    }

    pub fn warn(&self, text: &str) {
        talk::line("warning", text, look::Hue::Attention, self.stderr);
    }

    /// A warning by a process that ends right after it.
    pub fn last_words(&self, text: &str) {
        talk::last_line("warning", text, look::Hue::Attention, self.stderr);
    }

    /// Not when quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            talk::line("note", text, look::Hue::Dim, self.stderr);
        }
    }

    /// What a commit would ask of Stripe, and for how long. Not when quiet.
    pub fn cost(&self, cost: &Cost, pace: Option<Pace>) {
        self.note(&words::cost(cost, pace));
    }

    /// Shows how far the run is: a bar on a terminal, else one line per 10 %; nothing when quiet.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let progress = if self.quiet {
            Progress::silent()
        } else if self.stderr_is_terminal {
            Progress::bar(self.stderr)
        } else {
            Progress::lines()
        };
        match self.format {
            Format::Jsonl => progress.telling_of_outcomes(),
            _ => progress,
        }
    }

    /// As long as it lives, nobody waits for whoever reads stderr.
    pub fn aside(&self) -> Aside {
        Aside::begin()
    }

    /// Whether there is somebody to ask: stdin and stderr are terminals.
    #[must_use]
    pub fn can_prompt(&self) -> bool {
        io::stdin().is_terminal() && self.stderr_is_terminal
    }

    /// Asks; the default is no. Blocks the thread. Ctrl-C raises SIGINT, so that a listener for it must be
    /// in place, or the process ends with the cursor hidden.
    ///
    /// # Errors
    /// There is no terminal: never taken for a yes.
    pub fn confirm(&self, question: &Question) -> Result<Answer, NoTerminal> {
        if !self.can_prompt() {
            return Err(NoTerminal);
        }
        Ok(prompt::ask(question, self.stderr))
    }

    /// A question in one line, below what was shown already.
    ///
    /// # Errors
    /// Nobody can be asked.
    pub fn ask(&self, question: &str) -> Result<Answer, NoTerminal> {
        if !self.can_prompt() {
            return Err(NoTerminal);
        }
        Ok(prompt::confirm(question))
    }
}
