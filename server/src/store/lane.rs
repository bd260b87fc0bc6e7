//! Lanes for reads that may take long: an owner's search may have to look at everything that was ever
//! said. They have connections of their own, so that no visitor waits behind one, few enough to leave
//! the processor to others; only so many wait for those, each for so long.

use super::logs::Pace;
use super::{Result, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many reads a lane takes on, those that wait for a connection included.
const SEATS: usize = 16;

/// How much more time than an owner's own read a job's has: nobody waits for it, and its page may lie
/// at the other end of the store.
const PATIENCE_OF_JOBS: u32 = 30;

/// How long an owner's read may take unless somebody says otherwise.
const LIMIT: Duration = Duration::from_secs(10);

/// The lanes of a store. Clones share the seats.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    asked: Arc<Semaphore>,
    jobs: Arc<Semaphore>,
    limit: Duration,
}

impl Default for Lanes {
    fn default() -> Self {
        let seats = || Arc::new(Semaphore::new(SEATS));
        Self { asked: seats(), jobs: seats(), limit: LIMIT }
    }
}

impl Lanes {
    /// The same lanes with this much time for an owner's read.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Takes a seat. Whoever waits for the read does so on the second value: it runs no longer than
    /// somebody does.
    pub(super) fn enter(&self, pace: Pace) -> Result<(Leash, Waiting)> {
        let (seats, limit) = match pace {
            Pace::Asked => (&self.asked, self.limit),
            Pace::Job => (&self.jobs, self.limit * PATIENCE_OF_JOBS),
        };
        let seat = seats.clone().try_acquire_owned().map_err(|_| StoreError::Crowded)?;
        let unwanted = Arc::<AtomicBool>::default();
        let waiting = Waiting { unwanted: unwanted.clone(), limit };
        Ok((Leash { until: Instant::now() + limit, unwanted, _seat: seat }, waiting))
    }
}

/// How many connections a lane has.
pub(super) fn connections(pace: Pace) -> usize {
    match pace {
        Pace::Asked => 2,
        Pace::Job => 1,
    }
}

/// What holds a read back, and its seat.
#[derive(Debug)]
pub(super) struct Leash {
    until: Instant,
    unwanted: Arc<AtomicBool>,
    _seat: OwnedSemaphorePermit,
}

impl Leash {
    /// How long the read may still take; `None` when it is over.
    pub(super) fn left(&self) -> Option<Duration> {
        if self.unwanted.load(Ordering::Relaxed) {
            return None;
        }
        self.until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// Somebody who waits for a read. When that is dropped, the read is stopped.
pub(super) struct Waiting {
    unwanted: Arc<AtomicBool>,
    limit: Duration,
}

impl Waiting {
    /// Waits for what the read comes to, also if no connection ever takes it up.
    pub(super) async fn on<T>(self, read: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.limit, read).await.unwrap_or(Err(StoreError::TooLong))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}
