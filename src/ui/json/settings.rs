//! `relink.settings/1`: every setting with its value and its source. No secret is in it.

use serde::Serialize;

use super::shape::{Document, Shape, plain};
use crate::settings::{Line, Listing};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SettingsDocument<'a> {
    schema: &'static str,
    /// Null where there is none.
    file: Option<&'a str>,
    settings: Vec<Body<'a>>,
    /// Sections of the file that the sandbox does not use.
    unused_sections: &'a [&'static str],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Body<'a> {
    key: &'a str,
    /// Null where nothing is set.
    value: Option<&'a str>,
    /// `flag`, `environment`, `credential`, `file`, `default` or `sandbox`.
    source: &'static str,
    /// Which flag, variable, or line of the file.
    from: Option<&'a str>,
    /// False where the value cannot be used; it says why then.
    usable: bool,
}

impl Document for SettingsDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "settings",
        item: "setting",
        id: "/key",
        columns: &[
            plain("key", "/key"),
            plain("value", "/value"),
            plain("source", "/source"),
            plain("from", "/from"),
            plain("usable", "/usable"),
        ],
    };
}

impl<'a> SettingsDocument<'a> {
    #[must_use]
    pub fn new(listing: &'a Listing) -> Self {
        let Listing {
            file,
            lines,
            unused,
        } = listing;
        SettingsDocument {
            schema: "relink.settings/1",
            file: file.as_deref(),
            settings: lines.iter().map(Body::new).collect(),
            unused_sections: unused,
        }
    }
}

impl<'a> Body<'a> {
    fn new(line: &'a Line) -> Self {
        let Line {
            key,
            value,
            source,
            from,
            is_wrong,
        } = line;
        Body {
            key,
            value: value.as_deref(),
            source,
            from: from.as_deref(),
            usable: !is_wrong,
        }
    }
}
