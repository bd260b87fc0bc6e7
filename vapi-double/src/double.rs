//! A running double, and what a test may ask of it.

use crate::options::{ASSISTANT, ORGANIZATION, Options};
use crate::script::{Route, Script};
use crate::shared::{Seen, Shared, lock};
use crate::webhooks::{self, Event, Sent};
use crate::{api, when};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// A running double. Dropping it closes its door and stops its webhooks.
pub struct Double {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

impl Double {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?, options)
    }

    /// Starts one on `listener`.
    ///
    /// # Errors
    /// When the listener has no address, or no HTTP client for webhooks can be made.
    pub fn serve(listener: TcpListener, options: Options) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (events_in, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(options, events_in));
        let assistant = standing_assistant(&shared);
        shared.state().assistants.push(assistant);
        let client = banter_engine::http::client("Vapi/1.0", std::time::Duration::from_secs(5))
            .map_err(std::io::Error::other)?;
        let router = api::router(shared.clone());
        let tasks = vec![
            background(async move {
                // It ends only when it is dropped.
                let _ = axum::serve(listener, router).await;
            }),
            background(deliver(shared.clone(), client, events)),
        ];
        Ok(Self { address, shared, tasks })
    }

    /// What to put into a client's settings.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says how chats are answered from now on.
    pub fn will(&self, script: impl Into<Script>) {
        self.will_on(Route::Chat, script);
    }

    /// Says how a route is answered from now on.
    pub fn will_on(&self, route: Route, script: impl Into<Script>) {
        self.shared.follow(route, script.into());
    }

    /// Lets `count` more held pieces go.
    pub fn release(&self, count: usize) {
        self.shared.allowed.add_permits(count);
    }

    /// How many answers it is in the middle of.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Every request that came, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// The bodies of the requests with this method and path, oldest first.
    #[must_use]
    pub fn bodies(&self, method: &str, path: &str) -> Vec<Value> {
        let seen = lock(&self.shared.seen);
        seen.iter()
            .filter(|seen| seen.method == method && seen.path == path)
            .map(|seen| seen.body.clone())
            .collect()
    }

    /// Every webhook that was tried, oldest first.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Sent> {
        lock(&self.shared.sent).clone()
    }

    /// All sessions as `GET /session` shows them, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<Value> {
        self.shared.state().sessions.iter().map(|session| session.shown(ORGANIZATION)).collect()
    }

    /// All chats as `GET /chat` shows them, oldest first.
    #[must_use]
    pub fn chats(&self) -> Vec<Value> {
        self.shared.state().chats.iter().cloned().map(Value::Object).collect()
    }

    /// Stores an assistant, as `POST /assistant` would, and gives its id.
    pub fn add_assistant(&self, assistant: &Value) -> String {
        let fields = assistant.as_object().cloned().unwrap_or_default();
        let stored = api::store_assistant(&self.shared, fields);
        stored["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Forgets every session, as if their ids had never been.
    pub fn forget_sessions(&self) {
        self.shared.state().sessions.clear();
    }

    /// Completes a session from the inside, as an expiry or a dashboard would; the webhook follows.
    pub fn complete(&self, session: &str) {
        let changes = json!({ "status": "completed" });
        api::update_session(
            &self.shared,
            session,
            changes.as_object().cloned().unwrap_or_default(),
        );
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The assistant that demos and tests find without making one.
fn standing_assistant(shared: &Shared) -> serde_json::Map<String, Value> {
    let now = when::iso(shared.now());
    let assistant = json!({
        "id": ASSISTANT,
        "orgId": ORGANIZATION,
        "createdAt": now,
        "updatedAt": now,
        "name": "Vera",
        "firstMessage": "Hi {{name | default: 'there'}}! I'm Vera. What would you like to know?",
        "model": {
            "provider": "openai",
            "model": "gpt-4o",
            "messages": [{
                "role": "system",
                "content": "You are Vera. You help {{name | default: 'visitors'}} of {{company | default: 'a shop'}}.",
            }],
        },
        "serverMessages": shared.options.server_messages,
    });
    assistant.as_object().cloned().unwrap_or_default()
}

/// Sends webhooks one after the other, so that a test knows their order.
async fn deliver(
    shared: Arc<Shared>,
    client: reqwest::Client,
    mut events: mpsc::UnboundedReceiver<Event>,
) {
    while let Some(event) = events.recv().await {
        let Some(server) = event.target(shared.options.server.as_ref()) else { continue };
        let sent = webhooks::send(&client, &event, &server, &shared.options.credentials).await;
        lock(&shared.sent).push(sent);
    }
}

fn background(work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    #[expect(clippy::disallowed_methods, reason = "a double stands outside the server that counts")]
    tokio::spawn(work).abort_handle()
}
