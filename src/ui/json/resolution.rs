//! `relink.resolution/1`: an incident, and whether a person's word has ended its alarm.

use serde::Serialize;
use serde_json::Value;

use super::super::{Incident, NextStep};
use super::Next;
use super::shape::{Document, Shape, plain};
use crate::domain::OrderId;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResolutionDocument<'a> {
    schema: &'static str,
    incident_id: &'a str,
    /// `other_amount`, `double_payment`, …
    kind: &'a str,
    order_id: Option<OrderId>,
    session: &'a str,
    /// What was found when it happened.
    detail: &'a Value,
    /// False before a commit.
    resolved: bool,
    next: Next,
}

impl Document for ResolutionDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "",
        item: "incident",
        id: "/incident_id",
        columns: &[
            plain("incident_id", "/incident_id"),
            plain("kind", "/kind"),
            plain("order_id", "/order_id"),
            plain("session", "/session"),
            plain("resolved", "/resolved"),
        ],
    };
}

impl<'a> ResolutionDocument<'a> {
    #[must_use]
    pub fn new(incident: &'a Incident<'a>, next: &NextStep) -> Self {
        let Incident {
            id,
            kind,
            order,
            session,
            detail,
            is_resolved,
        } = incident;
        ResolutionDocument {
            schema: "relink.resolution/1",
            incident_id: id,
            kind,
            order_id: *order,
            session,
            detail,
            resolved: *is_resolved,
            next: Next::from(next.clone()),
        }
    }
}
