//! A plan that comes page by page, shown as it comes: of a million orders, no more than a page is held.
//!
//! The last page is shown only with the sums, so that a plan of one page is printed in one piece or not at all. One JSON
//! document is never begun before its end is there: its pages wait in a file without a name. A table of several pages has
//! its header on each.

use std::io;

use super::json::{self, PlanDocument};
use super::stdout::{Reader, print_all, print_for};
use super::{Format, NextStep, Ui, plan};
use crate::files::Spool;
use crate::plan::{Plan, Tally};

pub struct Pages<'a> {
    ui: Ui,
    with_connection: &'a dyn Fn(&str) -> String,
    held: Option<Plan>,
    has_begun: bool,
    /// Of a JSON document, all pages before the last one.
    waiting: Option<Spool>,
}

impl Ui {
    /// `with_connection` completes a suggested command.
    #[must_use]
    pub fn pages<'a>(&self, with_connection: &'a dyn Fn(&str) -> String) -> Pages<'a> {
        Pages {
            ui: *self,
            with_connection,
            held: None,
            has_begun: false,
            waiting: None,
        }
    }
}

impl Pages<'_> {
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn add(&mut self, page: Plan) -> io::Result<Reader> {
        let Some(before) = self.held.replace(page) else {
            return Ok(Reader::Listens);
        };
        let text = self.text_of(&before)?;
        if self.ui.format != Format::Json {
            return print_for(&text);
        }
        match &mut self.waiting {
            Some(waiting) => waiting.add(&text)?,
            None => self.waiting.insert(Spool::new()?).add(&text)?,
        }
        Ok(Reader::Listens)
    }

    /// `plan` has what belongs to no order, and `tally` is of everything.
    ///
    /// # Errors
    /// stdout cannot be written to; a closed pipe is no error.
    pub fn end(mut self, plan: &Plan, tally: &Tally, next: &NextStep) -> io::Result<()> {
        if self.ui.has_nothing_to_say(plan, tally) {
            return Ok(());
        }
        if let Some(waiting) = self.waiting.take()
            && print_all(waiting.read()?)? == Reader::IsGone
        {
            return Ok(());
        }
        if let Some(last) = self.held.take()
            && print_for(&self.text_of(&last)?)? == Reader::IsGone
        {
            return Ok(());
        }
        let complete = self.with_connection;
        let rest = || PlanDocument::of_pages(plan, tally, None, next, complete);
        let text = match self.ui.format {
            Format::Table | Format::Wide => plan::rest(plan, tally, None, next, self.ui.stdout),
            Format::Json => self.closing(&rest())?,
            Format::Jsonl => json::rest_line(&rest())?,
            // With the header, where there was no order.
            Format::Csv if !self.has_begun => json::csv(&rest(), self.ui.headers)?,
            Format::Csv | Format::Ids => return Ok(()),
        };
        print_for(&text).map(drop)
    }

    fn text_of(&mut self, page: &Plan) -> io::Result<String> {
        let is_first = !self.has_begun;
        // Where only what needs somebody is to be said, a page without it is passed over.
        if page.decisions.is_empty() || self.ui.has_nothing_to_say(page, &Tally::of(page)) {
            return Ok(String::new());
        }
        self.has_begun = true;
        let next = NextStep::default();
        let complete = self.with_connection;
        let document = || PlanDocument::new(page, None, &next, complete);
        let text = match self.ui.format {
            Format::Table | Format::Wide => plan::table(page, self.ui.stdout),
            Format::Json => opening(page, is_first)? + &json::between(&document(), is_first)?,
            Format::Jsonl => json::item_lines(&document())?,
            Format::Csv => json::csv(&document(), self.ui.headers && is_first)?,
            Format::Ids => json::ids(&document())?,
        };
        Ok(text)
    }

    /// The end of the document, and its beginning where nothing was shown.
    fn closing(&self, rest: &PlanDocument<'_>) -> io::Result<String> {
        if !self.has_begun {
            return json::render(rest);
        }
        let (_, tail) = json::around(rest)?;
        Ok(format!("\n  {tail}"))
    }
}

fn opening(page: &Plan, is_first: bool) -> io::Result<String> {
    if !is_first {
        return Ok(String::new());
    }
    let next = NextStep::default();
    let bare = page.without_orders();
    let (head, _) = json::around(&PlanDocument::new(&bare, None, &next, &str::to_owned))?;
    Ok(head)
}
