//! The demo shop: a host page like a customer's, under the tightest policy a customer may have.

use super::assets::respond;
use super::error::ApiError;
use crate::assets::demo_file;
use crate::services::Refusal;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};

/// What a bank would set: our script and our frame, its own styles and images, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; frame-src 'self'; style-src 'self'; \
                      img-src 'self'; connect-src 'none'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// `GET /demo/`
pub(super) async fn index(headers: HeaderMap) -> Result<Response, ApiError> {
    page("index.html", &headers)
}

/// `GET /demo/{path}`
pub(super) async fn file(
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    page(&path, &headers)
}

/// `GET /` and `GET /demo`
pub(super) async fn redirect() -> impl IntoResponse {
    Redirect::temporary("/demo/")
}

fn page(path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let asset = demo_file(path).ok_or(Refusal::NotFound("page"))?;
    let mut response = respond(&asset, headers);
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}
