//! What goes around every handler, in one layer, because each layer costs every request: an id, the
//! headers of every answer, what lets pages read across origins, the measuring; and the one place
//! where a refusal becomes an error's body and an internal error is logged.

use super::cors;
use super::error::{self, ApiError};
use crate::app::App;
use crate::services::Refusal;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::Route;
use metrics::{Counter, Histogram};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};

/// Where a request's id stands in the answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What every answer carries, unless its handler said something stricter.
const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// A request's id: ours, never the client's, so that it cannot be forged into the log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The layer. It lies around each route, not around the router, which knows the route's name.
#[derive(Clone)]
pub(super) struct Envelope {
    app: Arc<App>,
    across_origins: bool,
}

impl Envelope {
    /// For routes that only pages of this server call, or no pages.
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app, across_origins: false }
    }

    /// For routes whose answers pages of other origins may read.
    pub(super) fn across_origins(app: Arc<App>) -> Self {
        Self { app, across_origins: true }
    }
}

impl Layer<Route> for Envelope {
    type Service = Enveloped;

    fn layer(&self, route: Route) -> Enveloped {
        Enveloped { route, envelope: self.clone(), meters: Arc::default() }
    }
}

/// A route in its envelope.
#[derive(Clone)]
pub(super) struct Enveloped {
    route: Route,
    envelope: Envelope,
    meters: Arc<OnceLock<Meters>>,
}

impl Service<Request> for Enveloped {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.route, context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let started = Instant::now();
        let across_origins = self.envelope.across_origins;
        let id = self.envelope.app.ids.next();
        let path = request.extensions().get::<MatchedPath>().cloned();
        let method = request.method().clone();
        let origin = request.headers().get(header::ORIGIN).filter(|_| across_origins).cloned();
        request.extensions_mut().insert(RequestId(id.clone()));
        let is_preflight = across_origins && method == Method::OPTIONS;
        let answer = (!is_preflight).then(|| self.route.call(request));
        let meters = self.meters.clone();
        Box::pin(async move {
            let mut response = match answer {
                Some(answer) => answer.await?,
                None => cors::preflight(),
            };
            if let Some(ApiError(refusal)) = response.extensions_mut().remove::<ApiError>() {
                response = error::render(&refusal, &id, response);
            } else if response.status() == StatusCode::BAD_REQUEST {
                // The router's own: a part of the address is no text, or comes twice.
                let sentence = "the address cannot be read".into();
                let refusal = Refusal::Invalid { field: None, sentence };
                response = error::render(&refusal, &id, response);
            }
            let (status, took) = (response.status(), started.elapsed());
            let route = path.as_ref().map_or("(none)", MatchedPath::as_str);
            meters.get_or_init(|| Meters::new(route)).count(route, status, took);
            tracing::debug!(%method, route, status = status.as_u16(), request_id = id, "request");
            let headers = response.headers_mut();
            complete(headers, id);
            if across_origins {
                cors::share(headers, origin);
            }
            Ok(response)
        })
    }
}

/// Adds to an answer's headers what all of them carry.
fn complete(headers: &mut HeaderMap, id: String) {
    headers.reserve(ALWAYS.len() + 1 + cors::HEADERS);
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// What a route's requests are measured with, looked up once and not by each of them.
struct Meters {
    seconds: Histogram,
    by_status: Mutex<Vec<(StatusCode, Counter)>>,
}

impl Meters {
    fn new(route: &str) -> Self {
        let route = route.to_owned();
        let seconds = metrics::histogram!("banter_request_seconds", "route" => route);
        Self { seconds, by_status: Mutex::default() }
    }

    /// One more request, and how long the head of its answer took: a stream goes on for as long as
    /// it is read.
    fn count(&self, route: &str, status: StatusCode, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        // No code panics while holding the lock.
        let mut by_status = self.by_status.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = by_status.iter().find(|(known, _)| *known == status) {
            return counter.increment(1);
        }
        let (route, name) = (route.to_owned(), status.as_u16().to_string());
        let counter =
            metrics::counter!("banter_requests_total", "route" => route, "status" => name);
        counter.increment(1);
        by_status.push((status, counter));
    }
}
