//! The published shapes of Stripe's API (`fixtures/stripe/openapi-subset.json`) as the double reads them: which
//! operations exist, which parameters they take, and what a complete object looks like. It knows nothing of state,
//! and it refuses to guess: what the subset does not describe is not served (three small read-only additions aside).

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

const SUBSET: &str = include_str!("../../../fixtures/stripe/openapi-subset.json");

/// The API version objects and events are rendered in, and the account's default when a request names none.
pub(super) const DEFAULT_VERSION: &str = "2026-07-29.dahlia";

/// One operation: method, path template and the schema its parameters must satisfy.
#[derive(Debug)]
pub(super) struct Operation {
    pub method: String,
    pub template: String,
    /// An object schema: the form body of a POST, the query of a GET.
    pub params: Value,
    /// The schema of a successful answer.
    pub response: Value,
}

#[derive(Debug)]
pub(super) struct Spec {
    root: Value,
    operations: Vec<Operation>,
}

/// The subset, parsed once per process.
pub(super) fn spec() -> &'static Spec {
    static SPEC: OnceLock<Spec> = OnceLock::new();
    SPEC.get_or_init(|| Spec::read(SUBSET))
}

impl Spec {
    fn read(text: &str) -> Spec {
        // The subset is compiled in and a test reads it, so an unreadable one can only be an empty API.
        let mut root: Value = serde_json::from_str(text).unwrap_or_default();
        root["components"]["schemas"]["webhook_endpoint"] = webhook_endpoint();
        let mut operations = Vec::new();
        for (template, methods) in entries(&root["paths"]) {
            for (method, operation) in entries(methods) {
                operations.push(Operation {
                    method: method.to_uppercase(),
                    template: template.clone(),
                    params: parameters_of(operation),
                    response:
                        operation["responses"]["200"]["content"]["application/json"]["schema"]
                            .clone(),
                });
            }
        }
        operations.extend(additions());
        Spec { root, operations }
    }

    /// The operation that serves `method` on `path`, with the path's parameter (at most one in this API).
    pub fn operation(&self, method: &str, path: &str) -> Option<(&Operation, Option<String>)> {
        // A literal segment wins over a parameter: `/v1/x/{id}` must not swallow a longer literal path.
        self.operations
            .iter()
            .filter(|operation| operation.method == method)
            .find_map(|operation| match_path(&operation.template, path).map(|id| (operation, id)))
    }

    /// The schema of an object by its `object` name, e.g. `payment_link`.
    pub fn schema(&self, object: &str) -> &Value {
        &self.root["components"]["schemas"][object]
    }

    /// Follows a `$ref`; any other schema is returned as it is.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"]
            .as_str()
            .and_then(|name| name.rsplit('/').next())
        {
            Some(name) => self.schema(name),
            None => schema,
        }
    }

    /// Fills every field the schema requires and `value` lacks, recursively: null where null is allowed, else the
    /// emptiest value of the type. Fields that are there are kept as they are.
    pub fn complete(&self, object: &str, value: Value) -> Value {
        self.complete_schema(self.schema(object), value)
    }

    fn complete_schema(&self, schema: &Value, value: Value) -> Value {
        let schema = self.resolve(schema);
        match value {
            Value::Object(given) => self.complete_object(schema, given),
            Value::Array(items) if schema["items"].is_object() => items
                .into_iter()
                .map(|item| self.complete_schema(&schema["items"], item))
                .collect(),
            other => other,
        }
    }

    fn complete_object(&self, schema: &Value, mut given: Map<String, Value>) -> Value {
        let schema = self.object_variant(schema);
        let mut done = Map::new();
        for (name, property) in entries(&schema["properties"]) {
            if let Some(value) = given.shift_remove(name) {
                done.insert(name.clone(), self.complete_schema(property, value));
            } else if required(schema, name) {
                done.insert(name.clone(), self.empty(property));
            }
        }
        done.extend(given);
        Value::Object(done)
    }

    /// Of `anyOf`, the variant an object value must follow; any other schema is itself.
    fn object_variant<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let schema = self.resolve(schema);
        let Some(variants) = schema["anyOf"].as_array() else {
            return schema;
        };
        variants
            .iter()
            .map(|variant| self.resolve(variant))
            .find(|variant| variant["type"] == "object")
            .unwrap_or(schema)
    }

    fn empty(&self, schema: &Value) -> Value {
        if schema["nullable"] == true {
            return Value::Null;
        }
        let schema = self.resolve(schema);
        if let Some(first) = schema["anyOf"]
            .as_array()
            .and_then(|variants| variants.first())
        {
            return self.empty(first);
        }
        if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
            return first.clone();
        }
        match schema["type"].as_str() {
            Some("boolean") => json!(false),
            Some("integer" | "number") => json!(0),
            Some("string") => json!(""),
            Some("array") => json!([]),
            _ => self.complete_object(schema, Map::new()),
        }
    }

    /// Turns request parameters into the fields of an object: an empty string where the object holds null becomes
    /// null, what the object's schema does not know is dropped, what it requires is filled in.
    pub fn adopt(&self, object: &str, field: &str, value: &Value) -> Option<Value> {
        let property = &self.schema(object)["properties"][field];
        property
            .is_object()
            .then(|| self.adopt_schema(property, value))
    }

    fn adopt_schema(&self, schema: &Value, value: &Value) -> Value {
        if value == "" && schema["nullable"] == true {
            return Value::Null;
        }
        let inner = self.object_variant(schema);
        match value {
            Value::Object(given) => {
                let Some(properties) = inner["properties"].as_object() else {
                    return value.clone();
                };
                let kept: Map<String, Value> = given
                    .iter()
                    .filter_map(|(name, value)| {
                        Some((
                            name.clone(),
                            self.adopt_schema(properties.get(name)?, value),
                        ))
                    })
                    .collect();
                self.complete_object(inner, kept)
            }
            Value::Array(items) => items
                .iter()
                .map(|item| self.adopt_schema(&inner["items"], item))
                .collect(),
            other => other.clone(),
        }
    }
}

/// An object that the subset leaves out (docs.stripe.com/api/webhook_endpoints/object), without the secret that only the
/// answer to its making shows.
fn webhook_endpoint() -> Value {
    let text = json!({"type": "string"});
    let nullable = json!({"type": "string", "nullable": true});
    let names = [
        "id",
        "object",
        "api_version",
        "application",
        "created",
        "description",
        "enabled_events",
        "livemode",
        "metadata",
        "status",
        "url",
    ];
    json!({"type": "object", "required": names, "properties": {
        "id": text, "object": text, "api_version": nullable, "application": nullable,
        "created": {"type": "integer"}, "description": nullable,
        "enabled_events": {"type": "array", "items": text}, "livemode": {"type": "boolean"},
        "metadata": {"type": "object"}, "status": text, "url": text}})
}

/// Three read-only operations Stripe has and the subset leaves out: operators look at the first two after a payment,
/// and at the third before one.
fn additions() -> [Operation; 3] {
    let listed = |extra: Value| {
        let mut properties = json!({
            "created": {"anyOf": [
                {"type": "integer"},
                {"type": "object", "properties": {
                    "gt": {"type": "integer"}, "gte": {"type": "integer"},
                    "lt": {"type": "integer"}, "lte": {"type": "integer"}}}]},
            "expand": {"type": "array", "items": {"type": "string"}},
            "limit": {"type": "integer"},
            "starting_after": {"type": "string"},
            "ending_before": {"type": "string"},
        });
        super::merge(&mut properties, extra);
        json!({"type": "object", "properties": properties, "additionalProperties": false})
    };
    let paged = json!({"type": "object", "additionalProperties": false, "properties": {
        "expand": {"type": "array", "items": {"type": "string"}}, "limit": {"type": "integer"},
        "starting_after": {"type": "string"}, "ending_before": {"type": "string"}}});
    let single = json!({"type": "object", "additionalProperties": false,
        "properties": {"expand": {"type": "array", "items": {"type": "string"}}}});
    [
        Operation {
            method: "GET".into(),
            template: "/v1/payment_intents".into(),
            params: listed(json!({"customer": {"type": "string"}})),
            response: json!({"type": "object", "properties": {
                "data": {"type": "array", "items": {"$ref": "#/components/schemas/payment_intent"}}}}),
        },
        Operation {
            method: "GET".into(),
            template: "/v1/refunds/{refund}".into(),
            params: single,
            response: json!({"$ref": "#/components/schemas/refund"}),
        },
        Operation {
            method: "GET".into(),
            template: "/v1/webhook_endpoints".into(),
            params: paged,
            response: json!({"type": "object", "properties": {
                "data": {"type": "array", "items": {"$ref": "#/components/schemas/webhook_endpoint"}}}}),
        },
    ]
}

fn parameters_of(operation: &Value) -> Value {
    let body = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
    if body.is_object() {
        return body.clone();
    }
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] != "query" {
            continue;
        }
        let name = parameter["name"].as_str().unwrap_or_default();
        properties.insert(name.to_owned(), parameter["schema"].clone());
        if parameter["required"] == true {
            required.push(json!(name));
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// `Some(None)` for a template without parameter, `Some(Some(id))` with one, `None` when the path is another.
fn match_path(template: &str, path: &str) -> Option<Option<String>> {
    let (mut expected, mut given) = (template.split('/'), path.split('/'));
    let mut id = None;
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(id),
            (Some(expected), Some(given)) if expected.starts_with('{') && !given.is_empty() => {
                id = Some(given.to_owned());
            }
            (Some(expected), Some(given)) if expected == given => {}
            _ => return None,
        }
    }
}

fn required(schema: &Value, name: &str) -> bool {
    schema["required"]
        .as_array()
        .is_some_and(|names| names.iter().any(|required| required == name))
}

pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
