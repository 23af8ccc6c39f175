//! The JSON Schemas in docs/schema are made from the documents themselves, and are theirs.
//!
//! After a change: `RELINK_WRITE_SCHEMAS=1 cargo test schemas`.

use std::borrow::Cow;
use std::path::PathBuf;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::json::*;
use crate::domain::{
    AccountId, CheckoutReference, Currency, LinkId, OrderStatus, PaymentIntentId, SessionId,
    Timestamp,
};
use crate::plan::{Digest, StoredState};
use crate::saved_plan::SavedPlan;

macro_rules! texts {
    ($($type:ty => $schema:expr),* $(,)?) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

texts! {
    AccountId => json_schema!({"type": "string", "pattern": "^acct_"}),
    LinkId => json_schema!({"type": "string", "pattern": "^plink_"}),
    SessionId => json_schema!({"type": "string", "pattern": "^cs_"}),
    PaymentIntentId => json_schema!({"type": "string", "pattern": "^pi_"}),
    CheckoutReference => json_schema!({"type": "string"}),
    OrderStatus => json_schema!({"type": "string"}),
    StoredState => json_schema!({"type": "string"}),
    Currency => json_schema!({"type": "string", "pattern": "^[a-z]{3}$"}),
    Digest => json_schema!({"type": "string", "pattern": "^[0-9a-f]{4}-[0-9a-f]{4}$"}),
    Timestamp => json_schema!({"type": "string", "format": "date-time"}),
}

fn schema_of<T: JsonSchema>(name: &str) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    let id = format!("relink.{name}/1");
    schema.insert("title".to_owned(), id.clone().into());
    let mut value = schema.to_value();
    // A document says which it is.
    value["properties"]["schema"] = serde_json::json!({"const": id});
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

fn all() -> Vec<(&'static str, String)> {
    vec![
        ("plan", schema_of::<PlanDocument<'static>>("plan")),
        ("order", schema_of::<OrderDocument<'static>>("order")),
        ("report", schema_of::<ReportDocument<'static>>("report")),
        ("runs", schema_of::<RunsDocument<'static>>("runs")),
        ("run", schema_of::<RunDocument<'static>>("run")),
        (
            "order_history",
            schema_of::<OrderHistoryDocument<'static>>("order_history"),
        ),
        ("replay", schema_of::<ReplayDocument<'static>>("replay")),
        (
            "resolution",
            schema_of::<ResolutionDocument<'static>>("resolution"),
        ),
        (
            "standing",
            schema_of::<StandingDocument<'static>>("standing"),
        ),
        ("saved_plan", schema_of::<SavedPlan>("saved_plan")),
        ("doctor", schema_of::<DoctorDocument<'static>>("doctor")),
        (
            "settings",
            schema_of::<SettingsDocument<'static>>("settings"),
        ),
        ("error", schema_of::<ErrorDocument<'static>>("error")),
    ]
}

#[test]
fn the_schemas_in_docs_are_those_of_the_documents() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let rewrites = std::env::var_os("RELINK_WRITE_SCHEMAS").is_some();
    for (name, schema) in all() {
        let path = folder.join(format!("{name}.json"));
        if rewrites {
            crate::files::write_atomically(
                &path,
                crate::files::Kind::Page,
                schema.as_bytes(),
                0o644,
            )
            .unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            kept, schema,
            "docs/schema/{name}.json: RELINK_WRITE_SCHEMAS=1 cargo test schemas"
        );
    }
}
