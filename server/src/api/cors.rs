//! Letting pages of other origins read what visitors are answered (Fetch standard, "CORS protocol").
//!
//! Any page may, because reading needs the token, which comes in a header and in no cookie; and the
//! widget's list of origins is checked by the handlers, which know the widget. So the answer names the
//! page that asked, and the same few headers whoever it is.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

/// How many headers [`share`] adds.
pub(super) const HEADERS: usize = 3;

/// Lets the page of `origin` read the answer with these headers.
pub(super) fn share(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.append(
        header::VARY,
        HeaderValue::from_static(
            "origin, access-control-request-method, access-control-request-headers",
        ),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("retry-after,x-request-id"),
    );
}

/// What a browser is told that asks before it sends a page's request: good for a day.
pub(super) fn preflight() -> Response {
    [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET,POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization,content-type,last-event-id"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ]
    .into_response()
}
