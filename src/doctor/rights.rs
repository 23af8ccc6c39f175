//! What this role, or this user of the operating system, may do with the application's tables.
//!
//! The receiver's rights are only warned about: whoever lets the application record payments does not need them.

use super::check::{Check, Trouble};
use super::facts::{Catalogue, ColumnFacts, Database, Durability, Facts, Found, Use, Writing};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let of = |name, judge: fn(&'static str, &Catalogue) -> Check| {
        Check::of(name, &facts.catalogue, |catalogue| judge(name, catalogue))
    };
    vec![
        of("select_rights", select),
        of("update_rights", update),
        of("receiver_rights", receiver),
        of("durability", durability),
    ]
}

fn select(name: &'static str, catalogue: &Catalogue) -> Check {
    let Some(role) = of_role(name, catalogue) else {
        return Check::passed(name, "SQLite knows no roles, and the file can be read");
    };
    let role = match role {
        Ok(role) => role,
        Err(check) => return check,
    };
    let closed = lacking(catalogue, |column, found| {
        column.uses.is_required() && !found.may_select
    });
    if !closed.is_empty() {
        let found = format!("{role} may not read {}", closed.join(", "));
        let remedy = format!("GRANT SELECT on the application's tables to {role}");
        return Check::failed(name, Trouble::Permission, found, remedy);
    }
    if !catalogue.filtered.is_empty() {
        let found = format!(
            "row-level security filters what {role} sees of {}",
            catalogue.filtered.join(", ")
        );
        return Check::warned(
            name,
            found,
            "make sure that every order is seen: one that is hidden is in no plan and settled by no event",
        );
    }
    Check::passed(name, format!("{role} may read all of it"))
}

fn update(name: &'static str, catalogue: &Catalogue) -> Check {
    if let Some(check) = cannot_write(name, &catalogue.writing) {
        return check;
    }
    let linked = |column: &ColumnFacts| matches!(column.uses, Use::Link | Use::Touched);
    let fixed = lacking(catalogue, |column, found| {
        linked(column) && !found.is_updatable
    });
    if !fixed.is_empty() {
        return Check::failed(
            name,
            Trouble::Configuration,
            read_through_a_view(&fixed),
            format!("{NAME_THE_TABLE}, unless only dry runs are meant"),
        );
    }
    let Some(role) = of_role(name, catalogue) else {
        return Check::passed(name, "the file and its folder can be written");
    };
    let role = match role {
        Ok(role) => role,
        Err(check) => return check,
    };
    let closed = lacking(catalogue, |column, found| {
        linked(column) && !found.may_update
    });
    if closed.is_empty() {
        return Check::passed(name, format!("{role} may store a link, and lock its row"));
    }
    Check::failed(
        name,
        Trouble::Permission,
        format!("{role} may not update {}", closed.join(", ")),
        format!(
            "GRANT UPDATE on `{}` to {role}, unless only dry runs are meant: those need SELECT alone",
            orders_table(catalogue)
        ),
    )
}

fn receiver(name: &'static str, catalogue: &Catalogue) -> Check {
    let written = |uses| matches!(uses, Use::Payment | Use::ReceiverOnly);
    let missing: Vec<String> = catalogue
        .columns
        .iter()
        .filter(|column| written(column.uses) && column.found.is_none())
        .map(|column| format!("`{}`", column.path))
        .collect();
    const UNLESS: &str =
        "unless the application itself records payments: `relink webhook serve` would not start";
    if !missing.is_empty() {
        let found = format!("missing: {}", missing.join(", "));
        return Check::warned(name, found, format!("add the column, {UNLESS}"));
    }
    if catalogue.writing != Writing::Possible {
        return Check::not_checked(name, "nothing can be written here at all");
    }
    let fixed = lacking(catalogue, |column, found| {
        written(column.uses) && !found.is_updatable
    });
    if !fixed.is_empty() {
        let remedy = format!("{NAME_THE_TABLE}, {UNLESS}");
        return Check::warned(name, read_through_a_view(&fixed), remedy);
    }
    let Some(role) = of_role(name, catalogue) else {
        return Check::passed(name, "a payment can be recorded");
    };
    let role = match role {
        Ok(role) => role,
        Err(check) => return check,
    };
    let closed = lacking(catalogue, |column, found| {
        written(column.uses) && !found.may_update
    });
    if closed.is_empty() {
        return Check::passed(name, format!("{role} may record a payment"));
    }
    Check::warned(
        name,
        format!("{role} may not update {}", closed.join(", ")),
        format!(
            "GRANT UPDATE on `{}` to {role}, {UNLESS}",
            orders_table(catalogue)
        ),
    )
}

const NAME_THE_TABLE: &str =
    "name the table itself under [schema.tables] of the configuration file";

fn read_through_a_view(columns: &[String]) -> String {
    let columns = columns.join(", ");
    format!("a view stands for the table, and nothing can be changed through it: {columns}")
}

/// As this database calls it.
fn orders_table(catalogue: &Catalogue) -> &str {
    let link = catalogue.columns.iter().find(|c| c.uses == Use::Link);
    let table = link.and_then(|column| column.path.rsplit_once('.'));
    table.map_or("orders", |(table, _)| table)
}

fn durability(name: &'static str, catalogue: &Catalogue) -> Check {
    outlives_a_crash(name, catalogue.durability)
}

fn outlives_a_crash(name: &'static str, durability: Durability) -> Check {
    match durability {
        Durability::OnDisk => Check::passed(name, "a commit is answered once it is on disk"),
        Durability::NeverSynced => Check::warned(
            name,
            "the server never waits for its disk (fsync is off): after a crash of its host, requests to Stripe may be in no \
             journal, and the database may be broken",
            "have the server's owner set fsync = on",
        ),
        Durability::AnsweredEarly => Check::failed(
            name,
            Trouble::Configuration,
            "commits are answered before they are on disk (synchronous_commit is off): after a crash, requests to \
             Stripe would be in no journal",
            "have the owner run ALTER ROLE … SET synchronous_commit = on for relink's role",
        ),
    }
}

/// The role, quoted, or what to say where no table is there to have rights on; `None` where there are no roles.
fn of_role(name: &'static str, catalogue: &Catalogue) -> Option<Result<String, Check>> {
    if catalogue.database == Database::Sqlite {
        return None;
    }
    if catalogue
        .columns
        .iter()
        .all(|column| column.found.is_none())
    {
        let why = "there is no table of the application";
        return Some(Err(Check::not_checked(name, why)));
    }
    let role = catalogue.role.as_deref().unwrap_or("the role");
    Some(Ok(format!("`{role}`")))
}

fn cannot_write(name: &'static str, writing: &Writing) -> Option<Check> {
    match writing {
        Writing::Possible => None,
        Writing::ReadOnly(why) => Some(Check::failed(
            name,
            Trouble::Configuration,
            why.as_str(),
            "give relink an address that it may write to, unless only dry runs are meant",
        )),
        Writing::Denied(why) => Some(Check::failed(
            name,
            Trouble::Permission,
            why.as_str(),
            "let the user that runs relink write the file and its folder, unless only dry runs are meant",
        )),
    }
}

fn lacking(catalogue: &Catalogue, such: impl Fn(&ColumnFacts, &Found) -> bool) -> Vec<String> {
    let columns = catalogue.columns.iter();
    let closed = columns.filter(|column| {
        column
            .found
            .as_ref()
            .is_some_and(|found| such(column, found))
    });
    closed.map(|column| format!("`{}`", column.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_that_a_crash_undoes_are_told_of_by_how_little_it_takes() {
        let of = |durability| outlives_a_crash("durability", durability).outcome;
        use super::super::Outcome;
        assert_eq!(of(Durability::OnDisk), Outcome::Passed);
        assert_eq!(of(Durability::NeverSynced), Outcome::Warned);
        let failed = Outcome::Failed(Trouble::Configuration);
        assert_eq!(of(Durability::AnsweredEarly), failed);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_setting_or_a_right() {
        let of = |writing| cannot_write("x", &writing).map(|check| check.outcome);
        let failed = |trouble| Some(super::super::Outcome::Failed(trouble));
        assert_eq!(of(Writing::Possible), None);
        let read_only = Writing::ReadOnly("a standby".to_owned());
        assert_eq!(of(read_only), failed(Trouble::Configuration));
        let denied = Writing::Denied("the folder".to_owned());
        assert_eq!(of(denied), failed(Trouble::Permission));
    }
}
