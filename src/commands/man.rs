//! `relink man`: the manual pages, the main one on stdout or all of them into a directory. Reads and opens nothing
//! else.

use std::path::Path;

use crate::cli::{self, ManArgs};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::files;
use crate::ui::{ManualPage, manual_pages};

use super::Context;

pub fn run(args: &ManArgs, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let pages = manual_pages(cli::command())?;
    match (&args.out, pages.first()) {
        (Some(directory), _) => write(&pages, directory, context)?,
        (None, Some(main)) => context.ui.text(&main.text)?,
        (None, None) => {}
    }
    Ok(ExitStatus::Done)
}

fn write(pages: &[ManualPage], directory: &Path, context: &Context<'_>) -> Result<(), Error> {
    files::make_directory(directory)?;
    for page in pages {
        files::write_atomically(
            &directory.join(&page.file),
            files::Kind::Page,
            page.text.as_bytes(),
            0o644,
        )?;
    }
    context.ui.note(&format!(
        "{} manual pages are in {}",
        pages.len(),
        directory.display()
    ));
    Ok(())
}
