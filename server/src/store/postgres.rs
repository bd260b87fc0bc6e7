//! PostgreSQL, the database for several servers: a few connections, each with a thread of its own,
//! and one that listens to what other servers tell.
//!
//! The repositories are written once, as functions over a transaction (see `sql`), so the
//! connections are synchronous and live on threads; a request waits for its result and nothing
//! else. Commits of different connections are grouped by PostgreSQL itself.

mod connection;
mod listener;
mod transaction;

use super::lane::{self, Leash};
use super::logs::Pace;
use super::sql::Transaction;
use super::{NOTICES, Notice, Result, StoreError};
use ::postgres::Config;
use ::postgres::error::SqlState;
use connection::Connection;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, oneshot};

/// How often work is tried again when the database says that it lost a race (deadlock,
/// serialization) before the failure is passed on.
const TRIES: usize = 5;

/// How a transaction begins that only reads.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database. Clones share the connections; their threads end when the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    work: Sender<Work>,
    asked: Sender<Work>,
    jobs: Sender<Work>,
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
        let work = threads(&config, "postgres", connections.max(1), Some(first))?;
        let leashed = |name, pace| threads(&config, name, lane::connections(pace), None);
        Ok(Self {
            work,
            asked: leashed("postgres-search", Pace::Asked)?,
            jobs: leashed("postgres-job", Pace::Job)?,
            told,
            _listening: Arc::new(listening),
        })
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
        self.run(READ, work).await
    }

    /// See `SqlStore::look`. What nobody waits for any more goes on until its time is over.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        pace: Pace,
        leash: Leash,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel();
        let operation: Work = Box::new(move |connection| {
            let found = match leash.left() {
                None => Err(StoreError::TooLong),
                Some(left) => {
                    let ms = left.as_millis().max(1);
                    let begin = format!("{READ}; SET LOCAL statement_timeout = {ms}");
                    connection.transact(&begin, &work).map_err(was_too_long)
                }
            };
            let _ = reply.send(found);
        });
        let lane = match pace {
            Pace::Asked => &self.asked,
            Pace::Job => &self.jobs,
        };
        lane.send(operation).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
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

/// Starts `count` threads with a connection each, made when there is work for it, the first of them
/// with the one there is; gives them work through what it returns.
fn threads(
    config: &Config,
    name: &str,
    count: usize,
    mut ready: Option<Connection>,
) -> Result<Sender<Work>> {
    let (work, inbox) = channel();
    let inbox = Arc::new(Mutex::new(inbox));
    for number in 0..count {
        let connection = ready.take().unwrap_or_else(|| Connection::new(config.clone()));
        let inbox = inbox.clone();
        std::thread::Builder::new()
            .name(format!("{name}-{number}"))
            .spawn(move || run(connection, &inbox))
            .map_err(|error| StoreError::Unopened(error.to_string()))?;
    }
    Ok(work)
}

/// What a statement that was stopped by its time limit says.
fn was_too_long(error: StoreError) -> StoreError {
    match &error {
        StoreError::Postgres(cause) if cause.code() == Some(&SqlState::QUERY_CANCELED) => {
            StoreError::TooLong
        }
        _ => error,
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
