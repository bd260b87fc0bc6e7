//! `GET /openapi.json`: the visitor API, described by the same types that serve it.

use super::visitor;
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
    ),
    modifiers(&SessionToken)
)]
struct Description;

/// The token that `POST …/sessions` gives.
struct SessionToken;

impl utoipa::Modify for SessionToken {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("session_token", SecurityScheme::Http(scheme));
    }
}

/// The document.
pub(super) async fn document() -> Json<Document> {
    Json(Description::openapi())
}
