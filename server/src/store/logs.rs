//! What is asked of the store about logs.

use super::Result;
use crate::domain::log::{LogCursor, LogFilter, Order};
use crate::domain::owner::Tenant;
use async_trait::async_trait;
use banter_shared::ids::SessionId;
use banter_shared::message::Message;
use banter_shared::owner::log::{Log, TimelineEvent};

/// A log with everything in it.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeLog {
    /// The session.
    pub log: Log,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// The latest of what happened, oldest first.
    pub timeline: Vec<TimelineEvent>,
    /// Whether more happened before that.
    pub timeline_cut: bool,
}

/// What became of a log that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Gone,
    /// Its session is not over, or its line of the ledger is not written yet.
    InUse,
    /// The tenant has no such log.
    Missing,
}

/// Logs that are kept no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Those that ended before this instant, in Unix milliseconds.
    pub before: u64,
    /// Of these campaigns.
    pub campaigns: Campaigns,
}

/// Which campaigns are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Campaigns {
    /// This one.
    One(String),
    /// All others, and none at all.
    AllBut(Vec<String>),
}

/// Logs.
#[async_trait]
pub trait LogRepository: Send + Sync {
    /// Up to `limit` logs that come after `after` in this order.
    async fn logs(
        &self,
        tenant: &Tenant,
        filter: &LogFilter,
        order: Order,
        after: Option<&LogCursor>,
        limit: u32,
    ) -> Result<Vec<Log>>;
    /// How many logs there are; counting stops at `at_most`.
    async fn count_logs(&self, tenant: &Tenant, filter: &LogFilter, at_most: u32) -> Result<u64>;
    /// One log with everything in it.
    async fn log(&self, tenant: &Tenant, id: &SessionId) -> Result<Option<WholeLog>>;
    /// Up to `limit` messages of a session after that position, oldest first, and the position of the
    /// last of them.
    async fn log_messages(
        &self,
        id: &SessionId,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<Message>, i64)>;
    /// Removes a log with everything that was said; its line of the ledger stays.
    async fn delete_log(&self, tenant: &Tenant, id: &SessionId) -> Result<Deleted>;
    /// Removes up to `limit` logs that are kept no longer. Returns how many it found and how many it removed:
    /// another server may have been faster.
    async fn delete_expired_logs(&self, expired: &Expired, limit: u32) -> Result<(usize, usize)>;
}
