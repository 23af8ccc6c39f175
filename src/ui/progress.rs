//! How far a run is, on stderr: a bar on a terminal, else one line per 10 %. Decides nothing. To stdout it writes only
//! where that is a stream of events: each order's outcome, as it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::aside::{Aside, say};
use super::look::Look;
use super::sanitize::clean;
use super::stdout::print_now;
use super::{json, report, talk};
use crate::events::{Event, Listener};

#[derive(Clone, Copy)]
enum Kind {
    Silent,
    Bar(Look),
    Lines,
}

/// Listens to one run, which never waits for whoever reads of it.
pub struct Progress {
    kind: Kind,
    /// stdout is a stream of events.
    tells_outcomes: bool,
    /// Looked at only where it is written, in the thread that writes.
    stage: Arc<Mutex<Stage>>,
    /// Last: it waits for what `drop` says as well.
    _aside: Aside,
}

#[derive(Default)]
struct Stage {
    what: &'static str,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn silent() -> Self {
        Progress::of(Kind::Silent)
    }

    pub(super) fn bar(look: Look) -> Self {
        Progress::of(Kind::Bar(look))
    }

    pub(super) fn lines() -> Self {
        Progress::of(Kind::Lines)
    }

    fn of(kind: Kind) -> Self {
        Progress {
            kind,
            tells_outcomes: false,
            stage: Arc::default(),
            _aside: Aside::begin(),
        }
    }

    pub(super) fn telling_of_outcomes(mut self) -> Self {
        self.tells_outcomes = true;
        self
    }

    fn begin(&self, what: &'static str, total: usize) {
        let (kind, stage) = (self.kind, Arc::clone(&self.stage));
        say(move || {
            let mut stage = lock(&stage);
            clear(&mut stage);
            let bar = match kind {
                Kind::Bar(_) => Some(new_bar(what, total)),
                Kind::Silent | Kind::Lines => None,
            };
            talk::keep_below(bar.clone());
            *stage = Stage {
                what,
                total,
                done: 0,
                bar,
            };
        });
    }

    fn advance(&self, line: Option<String>) {
        let (kind, stage) = (self.kind, Arc::clone(&self.stage));
        say(move || {
            let mut stage = lock(&stage);
            let before = stage.done;
            stage.done += 1;
            match kind {
                Kind::Silent => {}
                Kind::Bar(_) => {
                    if let Some(bar) = &stage.bar {
                        if let Some(line) = line {
                            bar.println(line);
                        }
                        bar.inc(1);
                    }
                }
                Kind::Lines => {
                    if let Some(line) = milestone(stage.what, before, stage.done, stage.total) {
                        talk::write_now(line.as_bytes());
                    }
                }
            }
        });
    }

    fn end(&self) {
        let stage = Arc::clone(&self.stage);
        say(move || clear(&mut lock(&stage)));
    }
}

impl Listener for Progress {
    fn hear(&self, event: Event<'_>) {
        match event {
            Event::Began { what, total } => self.begin(what, total),
            Event::Read => self.advance(None),
            Event::Ended(outcome) => {
                if self.tells_outcomes {
                    let told = json::outcome_line(outcome);
                    // A reader that went away is found by the report.
                    say(move || drop(print_now(told.as_bytes())));
                }
                let line = match self.kind {
                    Kind::Bar(look) => Some(report::line(outcome, look)),
                    Kind::Silent | Kind::Lines => None,
                };
                self.advance(line);
            }
            Event::Finished => self.end(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    // Counters stay usable whatever happened to another thread.
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

fn clear(stage: &mut Stage) {
    if let Some(bar) = stage.bar.take() {
        talk::keep_below(None);
        bar.finish_and_clear();
    }
}

fn new_bar(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
    let plain = ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len}");
    bar.set_style(
        plain
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    bar.set_message(clean(what).into_owned());
    bar
}

/// `reading orders: 20 % (4 of 20)` when a tenth was completed by this step.
fn milestone(what: &str, before: usize, done: usize, total: usize) -> Option<String> {
    let tenth = |n: usize| (n * 10).checked_div(total).unwrap_or(0);
    let percent = (done * 100).checked_div(total)?;
    (tenth(before) < tenth(done))
        .then(|| format!("{}: {percent} % ({done} of {total})\n", clean(what)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(total: usize) -> Vec<String> {
        (0..total)
            .filter_map(|n| milestone("reading orders", n, n + 1, total))
            .collect()
    }

    #[test]
    fn there_is_one_line_per_tenth() {
        let lines = lines(20);
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0], "reading orders: 10 % (2 of 20)\n");
        assert_eq!(lines[1], "reading orders: 20 % (4 of 20)\n");
        assert_eq!(lines[9], "reading orders: 100 % (20 of 20)\n");
    }

    #[test]
    fn a_few_orders_give_a_few_lines_and_none_gives_none() {
        assert_eq!(lines(3).len(), 3);
        assert_eq!(lines(0).len(), 0);
        assert_eq!(milestone("x", 0, 1, 0), None);
    }
}
