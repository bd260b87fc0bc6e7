//! Connections that wait for the next question: no handshake before the first word.

use super::call::Connection;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// As many as answers are written at a time on a busy day, or each of a wave pays for a handshake.
const CONNECTIONS: usize = 256;
/// How long one is kept; below the 60 s after which many servers close theirs.
const IDLE: Duration = Duration::from_secs(50);

/// The idle connections to one server, the one used last at the back.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<VecDeque<(Instant, Connection)>>,
}

impl Pool {
    /// One that is still open, if there is one.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some((since, mut connection)) = idle.pop_back() {
            if since.elapsed() > IDLE {
                // All others have waited longer.
                idle.clear();
            } else if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps one for whoever comes next.
    pub(super) fn give(&self, mut connection: Connection) {
        if !connection.rest() {
            // It speaks without being asked.
            return;
        }
        let mut idle = self.idle();
        while idle.len() >= CONNECTIONS
            || idle.front().is_some_and(|(since, _)| since.elapsed() > IDLE)
        {
            idle.pop_front();
        }
        idle.push_back((Instant::now(), connection));
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Instant, Connection)>> {
        // No code panics while holding the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
