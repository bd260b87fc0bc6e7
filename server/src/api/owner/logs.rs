//! Logs: list, read, end, delete.

use super::credential::Credential;
use super::known;
use super::query::{FilterParameters, LogQuery};
use crate::api::error::ApiError;
use crate::app::App;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::ids::SessionId;
use banter_shared::owner::key::Scope;
use banter_shared::owner::log::{Log, LogDetail, LogPage};
use std::sync::Arc;

/// One page of logs. Read on with `nextCursor` as `cursor` and the same filters; logs that come or go
/// meanwhile neither repeat nor hide others.
#[utoipa::path(
    get,
    path = "/api/v1/logs",
    tag = "owner",
    params(
        FilterParameters,
        ("order" = Option<String>, Query, description = "`newest` (the default) or `oldest` first"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Logs of a page: 1 to 100, 50 by default"),
    ),
    security(("api_key" = ["logs:read"])),
    responses(
        (status = 200, body = LogPage),
        (status = 400, body = ErrorBody, description = "`invalid_request`; `field` says which"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`; see `Retry-After`"),
        (status = 503, body = ErrorBody, description = "`search_timeout`: narrow the filters"),
    )
)]
pub(in crate::api) async fn list(
    State(app): State<Arc<App>>,
    credential: Credential,
    query: LogQuery,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::LogsRead)?;
    let LogQuery { filter, order, after, limit } = query;
    Ok(axum::Json(app.logs.list(&owner, &filter, order, after.as_ref(), limit).await?))
}

/// One log: its transcript, the latest of its timeline, and how its minutes came about.
#[utoipa::path(
    get,
    path = "/api/v1/logs/{log}",
    tag = "owner",
    params(("log" = String, Path, description = "The session's id")),
    security(("api_key" = ["logs:read"])),
    responses(
        (status = 200, body = LogDetail),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn show(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::LogsRead)?;
    Ok(axum::Json(app.logs.show(&owner, &SessionId(known("log", id)?)).await?))
}

/// Ends the visitor's session now; the visitor is told that its owner did. Ending twice is ending once.
#[utoipa::path(
    post,
    path = "/api/v1/logs/{log}/end",
    tag = "owner",
    params(("log" = String, Path, description = "The session's id")),
    security(("api_key" = ["sessions:end"])),
    responses(
        (status = 200, body = Log),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn end(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::SessionsEnd)?;
    Ok(axum::Json(app.logs.end(&owner, &SessionId(known("log", id)?)).await?))
}

/// Deletes a log and everything that was said in it; files of exports that may hold something of it go
/// as well. Its line of the billing ledger stays.
#[utoipa::path(
    delete,
    path = "/api/v1/logs/{log}",
    tag = "owner",
    params(("log" = String, Path, description = "The session's id")),
    security(("api_key" = ["logs:delete"])),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`session_active`: not over, or not settled yet"),
    )
)]
pub(in crate::api) async fn remove(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::LogsDelete)?;
    app.logs.delete(&owner, &SessionId(known("log", id)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
