//! What is asked of the store about sessions.

use super::Result;
use crate::domain::assistant::Assistant;
use crate::domain::provider::ProviderName;
use crate::domain::provider_session::Standing;
use crate::domain::session::{Change, Happening, SessionRecord};
use async_trait::async_trait;
use banter_shared::ids::{MessageId, SessionId, WidgetId};
use banter_shared::message::Message;

/// A session about to be stored. Whose it is, is its widget's to say.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The widget it belongs to.
    pub widget_id: WidgetId,
    /// Who runs its assistant.
    pub provider: ProviderName,
    /// When it begins, in Unix milliseconds.
    pub created_at: u64,
    /// How long there may be no sign of life, in milliseconds.
    pub inactive_after_ms: u64,
    /// When it ends whatever happens, in Unix milliseconds.
    pub expires_at: u64,
    /// The session it carries on.
    pub continues: Option<SessionId>,
    /// The origin of the page it began on.
    pub page_origin: String,
    /// BCP 47 tag of the visitor's language.
    pub language: Option<String>,
}

/// A session and what was said in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The session.
    pub session: SessionRecord,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
    /// What was said in the sessions it carries on, oldest first.
    pub earlier: Vec<Message>,
    /// The answer that another server writes or wrote when it stopped.
    pub elsewhere: Option<MessageId>,
}

/// A session whose provider has to be told that it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct ToClose {
    /// The session.
    pub session: SessionId,
    /// What the provider calls those that it opened for it and that are not known to be over.
    pub provider_sessions: Vec<String>,
    /// Who answered in it.
    pub assistant: Assistant,
    /// How often this was tried before.
    pub attempts: u32,
}

/// Conversations.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a new session and what is shown in it from the start; returns it as it is stored.
    /// `None` when the widget is gone.
    async fn create_session(
        &self,
        session: NewSession,
        opening: Vec<Message>,
    ) -> Result<Option<SessionRecord>>;
    /// A session and all its messages.
    async fn conversation(&self, id: &SessionId) -> Result<Option<Conversation>>;
    /// Applies what happened to a session at `now`; returns it as it stands then, and what changed.
    async fn happen(
        &self,
        id: &SessionId,
        happening: Happening,
        now: u64,
    ) -> Result<Option<(SessionRecord, Change)>>;
    /// Writes down the end of up to `limit` sessions whose deadline has passed. Returns how many.
    async fn end_due(&self, now: u64, limit: u32) -> Result<usize>;
    /// Claims up to `limit` sessions whose provider has to be told of the end. Unless it has been told
    /// by then, each is offered again after `patience_ms`, and after twice that each next time.
    async fn claim_closing(&self, now: u64, patience_ms: u64, limit: u32) -> Result<Vec<ToClose>>;
    /// Writes down that one of an ended session's at the provider is not open any more: the provider was
    /// told, or will not be.
    async fn close_provider_session(
        &self,
        session: &SessionId,
        provider_session: &str,
        standing: Standing,
        now: u64,
    ) -> Result<()>;
}
