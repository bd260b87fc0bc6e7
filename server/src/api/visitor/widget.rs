//! `GET /visitor/v1/widgets/{widget}`

use crate::api::error::ApiError;
use crate::app::App;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::widget::WidgetConfig;
use std::sync::Arc;

/// What the panel of a widget draws itself from: public, no token needed.
#[utoipa::path(
    get,
    path = "/visitor/v1/widgets/{widget}",
    tag = "visitor",
    params(("widget" = String, Path, description = "The widget's id, as it stands in the tag")),
    responses(
        (status = 200, body = WidgetConfig),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`widget_disabled`"),
    )
)]
pub(in crate::api) async fn show(
    State(app): State<Arc<App>>,
    Path(widget): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (widget, assistant) = app.open_session.widget(&widget.into()).await?;
    Ok(axum::Json(app.open_session.config(&widget, &assistant)))
}
