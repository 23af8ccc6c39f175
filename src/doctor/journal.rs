//! relink's own tables: there, of this version and open to this role, or something that the first commit makes.

use super::check::{Check, Trouble};
use super::facts::{Finding, JournalFacts};

const BY_OWNER: &str = "have the database's owner run what `relink doctor --print-sql` prints";

pub(super) fn check(finding: &Finding<JournalFacts>) -> Check {
    const NAME: &str = "journal";
    Check::of(NAME, finding, |facts| judge(NAME, facts))
}

fn judge(name: &'static str, facts: &JournalFacts) -> Check {
    match facts {
        JournalFacts::Absent { may_create: true } => {
            Check::passed(name, "not there yet: the first --commit makes it")
        }
        JournalFacts::Absent { may_create: false } => Check::failed(
            name,
            Trouble::Configuration,
            "not there, and this role may not make it",
            BY_OWNER,
        ),
        JournalFacts::Closed(why) => {
            Check::failed(name, Trouble::Permission, why.as_str(), BY_OWNER)
        }
        JournalFacts::Present {
            version, newest, ..
        } if version > newest => Check::failed(
            name,
            Trouble::Configuration,
            format!("of version {version}, and {newest} is the newest that this relink knows"),
            "use the relink that wrote it, or a newer one",
        ),
        JournalFacts::Present {
            version,
            newest,
            may_upgrade,
            ..
        } if version < newest => match may_upgrade {
            true => Check::passed(
                name,
                format!("of version {version}: the next --commit makes it {newest}"),
            ),
            false => Check::failed(
                name,
                Trouble::Configuration,
                format!(
                    "of version {version}, relink needs {newest}, and this role may not upgrade it"
                ),
                BY_OWNER,
            ),
        },
        JournalFacts::Present {
            missing_rights: Some(missing),
            ..
        } => Check::failed(
            name,
            Trouble::Permission,
            format!("this role lacks {missing}"),
            BY_OWNER,
        ),
        JournalFacts::Present { version, .. } => {
            Check::passed(name, format!("of version {version}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn present(version: u32, may_upgrade: bool, missing: Option<&str>) -> JournalFacts {
        JournalFacts::Present {
            version,
            newest: 3,
            may_upgrade,
            missing_rights: missing.map(str::to_owned),
        }
    }

    #[test]
    fn a_journal_is_ready_or_made_ready_by_a_commit_or_by_its_owner() {
        let outcome = |facts| judge("journal", &facts).outcome;
        let configuration = Outcome::Failed(Trouble::Configuration);
        let permission = Outcome::Failed(Trouble::Permission);
        let absent = |may_create| JournalFacts::Absent { may_create };
        assert_eq!(outcome(absent(true)), Outcome::Passed);
        assert_eq!(outcome(absent(false)), configuration);
        assert_eq!(outcome(JournalFacts::Closed("no".to_owned())), permission);
        assert_eq!(outcome(present(3, false, None)), Outcome::Passed);
        assert_eq!(
            outcome(present(3, true, Some("UPDATE on relink.runs"))),
            permission
        );
        assert_eq!(outcome(present(2, true, None)), Outcome::Passed);
        assert_eq!(outcome(present(2, false, None)), configuration);
        assert_eq!(outcome(present(4, true, None)), configuration);
    }
}
