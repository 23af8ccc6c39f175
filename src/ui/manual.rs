//! Manual pages, one per command, made from the same texts as the help. Plain ASCII: a page must not depend on the
//! locale of whoever formats it.

use std::io;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::topics;

/// What is left between the margins of a page on a terminal of 80 columns.
const WIDTH: usize = 70;
const PROGRAM: &str = "relink";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualPage {
    /// `relink-journal-show.1`
    pub file: String,
    pub text: String,
}

/// The main page first, then one for each command below it. What `relink help` is followed by has pages already.
///
/// # Errors
/// A page cannot be rendered; in memory nothing keeps it from being.
pub fn manual_pages(mut command: clap::Command) -> io::Result<Vec<ManualPage>> {
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, pages: &mut Vec<ManualPage>) -> io::Result<()> {
    pages.push(page(command)?);
    if command.get_name() != "help" {
        for below in command.get_subcommands() {
            add(below, pages)?;
        }
    }
    Ok(())
}

fn page(command: &clap::Command) -> io::Result<ManualPage> {
    let is_main = command.get_name() == PROGRAM;
    let man = Man::new(command.clone())
        .source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")))
        .manual("relink manual");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() && command.get_name() != "help" {
        man.render_subcommands_section(&mut text)?;
    }
    if is_main {
        verbatim("EXIT STATUS", &topics::exit_codes(WIDTH)).to_writer(&mut text)?;
        verbatim("ENVIRONMENT", &topics::environment(WIDTH)).to_writer(&mut text)?;
        verbatim("DOCUMENTS", &topics::documents(WIDTH)).to_writer(&mut text)?;
    }
    verbatim("EXAMPLES", &examples(command)).to_writer(&mut text)?;
    if let Some(version) = command.get_long_version() {
        verbatim("VERSION", version).to_writer(&mut text)?;
    }
    see_also(command).to_writer(&mut text)?;
    Ok(ManualPage {
        file: man.get_filename(),
        text: ascii(&once_introduced(&String::from_utf8_lossy(&text))),
    })
}

/// The lines as they stand, without filling.
fn verbatim(heading: &str, lines: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff
}

/// The examples of a command's help; a first line that only says that they are some is the page's heading already.
fn examples(command: &clap::Command) -> String {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let is_heading = |line: &str| matches!(line, "Example:" | "Examples:");
    let rest = text.split_once('\n').filter(|(first, _)| is_heading(first));
    rest.map_or(text.as_str(), |(_, rest)| rest).to_owned()
}

fn see_also(command: &clap::Command) -> Roff {
    let mut pages = Vec::new();
    let own = command.get_display_name().unwrap_or(PROGRAM);
    let mut above = own;
    while let Some((parent, _)) = above.rsplit_once('-') {
        pages.push(parent.to_owned());
        above = parent;
    }
    pages.reverse();
    if command.get_name() != "help" {
        let below = command.get_subcommands();
        pages.extend(below.map(|below| format!("{own}-{}", below.get_name())));
    }
    let pages: Vec<String> = pages.iter().map(|page| format!("{page}(1)")).collect();
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"])
        .text([roman(pages.join(", "))]);
    roff
}

/// Each section is rendered by itself and brings the definition of an apostrophe; a page needs one.
fn once_introduced(text: &str) -> String {
    let introduction = Roff::new().render();
    format!("{introduction}{}", text.replace(&introduction, ""))
}

fn ascii(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            page.push(c);
        } else {
            page.push_str(&format!("\\[u{:04X}]", u32::from(c)));
        }
    }
    page
}
