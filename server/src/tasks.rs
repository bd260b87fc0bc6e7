//! The one place that starts work outside a request: it counts what runs, so that a graceful stop
//! can wait for it and a test can prove that nothing leaks. Also the loop for work that is done again
//! and again.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

/// A handle to the set of running tasks. Clones share the set.
#[derive(Clone, Debug)]
pub struct Tasks {
    running: Arc<Running>,
    stopping: Arc<watch::Sender<bool>>,
}

/// How many tasks run. Every request changes it, so it is no lock.
#[derive(Debug, Default)]
struct Running {
    count: AtomicUsize,
    none: Notify,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { running: Arc::default(), stopping: Arc::new(watch::Sender::new(false)) }
    }
}

impl Tasks {
    /// Runs `work` beside everything else.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let ticket = Ticket::new(self.running.clone());
        #[expect(clippy::disallowed_methods, reason = "this is the door that counts")]
        tokio::spawn(async move {
            let _ticket = ticket;
            work.await;
        });
    }

    /// Runs `work` for as long as the server does: nobody waits for its end, and [`Tasks::stop`]
    /// drops it wherever it is. Whatever it does must survive that, as it must survive a crash.
    pub fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stopping = self.stopping.subscribe();
        #[expect(clippy::disallowed_methods, reason = "this is the other door; it can be closed")]
        tokio::spawn(async move {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = work => {}
            }
        });
    }

    /// Stops everything that runs in the background.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// How many tasks run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.count.load(Ordering::SeqCst)
    }

    /// Waits until nothing runs, at most for `limit`. Says whether that was reached.
    pub async fn idle(&self, limit: Duration) -> bool {
        let idle = async {
            loop {
                // Waited for before looked at, so that an end in between is not missed.
                let none = self.running.none.notified();
                if self.running() == 0 {
                    return;
                }
                none.await;
            }
        };
        tokio::time::timeout(limit, idle).await.is_ok()
    }
}

/// Does a round of work at once and then every `every`, for ever. A round that fails is logged with
/// the sentence `failed`, which says what could not be done, and the next one tries again.
pub async fn repeat<T, E, Round>(every: Duration, failed: &str, mut round: impl FnMut() -> Round)
where
    E: std::error::Error + 'static,
    Round: Future<Output = Result<T, E>>,
{
    let mut ticks = tokio::time::interval(every);
    // Rounds that were missed are not made up for: one does what all of them had to do.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = round().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "{failed}; trying again");
        }
    }
}

/// Counts one task for as long as it lives, also when it panics.
struct Ticket(Arc<Running>);

impl Ticket {
    fn new(running: Arc<Running>) -> Self {
        running.count.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tasks, repeat};
    use std::cell::Cell;
    use std::time::Duration;

    #[tokio::test]
    async fn counts_what_runs_and_waits_for_it() {
        let tasks = Tasks::default();
        let (release, wait) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(async move {
            let _ = wait.await;
        });
        assert_eq!(tasks.running(), 1);
        assert!(!tasks.idle(Duration::from_millis(20)).await);
        let (is_idle, sent) =
            tokio::join!(tasks.idle(Duration::from_secs(5)), async { release.send(()) });
        assert!(is_idle && sent.is_ok());
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_fails_or_takes_long_is_followed_by_the_next() {
        let rounds = Cell::new(0);
        let round = async || {
            rounds.set(rounds.get() + 1);
            if rounds.get() == 2 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                return Err(std::io::Error::other("full"));
            }
            Ok(())
        };
        // At 0, at 1 until 11, at 11, at 12.
        let limit = Duration::from_millis(12_500);
        let ended = tokio::time::timeout(limit, repeat(Duration::from_secs(1), "", round)).await;
        assert!(ended.is_err(), "it never ends");
        assert_eq!(rounds.get(), 4);
    }
}
