//! The owner API. Whose data a request is about comes from its key alone.

pub(super) mod credential;
pub(super) mod exports;
pub(super) mod keys;
pub(super) mod logs;
mod query;
pub(super) mod webhooks;
pub(super) mod widgets;

use super::error::ApiError;
use crate::services::Refusal;
use axum::http::{HeaderValue, header};
use banter_shared::ids::is_valid_id;
use serde::Deserialize;

/// Answers of this API are about people: no cache keeps them.
pub(super) async fn never_cached(
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Where to read on.
#[derive(Deserialize)]
pub(in crate::api) struct Page {
    cursor: Option<String>,
}

/// An id from the path; whatever cannot be one names nothing.
fn known(what: &'static str, id: String) -> Result<String, ApiError> {
    if is_valid_id(&id) { Ok(id) } else { Err(Refusal::NotFound(what).into()) }
}
