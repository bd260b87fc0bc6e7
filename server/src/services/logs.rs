//! Logs, as their owner reads, ends and deletes them.

use super::lifecycle::Lifecycle;
use super::{Refusal, retention};
use crate::domain::log::{LogCursor, LogFilter, Order};
use crate::domain::owner::Owner;
use crate::store::Store;
use crate::store::logs::{Deleted, Pace};
use banter_shared::ids::SessionId;
use banter_shared::owner::log::{Log, LogDetail, LogPage};
use banter_shared::session::EndReason;
use std::sync::Arc;

/// The longest page.
pub const MAX_PAGE: u32 = 100;

/// Logs.
pub struct Logs {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Who ends a session.
    pub lifecycle: Lifecycle,
}

impl Logs {
    /// One page of the owner's logs.
    ///
    /// # Errors
    /// [`Refusal::SearchTooLong`], [`Refusal::Busy`], or the store's failure.
    pub async fn list(
        &self,
        owner: &Owner,
        filter: &LogFilter,
        order: Order,
        after: Option<&LogCursor>,
        limit: u32,
    ) -> Result<LogPage, Refusal> {
        // One more than asked for tells whether there is another page.
        let limit = limit.min(MAX_PAGE);
        let (tenant, most) = (&owner.tenant, limit + 1);
        let mut items = self.store.logs(tenant, filter, order, after, most, Pace::Asked).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|log| LogCursor::after(log).encode());
        Ok(LogPage { items, next_cursor })
    }

    /// One log with everything in it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or the store's failure.
    pub async fn show(&self, owner: &Owner, id: &SessionId) -> Result<LogDetail, Refusal> {
        let whole = self.store.log(&owner.tenant, id).await?.ok_or(Refusal::NotFound("log"))?;
        Ok(LogDetail {
            minutes_formula: whole.log.usage.as_ref().map(|usage| usage.formula()),
            log: whole.log,
            messages: whole.messages,
            timeline: whole.timeline,
            timeline_cut: whole.timeline_cut,
        })
    }

    /// Ends a visitor's session now. Ending twice is ending once.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or the store's failure.
    pub async fn end(&self, owner: &Owner, id: &SessionId) -> Result<Log, Refusal> {
        // Whose it is comes first: nothing happens to another tenant's session.
        self.store.log(&owner.tenant, id).await?.ok_or(Refusal::NotFound("log"))?;
        self.lifecycle.end(id, EndReason::OwnerEnded).await?;
        let ended = self.store.log(&owner.tenant, id).await?;
        Ok(ended.ok_or(Refusal::NotFound("log"))?.log)
    }

    /// Deletes a log and everything that was said in it, in the files of exports as well; its line of the
    /// ledger stays.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::LogInUse`], or the store's failure.
    pub async fn delete(&self, owner: &Owner, id: &SessionId) -> Result<(), Refusal> {
        match self.store.delete_log(&owner.tenant, id).await? {
            Deleted::Gone => Ok(retention::delete_exports(self.store.as_ref(), 1).await?),
            Deleted::InUse => Err(Refusal::LogInUse),
            Deleted::Missing => Err(Refusal::NotFound("log")),
        }
    }
}
