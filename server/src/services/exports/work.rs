//! Exports as jobs: claimed under a lease, so that one server makes each and another takes over when
//! that one dies; called off between two pages.

use super::Exports;
use super::render::{Failure, Pieces, Watcher, pieces, render};
use crate::clock::Clock;
use crate::store::exports::{ClaimedExport, Lease};
use crate::store::{Notice, Result, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often somebody looks for exports that another server left unfinished.
const TICK: Duration = Duration::from_secs(2);

/// How long an export may show no progress before another server takes it over, in milliseconds.
const LEASE_MS: u64 = 60_000;

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
            total: self.count(&claimed).await?,
        };
        let made = if claimed.created_at + TRY_MS < now {
            Some("it could not be made within a day".to_owned())
        } else {
            match self.make(&claimed, &job).await {
                Ok(()) => None,
                // Called off, or somebody else is at it: nothing is ours to say.
                Err(Failure::Unwanted) => return Ok(true),
                // The store has to come back; then the lease runs out and it is made anew.
                Err(Failure::Store(error)) if error.may_pass() => return Err(error),
                Err(failure) => {
                    failure.log("an export failed");
                    Some("the file could not be made; the server's log says why".to_owned())
                }
            }
        };
        self.store.finish_export(job.lease(), self.clock.now_ms(), made).await?;
        Ok(true)
    }

    async fn count(&self, claimed: &ClaimedExport) -> Result<u64> {
        match self.plan(&claimed.tenant, &claimed.request, claimed.created_at) {
            Ok(plan) => self.store.count_logs(&plan.tenant, &plan.filter, u32::MAX).await,
            Err(_) => Ok(0),
        }
    }

    async fn make(&self, claimed: &ClaimedExport, job: &Job) -> std::result::Result<(), Failure> {
        let plan = self
            .plan(&claimed.tenant, &claimed.request, claimed.created_at)
            .map_err(|refusal| Failure::Write(std::io::Error::other(refusal)))?;
        let (sender, pieces) = pieces();
        let (rendered, stored) =
            tokio::join!(render(plan, sender, Some(job)), job.store_pieces(pieces));
        // A store that fails closes the queue, which looks to the writer like a reader that left.
        stored?;
        rendered
    }
}

/// An export that this server makes.
struct Job {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    export: String,
    holder: String,
    total: u64,
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

    async fn store_pieces(&self, mut pieces: Pieces) -> std::result::Result<(), Failure> {
        let mut number = 0;
        while let Some(piece) = pieces.next().await {
            // The writer knows why.
            let Ok(piece) = piece else { return Ok(()) };
            if !self.store.append_export(self.lease(), number, piece).await? {
                return Err(Failure::Unwanted);
            }
            number += 1;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Watcher for Job {
    async fn page(&self, done: u64) -> std::result::Result<bool, StoreError> {
        self.store.export_progress(self.lease(), self.total.max(done), done).await
    }
}
