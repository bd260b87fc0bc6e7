//! What a host page fetches: the loader with its widget's configuration inside, and the panel's
//! frame page, which only pages on the widget's list may embed.

mod fill;

use super::assets::{allow_embedding, respond};
use super::error::ApiError;
use super::extract::AskedFrom;
use crate::app::App;
use crate::assets::{Asset, etag};
use crate::domain::embedding::OwnOrigin;
use crate::domain::origin::Origin;
use crate::domain::widget::Widget;
use crate::services::Refusal;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use banter_shared::widget::WidgetConfig;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a browser may use a loader without asking again, in seconds: what it takes for an
/// owner's change to reach visitors. After that it is used once more while it is asked for.
const LOADER_CACHE: &str = "public, max-age=300, stale-while-revalidate=86400";

/// Templates that were filled in and compressed, by their text; a change makes a new one.
///
/// Compressing takes milliseconds, and a page's address holds what anybody may choose: so it is done
/// beside the runtime, one at a time, and who would have to wait long gets the page as it is.
#[derive(Debug)]
pub struct Filled {
    kept: Mutex<HashMap<String, Arc<Asset>>>,
    compressing: Semaphore,
}

impl Default for Filled {
    fn default() -> Self {
        Self { kept: Mutex::default(), compressing: Semaphore::new(1) }
    }
}

/// How long a page waits for others to be compressed before it is sent as it is.
const PATIENCE: Duration = Duration::from_millis(250);

/// How many are kept before all are dropped: more than there are live widgets and pages around them.
const FILLED_KEPT: usize = 1000;

/// `GET /embed/{widget}.js`
pub(super) async fn loader(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = file.strip_suffix(".js").ok_or(Refusal::NotFound("widget"))?;
    let front_end = app.front_end()?;
    let (widget, _) = app.open_session.widget(&id.into()).await?;
    let config = widget.loader_config(&front_end.manifest.script);
    let text = fill::loader(&front_end.loader, &config);
    let asset = app.filled.get(text, "text/javascript; charset=utf-8").await;
    let mut response = respond(&asset, &headers);
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(LOADER_CACHE));
    allow_embedding(out);
    Ok(response)
}

/// What the loader says about the page it stands on.
#[derive(Deserialize)]
pub(super) struct FrameQuery {
    #[serde(default)]
    host: String,
}

/// `GET /frame/{widget}?host={origin}`
pub(super) async fn frame(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<FrameQuery>,
    from: AskedFrom,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (widget, assistant) = app.open_session.widget(&id.into()).await?;
    let host = Origin::parse(&query.host)
        .filter(|host| from.own.is(host) || widget.allows(host))
        .ok_or(Refusal::OriginNotAllowed)?;
    let config = app.open_session.config(&widget, &assistant);
    page(&app, &config, &host.to_string(), &ancestors(&widget, &from.own), &headers).await
}

/// `GET /chat/{widget}`
pub(super) async fn hosted(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (widget, assistant) = app.open_session.widget(&id.into()).await?;
    if !widget.settings.hosted_page {
        return Err(Refusal::NotFound("page").into());
    }
    let config = app.open_session.config(&widget, &assistant);
    page(&app, &config, "", "'none'", &headers).await
}

impl Filled {
    async fn get(&self, text: String, content_type: &'static str) -> Arc<Asset> {
        if let Some(asset) = self.kept().get(&text) {
            return asset.clone();
        }
        let Ok(Ok(_turn)) = timeout(PATIENCE, self.compressing.acquire()).await else {
            return Arc::new(plain(&text, content_type));
        };
        // Whoever had the turn before may have made this very one.
        if let Some(asset) = self.kept().get(&text) {
            return asset.clone();
        }
        let job = spawn_blocking(move || {
            let asset = Arc::new(compress(&text, content_type));
            (text, asset)
        });
        match job.await {
            Ok((text, asset)) => {
                let mut kept = self.kept();
                if kept.len() >= FILLED_KEPT {
                    kept.clear();
                }
                kept.insert(text, asset.clone());
                asset
            }
            // The server is stopping.
            Err(_) => Arc::new(plain("", content_type)),
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Arc<Asset>>> {
        // No code panics while holding the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole list, not only the asking page: the browser compares, and the answer can be cached.
fn ancestors(widget: &Widget, own: &OwnOrigin) -> String {
    let listed = widget.settings.allowed_origins.iter();
    let mut sources = vec!["'self'".to_owned()];
    sources.extend(listed.map(|pattern| pattern.as_csp_source().to_owned()));
    // `'self'` is the scheme we were asked under; a TLS proxy in front changes that.
    sources.push(format!("https://{}", own.authority));
    sources.join(" ")
}

async fn page(
    app: &App,
    config: &WidgetConfig,
    host: &str,
    ancestors: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let front_end = app.front_end()?;
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' '{}'; \
         connect-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors {ancestors}",
        front_end.manifest.style_hash
    );
    let policy =
        HeaderValue::from_str(&policy).map_err(|error| Refusal::Internal(Arc::new(error)))?;
    let text = fill::frame(&front_end.frame, config, host);
    let asset = app.filled.get(text, "text/html; charset=utf-8").await;
    let mut response = respond(&asset, headers);
    let out = response.headers_mut();
    out.insert(header::CONTENT_SECURITY_POLICY, policy);
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
    allow_embedding(out);
    Ok(response)
}

/// As it is.
fn plain(text: &str, content_type: &'static str) -> Asset {
    Asset {
        raw: Bytes::copy_from_slice(text.as_bytes()),
        brotli: None,
        gzip: None,
        content_type,
        etag: etag(text.as_bytes()),
    }
}

/// Compressed once, for as long as the text stays: as hard as it can be.
fn compress(text: &str, content_type: &'static str) -> Asset {
    let mut brotli = Vec::new();
    let mut reader = brotli::CompressorReader::new(text.as_bytes(), 4096, 11, 22);
    // Reading from memory into memory cannot fail; if it did, the plain form is sent.
    let brotli_ok = reader.read_to_end(&mut brotli).is_ok();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let gzip = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish()).ok();
    Asset {
        brotli: brotli_ok.then(|| brotli.into()),
        gzip: gzip.map(Bytes::from),
        ..plain(text, content_type)
    }
}
