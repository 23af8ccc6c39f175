//! The errors the double answers with, in Stripe's envelope and wording. An error says whether it arose before or
//! after execution began, because only the latter is saved under an idempotency key
//! (docs.stripe.com/api/idempotent_requests). It never carries a key.

use serde_json::{Value, json};

/// When a refusal happened, seen from the idempotency layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was executed: the same idempotency key may be used again with a corrected request.
    Validation,
    /// The endpoint ran: the answer is history and is replayed for the key.
    Execution,
}

#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub status: u16,
    pub phase: Phase,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    pub header: Option<(&'static str, &'static str)>,
}

impl ApiError {
    /// A request that was refused before anything ran.
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError {
            status: 400,
            phase: Phase::Validation,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
            param: None,
            header: None,
        }
    }

    /// A request that was understood, ran, and was refused by the state it met.
    pub fn refused(message: impl Into<String>) -> ApiError {
        ApiError {
            phase: Phase::Execution,
            ..ApiError::invalid(message)
        }
    }

    pub fn code(mut self, code: &'static str) -> ApiError {
        self.code = Some(code);
        self
    }

    pub fn param(mut self, param: impl Into<String>) -> ApiError {
        self.param = Some(param.into());
        self
    }

    pub fn status(mut self, status: u16) -> ApiError {
        self.status = status;
        self
    }

    pub fn kind(mut self, kind: &'static str) -> ApiError {
        self.kind = kind;
        self
    }

    pub fn header(mut self, name: &'static str, value: &'static str) -> ApiError {
        self.header = Some((name, value));
        self
    }

    pub fn missing(param: &str) -> ApiError {
        ApiError::invalid(format!("Missing required param: {param}."))
            .code("parameter_missing")
            .param(param)
    }

    pub fn exclusive(first: &str, second: &str, prefix: &str) -> ApiError {
        ApiError::invalid(format!(
            "You may only specify one of these parameters: {first}, {second}."
        ))
        .code("parameters_exclusive")
        .param(nested(prefix, first))
    }

    /// Stripe's answer for an object that is not there, in this mode or at all.
    pub fn no_such(
        object: &str,
        id: &str,
        param: &str,
        status: u16,
        elsewhere: Option<&'static str>,
    ) -> ApiError {
        let other = match elsewhere {
            Some("live") => {
                "; a similar object exists in live mode, but a test mode key was used to make this request."
            }
            Some(_) => {
                "; a similar object exists in test mode, but a live mode key was used to make this request."
            }
            None => "",
        };
        let shown = if object == "checkout.session" {
            id.to_owned()
        } else {
            format!("'{id}'")
        };
        ApiError::refused(format!("No such {object}: {shown}{other}"))
            .code("resource_missing")
            .param(param)
            .status(status)
    }

    pub fn body(&self) -> Value {
        let mut error = json!({"message": self.message, "type": self.kind});
        if let Some(code) = self.code {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!(
                "https://stripe.com/docs/error-codes/{}",
                code.replace('_', "-")
            ));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        json!({ "error": error })
    }
}

/// `a`, `b` to `a[b]`; an empty prefix is the top level.
pub(super) fn nested(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}[{name}]")
    }
}
