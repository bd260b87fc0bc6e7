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
        hooks::vapi,
    ),
    modifiers(&Keys)
)]
struct Description;

/// The token that `POST …/sessions` gives, and an owner's API key.
struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for (name, format) in [("session_token", "JWT"), ("api_key", "banter_sk_…")] {
            let scheme =
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// The document.
pub(super) async fn document() -> Json<Document> {
    Json(Description::openapi())
}
