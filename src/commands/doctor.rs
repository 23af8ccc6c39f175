//! `relink doctor`: for now, the SQL that makes the journal's tables. Connects to nothing.

use secrecy::SecretString;

use crate::cli::{Common, DoctorArgs};
use crate::config;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::store::Store;

use super::Context;

pub fn run(args: &DoctorArgs, common: &Common, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let url = match &common.sandbox {
        // The sandbox's database is a SQLite file, and its tables do not depend on where it lies.
        Some(_) => SecretString::from("sqlite://sandbox.db".to_owned()),
        None => config::database_url(common)?,
    };
    let sql = Store::journal_sql(&url, args.role.as_deref())?;
    context.ui.text(&sql)?;
    Ok(ExitStatus::Done)
}
