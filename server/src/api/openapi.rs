//! `GET /openapi.json`: the visitor and the owner API and the webhooks we take, described by the
//! same types that serve them.

use super::{hooks, owner, visitor};
use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Banter",
        description = "Chat with an assistant from any website.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        visitor::widget::show,
        visitor::sessions::create,
        visitor::sessions::history,
        visitor::sessions::activity,
        visitor::sessions::end,
        visitor::messages::create,
        owner::webhooks::list,
        owner::webhooks::create,
        owner::webhooks::show,
        owner::webhooks::update,
        owner::webhooks::delete,
        owner::webhooks::rotate_secret,
        owner::webhooks::test,
        owner::webhooks::deliveries,
        owner::webhooks::replay,
        owner::webhooks::replay_since,
        owner::keys::list,
        owner::keys::create,
        owner::keys::revoke,
        owner::logs::list,
        owner::logs::show,
        owner::logs::end,
        owner::logs::remove,
        owner::exports::direct,
        owner::exports::create,
        owner::exports::list,
        owner::exports::show,
        owner::exports::cancel,
        owner::exports::file,
        owner::exports::remove,
        owner::widgets::list,
        hooks::vapi,
    ),
    modifiers(&Credentials)
)]
struct Description;

/// The token that `POST …/sessions` gives, and the keys of owners.
struct Credentials;

impl utoipa::Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session_token", SecurityScheme::Http(scheme));
        components.add_security_scheme("api_key", SecurityScheme::Http(key));
    }
}

/// The document.
pub(super) async fn document() -> Json<Document> {
    Json(Description::openapi())
}
