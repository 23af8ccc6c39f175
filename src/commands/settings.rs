//! `relink doctor --config`: every setting with its source. Opens nothing, and shows no secret.

use crate::cli::Common;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::settings::{Listing, Subject};

use super::Context;

pub fn show(common: &Common, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let listing = Listing::of(&Subject {
        common,
        environment: context.environment,
        settings: &context.settings,
        typed: &context.command_line,
    });
    context.ui.settings(&listing)?;
    Ok(if listing.is_usable() {
        ExitStatus::Done
    } else {
        ExitStatus::Configuration
    })
}
