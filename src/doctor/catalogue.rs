//! The database and its tables: reached, complete, of types that relink can work with.
//!
//! Each kind of defect is one check that names everything it found, so that a person mends a schema once.

use super::check::{Check, Trouble};
use super::columns::{misfit, too_short};
use super::facts::{Catalogue, ColumnFacts, Facts, Kind, Need};

const SCHEMA: &str = "check that DATABASE_URL names the application's database, that `search_path` reaches its schema, \
                      and that its migrations have run";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let of = |name, judge: fn(&'static str, &Catalogue) -> Check| {
        Check::of(name, &facts.catalogue, |catalogue| judge(name, catalogue))
    };
    vec![
        Check::of("database", &facts.database, |place| {
            let version = facts.catalogue.found();
            let version = version.map_or_else(String::new, |found| format!(", {}", found.version));
            Check::passed("database", format!("{}{version}", place.shown))
        }),
        of("tables", tables),
        of("columns", columns),
        of("types", types),
        of("lengths", lengths),
        of("times", times),
    ]
}

fn tables(name: &'static str, catalogue: &Catalogue) -> Check {
    let missing: Vec<String> = catalogue
        .missing_tables
        .iter()
        .map(|table| format!("`{table}`"))
        .collect();
    if !missing.is_empty() {
        let found = format!("missing: {}", missing.join(", "));
        return Check::failed(name, Trouble::Configuration, found, SCHEMA);
    }
    let doubled = catalogue.doubled_tables.iter();
    let doubled: Vec<String> = doubled
        .map(|(one, other)| format!("`{one}` and `{other}` are one table"))
        .collect();
    if !doubled.is_empty() {
        let remedy = "let each of relink's tables stand for one of the database's: [schema.tables] of the configuration \
                      file says which";
        return Check::failed(name, Trouble::Configuration, doubled.join("; "), remedy);
    }
    Check::passed(name, format!("all {} that relink reads", catalogue.tables))
}

/// Columns of a table that is missing are not missing once more.
fn columns(name: &'static str, catalogue: &Catalogue) -> Check {
    let missing = |column: &&ColumnFacts| column.found.is_none() && column.is_required();
    let missing: Vec<String> = catalogue
        .columns
        .iter()
        .filter(missing)
        .map(|column| format!("`{}`", column.path))
        .collect();
    if !missing.is_empty() {
        let found = format!("missing: {}", missing.join(", "));
        return Check::failed(name, Trouble::Configuration, found, SCHEMA);
    }
    let Some(known) = of_found_tables(catalogue) else {
        return no_table(name);
    };
    Check::passed(name, format!("all {known} that relink reads"))
}

/// How many columns can be looked at; `None` without any table.
fn of_found_tables(catalogue: &Catalogue) -> Option<usize> {
    let required = |column: &&ColumnFacts| column.is_required();
    let count = catalogue.columns.iter().filter(required).count();
    Some(count).filter(|count| *count > 0)
}

fn no_table(name: &'static str) -> Check {
    Check::not_checked(name, "there is no table of the application")
}

fn types(name: &'static str, catalogue: &Catalogue) -> Check {
    if of_found_tables(catalogue).is_none() {
        return no_table(name);
    }
    let wrong = catalogue.columns.iter().filter_map(|column| {
        let why = misfit(
            catalogue.database,
            column.need,
            &column.words,
            column.found.as_ref()?,
        )?;
        Some(format!("`{}` {why}", column.path))
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        return Check::passed(name, "each column can hold what it is for");
    }
    Check::failed(
        name,
        Trouble::Configuration,
        wrong.join("; "),
        "relink reads the tables as the application's migrations make them; a view with the expected types may stand \
         for a table that is only read",
    )
}

/// Only a URL that does not fit stops relink: it finds out after it has minted.
fn lengths(name: &'static str, catalogue: &Catalogue) -> Check {
    let short: Vec<(&ColumnFacts, u32, u32)> = catalogue
        .columns
        .iter()
        .filter_map(|column| {
            let found = column.found.as_ref()?;
            Some((column, found.length?, too_short(column.need, found)?))
        })
        .collect();
    let told: Vec<String> = short
        .iter()
        .map(|(column, length, needed)| {
            format!("`{}` holds {length} characters, not {needed}", column.path)
        })
        .collect();
    if told.is_empty() {
        let looked_at = |column: &ColumnFacts| {
            column.found.is_some() && matches!(column.need, Need::Url(_) | Need::StripeId)
        };
        return if catalogue.columns.iter().any(looked_at) {
            Check::passed(name, "a link's URL and Stripe's ids fit their columns")
        } else {
            Check::not_checked(name, "there is no column that a link is written to")
        };
    }
    let (found, remedy) = (
        told.join("; "),
        "widen the columns in the application's migrations",
    );
    if short
        .iter()
        .any(|(column, ..)| matches!(column.need, Need::Url(_)))
    {
        Check::failed(name, Trouble::Configuration, found, remedy)
    } else {
        Check::warned(name, found, remedy)
    }
}

/// The driver's session is in UTC, so a time without a zone is read and written as UTC.
fn times(name: &'static str, catalogue: &Catalogue) -> Check {
    let moments = catalogue
        .columns
        .iter()
        .filter(|column| column.need == Need::Moment)
        .filter_map(|column| Some((column, column.found.as_ref()?)));
    let moments: Vec<_> = moments.collect();
    if moments.is_empty() {
        return Check::not_checked(name, "there is no column that holds a time");
    }
    let local: Vec<String> = moments
        .iter()
        .filter(|(_, found)| found.kind == Kind::LocalMoment)
        .map(|(column, _)| format!("`{}`", column.path))
        .collect();
    if local.is_empty() {
        return Check::passed(
            name,
            "each is a point in time, or UTC by SQLAlchemy's habit",
        );
    }
    Check::warned(
        name,
        format!(
            "without a time zone: {}; relink reads and writes them as UTC",
            local.join(", ")
        ),
        "nothing, if the application keeps UTC there; else times that relink shows and `paid_at` are off by the zone",
    )
}
