//! Outgoing webhooks: where to, of what, and what became of each delivery.

use super::Page;
use super::credential::Credential;
use crate::api::error::ApiError;
use crate::api::extract::Json;
use crate::app::App;
use crate::services::Refusal;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use banter_shared::error::ErrorBody;
use banter_shared::owner::key::Scope;
use banter_shared::owner::webhook::{
    CreateWebhook, Delivery, DeliveryList, Replayed, UpdateWebhook, Webhook, WebhookList,
    WebhookSecret,
};
use serde::Deserialize;
use std::sync::Arc;

/// The organization whose key came with the request, if the key may manage webhooks. Endpoints are
/// told of every account.
pub(in crate::api) struct Manager(String);

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let credential = Credential::from_request_parts(parts, app).await?;
        let owner = credential.with_every_account(Scope::WebhooksManage)?;
        Ok(Self(owner.tenant.organization))
    }
}

/// Every endpoint, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks",
    tag = "owner",
    security(("api_key" = [])),
    responses(
        (status = 200, body = WebhookList),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
    )
)]
pub(in crate::api) async fn list(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
) -> Result<axum::Json<WebhookList>, ApiError> {
    Ok(axum::Json(app.webhooks.list(&organization).await?))
}

/// Makes an endpoint. The answer holds its secret, this once.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks",
    tag = "owner",
    security(("api_key" = [])),
    request_body = CreateWebhook,
    responses(
        (status = 201, body = WebhookSecret),
        (status = 400, body = ErrorBody, description = "`invalid_request`: the field is named"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
    )
)]
pub(in crate::api) async fn create(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Json(wanted): Json<CreateWebhook>,
) -> Result<(StatusCode, axum::Json<WebhookSecret>), ApiError> {
    let created = app.webhooks.create(&organization, wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// One endpoint.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}",
    tag = "owner",
    security(("api_key" = [])),
    params(("webhook" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 200, body = Webhook),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn show(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
) -> Result<axum::Json<Webhook>, ApiError> {
    Ok(axum::Json(app.webhooks.show(&organization, &webhook).await?))
}

/// Changes an endpoint: what is absent stays. Disabling gives up what waits; enabling forgives.
#[utoipa::path(
    patch,
    path = "/api/v1/webhooks/{webhook}",
    tag = "owner",
    security(("api_key" = [])),
    params(("webhook" = String, Path, description = "The endpoint's id")),
    request_body = UpdateWebhook,
    responses(
        (status = 200, body = Webhook),
        (status = 400, body = ErrorBody, description = "`invalid_request`: the field is named"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn update(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
    Json(wanted): Json<UpdateWebhook>,
) -> Result<axum::Json<Webhook>, ApiError> {
    Ok(axum::Json(app.webhooks.update(&organization, &webhook, wanted).await?))
}

/// Deletes an endpoint with its deliveries.
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{webhook}",
    tag = "owner",
    security(("api_key" = [])),
    params(("webhook" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 204),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn delete(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.webhooks.delete(&organization, &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an endpoint a new secret, shown this once. For 24 hours the one before signs as well.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/rotate-secret",
    tag = "owner",
    security(("api_key" = [])),
    params(("webhook" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 200, body = WebhookSecret),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn rotate_secret(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
) -> Result<axum::Json<WebhookSecret>, ApiError> {
    Ok(axum::Json(app.webhooks.rotate_secret(&organization, &webhook).await?))
}

/// Sends a `ping`. The answer is its delivery; look it up to see what became of it.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/test",
    tag = "owner",
    security(("api_key" = [])),
    params(("webhook" = String, Path, description = "The endpoint's id")),
    responses(
        (status = 202, body = Delivery),
        (status = 400, body = ErrorBody, description = "`invalid_request`: it is disabled"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn test(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
) -> Result<(StatusCode, axum::Json<Delivery>), ApiError> {
    let delivery = app.webhooks.test(&organization, &webhook).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(delivery)))
}

/// Deliveries, newest first, 50 at a time.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}/deliveries",
    tag = "owner",
    security(("api_key" = [])),
    params(
        ("webhook" = String, Path, description = "The endpoint's id"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses(
        (status = 200, body = DeliveryList),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn deliveries(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
    Query(page): Query<Page>,
) -> Result<axum::Json<DeliveryList>, ApiError> {
    let cursor = page.cursor.as_deref();
    Ok(axum::Json(app.webhooks.deliveries(&organization, &webhook, cursor).await?))
}

/// Sends one delivery again, whatever became of it, under the same id.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/deliveries/{delivery}/replay",
    tag = "owner",
    security(("api_key" = [])),
    params(
        ("webhook" = String, Path, description = "The endpoint's id"),
        ("delivery" = String, Path, description = "The delivery's id"),
    ),
    responses(
        (status = 202, body = Delivery),
        (status = 400, body = ErrorBody, description = "`invalid_request`: it is disabled"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    )
)]
pub(in crate::api) async fn replay(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path((webhook, delivery)): Path<(String, String)>,
) -> Result<(StatusCode, axum::Json<Delivery>), ApiError> {
    let delivery = app.webhooks.replay(&organization, &webhook, &delivery).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(delivery)))
}

/// Since when.
#[derive(Deserialize)]
pub(in crate::api) struct Since {
    since: Option<String>,
}

/// Sends again what was given up since an instant, whenever it happened.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/replay",
    tag = "owner",
    security(("api_key" = [])),
    params(
        ("webhook" = String, Path, description = "The endpoint's id"),
        ("since" = String, Query, description = "RFC 3339 or Unix milliseconds"),
    ),
    responses(
        (status = 202, body = Replayed),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`: some may be sent already; ask again"),
        (status = 503, body = ErrorBody, description = "`search_timeout`: some may be sent already; ask again"),
    )
)]
pub(in crate::api) async fn replay_since(
    State(app): State<Arc<App>>,
    Manager(organization): Manager,
    Path(webhook): Path<String>,
    Query(Since { since }): Query<Since>,
) -> Result<(StatusCode, axum::Json<Replayed>), ApiError> {
    let since = since.as_deref().and_then(instant).ok_or_else(|| Refusal::Invalid {
        field: Some("since".into()),
        sentence: "since is an instant: RFC 3339 or Unix milliseconds".into(),
    })?;
    let count = app.webhooks.replay_since(&organization, &webhook, since).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Replayed { count })))
}

/// RFC 3339 or Unix milliseconds, as Unix milliseconds.
fn instant(text: &str) -> Option<u64> {
    if let Ok(ms) = text.parse() {
        return Some(ms);
    }
    u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()).ok()
}
