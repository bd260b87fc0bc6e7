//! What is kept: repository traits, and the only room that knows SQL.
//!
//! Rules of every implementation:
//!
//! 1. **Accepted means durable**: a write that returned `Ok` survives a power failure the next instant;
//!    what [`Durable`] was waited for survives `kill -9`, and is on its way to the disk.
//! 2. Lookups return `Option`: "not found" is a value, broken is an error.
//! 3. A write that depends on what is stored decides inside its transaction, never before it.
//! 4. Time is passed in.
//! 5. Several servers may share a database: what only one may do is claimed in the database.

pub mod exports;
pub mod keys;
mod lane;
pub mod logs;
mod messages;
mod migrations;
mod nodes;
mod notice;
mod postgres;
mod provider_events;
mod sessions;
mod sql;
mod sqlite;
#[cfg(test)]
#[path = "../tests/it/support/database.rs"]
#[expect(dead_code, reason = "the store's own tests need a database, and no more of what is there")]
mod test_database;
pub mod webhooks;
mod widgets;

pub use messages::{
    AnswerEnd, AnswerKey, AnswerOrder, Appended, Elsewhere, Finished, MessageRepository, Question,
};
pub use nodes::NodeRepository;
pub use notice::Notice;
pub use provider_events::{
    Delivered, NewProviderEvent, Outcome, ProviderEventRepository, Unconfirmed, Unsettled,
    WebhookTarget,
};
pub use sessions::{Conversation, NewSession, SessionRepository, ToClose};
pub use sql::SqlStore;
pub use webhooks::{OutboxRepository, WebhookRepository};
pub use widgets::{Declaration, NewOrganization, Seeded, WidgetRepository};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use notice::NOTICES;
use tokio::sync::broadcast;

/// Why the store could not do its work. Details go to the log, never to a visitor.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused or failed.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused or failed.
    #[error("the database failed")]
    Postgres(#[from] tokio_postgres::Error),
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
    /// A read took longer than it may.
    #[error("the search took too long")]
    TooLong,
    /// As many reads as may wait for their turn do.
    #[error("too many searches are waiting")]
    Crowded,
    /// The database did not answer in time. Whether a write holds is not known.
    #[error("the database does not answer")]
    Silent,
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

/// Resolves when what was decided survives `kill -9`, or has come to nothing. Until then nobody outside
/// may learn of it.
pub struct Durable(pub(in crate::store) BoxFuture<'static, Result<()>>);

impl Durable {
    /// Waits for the commit.
    ///
    /// # Errors
    /// The store's failure; nothing was stored then.
    pub async fn wait(self) -> Result<()> {
        self.0.await
    }
}

impl Default for Durable {
    /// What is durable already.
    fn default() -> Self {
        Self(Box::pin(std::future::ready(Ok(()))))
    }
}

impl std::fmt::Debug for Durable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Durable")
    }
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
    /// Writes something, to know whether the store takes it; not more often than once a second. `now`
    /// is in Unix milliseconds.
    async fn ping(&self, now: u64) -> Result<()>;
    /// What this server and the others tell from now on. A listener that lags misses some.
    fn notices(&self) -> broadcast::Receiver<Notice>;
    /// Tells every server.
    async fn notify(&self, notice: Notice) -> Result<()>;
}
