//! `GET /assets/{file}`: versioned files. A name holds the hash of its content, so a browser keeps
//! it for ever; compressed once, when it was built.

use super::error::ApiError;
use crate::app::App;
use crate::assets::Asset;
use crate::services::Refusal;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// A file of the front end. Any page may read it: page mode imports it across origins.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let front_end = app.front_end()?;
    let asset = front_end.files.get(&file).ok_or(Refusal::NotFound("file"))?;
    let mut response = respond(asset, &headers);
    let out = response.headers_mut();
    out.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    out.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    allow_embedding(out);
    Ok(response)
}

/// Lets pages of other origins load the answer and see how long it took.
pub(super) fn allow_embedding(headers: &mut HeaderMap) {
    for name in ["cross-origin-resource-policy", "timing-allow-origin"] {
        let value = if name.starts_with("cross") { "cross-origin" } else { "*" };
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// A file in the best form its reader takes, or 304 if it has it.
pub(super) fn respond(asset: &Asset, headers: &HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let has_it = text(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
    });
    let accepted = text(header::ACCEPT_ENCODING).unwrap_or_default();
    let takes = |coding: &str| accepts(accepted, coding);
    let (encoding, bytes) = match (&asset.brotli, &asset.gzip) {
        (Some(brotli), _) if takes("br") => (Some("br"), brotli),
        (_, Some(gzip)) if takes("gzip") => (Some("gzip"), gzip),
        _ => (None, &asset.raw),
    };
    let mut response = if has_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        bytes.clone().into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        out.insert(header::ETAG, etag);
    }
    if let Some(encoding) = encoding.filter(|_| !has_it) {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Whether an `Accept-Encoding` names this coding and does not refuse it (`;q=0`).
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let refused = parts.any(|part| {
            part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn codings_are_named_and_may_be_refused() {
        for (header, coding, taken) in [
            ("gzip, deflate, br, zstd", "br", true),
            ("gzip;q=0.8, BR;q=1", "br", true),
            ("br;q=0, gzip", "br", false),
            ("brotli", "br", false),
            ("", "gzip", false),
        ] {
            assert_eq!(accepts(header, coding), taken, "{header}");
        }
    }
}
