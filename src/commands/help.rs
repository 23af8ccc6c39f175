//! `relink help TOPIC`. The help of a command never comes here: the argument parser answers it.

use crate::cli::Topic;
use crate::error::Error;
use crate::exit::ExitStatus;

use super::Context;

pub fn run(topic: Topic, context: &Context<'_>) -> Result<ExitStatus, Error> {
    match topic {
        Topic::ExitCodes => context.ui.exit_codes()?,
        Topic::Environment => context.ui.environment()?,
        Topic::Json => context.ui.documents()?,
    }
    Ok(ExitStatus::Done)
}
