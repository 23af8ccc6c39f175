//! The configuration file as it is written: its sections, their keys, and the type of each value.
//!
//! Nothing is judged here beyond the type. A key that is not named here does not exist, and is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

macro_rules! sections {
    ($($(#[$about:meta])* $name:ident $prefix:literal { $($key:ident: $kind:ty,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Debug, Default, Deserialize)]
            #[serde(deny_unknown_fields, default)]
            pub struct $name { $(pub $key: Option<$kind>,)* }
        )*
        /// Every key and every section, with the sections that it stands in.
        pub const KEYS: &[&str] = &[$($(concat!($prefix, stringify!($key)),)*)*];
    };
}

sections! {
    Document "" {
        success_url: String,
        currency: String,
        inactive_message: String,
        product_name: String,
        scope: Scope,
        limits: Limits,
        connection: Connection,
        schema: Schema,
    }
    Scope "scope." {
        categories: Vec<String>,
    }
    Limits "limits." {
        concurrency: u16,
        rps: f64,
        max_orders: usize,
        max_amount: Vec<String>,
        max_failures: u16,
        min_age: String,
        plan_max_age: String,
    }
    /// Not used together with `--sandbox`.
    Connection "connection." {
        database_url: Secret,
        stripe_account: String,
        stripe_key_file: PathBuf,
    }
    /// relink's words to this database's. Not used together with `--sandbox`.
    Schema "schema." {
        tables: BTreeMap<String, String>,
        columns: BTreeMap<String, BTreeMap<String, String>>,
        status: BTreeMap<String, String>,
    }
}

/// A text that cannot be printed.
#[derive(Debug)]
pub struct Secret(pub SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Secret(SecretString::from(text)))
    }
}
