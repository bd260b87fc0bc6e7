//! What the double remembers: assistants, sessions and chats, in the order they came.

use crate::checks::{object, text};
use crate::costs::Cost;
use crate::variables::bake;
use crate::when::{default_variables, iso};
use serde_json::{Map, Value, json};

/// Vapi's default for `expirationSeconds`.
const EXPIRATION_SECONDS: u64 = 86_400;

/// Everything there is.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// As a body shows them.
    pub(crate) assistants: Vec<Map<String, Value>>,
    /// Conversations.
    pub(crate) sessions: Vec<Session>,
    /// As a body shows them.
    pub(crate) chats: Vec<Map<String, Value>>,
}

impl State {
    /// The assistant `id`.
    pub(crate) fn assistant(&self, id: &str) -> Option<&Map<String, Value>> {
        self.assistants.iter().find(|assistant| text(assistant, "id") == Some(id))
    }

    /// The session `id`.
    pub(crate) fn session(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// The chat `id`.
    pub(crate) fn chat(&self, id: &str) -> Option<&Map<String, Value>> {
        self.chats.iter().find(|chat| text(chat, "id") == Some(id))
    }

    /// What was said in the chats up to `id`, oldest first.
    pub(crate) fn said_before(&self, id: &str) -> Vec<Value> {
        let Some(chat) = self.chat(id) else { return Vec::new() };
        ["messages", "output"]
            .into_iter()
            .filter_map(|name| chat.get(name).and_then(Value::as_array))
            .flatten()
            .cloned()
            .collect()
    }
}

/// A conversation.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: String,
    /// What its creator said about it, and what was said since.
    fields: Map<String, Value>,
    /// The assistant with its variables filled in, `null` for a squad.
    pub(crate) assistant: Value,
    created_ms: u64,
    cost: Cost,
}

impl Session {
    /// A session by a checked body, whose `assistantId` led to `assistant`.
    pub(crate) fn new(
        id: String,
        mut fields: Map<String, Value>,
        assistant: &Value,
        now_ms: u64,
    ) -> Self {
        let given = object(&fields, "assistantOverrides")
            .and_then(|overrides| object(overrides, "variableValues"))
            .cloned();
        let mut variables = default_variables(now_ms);
        variables.extend(given.clone().unwrap_or_default());
        let assistant = bake(assistant, &variables);
        if let Some(given) = given {
            fields.insert("metadata".into(), json!({ "variableValues": given }));
            fields.insert("assistant".into(), without_id(&assistant));
        }
        fields.entry("status").or_insert(json!("active"));
        fields.entry("expirationSeconds").or_insert(json!(EXPIRATION_SECONDS));
        fields.entry("messages").or_insert(json!([]));
        fields.insert("createdAt".into(), json!(iso(now_ms)));
        fields.insert("updatedAt".into(), json!(iso(now_ms)));
        Self { id, fields, assistant, created_ms: now_ms, cost: Cost::default() }
    }

    /// Changes what a checked body says. Whether that completed it.
    pub(crate) fn update(&mut self, changes: Map<String, Value>, now_ms: u64) -> bool {
        let before = self.is_completed();
        self.fields.extend(changes);
        self.touch(now_ms);
        self.is_completed() && !before
    }

    /// Adds what was said in a chat.
    pub(crate) fn say(&mut self, messages: Vec<Value>, cost: Cost, now_ms: u64) {
        if let Some(all) = self.fields.get_mut("messages").and_then(Value::as_array_mut) {
            all.extend(messages);
        }
        self.cost = self.cost.plus(cost);
        self.touch(now_ms);
    }

    /// Everything said so far.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.fields.get("messages").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// Whether somebody completed it.
    pub(crate) fn is_completed(&self) -> bool {
        text(&self.fields, "status") == Some("completed")
    }

    /// Whether its time is over at `now_ms`.
    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        let seconds = self.fields["expirationSeconds"].as_u64().unwrap_or(EXPIRATION_SECONDS);
        now_ms >= self.created_ms.saturating_add(seconds * 1000)
    }

    /// A field by its name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        text(&self.fields, name)
    }

    /// As a body shows it.
    pub(crate) fn shown(&self, organization: &str) -> Value {
        let mut shown = self.fields.clone();
        shown.insert("id".into(), json!(self.id));
        shown.insert("orgId".into(), json!(organization));
        shown.insert("cost".into(), json!(self.cost.total()));
        shown.insert("costs".into(), self.cost.parts("session"));
        shown.into()
    }

    fn touch(&mut self, now_ms: u64) {
        self.fields.insert("updatedAt".into(), json!(iso(now_ms)));
    }
}

/// An assistant as it was created, without what only a stored one has.
pub(crate) fn without_id(assistant: &Value) -> Value {
    let mut shown = assistant.as_object().cloned().unwrap_or_default();
    for name in ["id", "orgId", "createdAt", "updatedAt"] {
        shown.remove(name);
    }
    shown.into()
}
