//! `relink schema NAME`: the JSON Schema of a document. Reads and opens nothing.

use clap::ValueEnum;

use crate::cli::{SchemaArgs, SchemaName};
use crate::error::Error;
use crate::exit::ExitStatus;

use super::Context;

pub fn run(args: &SchemaArgs, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let text = match args.name {
        Some(name) => name.text().to_owned(),
        None => {
            let values = SchemaName::value_variants().iter();
            let names = values.filter_map(ValueEnum::to_possible_value);
            names.fold(String::new(), |text, name| text + name.get_name() + "\n")
        }
    };
    context.ui.text(&text)?;
    Ok(ExitStatus::Done)
}
