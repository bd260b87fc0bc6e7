//! The one place that starts work outside a request: it counts what runs, so that a graceful stop
//! can wait for it and a test can prove that nothing leaks.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A handle to the set of running tasks. Clones share the set.
#[derive(Clone, Debug)]
pub struct Tasks {
    running: Arc<watch::Sender<usize>>,
    stopping: Arc<watch::Sender<bool>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            running: Arc::new(watch::Sender::new(0)),
            stopping: Arc::new(watch::Sender::new(false)),
        }
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
        *self.running.borrow()
    }

    /// Waits until nothing runs, at most for `limit`. Says whether that was reached.
    pub async fn idle(&self, limit: Duration) -> bool {
        let mut running = self.running.subscribe();
        tokio::time::timeout(limit, running.wait_for(|count| *count == 0)).await.is_ok()
    }
}

/// Counts one task for as long as it lives, also when it panics.
struct Ticket(Arc<watch::Sender<usize>>);

impl Ticket {
    fn new(running: Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|count| *count += 1);
        Self(running)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::Tasks;
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
        release.send(()).unwrap();
        assert!(tasks.idle(Duration::from_secs(5)).await);
        assert_eq!(tasks.running(), 0);
    }
}
