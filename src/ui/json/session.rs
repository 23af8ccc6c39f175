//! A checkout session of the sandbox's double. Its shape is Stripe's and not ours, so that it names no schema.

use serde::Serialize;
use serde_json::Value;

use super::shape::{Document, Shape, plain};

#[derive(Serialize)]
#[serde(transparent)]
pub struct SessionDocument<'a>(pub &'a Value);

impl Document for SessionDocument<'_> {
    const SHAPE: Shape = Shape {
        list: "",
        item: "object",
        id: "/id",
        columns: &[
            plain("session", "/id"),
            plain("status", "/status"),
            plain("payment_status", "/payment_status"),
            plain("order_id", "/metadata/order_id"),
            plain("payment_link", "/payment_link"),
            plain("url", "/url"),
        ],
    };
}
