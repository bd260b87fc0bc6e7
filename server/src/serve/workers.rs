//! The threads that serve connections, each with a runtime of its own.
//!
//! Whoever sends an answer is who reads it from the assistant: both are tasks of one thread, which
//! takes turns in the order in which things come. So it reads many words and then sends many, with
//! what each takes still at hand, and no word is handed to another processor. A runtime whose threads
//! take work from each other is fairer to a thread that is busy, and sends fewer words for the same
//! processor time, the fewer the more others compete for it. What takes long therefore has no place here: it is the database's threads' or
//! `spawn_blocking`'s.

use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// All of them. Dropped, those that were started by it end.
pub(super) struct Workers {
    here: Worker,
    others: Vec<Worker>,
}

struct Worker {
    runtime: Handle,
    /// Each of its connections holds one of these.
    connections: Arc<()>,
    /// Dropped, it ends the thread. `None` where the thread is somebody else's.
    _stop: Option<oneshot::Sender<()>>,
}

/// A connection's place with a worker; given back when dropped.
pub(super) struct Place {
    runtime: Handle,
    _connection: Arc<()>,
}

impl Workers {
    /// The thread that this is called on and so many others that there are `count`; 0 is one for each
    /// processor that this process may use.
    ///
    /// # Errors
    /// The operating system's, when it has no more threads.
    pub(super) fn start(count: usize) -> std::io::Result<Self> {
        let count = match count {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let here = Worker { runtime: Handle::current(), connections: Arc::default(), _stop: None };
        let others = (1..count).map(Worker::start).collect::<Result<_, _>>()?;
        Ok(Self { here, others })
    }

    /// A place with the one that has the fewest connections.
    pub(super) fn place(&self) -> Place {
        let worker = self.others.iter().fold(&self.here, |best, worker| {
            if worker.count() < best.count() { worker } else { best }
        });
        Place { runtime: worker.runtime.clone(), _connection: worker.connections.clone() }
    }
}

impl Worker {
    fn count(&self) -> usize {
        Arc::strong_count(&self.connections)
    }

    fn start(number: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            // Nobody sends anything: it fails when this thread is no longer needed.
            let _ = runtime.block_on(stopped);
            // What still runs now was waited for long enough.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, connections: Arc::default(), _stop: Some(stop) })
    }
}

impl Place {
    /// The worker's runtime.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Workers};
    use crate::tasks::Tasks;
    use std::collections::HashSet;
    use std::thread;
    use std::time::Duration;
    use tokio::sync::oneshot;

    /// The thread that runs what is spawned there.
    async fn thread_of(place: &Place) -> thread::ThreadId {
        let (tell, told) = oneshot::channel();
        Tasks::default().spawn_on(place.runtime(), async move {
            tell.send(thread::current().id()).unwrap();
        });
        told.await.unwrap()
    }

    #[tokio::test]
    async fn connections_go_to_whoever_has_the_fewest() {
        let workers = Workers::start(3).unwrap();
        let mut places: Vec<_> = (0..6).map(|_| workers.place()).collect();
        let mut threads = Vec::new();
        for place in &places {
            threads.push(thread_of(place).await);
        }
        assert_eq!(threads.iter().collect::<HashSet<_>>().len(), 3);
        for id in &threads {
            assert_eq!(threads.iter().filter(|other| *other == id).count(), 2, "{threads:?}");
        }
        assert!(threads.contains(&thread::current().id()));
        // One is given back: whoever comes next has it.
        drop(places.swap_remove(4));
        let next = workers.place();
        assert_eq!(thread_of(&next).await, threads[4]);
    }

    #[tokio::test]
    async fn one_needs_no_other_thread_and_none_named_is_one_for_each_processor() {
        let one = Workers::start(1).unwrap();
        assert_eq!(thread_of(&one.place()).await, thread::current().id());
        let all = Workers::start(0).unwrap();
        assert_eq!(1 + all.others.len(), thread::available_parallelism().unwrap().get());
    }

    #[tokio::test]
    async fn they_end_with_whoever_started_them() {
        let workers = Workers::start(2).unwrap();
        let _first = workers.place();
        let second = workers.place();
        let (tell, told) = oneshot::channel::<()>();
        Tasks::default().spawn_on(second.runtime(), async move {
            let _tell = tell;
            std::future::pending::<()>().await;
        });
        drop(workers);
        let ended = tokio::time::timeout(Duration::from_secs(5), told).await;
        assert!(ended.unwrap().is_err(), "what ran there is gone");
    }
}
