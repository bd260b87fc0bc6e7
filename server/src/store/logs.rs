//! What is asked of the store about logs.

use super::Result;
use crate::domain::log::{LogCursor, LogFilter, Order};
use crate::domain::owner::Tenant;
use async_trait::async_trait;
use banter_shared::ids::SessionId;
use banter_shared::message::Message;
use banter_shared::owner::log::{Log, TimelineEvent};

/// Who waits for a search, which says how long it may take, and whether it waits for a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// An owner, who is told at once when there is no seat.
    Asked,
    /// An owner, to whom a file is on its way already.
    Streamed,
    /// A job, or nobody.
    Job,
}

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

/// How much may be read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// So many messages.
    pub messages: u32,
    /// And not one more once they have so many bytes.
    pub bytes: u64,
}

/// Some messages of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The position of the last of them: where to read on.
    pub last: i64,
    /// Whether there may be more.
    pub more: bool,
}

/// Which campaigns are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Campaigns {
    /// This one.
    One(String),
    /// All others, and none at all.
    AllBut(Vec<String>),
}

/// Logs. What takes a [`Pace`] is stopped when that is over, as [`StoreError::TooLong`], and is refused
/// as [`StoreError::Crowded`] when too many wait for the same, in all or of one tenant.
///
/// [`StoreError::TooLong`]: super::StoreError::TooLong
/// [`StoreError::Crowded`]: super::StoreError::Crowded
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
        pace: Pace,
    ) -> Result<Vec<Log>>;
    /// How many logs there are; counting stops at `at_most`.
    async fn count_logs(
        &self,
        tenant: &Tenant,
        filter: &LogFilter,
        at_most: u32,
        pace: Pace,
    ) -> Result<u64>;
    /// One log with everything in it.
    async fn log(&self, tenant: &Tenant, id: &SessionId) -> Result<Option<WholeLog>>;
    /// Some messages of a session after that position, oldest first, for a tenant whose session it is.
    async fn log_messages(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        after: i64,
        most: Most,
        pace: Pace,
    ) -> Result<Said>;
    /// Removes a log with everything that was said; its line of the ledger stays. Files of exports that may
    /// hold something of it are made anew or expire at once.
    async fn delete_log(&self, tenant: &Tenant, id: &SessionId) -> Result<Deleted>;
    /// Removes up to `limit` logs that are kept no longer. Returns how many it found and how many it removed:
    /// another server may have been faster.
    async fn delete_expired_logs(&self, expired: &Expired, limit: u32) -> Result<(usize, usize)>;
}
