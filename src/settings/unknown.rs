//! What is said of a key that does not exist: the one that was probably meant, or those that there are.

use strsim::damerau_levenshtein;

/// More than a slip of the finger is another word; a short word allows for fewer.
const FARTHEST: usize = 3;

/// `known` are all keys with their sections.
pub fn hint(key: &str, known: &[&str]) -> String {
    let (section, name) = split(key);
    let distance = |other: &&&str| {
        let (other_section, other_name) = split(other);
        // In another section only the very same name is meant.
        let apart = damerau_levenshtein(name, other_name);
        if other_section == section {
            (apart, 0)
        } else if apart == 0 {
            (0, 1)
        } else {
            (damerau_levenshtein(key, other), 1)
        }
    };
    let nearest = known.iter().min_by_key(distance);
    if let Some(nearest) =
        nearest.filter(|it| distance(it).0 <= FARTHEST.min(1.max(name.len() / 3)))
    {
        return format!("did you mean `{nearest}`?");
    }
    if name.contains("key") || name.contains("secret") {
        return "no secret stands in this file: `connection.stripe_key_file` names a file that holds the key"
            .to_owned();
    }
    let beside: Vec<&str> = known
        .iter()
        .filter(|other| split(other).0 == section)
        .map(|other| split(other).1)
        .collect();
    if beside.is_empty() {
        return format!("there is no section `{section}`");
    }
    let place = if section.is_empty() {
        "at the top level".to_owned()
    } else {
        format!("in [{section}]")
    };
    format!("{place} there are {}", beside.join(", "))
}

/// `limits.rps` is `rps` of `limits`.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["currency", "limits", "limits.rps", "limits.concurrency"];

    #[test]
    fn the_nearest_key_is_named_and_otherwise_all_that_there_are() {
        assert_eq!(hint("curency", KNOWN), "did you mean `currency`?");
        assert_eq!(hint("limit", KNOWN), "did you mean `limits`?");
        assert_eq!(
            hint("limits.concurency", KNOWN),
            "did you mean `limits.concurrency`?"
        );
        assert_eq!(
            hint("concurrency", KNOWN),
            "did you mean `limits.concurrency`?"
        );
        assert_eq!(
            hint("limits.colour", KNOWN),
            "in [limits] there are rps, concurrency"
        );
        assert_eq!(
            hint("language", KNOWN),
            "at the top level there are currency, limits"
        );
        assert!(hint("stripe_api_key", KNOWN).contains("connection.stripe_key_file"));
    }
}
