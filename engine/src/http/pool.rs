//! Connections that wait for the next question: no handshake before the first word.
//!
//! Each belongs to the runtime it was opened in, which alone can wake whoever waits for it without
//! waking another thread first. So it is used there again, and nowhere else.

use super::call::Connection;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

/// As many as answers are written at a time on a busy day, or each of a wave pays for a handshake.
const CONNECTIONS: usize = 256;
/// How long one is kept; below the 60 s after which many servers close theirs.
const IDLE: Duration = Duration::from_secs(50);

/// The idle connections to one server, the one used last at the back.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    since: Instant,
    runtime: Id,
    connection: Connection,
}

impl Pool {
    /// One of this runtime's that is still open, if there is one.
    pub(super) fn take(&self) -> Option<Connection> {
        let runtime = Handle::current().id();
        let mut idle = self.idle();
        loop {
            let last = idle.iter().rposition(|idle| idle.runtime == runtime)?;
            let Idle { since, mut connection, .. } = idle.remove(last)?;
            if since.elapsed() <= IDLE && connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps one for whoever comes next.
    pub(super) fn give(&self, mut connection: Connection) {
        if !connection.rest() {
            // It speaks without being asked.
            return;
        }
        let mut idle = self.idle();
        while idle.len() >= CONNECTIONS
            || idle.front().is_some_and(|oldest| oldest.since.elapsed() > IDLE)
        {
            idle.pop_front();
        }
        let runtime = Handle::current().id();
        idle.push_back(Idle { since: Instant::now(), runtime, connection });
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // No code panics while holding the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
