//! Lanes for reads that may take long: an owner's search may have to look at everything that was ever
//! said. They have connections of their own, so that no visitor waits behind one, few enough to leave
//! the processor to others; only so many wait for those, each for so long, and no tenant's are so many
//! that others find no seat or no connection.

use super::logs::Pace;
use super::{Result, StoreError};
use crate::domain::owner::Tenant;
use crate::seats::{Seat, Seats};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::{timeout, timeout_at};

/// How many reads a lane takes on, those that wait for a connection included.
const SEATS: usize = 16;

/// How many of them one tenant has at most.
const SEATS_FOR_ONE: usize = SEATS / 4;

/// How much longer than the time of those before it what has begun waits for its turn.
const MOMENT: Duration = Duration::from_secs(5);

/// How much more time than an owner's own read a job's has: nobody waits for it, and its page may lie
/// at the other end of the store.
const PATIENCE_OF_JOBS: u32 = 30;

/// How long an owner's read may take unless somebody says otherwise.
const LIMIT: Duration = Duration::from_secs(10);

/// Whose read it is; nobody's what the server does by itself.
type Whose = Option<Tenant>;

/// The lanes of a store. Clones share the seats.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    asked: Lane,
    jobs: Lane,
    limit: Duration,
}

#[derive(Clone, Debug)]
struct Lane {
    seats: Seats<Whose>,
    connections: Seats<Whose>,
}

impl Lane {
    fn new(pace: Pace) -> Self {
        let connections = connections(pace);
        // One is always another's, where there is another.
        let for_one = connections.saturating_sub(1).max(1);
        Self {
            seats: Seats::new(SEATS, SEATS_FOR_ONE),
            connections: Seats::new(connections, for_one),
        }
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self { asked: Lane::new(Pace::Asked), jobs: Lane::new(Pace::Job), limit: LIMIT }
    }
}

impl Lanes {
    /// The same lanes with this much time for an owner's read.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Takes a seat and then one of the lane's connections. Whoever waits for the read does so on the
    /// second value: it runs no longer than somebody does.
    pub(super) async fn enter(&self, pace: Pace, whose: Whose) -> Result<(Leash, Waiting)> {
        let (lane, limit) = match pace {
            Pace::Asked | Pace::Streamed => (&self.asked, self.limit),
            Pace::Job => (&self.jobs, self.limit * PATIENCE_OF_JOBS),
        };
        let begun = Instant::now();
        let (seat, connection, until) = match pace {
            // Whoever asks is answered in time, the wait for a connection included.
            Pace::Asked => {
                let seat = lane.seats.take(&whose).ok_or(StoreError::Crowded)?;
                let connection = timeout(limit, lane.connections.wait(&whose)).await;
                (seat, connection.map_err(|_| StoreError::TooLong)?, begun + limit)
            }
            // What has been streaming for minutes shall not break off because its owner searches: those
            // before it are done when their time is over, and then it has its own.
            Pace::Streamed | Pace::Job => {
                let held =
                    async { (lane.seats.wait(&whose).await, lane.connections.wait(&whose).await) };
                let held = timeout(limit + MOMENT, held).await;
                let (seat, connection) = held.map_err(|_| StoreError::Crowded)?;
                (seat, connection, Instant::now() + limit)
            }
        };
        let unwanted = Arc::<AtomicBool>::default();
        let waiting = Waiting { unwanted: unwanted.clone(), until };
        Ok((Leash { until, unwanted, _held: [seat, connection] }, waiting))
    }
}

/// How many connections a lane has.
pub(super) fn connections(pace: Pace) -> usize {
    match pace {
        Pace::Asked | Pace::Streamed => 3,
        Pace::Job => 1,
    }
}

/// What holds a read back; and its seat and connection, for as long as it runs.
#[derive(Debug)]
pub(super) struct Leash {
    until: Instant,
    unwanted: Arc<AtomicBool>,
    _held: [Seat<Whose>; 2],
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
    until: Instant,
}

impl Waiting {
    /// Waits for what the read comes to, also if its connection never takes it up.
    pub(super) async fn on<T>(self, read: impl Future<Output = Result<T>>) -> Result<T> {
        timeout_at(self.until.into(), read).await.unwrap_or(Err(StoreError::TooLong))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}
