//! What was said in a session that another client led, as its provider tells it at the end.

use banter_shared::message::Role;
use serde_json::Value;

/// The most messages kept of one session.
const MAX_SAID: usize = 500;

/// One message of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who said it.
    pub role: Role,
    /// What.
    pub text: String,
}

/// The messages in the body of an event, oldest first: what visitor and assistant said, and nothing of
/// tools and instructions. Bounded in number here, and in length because the body is: it must have
/// gone through a [`Redactor`](crate::domain::redaction::Redactor).
#[must_use]
pub fn said(body: &Value) -> Vec<Said> {
    let messages = body["message"]["session"]["messages"].as_array();
    messages.into_iter().flatten().filter_map(one).take(MAX_SAID).collect()
}

fn one(message: &Value) -> Option<Said> {
    let role = match message["role"].as_str()? {
        "user" => Role::Visitor,
        // The name that calls have for it.
        "assistant" | "bot" => Role::Assistant,
        _ => return None,
    };
    let text = match (&message["content"], &message["message"]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        (Value::Array(parts), _) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(Said { role, text })
}
