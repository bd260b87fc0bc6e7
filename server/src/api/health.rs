//! For operators: is it alive, may it have traffic, what does it count.

use super::error::ApiError;
use super::extract::peer;
use super::owner::credential::Credential;
use crate::app::App;
use crate::services::Refusal;
use crate::store::StoreError;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use banter_shared::owner::key::Scope;
use std::sync::Arc;
use std::time::Duration;

/// `GET /healthz`: the process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// How long the store may take to answer. Who asks waits a few seconds at most, and has to know by then.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// `GET /readyz`: the store takes writes and no stop is under way.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    let retry_after = Duration::from_secs(2);
    if app.is_stopping() {
        return Err(Refusal::Unavailable { retry_after }.into());
    }
    let ping = app.store.ping(app.clock.now_ms());
    let error = match tokio::time::timeout(ANSWERED_WITHIN, ping).await {
        Ok(Ok(())) => return Ok("ok\n"),
        Ok(Err(error)) => error,
        Err(_) => StoreError::Silent,
    };
    tracing::error!(error = &error as &dyn std::error::Error, "the store does not take writes");
    Err(Refusal::Unavailable { retry_after }.into())
}

/// `GET /metrics`: Prometheus text. For this machine, or with an owner's key for every account,
/// because what is counted is not told apart by account.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let (mut parts, _) = request.into_parts();
    // Behind a proxy on this machine everybody would look local.
    let local = peer(&parts)?.is_loopback() && !parts.headers.contains_key("x-forwarded-for");
    if !local {
        let credential = Credential::from_request_parts(&mut parts, &app).await?;
        credential.with_every_account(Scope::MetricsRead)?;
    }
    metrics::gauge!("banter_live_answers").set(app.converse.live_answers() as f64);
    metrics::gauge!("banter_tasks").set(app.tasks.running() as f64);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()))
}
