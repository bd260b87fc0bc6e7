//! Refusals on the wire: one table from meaning to status and code.

use crate::services::Refusal;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use banter_shared::error::{ErrorBody, codes};
use std::time::Duration;

/// What a handler returns instead of an answer.
#[derive(Clone, Debug)]
pub(super) struct ApiError(pub(super) Refusal);

impl<E: Into<Refusal>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiError {
    /// An empty answer that carries the refusal to the `Envelope`, which knows the id.
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// No such address.
pub(super) async fn not_found() -> ApiError {
    ApiError(Refusal::NotFound("address"))
}

/// The address has no such method.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError(Refusal::MethodNotAllowed)
}

/// Gives `response` the body of its refusal.
pub(super) fn render(refusal: &Refusal, request_id: &str, mut response: Response) -> Response {
    let body = told(refusal, request_id);
    // Serialising strings cannot fail.
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(header::CONTENT_LENGTH);
    if let Some(wait) = retry_after(refusal) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    *response.body_mut() = Body::from(json);
    response
}

/// The refusal's body, for an answer or a stream; logs what was our fault.
pub(super) fn told(refusal: &Refusal, request_id: &str) -> ErrorBody {
    let cause = match refusal {
        Refusal::Internal(cause) => Some(cause.as_ref() as &dyn std::error::Error),
        Refusal::Unstored(cause) => Some(cause.as_ref() as &dyn std::error::Error),
        _ => None,
    };
    if let Some(error) = cause {
        tracing::error!(request_id, error, "a request failed");
    }
    body(refusal, request_id)
}

/// The refusal's body.
fn body(refusal: &Refusal, request_id: &str) -> ErrorBody {
    let field = match refusal {
        Refusal::Invalid { field, .. } => field.clone(),
        _ => None,
    };
    let mut message = refusal.to_string();
    if let Some(first) = message.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    message.push('.');
    ErrorBody {
        code: code(refusal).into(),
        message,
        field,
        retryable: matches!(
            refusal,
            Refusal::RateLimited { .. }
                | Refusal::Busy(_)
                | Refusal::ExportNotReady
                | Refusal::LogInUse
                | Refusal::SearchTooLong
                | Refusal::Unavailable { .. }
                | Refusal::Unstored(_)
                | Refusal::Internal(_)
                | Refusal::AnswerInProgress
        ),
        request_id: request_id.into(),
    }
}

fn retry_after(refusal: &Refusal) -> Option<Duration> {
    match refusal {
        Refusal::RateLimited { retry_after } | Refusal::Unavailable { retry_after } => {
            Some(*retry_after)
        }
        Refusal::Unstored(_) => Some(Duration::from_secs(2)),
        Refusal::Busy(_) | Refusal::SearchTooLong => Some(Duration::from_secs(10)),
        _ => None,
    }
}

#[rustfmt::skip]
fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Invalid { .. }      => codes::INVALID_REQUEST,
        Refusal::NotFound(_)         => codes::NOT_FOUND,
        Refusal::MethodNotAllowed    => codes::METHOD_NOT_ALLOWED,
        Refusal::WidgetDisabled      => codes::WIDGET_DISABLED,
        Refusal::OriginNotAllowed    => codes::ORIGIN_NOT_ALLOWED,
        Refusal::Unauthorized        => codes::UNAUTHORIZED,
        Refusal::Unproven            => codes::UNAUTHORIZED,
        Refusal::TokenExpired        => codes::TOKEN_EXPIRED,
        Refusal::Forbidden           => codes::FORBIDDEN,
        Refusal::KeyNeeded           => codes::UNAUTHORIZED,
        Refusal::NotPermitted(_)     => codes::FORBIDDEN,
        Refusal::LogInUse            => codes::SESSION_ACTIVE,
        Refusal::ExportNotReady      => codes::EXPORT_NOT_READY,
        Refusal::Busy(_)             => codes::RATE_LIMITED,
        Refusal::SearchTooLong       => codes::SEARCH_TIMEOUT,
        Refusal::SessionEnded        => codes::SESSION_ENDED,
        Refusal::MessageIdConflict   => codes::MESSAGE_ID_CONFLICT,
        Refusal::AnswerInProgress    => codes::ANSWER_IN_PROGRESS,
        Refusal::SessionFull         => codes::SESSION_FULL,
        Refusal::TooLarge(_)         => codes::TOO_LARGE,
        Refusal::UnsupportedMediaType => codes::UNSUPPORTED_MEDIA_TYPE,
        Refusal::RateLimited { .. }  => codes::RATE_LIMITED,
        Refusal::Unavailable { .. }
        | Refusal::Unstored(_)       => codes::UNAVAILABLE,
        Refusal::Internal(_)         => codes::INTERNAL,
    }
}

#[rustfmt::skip]
fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Invalid { .. }       => StatusCode::BAD_REQUEST,
        Refusal::Unauthorized
        | Refusal::KeyNeeded
        | Refusal::Unproven
        | Refusal::TokenExpired       => StatusCode::UNAUTHORIZED,
        Refusal::OriginNotAllowed
        | Refusal::NotPermitted(_)
        | Refusal::Forbidden          => StatusCode::FORBIDDEN,
        Refusal::NotFound(_)          => StatusCode::NOT_FOUND,
        Refusal::MethodNotAllowed     => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::WidgetDisabled
        | Refusal::LogInUse
        | Refusal::ExportNotReady
        | Refusal::SessionEnded
        | Refusal::MessageIdConflict
        | Refusal::AnswerInProgress   => StatusCode::CONFLICT,
        Refusal::TooLarge(_)          => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::RateLimited { .. }
        | Refusal::Busy(_)
        | Refusal::SessionFull        => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable { .. }
        | Refusal::SearchTooLong
        | Refusal::Unstored(_)        => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Internal(_)          => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
