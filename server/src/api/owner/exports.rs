//! Exports: ask for a file of logs, follow its making, fetch it; or have a small one at once.

use super::credential::Credential;
use super::known;
use super::query::{ExportQuery, FilterParameters};
use crate::api::error::ApiError;
use crate::api::extract::Json;
use crate::app::App;
use crate::export::content_type;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use banter_shared::error::ErrorBody;
use banter_shared::owner::export::{CreateExport, Export, ExportFormat, ExportList};
use banter_shared::owner::key::Scope;
use futures_util::stream::unfold;
use std::sync::Arc;

/// A small file at once: up to 10,000 logs, streamed as they are read. If something fails on the way
/// the answer breaks off; it never looks whole then.
#[utoipa::path(
    get,
    path = "/api/v1/logs/export",
    tag = "owner",
    params(
        FilterParameters,
        ("format" = ExportFormat, Query, description = "What the file looks like"),
        ("timeZone" = Option<String>, Query, description = "IANA name; UTC by default"),
        ("bom" = Option<bool>, Query, description = "Whether a text file begins with a byte order mark"),
    ),
    security(("api_key" = ["exports:create"])),
    responses(
        (status = 200, description = "The file"),
        (status = 400, body = ErrorBody, description = "`invalid_request`; `field` says which"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`, also for a format the account may not export"),
        (status = 413, body = ErrorBody, description = "`too_large`: create a job"),
        (status = 429, body = ErrorBody, description = "`rate_limited`; see `Retry-After`"),
        (status = 503, body = ErrorBody, description = "`search_timeout`: narrow the filters"),
    )
)]
pub(in crate::api) async fn direct(
    State(app): State<Arc<App>>,
    credential: Credential,
    ExportQuery(request): ExportQuery,
) -> Result<Response, ApiError> {
    let owner = credential.with(Scope::ExportsCreate)?;
    let export = app.exports.direct(&owner, &request).await?;
    let body = unfold(export.pieces, |mut pieces| async {
        let piece = pieces.next().await?;
        Some((piece, pieces))
    });
    let head = head(request.format, &export.file_name);
    Ok((head, Body::from_stream(body)).into_response())
}

/// Has a file made. Follow it at `GET /api/v1/exports/{export}`.
#[utoipa::path(
    post,
    path = "/api/v1/exports",
    tag = "owner",
    security(("api_key" = ["exports:create"])),
    request_body = CreateExport,
    responses(
        (status = 202, body = Export),
        (status = 400, body = ErrorBody, description = "`invalid_request`; `field` says which"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`, also for a format the account may not export"),
        (status = 429, body = ErrorBody, description = "`rate_limited`: too many are waiting"),
    )
)]
pub(in crate::api) async fn create(
    State(app): State<Arc<App>>,
    credential: Credential,
    Json(request): Json<CreateExport>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::ExportsCreate)?;
    let export = app.exports.create(&owner, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(export)))
}

/// The latest 100 exports, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/exports",
    tag = "owner",
    security(("api_key" = ["exports:create"])),
    responses(
        (status = 200, body = ExportList),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
    )
)]
pub(in crate::api) async fn list(
    State(app): State<Arc<App>>,
    credential: Credential,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::ExportsCreate)?;
    Ok(axum::Json(ExportList { items: app.exports.list(&owner).await? }))
}

/// How far an export has come.
#[utoipa::path(
    get,
    path = "/api/v1/exports/{export}",
    tag = "owner",
    params(("export" = String, Path, description = "The export's id")),
    security(("api_key" = ["exports:create"])),
    responses(
        (status = 200, body = Export),
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
    let owner = credential.with(Scope::ExportsCreate)?;
    Ok(axum::Json(app.exports.show(&owner, &known("export", id)?).await?))
}

/// Calls off an export. One that is finished stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/exports/{export}/cancel",
    tag = "owner",
    params(("export" = String, Path, description = "The export's id")),
    security(("api_key" = ["exports:create"])),
    responses(
        (status = 200, body = Export),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn cancel(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::ExportsCreate)?;
    Ok(axum::Json(app.exports.cancel(&owner, &known("export", id)?).await?))
}

/// The file of a finished export.
#[utoipa::path(
    get,
    path = "/api/v1/exports/{export}/file",
    tag = "owner",
    params(("export" = String, Path, description = "The export's id")),
    security(("api_key" = ["exports:create"])),
    responses(
        (status = 200, description = "The file"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`export_not_ready`"),
    )
)]
pub(in crate::api) async fn file(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let owner = credential.with(Scope::ExportsCreate)?;
    let export = app.exports.file(&owner, &known("export", id)?).await?;
    let head = head(export.request.format, &export.file_name);
    // Announced, so that a file that was deleted meanwhile does not look whole.
    let length = [(header::CONTENT_LENGTH, export.bytes.to_string())];
    let body = unfold((app, export.id, 0), |(app, id, number)| async move {
        let piece = app.exports.piece(&id, number).await.transpose()?;
        Some((piece, (app, id, number + 1)))
    });
    Ok((head, length, Body::from_stream(body)).into_response())
}

/// Deletes an export and its file; one that is being made is called off.
#[utoipa::path(
    delete,
    path = "/api/v1/exports/{export}",
    tag = "owner",
    params(("export" = String, Path, description = "The export's id")),
    security(("api_key" = ["exports:create"])),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn remove(
    State(app): State<Arc<App>>,
    credential: Credential,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::ExportsCreate)?;
    app.exports.delete(&owner, &known("export", id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What stands above a file: it is saved, never shown as a page of ours.
fn head(format: ExportFormat, file_name: &str) -> [(HeaderName, String); 2] {
    [
        (header::CONTENT_TYPE, content_type(format).to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file_name}\"")),
    ]
}
