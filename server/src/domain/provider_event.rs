//! What a provider tells us about its sessions, and what that makes of a log.
//!
//! Events come twice, late and in any order, so nothing may depend on the order: what is known only
//! grows. Seed 000: `session.created` makes the log active; `session.updated` with the status
//! `completed` finalises it, and later completion events are ignored.

mod parse;
mod said;
#[cfg(test)]
mod tests;

pub use parse::{MAX_NAME, Unreadable, parse, price};
pub use said::{Said, said};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A session began.
    SessionCreated,
    /// Something about a session changed.
    SessionUpdated,
    /// A session was deleted at the provider.
    SessionDeleted,
    /// A chat, one question and its answer, was made.
    ChatCreated,
    /// A chat was deleted at the provider.
    ChatDeleted,
    /// Something that means nothing to a log.
    Other,
}

/// One event, as far as logs are concerned with it. Stored beside the body, because of a body that
/// is too long only a part is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderEvent {
    /// What happened.
    pub kind: Kind,
    /// The kind by the provider's own name, at most [`MAX_NAME`] bytes.
    pub name: String,
    /// The provider's id of the session.
    pub provider_session: Option<String>,
    /// The name we gave the session when we made it: our own id.
    pub session_name: Option<String>,
    /// Whether the session is completed.
    pub completed: bool,
    /// What the session cost so far, in USD.
    pub cost: Option<Decimal>,
    /// When it happened by the provider's clock, in Unix milliseconds.
    pub at: Option<u64>,
    /// When the session began by the provider's clock, in Unix milliseconds.
    pub began_at: Option<u64>,
    /// How many messages of the visitor the session holds, if the event says so.
    pub visitor_messages: Option<u32>,
    /// The provider's id of the chat, for events about one.
    pub chat: Option<String>,
}

impl ProviderEvent {
    /// Whether the event is about a conversation that a log is kept of.
    #[must_use]
    pub fn concerns_a_log(&self) -> bool {
        self.kind != Kind::Other && (self.provider_session.is_some() || self.session_name.is_some())
    }

    /// What the event, whose content has this `digest`, says of the session's end, if it came with `body`
    /// at `received_at` (Unix milliseconds). For the body see [`said()`].
    #[must_use]
    pub fn completion(&self, digest: &str, body: &Value, received_at: u64) -> Option<Completion> {
        (self.kind == Kind::SessionUpdated && self.completed).then(|| Completion {
            at: self.at.unwrap_or(received_at).min(received_at),
            cost: self.cost,
            visitor_messages: self.visitor_messages.unwrap_or_default(),
            said: said(body),
            digest: digest.to_owned(),
        })
    }
}

/// How a session was completed, as one event says it. Of several that differ, one decides all of it
/// together: see
/// [`ProviderSessionRecord::complete`](super::provider_session::ProviderSessionRecord::complete).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// What it cost, in USD.
    pub cost: Option<Decimal>,
    /// How many messages of the visitor the session holds.
    pub visitor_messages: u32,
    /// What was said, as far as it is kept.
    pub said: Vec<Said>,
    /// The digest of the event's content.
    pub digest: String,
}
