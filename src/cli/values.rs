//! Values on the command line that clap has no parser for: moments, durations, a path that may be empty.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PathBufValueParser, TypedValueParser};
use secrecy::SecretString;

use crate::domain::Timestamp;

/// A moment on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    /// Seconds before now.
    Ago(i64),
}

/// `--sandbox` without a value is the empty path; clap's own parser of paths refuses that.
pub(super) fn path_or_empty() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A file that is written: `-`, which elsewhere is standard input, would be made one of that name.
pub(super) fn parse_new_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            Err("a plan is written to a file, not to standard output")
        } else {
            Ok(path)
        }
    })
}

/// A text that may hold a password, and that nothing prints.
#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
pub(super) fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

pub(super) fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(seconds) = parse_duration(text) {
        return Ok(Moment::Ago(seconds));
    }
    let moment: Result<jiff::Timestamp, _> = text.parse();
    match moment {
        Ok(moment) => Ok(Moment::At(Timestamp(moment.as_second()))),
        Err(_) => Err(
            "expected a time such as `2026-03-14T02:00:00Z`, or a duration with its unit such as `24h`"
                .to_owned(),
        ),
    }
}

/// Seconds from `90s`, `30m`, `2h`, `1d` or `0`. A bare `15` may be meant in minutes: taken for seconds it would close a page
/// on which somebody types a card number.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: i64 = digits
        .parse()
        .map_err(|_| "expected a duration such as `30m`, `2h` or `0s`".to_owned())?;
    let scale = match unit {
        "" if number == 0 => 1,
        "" => {
            return Err(format!(
                "the unit is missing (s, m, h or d): `{number}m` is {number} minutes"
            ));
        }
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("unknown unit: use s, m, h or d".to_owned()),
    };
    number
        .checked_mul(scale)
        .filter(|seconds| *seconds <= 365 * 86_400)
        .ok_or_else(|| "longer than a year".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_while_ago() {
        assert_eq!(parse_moment("24h"), Ok(Moment::Ago(86_400)));
        let at = Moment::At(Timestamp(1_773_453_600));
        assert_eq!(parse_moment("2026-03-14T02:00:00Z"), Ok(at));
        for text in ["yesterday", "2026-03-14", "-3h", "24"] {
            assert!(parse_moment(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(parse_duration("30m"), Ok(1800));
        assert_eq!(parse_duration("0s"), Ok(0));
        assert_eq!(parse_duration("0"), Ok(0));
        assert_eq!(parse_duration("2h"), Ok(7200));
        for text in [
            "",
            "m",
            "15",
            "-5m",
            "5w",
            "1.5h",
            "99999999999999999999s",
            "400d",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?} was accepted");
        }
    }
}
