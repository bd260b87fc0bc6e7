//! Webhooks of providers. The address is a secret, and it is not enough: each delivery proves itself.

use super::error::ApiError;
use super::extract::read_body;
use crate::app::App;
use crate::domain::webhook_auth::Delivery;
use axum::extract::{Path, Request, State};
use axum::http::header;
use std::sync::Arc;

/// Takes in what Vapi tells about sessions and chats.
#[utoipa::path(
    post,
    path = "/webhooks/vapi/{path}",
    tag = "webhooks",
    params(("path" = String, Path, description = "The organization's or the widget's secret path")),
    request_body(content = serde_json::Value, description = "Vapi's `{\"message\":{\"type\":…}}`"),
    responses(
        (status = 200, description = "It is stored, or was before; the body is `{}`"),
        (status = 400, body = banter_shared::error::ErrorBody, description = "`invalid_request`"),
        (status = 401, body = banter_shared::error::ErrorBody, description = "`unauthorized`"),
        (status = 404, body = banter_shared::error::ErrorBody, description = "`not_found`"),
        (status = 413, body = banter_shared::error::ErrorBody, description = "`too_large`"),
        (status = 503, body = banter_shared::error::ErrorBody, description = "`unavailable`"),
    )
)]
pub(super) async fn vapi(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    request: Request,
) -> Result<axum::Json<serde_json::Value>, ApiError> {
    let target = app.provider_events.target(&path).await?;
    let (parts, body) = request.into_parts();
    let relative = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let urls = [format!("{}{relative}", own_url(&app, &parts.headers)), relative];
    let request = Request::from_parts(parts.clone(), body);
    let bytes = read_body(request, &app, app.settings.limits.webhook_bytes).await?;
    let headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let delivery =
        Delivery { method: parts.method.as_str(), urls: &urls, headers: &headers, body: &bytes };
    app.provider_events.receive(target, &delivery).await?;
    Ok(axum::Json(serde_json::json!({})))
}

/// The whole address that webhooks are sent to, by its unguessable last part.
pub(super) fn address(app: &App, headers: &axum::http::HeaderMap, path: &str) -> String {
    format!("{}/webhooks/vapi/{path}", own_url(app, headers))
}

/// What stands before the path in the address the sender was given.
fn own_url(app: &App, headers: &axum::http::HeaderMap) -> String {
    match &app.public_origin {
        Some(origin) => origin.to_string(),
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            format!("http://{}", host.unwrap_or_default())
        }
    }
}
