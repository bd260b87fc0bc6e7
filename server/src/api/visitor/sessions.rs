//! Sessions: create, read, keep alive, end.

use crate::api::error::ApiError;
use crate::api::extract::{AskedFrom, Client, Json, Leaver, Visitor};
use crate::app::App;
use crate::domain::embedding::Claim;
use crate::domain::origin::Origin;
use crate::services::Refusal;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::ids::WidgetId;
use banter_shared::session::{CreateSession, EndSession, History, Session, SessionCreated};
use std::sync::Arc;

/// Opens a conversation. Origin, widget and limits are checked before anything is stored.
#[utoipa::path(
    post,
    path = "/visitor/v1/widgets/{widget}/sessions",
    tag = "visitor",
    params(("widget" = String, Path, description = "The widget's id")),
    request_body = CreateSession,
    responses(
        (status = 201, body = SessionCreated),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 403, body = ErrorBody, description = "`origin_not_allowed`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`widget_disabled`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`; see `Retry-After`"),
    )
)]
pub(in crate::api) async fn create(
    State(app): State<Arc<App>>,
    Path(widget): Path<String>,
    Client(address): Client,
    from: AskedFrom,
    Json(request): Json<CreateSession>,
) -> Result<impl IntoResponse, ApiError> {
    let widget = WidgetId(widget);
    // Known widgets only: a limiter that counts made-up names would be a way to fill its memory.
    app.open_session.widget(&widget).await?;
    app.rate_limits.session(address, &widget)?;
    let host = match &request.host_origin {
        Some(text) => Some(Origin::parse(text).ok_or(Refusal::OriginNotAllowed)?),
        None => None,
    };
    let claim = Claim { request: from.origin, host };
    let created = app.open_session.open(&widget, &claim, &from.own, &request).await?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], axum::Json(created)))
}

/// The whole conversation, oldest message first. An answer that is being written has the text there
/// is so far; go on from there with `Last-Event-ID: {attempt}-{length of the text in UTF-8 bytes}`.
#[utoipa::path(
    get,
    path = "/visitor/v1/sessions/{session}",
    tag = "visitor",
    params(("session" = String, Path, description = "The session's id")),
    security(("session_token" = [])),
    responses(
        (status = 200, body = History),
        (status = 401, body = ErrorBody, description = "`unauthorized` or `token_expired`"),
        (status = 403, body = ErrorBody, description = "`forbidden` or `origin_not_allowed`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`; see `Retry-After`"),
    )
)]
pub(in crate::api) async fn history(
    State(app): State<Arc<App>>,
    Visitor(claims): Visitor,
    Client(address): Client,
) -> Result<impl IntoResponse, ApiError> {
    app.rate_limits.load(address)?;
    // Whoever loads the page again has not left.
    app.lifecycle.seen(&claims.session).await?;
    let history = app.converse.history(&claims.session).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(history)))
}

/// Ends a conversation, or tells that the visitor left. Ending twice is ending once; the first reason
/// stands. Leaving has a grace period that the widget's owner sets, so the answer may say that the
/// session goes on. `sendBeacon` may send the token in the body, as any type.
#[utoipa::path(
    post,
    path = "/visitor/v1/sessions/{session}/end",
    tag = "visitor",
    params(("session" = String, Path, description = "The session's id")),
    request_body = EndSession,
    security(("session_token" = [])),
    responses(
        (status = 200, body = Session),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 401, body = ErrorBody, description = "`unauthorized` or `token_expired`"),
        (status = 403, body = ErrorBody, description = "`forbidden` or `origin_not_allowed`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`; see `Retry-After`"),
    )
)]
pub(in crate::api) async fn end(
    State(app): State<Arc<App>>,
    Client(address): Client,
    Leaver(claims, reason): Leaver,
) -> Result<impl IntoResponse, ApiError> {
    app.rate_limits.leave(address)?;
    let session = app.lifecycle.leave(&claims, reason).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(session)))
}

/// A sign of life: the visitor types, or came back. Puts inactivity off and takes back a leaving.
#[utoipa::path(
    post,
    path = "/visitor/v1/sessions/{session}/activity",
    tag = "visitor",
    params(("session" = String, Path, description = "The session's id")),
    security(("session_token" = [])),
    responses(
        (status = 200, body = Session),
        (status = 401, body = ErrorBody, description = "`unauthorized` or `token_expired`"),
        (status = 403, body = ErrorBody, description = "`forbidden` or `origin_not_allowed`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`; see `Retry-After`"),
    )
)]
pub(in crate::api) async fn activity(
    State(app): State<Arc<App>>,
    Visitor(claims): Visitor,
    Client(address): Client,
) -> Result<impl IntoResponse, ApiError> {
    app.rate_limits.activity(address)?;
    let session = app.lifecycle.stir(&claims.session).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(session)))
}
