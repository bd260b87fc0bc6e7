//! Every door to the outside, on one page. Handlers tell a story and decide nothing: extract,
//! authorise, call a service, answer.

mod assets;
mod cors;
mod demo;
mod embed;
mod envelope;
mod error;
mod extract;
mod health;
mod hooks;
mod limits;
mod openapi;
mod owner;
mod visitor;

pub use embed::Filled;
pub use extract::Peer;
pub use limits::RateLimits;

use crate::app::App;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post};
use envelope::Envelope;
use std::sync::Arc;

/// The whole server.
#[rustfmt::skip]
pub fn router(app: Arc<App>) -> Router {
    // Visitors' browsers. From our own frame these are same-origin; in page mode they cross
    // origins, so they answer CORS. No cookies are used: the token in the header is the only key.
    let visitor = Router::new()
        .route("/visitor/v1/widgets/{widget}",            get(visitor::widget::show))
        .route("/visitor/v1/widgets/{widget}/sessions",   post(visitor::sessions::create))
        .route("/visitor/v1/sessions/{session}",          get(visitor::sessions::history))
        .route("/visitor/v1/sessions/{session}/messages", post(visitor::messages::create))
        .route("/visitor/v1/sessions/{session}/activity", post(visitor::sessions::activity))
        .route("/visitor/v1/sessions/{session}/end",      post(visitor::sessions::end))
        // Set here as well, so that it is answered across origins: a preflight is a method, too.
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(Envelope::across_origins(app.clone()));

    // Host pages: one tag, one frame, versioned files.
    let embed = Router::new()
        .route("/embed/{file}",   get(embed::loader))
        .route("/frame/{widget}", get(embed::frame))
        .route("/chat/{widget}",  get(embed::hosted))
        .route("/assets/{file}",  get(assets::show))
        .route("/demo/",          get(demo::index))
        .route("/demo/{*path}",   get(demo::file))
        .route("/",               get(demo::redirect))
        .route("/demo",           get(demo::redirect));

    // Owners' programs and the console: an API key says whose data and what may be done with them.
    let owner = Router::new()
        .route("/api/v1/keys",                   get(owner::keys::list).post(owner::keys::create))
        .route("/api/v1/keys/{key}",             delete(owner::keys::revoke))
        .route("/api/v1/logs",                   get(owner::logs::list))
        .route("/api/v1/logs/export",            get(owner::exports::direct))
        .route("/api/v1/logs/{log}",             get(owner::logs::show).delete(owner::logs::remove))
        .route("/api/v1/logs/{log}/end",         post(owner::logs::end))
        .route("/api/v1/exports",                get(owner::exports::list).post(owner::exports::create))
        .route("/api/v1/exports/{export}",       get(owner::exports::show).delete(owner::exports::remove))
        .route("/api/v1/exports/{export}/cancel", post(owner::exports::cancel))
        .route("/api/v1/exports/{export}/file",  get(owner::exports::file))
        .route("/api/v1/webhooks",                                 get(owner::webhooks::list).post(owner::webhooks::create))
        .route("/api/v1/webhooks/{webhook}",                       get(owner::webhooks::show).patch(owner::webhooks::update).delete(owner::webhooks::delete))
        .route("/api/v1/webhooks/{webhook}/rotate-secret",         post(owner::webhooks::rotate_secret))
        .route("/api/v1/webhooks/{webhook}/test",                  post(owner::webhooks::test))
        .route("/api/v1/webhooks/{webhook}/deliveries",            get(owner::webhooks::deliveries))
        .route("/api/v1/webhooks/{webhook}/deliveries/{delivery}/replay", post(owner::webhooks::replay))
        .route("/api/v1/webhooks/{webhook}/replay",                post(owner::webhooks::replay_since))
        .route("/api/v1/widgets",                get(owner::widgets::list))
        .layer(from_fn(owner::never_cached));

    // Providers. The address is a secret and each delivery proves itself on top of it.
    let hooks = Router::new().route("/webhooks/vapi/{path}", post(hooks::vapi));

    // Operators.
    let system = Router::new()
        .route("/healthz",      get(health::alive))
        .route("/readyz",       get(health::ready))
        .route("/metrics",      get(health::metrics))
        .route("/openapi.json", get(openapi::document));

    Router::new()
        .merge(owner)
        .merge(hooks)
        .merge(embed)
        .merge(system)
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(Envelope::new(app.clone()))
        .merge(visitor)
        .with_state(app)
}
