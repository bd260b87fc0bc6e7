//! The routes, and what stands before all of them: Cloudflare's look at the `User-Agent`, the key,
//! and the record of what was asked.

mod answer;
mod assistants;
mod chats;
mod control;
mod input;
mod list;
mod sessions;

pub(crate) use assistants::store as store_assistant;
pub(crate) use sessions::update as update_session;

use crate::refusal::Refusal;
use crate::shared::{Seen, Shared, lock};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use std::sync::Arc;

/// The longest body.
const MAX_BODY: usize = 1 << 20;

/// Everything the double offers.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let vapi = Router::new()
        .route("/assistant", get(assistants::list).post(assistants::create))
        .route(
            "/assistant/{id}",
            get(assistants::get).patch(assistants::change).delete(assistants::delete),
        )
        .route("/session", get(sessions::list).post(sessions::create))
        .route("/session/{id}", get(sessions::get).patch(sessions::change).delete(sessions::delete))
        .route("/chat", get(chats::list).post(chats::create))
        .route("/chat/{id}", get(chats::get).delete(chats::delete))
        .fallback(unknown)
        .layer(from_fn_with_state(shared.clone(), door));
    // Not Vapi's: how a test in another process, or a person with a demo, gives orders.
    let control = Router::new()
        .route("/double/script", post(control::script))
        .route("/double/release", post(control::release))
        .route("/double/state", get(control::state));
    Router::new().merge(control).merge(vapi).with_state(shared)
}

/// Refuses whom Vapi refuses, and writes down who came.
async fn door(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "request entity too large").into_response();
    };
    lock(&shared.seen).push(Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    });
    // Cloudflare's, not Vapi's: plain text.
    if parts.headers.get(USER_AGENT).is_none_or(|agent| agent.is_empty()) {
        return (StatusCode::FORBIDDEN, "error code: 1010").into_response();
    }
    let Some(authorization) = parts.headers.get(AUTHORIZATION) else {
        return Refusal::unauthorized("Missing Authorization Header.").into_response();
    };
    let key = authorization.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
    if key != Some(shared.options.key.as_str()) {
        return Refusal::unauthorized(
            "Invalid Key. Hot tip, you may be using the private key instead of the public key, or \
             vice versa.",
        )
        .into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

async fn unknown(request: Request) -> Refusal {
    Refusal::not_found(format!("Cannot {} {}", request.method(), request.uri().path()))
}
