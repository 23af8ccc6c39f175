//! Webhook endpoints as `/v1/webhook_endpoints` lists them (docs.stripe.com/api/webhook_endpoints/list): the one that
//! this process sends its events to, and those that were put there. Nothing is ever sent to the latter: they are there
//! to be looked at.

use serde_json::{Value, json};

use super::super::change::Change;
use super::super::error::ApiError;
use super::super::ids::IdKind;
use super::super::paging::Page;
use super::super::spec::spec;
use super::super::world::{CLOCK_START, Kind, Mode, Subscribed, World};
use super::List;

/// The id of the one that is sent to: it is no part of the state.
const SERVED: &str = "we_1SbxServedBySandbox";

pub(in super::super) fn list(world: &World, mode: Mode, params: &Value) -> Result<Value, ApiError> {
    let served = world.subscribed.iter().map(|to| served(to, mode));
    let stored = List::of(world, mode, Kind::WebhookEndpoint).map(|record| record.value.clone());
    let endpoints: Vec<Value> = served.chain(stored).collect();
    Page::read(params)?.of_items("/v1/webhook_endpoints", &endpoints)
}

fn served(to: &Subscribed, mode: Mode) -> Value {
    let mut endpoint = blank(SERVED, mode, CLOCK_START);
    endpoint["url"] = json!(to.url);
    endpoint["enabled_events"] = json!(to.events);
    spec().complete(Kind::WebhookEndpoint.object(), endpoint)
}

/// An enabled endpoint that waits for everything, for a seed to say otherwise.
pub(in super::super) fn draft(change: &mut Change, seed: &Value) -> Value {
    let id = seed["id"]
        .as_str()
        .map_or_else(|| change.new_id(IdKind::WebhookEndpoint), str::to_owned);
    blank(&id, change.mode, change.now())
}

fn blank(id: &str, mode: Mode, created: i64) -> Value {
    json!({
        "id": id,
        "object": Kind::WebhookEndpoint.object(),
        "created": created,
        "enabled_events": ["*"],
        "livemode": mode == Mode::Live,
        "metadata": {},
        "status": "enabled",
        "url": "https://club.example.com/stripe/webhook",
    })
}
