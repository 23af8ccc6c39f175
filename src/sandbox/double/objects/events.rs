//! The event log as `/v1/events` shows it: the last 30 days, by type (with `*`) and time, never by object
//! (docs.stripe.com/api/events). Events are made in `Change::emit`; nothing here writes.

use serde_json::Value;

use super::super::error::ApiError;
use super::super::paging::{Page, find, within};
use super::super::world::{Kind, Mode, Record, World};
use super::List;

const KEPT: i64 = 30 * 24 * 60 * 60;

pub(in super::super) fn list(world: &World, mode: Mode, params: &Value) -> Result<Value, ApiError> {
    let types = wanted(params)?;
    let oldest = world.now - KEPT;
    let matches = |record: &&Record| {
        record.created >= oldest
            && within(&params["created"], record.created)
            && types.as_ref().is_none_or(|types| {
                let own = record.value["type"].as_str().unwrap_or_default();
                types.iter().any(|pattern| covers(pattern, own))
            })
            && has_arrived(&params["delivery_success"], record)
    };
    Page::read(params)?.of(
        world,
        mode,
        Kind::Event,
        "/v1/events",
        List::of(world, mode, Kind::Event).filter(matches),
    )
}

pub(in super::super) fn shown(world: &World, mode: Mode, id: &str) -> Result<Value, ApiError> {
    let record = find(world, mode, Kind::Event, id, "id", 404)?;
    if record.created < world.now - KEPT {
        return Err(ApiError::no_such("event", id, "id", 404, None));
    }
    Ok(record.value.clone())
}

/// Without a filter, every event; else those that reached their endpoint, or those that have not.
fn has_arrived(filter: &Value, record: &Record) -> bool {
    let arrived = record.value["pending_webhooks"] == 0;
    filter.as_bool().is_none_or(|wanted| wanted == arrived)
}

fn wanted(params: &Value) -> Result<Option<Vec<&str>>, ApiError> {
    let several = params["types"]
        .as_array()
        .map(|types| types.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    match (params["type"].as_str(), several) {
        (Some(_), Some(_)) => Err(ApiError::exclusive("type", "types", "")),
        (_, Some(types)) if types.len() > 20 => {
            Err(ApiError::invalid("Invalid array: types can hold up to 20 items.").param("types"))
        }
        (Some(one), None) => Ok(Some(vec![one])),
        (None, several) => Ok(several),
    }
}

/// Whether a pattern, with at most one `*`, names this type.
pub(in super::super) fn covers(pattern: &str, own: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            own.len() >= head.len() + tail.len() && own.starts_with(head) && own.ends_with(tail)
        }
        None => pattern == own,
    }
}
