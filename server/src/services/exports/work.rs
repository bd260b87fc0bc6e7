//! Exports as jobs: claimed under a lease, so that one server makes each and another takes over when
//! that one dies; called off between two pages.

use super::render::{Failure, Pieces, Watcher, pieces, render};
use super::{Exports, PIECES};
use crate::clock::Clock;
use crate::domain::owner::Tenant;
use crate::store::exports::{ClaimedExport, Lease};
use crate::store::logs::Pace;
use crate::store::{Notice, Result, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often somebody looks for exports that another server left unfinished.
const TICK: Duration = Duration::from_secs(2);

/// How long an export may show no progress before another server takes it over, in milliseconds.
const LEASE_MS: u64 = 60_000;

/// How often a lease is renewed, whatever is being waited for: a page of logs may take long to be found.
const RENEW: Duration = Duration::from_secs(5);

/// After how many bytes of a file older ones make room for it.
const ROOM_EVERY: u64 = 8 * 1024 * 1024;

/// How long an export may be tried, in milliseconds: one that takes every server down with it, or that
/// the store never lets through, must not be tried for ever.
const TRY_MS: u64 = 24 * 3600 * 1000;

impl Exports {
    /// For as long as the server runs: makes one export after the other.
    pub async fn work(self) {
        let mut notices = self.store.notices();
        loop {
            match self.work_once().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no export can be claimed; trying again"
                ),
            }
            let told = async {
                loop {
                    match notices.recv().await {
                        Ok(Notice::Export) | Err(RecvError::Lagged(_)) => return,
                        Ok(_) => {}
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = told => {}
            }
        }
    }

    /// Makes an export if one waits. Says whether one did.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn work_once(&self) -> Result<bool> {
        let holder = self.ids.next();
        let now = self.clock.now_ms();
        let claimed = self.store.claim_export(&holder, now, now + LEASE_MS).await?;
        let Some(claimed) = claimed else { return Ok(false) };
        let job = Job {
            store: self.store.clone(),
            clock: self.clock.clone(),
            export: claimed.id.clone(),
            holder,
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
        };
        let made = if claimed.created_at + TRY_MS < now {
            Some("it could not be made within a day".to_owned())
        } else {
            let made = tokio::select! {
                made = self.make(&claimed, &job) => made,
                () = job.hold() => Err(Failure::Unwanted),
            };
            match made {
                Ok(()) => None,
                // Called off, or somebody else is at it: nothing is ours to say.
                Err(Failure::Unwanted) => return Ok(true),
                // The store has to come back; then the lease runs out and it is made anew.
                Err(Failure::Store(error)) if will_pass(&error) => return Err(error),
                Err(failure) => {
                    failure.log("an export failed");
                    // Nobody can fetch a part of a file.
                    if !job.clear().await? {
                        return Ok(true);
                    }
                    Some(failure.sentence())
                }
            }
        };
        self.store.finish_export(job.lease(), self.clock.now_ms(), made).await?;
        Ok(true)
    }

    async fn make(&self, claimed: &ClaimedExport, job: &Job) -> std::result::Result<(), Failure> {
        let plan = self
            .plan(&claimed.tenant, &claimed.request, claimed.created_at, Pace::Job)
            .map_err(|refusal| Failure::Write(std::io::Error::other(refusal)))?;
        // Whoever was at it before left an unknown part of a file: it is made anew.
        if !job.clear().await? {
            return Err(Failure::Unwanted);
        }
        // Only shows how far the file is: a page, of which each has as long, is found sooner than all.
        match self.store.count_logs(&plan.tenant, &plan.filter, u32::MAX, plan.pace).await {
            Ok(total) => job.total.store(total, Relaxed),
            Err(StoreError::TooLong) => {}
            Err(error) => return Err(error.into()),
        }
        let (sender, pieces) = pieces();
        let (rendered, stored) = tokio::join!(
            render(plan, sender, Some(job)),
            self.store_pieces(&claimed.tenant, job, pieces)
        );
        // A store that fails closes the queue, which looks to the writer like a reader that left.
        stored?;
        rendered
    }

    async fn store_pieces(
        &self,
        tenant: &Tenant,
        job: &Job,
        mut pieces: Pieces,
    ) -> std::result::Result<(), Failure> {
        let (mut number, mut bytes, mut room) = (0, 0, 0);
        while let Some(piece) = pieces.next().await {
            // The writer knows why.
            let Ok(piece) = piece else { return Ok(()) };
            bytes += piece.len() as u64;
            if bytes > self.max_bytes {
                return Err(Failure::TooLarge(self.max_bytes));
            }
            if !self.store.append_export(job.lease(), number, piece).await? {
                return Err(Failure::Unwanted);
            }
            if bytes >= room {
                self.make_room(tenant).await?;
                room = bytes + ROOM_EVERY;
            }
            number += 1;
        }
        Ok(self.make_room(tenant).await?)
    }
}

/// Whether the same may succeed later. What takes too long is given all the time there is.
fn will_pass(error: &StoreError) -> bool {
    error.may_pass() && !matches!(error, StoreError::TooLong)
}

/// An export that this server makes.
struct Job {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    export: String,
    holder: String,
    total: AtomicU64,
    done: AtomicU64,
}

impl Job {
    /// The lease, renewed now.
    fn lease(&self) -> Lease {
        Lease {
            export: self.export.clone(),
            holder: self.holder.clone(),
            until: self.clock.now_ms() + LEASE_MS,
        }
    }

    /// Renews the lease until it is lost.
    async fn hold(&self) {
        loop {
            tokio::time::sleep(RENEW).await;
            // A store that fails says so to whoever makes the file as well.
            if matches!(self.progress().await, Ok(false)) {
                return;
            }
        }
    }

    /// Writes down how far the file is. `false` when the lease is lost.
    async fn progress(&self) -> Result<bool> {
        let done = self.done.load(Relaxed);
        self.store.export_progress(self.lease(), self.total.load(Relaxed).max(done), done).await
    }

    /// Deletes what there is of the file. `false` when the lease is lost.
    async fn clear(&self) -> Result<bool> {
        loop {
            match self.store.clear_export(self.lease(), PIECES).await? {
                None => return Ok(false),
                Some(false) => return Ok(true),
                Some(true) => {}
            }
        }
    }
}

#[async_trait::async_trait]
impl Watcher for Job {
    async fn page(&self, done: u64) -> std::result::Result<bool, StoreError> {
        self.done.store(done, Relaxed);
        self.progress().await
    }
}
