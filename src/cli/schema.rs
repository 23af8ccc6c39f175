//! `relink schema`: the names of the documents that have one.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The document; without it their names are printed
    #[arg(value_name = "NAME", value_enum)]
    pub name: Option<SchemaName>,
}

/// As in `relink.plan/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SchemaName {
    Plan,
    Order,
    Report,
    Runs,
    Run,
    OrderHistory,
    Replay,
    Resolution,
    Standing,
    SavedPlan,
    Doctor,
    Settings,
    Error,
    Events,
}

impl SchemaName {
    /// Its JSON Schema (draft 2020-12).
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            SchemaName::Plan => include_str!("../../docs/schema/plan.json"),
            SchemaName::Order => include_str!("../../docs/schema/order.json"),
            SchemaName::Report => include_str!("../../docs/schema/report.json"),
            SchemaName::Runs => include_str!("../../docs/schema/runs.json"),
            SchemaName::Run => include_str!("../../docs/schema/run.json"),
            SchemaName::OrderHistory => include_str!("../../docs/schema/order_history.json"),
            SchemaName::Replay => include_str!("../../docs/schema/replay.json"),
            SchemaName::Resolution => include_str!("../../docs/schema/resolution.json"),
            SchemaName::Standing => include_str!("../../docs/schema/standing.json"),
            SchemaName::SavedPlan => include_str!("../../docs/schema/saved_plan.json"),
            SchemaName::Doctor => include_str!("../../docs/schema/doctor.json"),
            SchemaName::Settings => include_str!("../../docs/schema/settings.json"),
            SchemaName::Error => include_str!("../../docs/schema/error.json"),
            SchemaName::Events => include_str!("../../docs/schema/events.json"),
        }
    }
}
