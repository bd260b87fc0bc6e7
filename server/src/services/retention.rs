//! What is kept for how long: logs as the owner says, files of exports for a week, revoked keys for a
//! while, and what providers told us of sessions that are no log of ours.

use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::logs::{Campaigns, Expired};
use crate::store::{Result, Store};
use crate::tasks::repeat;
use std::sync::Arc;
use std::time::Duration;

/// How often this is looked after.
const TICK: Duration = Duration::from_secs(600);

/// How many logs or events go in one transaction: bounds how long a visitor's message waits for it.
const BATCH: u32 = 50;

/// How many pieces of a file go in one transaction.
pub(super) const PIECES: u32 = 16;

/// For how many days a finished export can be fetched at most.
const EXPORT_DAYS: u32 = 7;

/// How long a revoked key is still listed, in milliseconds.
const KEY_MS: u64 = 90 * DAY_MS;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Deletes exports that were finished before that instant, in Unix milliseconds, and their files.
pub(super) async fn delete_exports(store: &dyn Store, before: u64) -> Result<()> {
    loop {
        let expired = store.expired_exports(before, BATCH).await?;
        for (tenant, id) in &expired {
            while store.delete_export(tenant, id, PIECES).await? {}
        }
        if expired.len() < BATCH as usize {
            return Ok(());
        }
    }
}

/// Deletes what is kept no longer. Any number of servers may do this on one database.
#[derive(Clone)]
pub struct Retention {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For how long.
    pub settings: Arc<Settings>,
}

impl Retention {
    /// For as long as the server runs.
    pub async fn keep(self) {
        repeat(TICK, "what is kept no longer could not be deleted", || self.run()).await;
    }

    /// One round of [`Retention::keep`]. Returns how many logs it deleted. What cannot be deleted, round
    /// after round, keeps nothing else from going.
    ///
    /// # Errors
    /// The store's first failure; whatever else could be deleted is.
    pub async fn run(&self) -> Result<usize> {
        let now = self.clock.now_ms();
        let (mut deleted, mut outcome) = (0, Ok(()));
        for expired in self.expired(now) {
            outcome = outcome.and(self.delete_logs(&expired, &mut deleted).await);
        }
        if deleted > 0 {
            tracing::info!(deleted, "logs were kept for as long as the settings say");
        }
        let files_before = now.saturating_sub(self.exports_ms());
        outcome
            .and(self.forget_unclaimed(now).await)
            .and(delete_exports(self.store.as_ref(), files_before).await)
            .and(self.forget_keys(now.saturating_sub(KEY_MS)).await)
            .map(|()| deleted)
    }

    /// Deletes these logs, and adds how many that were to `deleted`.
    async fn delete_logs(&self, expired: &Expired, deleted: &mut usize) -> Result<()> {
        loop {
            // Another server may have deleted what this one found.
            let (found, some) = self.store.delete_expired_logs(expired, BATCH).await?;
            *deleted += some;
            if found < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Forgets what providers told us of no log of ours.
    async fn forget_unclaimed(&self, now: u64) -> Result<()> {
        let Some(before) = self.unclaimed_before(now) else { return Ok(()) };
        while self.store.prune_unclaimed_events(before, BATCH).await? == BATCH as usize {}
        Ok(())
    }

    /// Forgets keys that were revoked before that instant, in Unix milliseconds.
    async fn forget_keys(&self, before: u64) -> Result<()> {
        while self.store.prune_keys(before, BATCH).await? == u64::from(BATCH) {}
        Ok(())
    }

    /// How long a finished export can be fetched, in milliseconds: a week, and no longer than any log
    /// is kept, because it may hold that one.
    fn exports_ms(&self) -> u64 {
        let campaigns = self.settings.campaigns.values();
        let rules = campaigns.filter_map(|campaign| campaign.retention_days);
        let rules = rules.chain([self.settings.retention.days]).filter(|days| *days > 0);
        u64::from(rules.chain([EXPORT_DAYS]).min().unwrap_or(EXPORT_DAYS)) * DAY_MS
    }

    /// Since when events that belong to no log are kept; for ever if nothing says otherwise. They have
    /// no campaign, so only the general rule can be stricter than their own.
    fn unclaimed_before(&self, now: u64) -> Option<u64> {
        let retention = &self.settings.retention;
        let rules = [retention.unclaimed_event_days, retention.days];
        let days = rules.into_iter().filter(|days| *days > 0).min()?;
        Some(now.saturating_sub(u64::from(days) * DAY_MS))
    }

    /// Which logs are kept no longer: a campaign's own rule comes before the general one.
    fn expired(&self, now: u64) -> Vec<Expired> {
        let own = |days: u32| now.saturating_sub(u64::from(days) * DAY_MS);
        let mut all = Vec::new();
        let mut others = Vec::new();
        for (id, campaign) in &self.settings.campaigns {
            let Some(days) = campaign.retention_days else { continue };
            others.push(id.clone());
            if days > 0 {
                all.push(Expired { before: own(days), campaigns: Campaigns::One(id.clone()) });
            }
        }
        let days = self.settings.retention.days;
        if days > 0 {
            all.push(Expired { before: own(days), campaigns: Campaigns::AllBut(others) });
        }
        all
    }
}
