//! How Vapi says no: the envelope of NestJS, `message` a sentence or a list of them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A request that is not granted.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: Value,
}

impl Refusal {
    /// 400 with one sentence.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: Value::String(message.into()) }
    }

    /// 400 with everything that is wrong with a body.
    pub(crate) fn invalid(messages: Vec<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: json!(messages) }
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: Value::String(message.into()) }
    }

    /// 401.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: Value::String(message.into()) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "message": self.message,
            "error": self.status.canonical_reason().unwrap_or_default(),
            "statusCode": self.status.as_u16(),
        });
        (self.status, Json(body)).into_response()
    }
}
