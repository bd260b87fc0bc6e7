//! Gives every request an id, measures it, and turns a refusal into its answer: the one place where
//! an error's body is written and an internal error is logged.

use super::error::{self, ApiError};
use crate::app::App;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use tokio::time::Instant;

/// Where a request's id stands in the answer.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: ours, never the client's, so that it cannot be forged into the log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The outermost layer.
pub(super) async fn attach(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = app.ids.next();
    let route =
        request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Some(ApiError(refusal)) = response.extensions_mut().remove::<ApiError>() {
        response = error::render(&refusal, &id, response);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    let status = response.status().as_u16();
    metrics::counter!("banter_requests_total", "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    // Until the head of the answer: a stream goes on for as long as it is read.
    metrics::histogram!("banter_request_seconds", "route" => route.clone())
        .record(started.elapsed().as_secs_f64());
    tracing::debug!(%method, route, status, request_id = id, "request");
    response
}
