//! Widgets: which there are, and where the webhooks of each go.

use super::credential::Credential;
use crate::api::error::ApiError;
use crate::api::hooks;
use crate::app::App;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::owner::key::Scope;
use banter_shared::owner::widget::WidgetList;
use std::sync::Arc;

/// All widgets by their ids. A key that is bound to an account sees those of its campaigns. The address
/// for a provider's webhooks is shown to keys of no account that have the scope `webhooks:manage` as
/// well.
#[utoipa::path(
    get,
    path = "/api/v1/widgets",
    tag = "owner",
    security(("api_key" = ["widgets:read"])),
    responses(
        (status = 200, body = WidgetList),
        (status = 401, body = ErrorBody, description = "`unauthorized`"),
        (status = 403, body = ErrorBody, description = "`forbidden`"),
    )
)]
pub(in crate::api) async fn list(
    State(app): State<Arc<App>>,
    credential: Credential,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let owner = credential.with(Scope::WidgetsRead)?;
    let address = |path: &str| hooks::address(&app, &headers, path);
    Ok(axum::Json(WidgetList { items: app.widgets.list(&owner, address).await? }))
}
