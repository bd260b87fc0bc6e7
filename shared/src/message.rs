//! One entry of a conversation, as the visitor may see it.

use crate::error::ErrorBody;
use crate::ids::MessageId;
use serde::{Deserialize, Serialize};

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Role {
    /// The person on the host page.
    Visitor,
    /// What answers.
    Assistant,
    /// A role from a newer server: shown like the assistant's.
    #[serde(other)]
    Unknown,
}

/// How far a message has come. A visitor's message is `Complete` once it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum MessageStatus {
    /// Being written; more text will come.
    Streaming,
    /// All of it is here.
    Complete,
    /// It stopped before its end and can be asked for again.
    Interrupted,
    /// The assistant failed; `error` says how. It can be asked for again if that error is retryable.
    Failed,
    /// A status from a newer server: treated as complete, so that it can never lock the composer.
    #[serde(other)]
    Unknown,
}

/// Where an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Source {
    /// What to call it, e.g. `Shipping › Delivery times`.
    pub title: String,
    /// Where to read on: http(s), or absent when it is not a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One entry of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Message {
    /// Unique within its session. An answer's id is `{id of what it answers}.a`.
    pub id: MessageId,
    /// Who said it.
    pub role: Role,
    /// Plain text or the Markdown subset; never markup to be trusted.
    pub text: String,
    /// How far it has come.
    pub status: MessageStatus,
    /// When it was accepted, in Unix milliseconds.
    pub created_at: u64,
    /// Which try at an answer this is, from 1; 0 for what a visitor says.
    #[serde(default)]
    pub attempt: u32,
    /// What the answer rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

/// The id of the answer to the message `question`.
#[must_use]
pub fn answer_id(question: &MessageId) -> MessageId {
    MessageId(format!("{question}.a"))
}
