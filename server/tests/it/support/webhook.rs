//! Vapi's side of a webhook, and a widget whose assistant Vapi runs.

use super::{Server, client};
use banter_server::domain::session::Happening;
use banter_shared::ids::SessionId;
use serde_json::{Value, json};

/// What both sides know.
pub(crate) const SECRET: &str = "canary-webhook-secret";

/// A server with a widget whose assistant Vapi runs, and a webhook credential. Nothing happens
/// behind the test's back: it calls each round itself.
pub(crate) async fn server() -> Server {
    server_with("").await
}

/// The same with these settings on top.
pub(crate) async fn server_with(extra: &str) -> Server {
    let server = Server::start_with(&format!(
        r#"
        {extra}
        [vapi.webhooks.test]
        type = "secret"
        secret = "{SECRET}"
        [vapi.connections.main]
        base_url = "http://127.0.0.1:1"
        api_key = "sk-canary-vapi"
        [assistants.remote]
        provider = "vapi"
        connection = "main"
        assistant_id = "a0000000-0000-4000-8000-00000000000a"
        [widgets.test]
        assistant = "remote"
        "#
    ))
    .await;
    server.app.tasks.stop();
    server
}

impl Server {
    /// The organization's address.
    pub(crate) fn webhook(&self) -> String {
        let path = self.value("SELECT webhook_path FROM organizations");
        self.url(&format!("/webhooks/vapi/{path}"))
    }

    /// The test widget's own address.
    pub(crate) fn widget_webhook(&self) -> String {
        let path = self.value("SELECT webhook_path FROM widgets WHERE id = 'test'");
        self.url(&format!("/webhooks/vapi/{path}"))
    }

    /// Delivers an event as Vapi does; gives the answer's status and body.
    pub(crate) async fn deliver(&self, url: &str, message: &Value) -> (u16, String) {
        let request = client().post(url).header("x-vapi-secret", SECRET);
        let response = request.json(&json!({ "message": message })).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Opens a session in the test widget that Vapi knows as `provider_session`.
    pub(crate) async fn vapi_session(&self, provider_session: Option<&str>) -> String {
        let visitor = self.visitor();
        let id = visitor.open().await.created.session.id;
        if let Some(provider_session) = provider_session {
            self.opened(&id.0, provider_session).await;
        }
        id.0
    }

    /// The provider has answered and told its id of a session.
    pub(crate) async fn opened(&self, session: &str, provider_session: &str) {
        let (now, id) = (self.app.clock.now_ms(), SessionId(session.to_owned()));
        let sql = "SELECT coalesce(provider_session, '') FROM sessions WHERE id = ";
        let before = Some(self.value(&format!("{sql}'{id}'"))).filter(|id| !id.is_empty());
        let opened = Happening::Opened { id: provider_session.to_owned(), instead_of: before };
        self.app.store.happen(&id, opened, now).await.unwrap();
    }
}

/// `session.created`.
pub(crate) fn created(id: &str, name: &str) -> Value {
    json!({"type": "session.created", "session": {"id": id, "name": name, "status": "active"}})
}

/// `session.updated` with the status `completed`.
pub(crate) fn completed(id: &str, cost: f64) -> Value {
    json!({"type": "session.updated", "timestamp": 1_795_000_000_500_u64,
           "session": {"id": id, "status": "completed", "cost": cost}})
}
