//! PostgreSQL, the database for several servers: a few connections, each with a thread of its own,
//! and one that listens to what other servers tell.
//!
//! The repositories are written once, as functions over a transaction (see `sql`), so the
//! connections are synchronous and live on threads; a request waits for its result and nothing
//! else. Commits of different connections are grouped by PostgreSQL itself.

mod connection;
mod listener;
mod transaction;

use super::sql::Transaction;
use super::{NOTICES, Notice, Result, StoreError};
use connection::Connection;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, oneshot};

/// How often work is tried again when the database says that it lost a race (deadlock,
/// serialization) before the failure is passed on.
const TRIES: usize = 5;

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
        self.run("BEGIN", work).await
    }

    /// See `SqlStore::read`.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        begin: &'static str,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel();
        let operation: Work = Box::new(move |connection| {
            let mut result = connection.transact(begin, &work);
            for _ in 1..TRIES {
                match &result {
                    Err(error) if connection::lost_a_race(error) => {
                        result = connection.transact(begin, &work);
                    }
                    _ => break,
                }
            }
            // Nobody waits any more when a request was dropped; the write holds all the same.
            let _ = reply.send(result);
        });
        self.work.send(operation).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
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
