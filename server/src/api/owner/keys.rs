//! API keys: make, list, revoke.

use super::credential::Credential;
use super::{Page, known};
use crate::api::error::ApiError;
use crate::api::extract::Json;
use crate::app::App;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::owner::key::{CreateKey, KeyCreated, KeyList, Scope};
use std::sync::Arc;

/// Keys, the newest first, 100 at a time. A key that is bound to an account sees that account's only.
#[utoipa::path(
    get,
    path = "/api/v1/keys",
    tag = "owner",
    params(("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    security(("api_key" = ["keys:manage"])),
    responses(
        (status = 200, body = KeyList),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
    )
)]
pub(in crate::api) async fn list(
    State(app): State<Arc<App>>,
    credential: Credential,
    Query(page): Query<Page>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::KeysManage)?;
    Ok(axum::Json(app.keys.list(&owner, page.cursor.as_deref()).await?))
}

/// Makes a key. Its secret is in the answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/v1/keys",
    tag = "owner",
    security(("api_key" = ["keys:manage"])),
    request_body = CreateKey,
    responses(
        (status = 201, body = KeyCreated),
        (status = 400, body = ErrorBody, description = "`invalid_request`; `field` says which"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`: there are too many"),
    )
)]
pub(in crate::api) async fn create(
    State(app): State<Arc<App>>,
    credential: Credential,
    Json(request): Json<CreateKey>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::KeysManage)?;
    let created = app.keys.create(&owner, request).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Revokes a key, at once and for good.
#[utoipa::path(
    delete,
    path = "/api/v1/keys/{key}",
    tag = "owner",
    params(("key" = String, Path, description = "The key's id")),
    security(("api_key" = ["keys:manage"])),
    responses(
        (status = 204, description = "Revoked"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn revoke(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::KeysManage)?;
    app.keys.revoke(&owner, &known("key", id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
