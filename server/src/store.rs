//! What is kept: repository traits, and the only room that knows SQL.
//!
//! Rules of every implementation:
//!
//! 1. **Accepted means durable**: a write that returned `Ok` survives `kill -9` the next instant.
//! 2. Lookups return `Option`: "not found" is a value, broken is an error.
//! 3. A write that depends on what is stored decides inside its transaction, never before it.
//! 4. Time is passed in.
//! 5. Several servers may share a database: what only one may do is claimed in the database.

pub mod exports;
pub mod keys;
pub mod logs;
mod migrations;
mod postgres;
mod provider_events;
mod sql;
mod sqlite;

pub mod webhooks;

pub use provider_events::{
    Delivered, NewProviderEvent, Outcome, ProviderEventRepository, Settlement, Unconfirmed,
    WebhookTarget,
};
pub use sql::SqlStore;
pub use webhooks::{OutboxRepository, WebhookRepository};

use crate::domain::assistant::Assistant;
use crate::domain::session::{Change, Happening, SessionRecord};
use crate::domain::widget::Widget;
use async_trait::async_trait;
use banter_shared::error::ErrorBody;
use banter_shared::ids::{MessageId, SessionId, WidgetId};
use banter_shared::message::{Message, MessageStatus, Source};
use tokio::sync::broadcast;

/// Why the store could not do its work. Details go to the log, never to a visitor.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused or failed.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused or failed.
    #[error("the database failed")]
    Postgres(#[from] ::postgres::Error),
    /// A column does not hold what it should.
    #[error("column {0} of an answer cannot be read")]
    Column(usize),
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
    /// The store is closing, or cannot be reached right now.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same may succeed later: the database failed, not what is stored in it.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Column(_) | Self::Inconsistent { .. })
    }
}

/// The result of every operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What one server tells the others that share the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// More of an answer is stored.
    Wrote(SessionId),
    /// Somebody on another server reads an answer along: store it more often.
    Follow(SessionId),
    /// A session is over: stop writing its answer.
    Ended(SessionId),
    /// A webhook waits to be sent.
    Outbox,
    /// An export waits to be made.
    Export,
}

impl Notice {
    /// Reads what [`std::fmt::Display`] writes; `None` for what a newer server tells.
    fn parse(text: &str) -> Option<Self> {
        let (kind, session) = text.split_once(' ').unwrap_or((text, ""));
        let session = || SessionId(session.to_owned());
        Some(match kind {
            "wrote" => Self::Wrote(session()),
            "follow" => Self::Follow(session()),
            "ended" => Self::Ended(session()),
            "outbox" => Self::Outbox,
            "export" => Self::Export,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrote(session) => write!(f, "wrote {session}"),
            Self::Follow(session) => write!(f, "follow {session}"),
            Self::Ended(session) => write!(f, "ended {session}"),
            Self::Outbox => f.write_str("outbox"),
            Self::Export => f.write_str("export"),
        }
    }
}

/// How many notices a slow listener may lag behind before it misses some; each is only a hint.
const NOTICES: usize = 1024;

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
    /// Another server is writing the answer; here is what it has stored of it.
    Elsewhere {
        /// The answer so far.
        answer: Message,
        /// When the question was stored, in Unix milliseconds.
        asked_at: u64,
    },
    /// Another server is writing the answer to another question.
    Busy,
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
    /// The session.
    pub session: SessionRecord,
    /// The conversation up to and including the question, what it carries on before it; the answer
    /// to write is not in it.
    pub history: Vec<Message>,
    /// Whether nothing was answered in this session before.
    pub is_first: bool,
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

/// Which answer, and which try at it: only whoever has the latest may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerKey {
    /// The conversation.
    pub session: SessionId,
    /// The answer.
    pub id: MessageId,
    /// The try.
    pub attempt: u32,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEnd {
    /// Now, in Unix milliseconds.
    pub now: u64,
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
    /// A widget and the assistant that answers its chats.
    async fn widget(&self, id: &WidgetId) -> Result<Option<(Widget, Assistant)>>;
}

/// What the configuration declares.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Accounts by id: name and permissions.
    pub accounts: Vec<(String, String, serde_json::Value)>,
    /// Campaigns by id: name and account.
    pub campaigns: Vec<(String, String, Option<String>)>,
    /// Assistants by name.
    pub assistants: Vec<(String, Assistant)>,
    /// Widgets, each with the unguessable path of its webhooks in case it has none yet.
    pub widgets: Vec<(Widget, String)>,
    /// The organization to make if there is none.
    pub organization: NewOrganization,
    /// Now, in Unix milliseconds.
    pub now: u64,
}

/// The first organization and its first key.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// What it is called.
    pub name: String,
    /// The unguessable path of its webhooks.
    pub webhook_path: String,
    /// Whether the settings say so, whatever it was before.
    pub webhook_path_is_set: bool,
    /// The id of its first API key.
    pub key_id: String,
    /// The digest of its first API key.
    pub key_digest: String,
}

/// Whether [`WidgetRepository::declare`] found an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// It made the first one.
    First,
    /// There was one.
    Before,
}

/// A session about to be stored, with what its log shows and its rules do not need.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub record: SessionRecord,
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
    /// What the provider calls it.
    pub provider_session: String,
    /// Who answered in it.
    pub assistant: Assistant,
    /// How often this was tried before.
    pub attempts: u32,
}

/// Conversations.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Stores a new session and what is shown in it from the start. `false` when the widget is gone.
    async fn create_session(&self, session: NewSession, opening: Vec<Message>) -> Result<bool>;
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
    /// Claims up to `limit` sessions whose provider has to be told of the end, until `until`.
    async fn claim_closing(&self, now: u64, until: u64, limit: u32) -> Result<Vec<ToClose>>;
}

/// Questions and answers.
#[async_trait]
pub trait MessageRepository: Send + Sync {
    /// Stores a question once, whatever happens, and says what follows from it.
    async fn append_question(&self, question: Question) -> Result<Appended>;
    /// Keeps the text of an answer so far. `false` when somebody else writes it now.
    async fn checkpoint_answer(&self, answer: AnswerKey, text: String) -> Result<bool>;
    /// Stores how an answer ended. `false` when somebody else writes it now.
    async fn finish_answer(&self, answer: AnswerKey, end: AnswerEnd) -> Result<bool>;
    /// An answer that another server writes, and whether that server still lives.
    async fn answer_elsewhere(
        &self,
        session: &SessionId,
        answer: &MessageId,
        now: u64,
    ) -> Result<Option<(Message, bool)>>;
}

/// The servers that share the database.
#[async_trait]
pub trait NodeRepository: Send + Sync {
    /// This server begins: it is known from now on, and answers that nobody can write any more are
    /// marked interrupted. Returns how many.
    async fn join(&self, now: u64) -> Result<usize>;
    /// This server still lives; whoever has not said so for long is forgotten, and its answers that
    /// nobody took over are marked interrupted. Returns how many.
    async fn beat(&self, now: u64) -> Result<usize>;
    /// This server stops.
    async fn leave(&self) -> Result<()>;
}

/// Everything that is kept.
#[async_trait]
pub trait Store:
    WidgetRepository
    + SessionRepository
    + MessageRepository
    + NodeRepository
    + WebhookRepository
    + OutboxRepository
    + keys::KeyRepository
    + logs::LogRepository
    + exports::ExportRepository
    + ProviderEventRepository
{
    /// Whether the store takes writes now.
    async fn ping(&self) -> Result<()>;
    /// What this server and the others tell from now on. A listener that lags misses some.
    fn notices(&self) -> broadcast::Receiver<Notice>;
    /// Tells every server.
    async fn notify(&self, notice: Notice) -> Result<()>;
}
