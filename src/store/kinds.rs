//! From the names of the databases' types to what a type amounts to for relink.
//!
//! A type that is not known here is `Other`: nothing is guessed from its name.

use crate::doctor::Kind;

/// Of a type of PostgreSQL's catalogue (`pg_type.typname`), with its modifier (below 0: none) and the words of an
/// enum: what kind it is, and how many characters it holds where that is limited.
pub(super) fn postgres(base: &str, modifier: i64, words: Option<&str>) -> (Kind, Option<u32>) {
    if let Some(words) = words {
        let words = words.split('\u{1f}').map(str::to_owned).collect();
        return (Kind::Words(words), None);
    }
    let kind = match base {
        "int2" | "int4" | "int8" => Kind::Integer,
        "numeric" => numeric(modifier),
        "float4" | "float8" | "money" => Kind::Fractional,
        "text" | "varchar" | "bpchar" | "citext" | "name" => Kind::Text,
        "bool" => Kind::Boolean,
        "timestamptz" => Kind::Moment,
        "timestamp" | "date" => Kind::LocalMoment,
        _ => Kind::Other,
    };
    (kind, characters(base, modifier))
}

/// The modifier is 4 more than the number of characters.
fn characters(base: &str, modifier: i64) -> Option<u32> {
    match base {
        "varchar" | "bpchar" if modifier >= 4 => u32::try_from(modifier - 4).ok(),
        "name" => Some(63),
        _ => None,
    }
}

/// The scale stands in the modifier's lower 11 bits, once 4 is taken off; without one it is any.
fn numeric(modifier: i64) -> Kind {
    if modifier >= 4 && (modifier - 4) & 0x7ff == 0 {
        Kind::Integer
    } else {
        Kind::Fractional
    }
}

/// Of a type as it stands in SQLite's CREATE TABLE, by SQLite's own rules of affinity (sqlite.org/datatype3.html). A
/// length is a wish there, which the application may hold to.
pub(super) fn sqlite(declared: &str) -> (Kind, Option<u32>) {
    let name = declared.to_ascii_uppercase();
    let says = |part: &str| name.contains(part);
    let kind = if says("INT") {
        Kind::Integer
    } else if says("CHAR") || says("CLOB") || says("TEXT") {
        Kind::Text
    } else if says("REAL") || says("FLOA") || says("DOUB") {
        Kind::Fractional
    } else {
        Kind::Anything
    };
    let length = match kind {
        Kind::Text => within_parentheses(&name),
        _ => None,
    };
    (kind, length)
}

fn within_parentheses(name: &str) -> Option<u32> {
    let (_, rest) = name.split_once('(')?;
    let (number, _) = rest.split_once(')')?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_types_are_told_apart() {
        assert_eq!(postgres("int4", -1, None), (Kind::Integer, None));
        assert_eq!(postgres("varchar", 504, None), (Kind::Text, Some(500)));
        assert_eq!(postgres("varchar", -1, None), (Kind::Text, None));
        assert_eq!(postgres("timestamp", -1, None).0, Kind::LocalMoment);
        assert_eq!(postgres("timestamptz", -1, None).0, Kind::Moment);
        assert_eq!(postgres("uuid", -1, None).0, Kind::Other);
        let words = vec!["pending".to_owned(), "paid".to_owned()];
        let found = postgres("orderstatus", -1, Some("pending\u{1f}paid"));
        assert_eq!(found, (Kind::Words(words), None));
    }

    #[test]
    fn a_numeric_is_whole_only_where_its_scale_is_none() {
        let typmod = |precision: i64, scale: i64| ((precision << 16) | scale) + 4;
        assert_eq!(postgres("numeric", typmod(10, 0), None).0, Kind::Integer);
        assert_eq!(postgres("numeric", typmod(10, 2), None).0, Kind::Fractional);
        assert_eq!(postgres("numeric", -1, None).0, Kind::Fractional);
    }

    #[test]
    fn sqlite_goes_by_what_the_name_contains() {
        assert_eq!(sqlite("INTEGER"), (Kind::Integer, None));
        assert_eq!(sqlite("varchar(500)"), (Kind::Text, Some(500)));
        assert_eq!(sqlite("TEXT"), (Kind::Text, None));
        assert_eq!(sqlite("DOUBLE PRECISION").0, Kind::Fractional);
        for declared in ["DATETIME", "BOOLEAN", "NUMERIC", "BLOB", ""] {
            assert_eq!(sqlite(declared).0, Kind::Anything, "{declared}");
        }
    }
}
