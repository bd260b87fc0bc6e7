//! What is kept: repository traits, and the only room that knows SQL.
//!
//! Rules of every implementation:
//!
//! 1. **Accepted means durable**: a write that returned `Ok` survives `kill -9` the next instant.
//! 2. Lookups return `Option`: "not found" is a value, broken is an error.
//! 3. A write that depends on what is stored decides inside its transaction, never before it.
//! 4. Time is passed in.

pub mod sqlite;

use crate::domain::conversation::SessionRecord;
use crate::domain::widget::Widget;
use async_trait::async_trait;
use banter_engine::assistant::Assistant;
use banter_shared::error::ErrorBody;
use banter_shared::ids::{MessageId, SessionId, WidgetId};
use banter_shared::message::{Message, MessageStatus, Source};
use banter_shared::session::EndReason;

/// Why the store could not do its work. Details go to the log, never to a visitor.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or failed.
    #[error("the database failed")]
    Driver(#[from] rusqlite::Error),
    /// A row holds what this version cannot read.
    #[error("a stored {what} cannot be read")]
    Inconsistent {
        /// What it should have been.
        what: &'static str,
        /// Why it is not.
        #[source]
        cause: serde_json::Error,
    },
    /// The store could not be opened.
    #[error("the database cannot be opened: {0}")]
    Unopened(String),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

/// The result of every operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A question that was accepted, or what there was instead.
#[derive(Clone, Debug, PartialEq)]
pub enum Appended {
    /// The question is stored and its answer is waiting to be written.
    Write(Box<AnswerOrder>),
    /// The question was stored before; here is its answer as far as it came.
    Existing {
        /// The answer.
        answer: Message,
        /// When the question was stored, in Unix milliseconds.
        asked_at: u64,
    },
    /// There is no such session.
    NoSession,
    /// The conversation is over.
    Ended,
    /// The id belongs to a question with another text.
    Conflict,
    /// The session has all the questions it may have.
    Full,
}

/// Everything needed to have an answer written.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerOrder {
    /// The conversation up to and including the question; the answer to write is not in it.
    pub history: Vec<Message>,
    /// Who answers.
    pub assistant: Assistant,
    /// The answer's id.
    pub answer_id: MessageId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When the question was stored, in Unix milliseconds.
    pub asked_at: u64,
}

/// A question, before it is known whether it is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The conversation.
    pub session: SessionId,
    /// Its id, made by the client.
    pub id: MessageId,
    /// What the visitor says.
    pub text: String,
    /// Whether an unfinished answer shall be asked for anew.
    pub retry: bool,
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// How many questions a session may have.
    pub max_questions: u32,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEnd {
    /// `Complete`, `Interrupted` or `Failed`.
    pub status: MessageStatus,
    /// All of its text.
    pub text: String,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Why it failed.
    pub error: Option<ErrorBody>,
}

/// Widgets and assistants.
#[async_trait]
pub trait WidgetRepository: Send + Sync {
    /// Writes what the configuration declares, replacing what it declared before under the same
    /// names; returns the new owner's key digest it stored if there was no organization yet.
    async fn declare(&self, declaration: Declaration) -> Result<Seeded>;
    /// A widget and the assistant that answers in it.
    async fn widget(&self, id: &WidgetId) -> Result<Option<(Widget, Assistant)>>;
    /// Whether some organization has an API key with this digest.
    async fn has_api_key(&self, digest: &str) -> Result<bool>;
}

/// What the configuration declares.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Assistants by name.
    pub assistants: Vec<(String, Assistant)>,
    /// Widgets.
    pub widgets: Vec<Widget>,
    /// The organization to make if there is none, and the digest of its first API key.
    pub organization: (String, String),
    /// Now, in Unix milliseconds.
    pub now: u64,
}

/// Whether [`WidgetRepository::declare`] found an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// It made the first one.
    First,
    /// There was one.
    Before,
}

/// Conversations.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a new session and what is shown in it from the start. `false` when the widget is gone.
    async fn create_session(&self, session: &SessionRecord, opening: Vec<Message>) -> Result<bool>;
    /// A session and all its messages, oldest first.
    async fn history(&self, id: &SessionId) -> Result<Option<(SessionRecord, Vec<Message>)>>;
    /// Ends a session unless it is over already; returns it as it stands then.
    async fn end_session(
        &self,
        id: &SessionId,
        now: u64,
        reason: EndReason,
    ) -> Result<Option<SessionRecord>>;
}

/// Questions and answers.
#[async_trait]
pub trait MessageRepository: Send + Sync {
    /// Stores a question once, whatever happens, and says what follows from it.
    async fn append_question(&self, question: Question) -> Result<Appended>;
    /// Keeps the text of an answer so far.
    async fn checkpoint_answer(
        &self,
        session: &SessionId,
        answer: &MessageId,
        text: String,
    ) -> Result<()>;
    /// Stores how an answer ended.
    async fn finish_answer(
        &self,
        session: &SessionId,
        answer: &MessageId,
        end: AnswerEnd,
    ) -> Result<()>;
    /// After a crash: marks every answer that nobody writes any more. Returns how many.
    async fn interrupt_unfinished(&self) -> Result<usize>;
}

/// Everything that is kept.
#[async_trait]
pub trait Store: WidgetRepository + SessionRepository + MessageRepository {
    /// Whether the store takes writes now.
    async fn ping(&self) -> Result<()>;
}
