//! Lists as Stripe pages them: newest first, a limit of 1 to 100 (10 by default), a cursor that is an object's id,
//! `has_more`. It refuses two cursors at once and a cursor that names nothing.

use serde_json::{Value, json};

use super::error::ApiError;
use super::world::{Kind, Mode, Record, World};

/// Which part of a list is wanted.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    cursor: Option<(Side, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    After,
    Before,
}

impl Page {
    pub fn read(params: &Value) -> Result<Page, ApiError> {
        let limit = params["limit"].as_i64().unwrap_or(10);
        if limit < 1 {
            return Err(out_of_bounds(limit, "greater than or equal to 1"));
        }
        if limit > 100 {
            return Err(out_of_bounds(limit, "less than or equal to 100"));
        }
        let cursor = match (
            params["starting_after"].as_str(),
            params["ending_before"].as_str(),
        ) {
            (Some(_), Some(_)) => {
                return Err(ApiError::exclusive("ending_before", "starting_after", ""));
            }
            (Some(id), None) => Some((Side::After, id.to_owned())),
            (None, Some(id)) => Some((Side::Before, id.to_owned())),
            (None, None) => None,
        };
        Ok(Page {
            limit: usize::try_from(limit).unwrap_or(100),
            cursor,
        })
    }

    /// The page of `records` (newest first, already filtered) as a list object.
    pub fn of<'a>(
        &self,
        world: &World,
        mode: Mode,
        kind: Kind,
        url: &str,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<Value, ApiError> {
        let position = |record: &Record| (record.created, record.seq);
        let (data, has_more): (Vec<&Value>, bool) = match &self.cursor {
            None => self.first(records),
            Some((side, id)) => {
                let cursor = position(find(world, mode, kind, id, side.param(), 400)?);
                match side {
                    Side::After => {
                        self.first(records.skip_while(|record| position(record) >= cursor))
                    }
                    Side::Before => {
                        let newer: Vec<&Record> = records
                            .take_while(|record| position(record) > cursor)
                            .collect();
                        let skipped = newer.len().saturating_sub(self.limit);
                        (
                            newer[skipped..]
                                .iter()
                                .map(|record| &record.value)
                                .collect(),
                            skipped > 0,
                        )
                    }
                }
            }
        };
        Ok(json!({"object": "list", "data": data, "has_more": has_more, "url": url}))
    }

    fn first<'a>(&self, records: impl Iterator<Item = &'a Record>) -> (Vec<&'a Value>, bool) {
        let mut data: Vec<&Value> = records
            .take(self.limit + 1)
            .map(|record| &record.value)
            .collect();
        let has_more = data.len() > self.limit;
        data.truncate(self.limit);
        (data, has_more)
    }

    /// The page of a short list that keeps its own order (line items).
    pub fn of_items(&self, url: &str, items: &[Value]) -> Result<Value, ApiError> {
        let at = |id: &str, side: Side| {
            items
                .iter()
                .position(|item| item["id"] == id)
                .ok_or_else(|| ApiError::no_such("item", id, side.param(), 400, None))
        };
        let (start, end) = match &self.cursor {
            None => (0, self.limit),
            Some((Side::After, id)) => {
                let start = at(id, Side::After)? + 1;
                (start, start + self.limit)
            }
            Some((Side::Before, id)) => {
                let end = at(id, Side::Before)?;
                (end.saturating_sub(self.limit), end)
            }
        };
        let end = end.min(items.len());
        let more = match &self.cursor {
            Some((Side::Before, _)) => start > 0,
            _ => end < items.len(),
        };
        Ok(json!({"object": "list", "data": items[start..end], "has_more": more, "url": url}))
    }
}

impl Side {
    fn param(self) -> &'static str {
        match self {
            Side::After => "starting_after",
            Side::Before => "ending_before",
        }
    }
}

fn out_of_bounds(limit: i64, rule: &str) -> ApiError {
    ApiError::invalid(format!(
        "Invalid integer: limit must be {rule}, but you passed {limit}."
    ))
    .code("parameter_invalid_integer")
    .param("limit")
}

/// The object an id names, or Stripe's 404 (400 where a parameter named it), which tells the two modes apart.
pub(super) fn find<'w>(
    world: &'w World,
    mode: Mode,
    kind: Kind,
    id: &str,
    param: &str,
    status: u16,
) -> Result<&'w Record, ApiError> {
    world.realm(mode).get(kind, id).ok_or_else(|| {
        let elsewhere = world
            .realm(mode.other())
            .get(kind, id)
            .map(|_| mode.other().name());
        ApiError::no_such(kind.object(), id, param, status, elsewhere)
    })
}

/// `created` as a second or a range of seconds.
pub(super) fn within(filter: &Value, seconds: i64) -> bool {
    if let Some(exact) = filter.as_i64() {
        return seconds == exact;
    }
    let bound = |name: &str, holds: fn(i64, i64) -> bool| {
        filter[name]
            .as_i64()
            .is_none_or(|edge| holds(seconds, edge))
    };
    bound("gt", |a, b| a > b)
        && bound("gte", |a, b| a >= b)
        && bound("lt", |a, b| a < b)
        && bound("lte", |a, b| a <= b)
}
