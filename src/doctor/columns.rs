//! Whether a column's type can hold what relink reads and writes there, by what its statements do with it.
//!
//! SQLite keeps almost any value in almost any column, so little is wrong there; what is, turns every order invalid.

use super::facts::{Database, Found, Kind, Need};

/// What is wrong with the type; `None` where nothing is.
pub(super) fn misfit(
    database: Database,
    need: Need,
    needed: &[String],
    found: &Found,
) -> Option<String> {
    let wrong = |needed: &str| {
        Some(format!(
            "is `{}`, and relink needs {needed}",
            found.declared
        ))
    };
    let is_sqlite = database == Database::Sqlite;
    match (need, &found.kind) {
        (Need::Shown, _) | (_, Kind::Anything) => None,
        (Need::Id | Need::Amount, Kind::Integer) => None,
        (Need::Id | Need::Amount, Kind::Text) if is_sqlite => None,
        (Need::Id, _) => wrong("an integer"),
        (Need::Amount, _) => wrong("a whole number of minor units, such as an integer"),
        (Need::Word | Need::Url(_) | Need::StripeId, Kind::Text) => None,
        (Need::Word, Kind::Words(words)) => lacking(needed, words),
        (Need::Word | Need::Url(_) | Need::StripeId, _) if is_sqlite => None,
        (Need::Word, _) => wrong("text or an enum"),
        (Need::Url(_) | Need::StripeId, _) => wrong("text"),
        (Need::Flag, Kind::Boolean | Kind::Integer | Kind::Text) => None,
        (Need::Flag, _) => wrong("a boolean"),
        (Need::Moment, Kind::Moment | Kind::LocalMoment) => None,
        (Need::Moment, Kind::Text) if is_sqlite => None,
        (Need::Moment, _) => wrong("a timestamp"),
    }
}

fn lacking(needed: &[String], words: &[String]) -> Option<String> {
    let missing: Vec<String> = needed
        .iter()
        .filter(|word| !words.iter().any(|known| known == *word))
        .map(|word| format!("`{word}`"))
        .collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "is an enum without {}: it knows {}",
        missing.join(" and "),
        words.join(", ")
    ))
}

/// Stripe promises that no id has more (docs.stripe.com/upgrades); those of today have less than 70.
const LONGEST_ID: u32 = 255;

/// The characters that it must hold where it holds fewer; `None` where there are enough.
pub(super) fn too_short(need: Need, found: &Found) -> Option<u32> {
    let needed = match need {
        Need::Url(needed) => needed,
        Need::StripeId => LONGEST_ID,
        _ => return None,
    };
    found
        .length
        .filter(|length| *length < needed)
        .map(|_| needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind) -> Found {
        Found {
            declared: "thing".to_owned(),
            kind,
            length: None,
            may_select: true,
            may_update: true,
            is_updatable: true,
        }
    }

    fn needed() -> Vec<String> {
        vec!["pending".to_owned(), "paid".to_owned()]
    }

    fn fits(database: Database, need: Need, kind: Kind) -> bool {
        misfit(database, need, &needed(), &found(kind)).is_none()
    }

    #[test]
    fn keys_and_amounts_are_whole_numbers() {
        for need in [Need::Id, Need::Amount] {
            assert!(fits(Database::Postgres, need, Kind::Integer));
            for kind in [Kind::Fractional, Kind::Text, Kind::Boolean, Kind::Other] {
                assert!(!fits(Database::Postgres, need, kind));
            }
            assert!(fits(Database::Sqlite, need, Kind::Text));
            assert!(fits(Database::Sqlite, need, Kind::Anything));
            assert!(!fits(Database::Sqlite, need, Kind::Fractional));
        }
    }

    #[test]
    fn a_word_is_text_or_an_enum_that_knows_it() {
        let need = Need::Word;
        let words = |words: &[&str]| Kind::Words(words.iter().map(|w| (*w).to_owned()).collect());
        assert!(fits(Database::Postgres, need, Kind::Text));
        assert!(fits(
            Database::Postgres,
            need,
            words(&["paid", "x", "pending"])
        ));
        let said = misfit(
            Database::Postgres,
            need,
            &needed(),
            &found(words(&["PENDING", "paid"])),
        );
        assert_eq!(
            said.as_deref(),
            Some("is an enum without `pending`: it knows PENDING, paid")
        );
        assert!(!fits(Database::Postgres, need, Kind::Integer));
    }

    #[test]
    fn text_that_relink_writes_is_text() {
        assert!(fits(Database::Postgres, Need::Url(500), Kind::Text));
        assert!(!fits(
            Database::Postgres,
            Need::StripeId,
            Kind::Words(Vec::new())
        ));
        assert!(fits(Database::Sqlite, Need::StripeId, Kind::Integer));
    }

    #[test]
    fn a_moment_is_no_number() {
        assert!(fits(Database::Postgres, Need::Moment, Kind::LocalMoment));
        assert!(!fits(Database::Postgres, Need::Moment, Kind::Text));
        assert!(fits(Database::Sqlite, Need::Moment, Kind::Text));
        assert!(!fits(Database::Sqlite, Need::Moment, Kind::Integer));
    }

    #[test]
    fn a_column_is_too_short_below_its_need_and_never_without_a_limit() {
        let long = |length| Found {
            length,
            ..found(Kind::Text)
        };
        assert_eq!(too_short(Need::Url(500), &long(Some(499))), Some(500));
        assert_eq!(too_short(Need::Url(500), &long(Some(500))), None);
        assert_eq!(too_short(Need::Url(500), &long(None)), None);
        assert_eq!(too_short(Need::StripeId, &long(Some(254))), Some(255));
        assert_eq!(too_short(Need::Shown, &long(Some(1))), None);
    }
}
