//! What a provider tells us about its sessions, and what that makes of a log.
//!
//! Events come twice, late and in any order, so nothing may depend on the order: [`Facts`] only
//! grow. Seed 000: `session.created` makes the log active; `session.updated` with the status
//! `completed` finalises it, and later completion events are ignored.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{MAX_NAME, Unreadable, amount, parse};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

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
}

/// How a session was completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// What it cost, in USD.
    pub cost: Option<Decimal>,
}

/// What is known about a session from its provider. Each field only grows: nothing that happened
/// is taken back by an event that comes late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the provider runs, or ran, this session.
    pub active: bool,
    /// Whether it was completed.
    pub completed: bool,
    /// Whether it was deleted at the provider.
    pub deleted: bool,
}

/// What an event added to what was known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The session is active, which was not known.
    pub activated: bool,
    /// The session is completed, which was not known: finalise it, this once.
    pub completed: Option<Completion>,
    /// The session was deleted at the provider, which was not known.
    pub deleted: bool,
}

impl Facts {
    /// Takes in one event that came at `received_at` (Unix milliseconds), and says what is new.
    ///
    /// What a session cost is what the first completion that reached us said: a log that was
    /// finalised was billed, and a bill does not change.
    pub fn apply(&mut self, event: &ProviderEvent, received_at: u64) -> News {
        if event.kind == Kind::Other {
            return News::default();
        }
        let mut news = News { activated: !self.active, ..News::default() };
        // There is no update, chat or end without a beginning, whatever became of its event.
        self.active = true;
        if event.kind == Kind::SessionDeleted {
            news.deleted = !self.deleted;
            self.deleted = true;
        }
        if event.kind == Kind::SessionUpdated && event.completed && !self.completed {
            let at = event.at.unwrap_or(received_at).min(received_at);
            self.completed = true;
            news.completed = Some(Completion { at, cost: event.cost });
        }
        news
    }
}
