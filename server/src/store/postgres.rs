//! PostgreSQL, the database for several servers: a few connections, each with a thread of its own,
//! and one that listens to what other servers tell.
//!
//! The repositories are written once, as functions over a transaction (see `sql`), so the
//! connections are synchronous and live on threads; a request waits for its result and nothing
//! else. Commits of different connections are grouped by PostgreSQL itself.
//!
//! Nobody waits for ever: whatever is asked for ends in time, be it with a failure, however silent the
//! database is, and the connection that waited for it is given up for a new one (`link`).

mod connection;
mod link;
mod listener;
mod transaction;

use super::sql::Transaction;
use super::{NOTICES, Notice, Result, StoreError};
use connection::Connection;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};

/// How long a write may take, waiting for a connection included; it takes milliseconds. A visitor waits
/// for it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// The same for what only reads: a search through all that was ever said takes its time.
const READ_WITHIN: Duration = Duration::from_secs(30);

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database. Clones share the connections; their threads end when the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    work: Sender<Work>,
    told: broadcast::Sender<Notice>,
    /// The listener ends when nobody holds this any more.
    _listening: Arc<listener::Listening>,
}

impl Postgres {
    /// Connects, brings the schema up to date and starts the threads.
    ///
    /// # Errors
    /// When the database cannot be reached or used.
    pub(super) fn open(url: &str, connections: usize) -> Result<Self> {
        let config = connection::config(url)?;
        let mut first = Connection::new(config.clone());
        first.migrate()?;
        let told = broadcast::Sender::new(NOTICES);
        let listening = listener::start(config.clone(), told.clone())?;
        let (work, inbox) = channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut ready = Some(first);
        for number in 0..connections.max(1) {
            let connection = ready.take().unwrap_or_else(|| Connection::new(config.clone()));
            let inbox = inbox.clone();
            std::thread::Builder::new()
                .name(format!("postgres-{number}"))
                .spawn(move || run(connection, &inbox))
                .map_err(|error| StoreError::Unopened(error.to_string()))?;
        }
        Ok(Self { work, told, _listening: Arc::new(listening) })
    }

    /// See `SqlStore::write`.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run("BEGIN", WRITTEN_WITHIN, work).await
    }

    /// See `SqlStore::read`.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", READ_WITHIN, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        begin: &'static str,
        within: Duration,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let until = Instant::now() + within;
        let (reply, outcome) = oneshot::channel();
        let operation: Work = Box::new(move |connection| {
            let result = if Instant::now() < until {
                connection.transact(begin, until, &work)
            } else {
                Err(StoreError::Silent)
            };
            // Nobody waits any more when a request was dropped; the write holds all the same.
            let _ = reply.send(result);
        });
        self.work.send(operation).map_err(|_| StoreError::Closed)?;
        match tokio::time::timeout_at(until.into(), outcome).await {
            Ok(outcome) => outcome.map_err(|_| StoreError::Closed)?,
            Err(_) => Err(StoreError::Silent),
        }
    }

    /// What every server's committed transactions tell.
    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.told.subscribe()
    }
}

fn run(mut connection: Connection, inbox: &Mutex<Receiver<Work>>) {
    while let Some(work) = next(inbox) {
        work(&mut connection);
    }
}

/// The next piece of work, or `None` when all handles are gone.
fn next(inbox: &Mutex<Receiver<Work>>) -> Option<Work> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
