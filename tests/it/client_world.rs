//! A handful of Stripe objects behind the scripted server: enough of Stripe's reads to see what the client
//! asks and what it makes of the answers. It knows no writes.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client_server::{Answer, Request, Server, error, json as answer};

#[derive(Clone, Default)]
pub struct World {
    pub sessions: Vec<Value>,
    pub links: Vec<Value>,
    pub intents: Vec<Value>,
    pub refunds: Vec<Value>,
    pub events: Vec<Value>,
}

/// Answers in the world's place, when it has something to say.
pub type Fault = Box<dyn FnMut(&Request) -> Option<Answer> + Send>;

pub fn session(id: &str, order: i64, change: Value) -> Value {
    let mut object = json!({
        "id": id, "object": "checkout.session", "livemode": false, "created": 1_795_000_000,
        "expires_at": 1_795_086_400, "status": "expired", "payment_status": "unpaid", "amount_total": 5500,
        "currency": "usd", "payment_intent": null, "payment_link": null, "recovered_from": null,
        "metadata": {"order_id": order.to_string()},
    });
    object
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    object
}

pub fn link(id: &str, order: i64, change: Value) -> Value {
    let mut object = json!({
        "id": id, "object": "payment_link", "livemode": false, "active": true,
        "url": format!("https://buy.stripe.com/test_{id}"), "metadata": {"order_id": order.to_string()},
        "restrictions": null,
        "line_items": {"object": "list", "has_more": false, "data": [{"amount_total": 5500, "currency": "usd"}]},
    });
    object
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    object
}

pub fn intent(id: &str, status: &str) -> Value {
    json!({"id": id, "object": "payment_intent", "livemode": false, "status": status})
}

impl World {
    pub async fn serve(self) -> Server {
        self.serve_with(Box::new(|_| None)).await
    }

    pub async fn serve_with(self, fault: Fault) -> Server {
        Arc::new(Mutex::new(self)).serve_shared(fault).await
    }

    fn answer(&self, request: &Request) -> Answer {
        let parts: Vec<&str> = request
            .path()
            .trim_start_matches("/v1/")
            .split('/')
            .collect();
        match parts.as_slice() {
            ["payment_links"] => self.page(&self.links, request),
            ["payment_links", id] => one(&self.links, id),
            ["checkout", "sessions"] => self.page(&self.sessions, request),
            ["checkout", "sessions", id] => self.expanded(one(&self.sessions, id)),
            ["payment_intents", id] => one(&self.intents, id),
            ["refunds"] => self.page(&self.refunds, request),
            ["events"] => self.page(&self.events, request),
            other => panic!("nobody asked for {other:?}"),
        }
    }

    /// Two objects a page, so that every longer list is paged.
    fn page(&self, objects: &[Value], request: &Request) -> Answer {
        assert!(request.query("limit").is_some(), "{}", request.target);
        let matches = |object: &&Value| {
            let is = |field: &str| {
                request
                    .query(field)
                    .is_none_or(|wanted| match &object[field] {
                        Value::String(text) => *text == wanted,
                        other => *other == (wanted == "true"),
                    })
            };
            let types = [request.query("types[0]"), request.query("types[1]")];
            let is_typed =
                types[0].is_none() || types.iter().flatten().any(|t| object["type"] == **t);
            let since: i64 = request
                .query("created[gte]")
                .map_or(i64::MIN, |s| s.parse().unwrap());
            let fields = ["active", "status", "payment_link", "payment_intent", "type"];
            fields.iter().all(|field| is(field))
                && is_typed
                && object["created"]
                    .as_i64()
                    .is_none_or(|created| created >= since)
        };
        let found: Vec<&Value> = objects.iter().filter(matches).collect();
        let start = request.query("starting_after").map_or(0, |cursor| {
            found
                .iter()
                .position(|object| object["id"] == *cursor)
                .unwrap()
                + 1
        });
        let data: Vec<Value> = found[start..]
            .iter()
            .take(2)
            .map(|object| (*object).clone())
            .collect();
        let has_more = found.len() > start + data.len();
        answer(json!({"object": "list", "data": data, "has_more": has_more, "url": request.path()}))
    }

    /// With the payment intent in place of its id, where the world has it.
    fn expanded(&self, found: Answer) -> Answer {
        let Answer::Http {
            status: 200,
            headers,
            body,
        } = found
        else {
            return found;
        };
        let mut object: Value = serde_json::from_str(&body).unwrap();
        let intent = self
            .intents
            .iter()
            .find(|intent| intent["id"] == object["payment_intent"]);
        if let Some(intent) = intent {
            object["payment_intent"] = intent.clone();
        }
        Answer::Http {
            status: 200,
            headers,
            body: object.to_string(),
        }
    }
}

fn one(objects: &[Value], id: &str) -> Answer {
    match objects.iter().find(|object| object["id"] == *id) {
        Some(object) => answer(object.clone()),
        None => error(
            404,
            "invalid_request_error",
            Some("resource_missing"),
            &format!("No such object: '{id}'"),
        ),
    }
}

pub trait Shared {
    fn serve_shared(&self, fault: Fault) -> impl Future<Output = Server>;
}

impl Shared for Arc<Mutex<World>> {
    async fn serve_shared(&self, mut fault: Fault) -> Server {
        let world = self.clone();
        Server::start(move |request| {
            assert_eq!(request.method, "GET", "a write to {}", request.target);
            fault(request).unwrap_or_else(|| world.lock().unwrap().answer(request))
        })
        .await
    }
}
