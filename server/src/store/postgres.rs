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

use super::lane::{self, Leash};
use super::logs::Pace;
use super::sql::Transaction;
use super::{NOTICES, Notice, Result, StoreError};
use connection::Connection;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

/// How long a write may take, waiting for a connection included; it takes milliseconds. A visitor waits
/// for it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// The same for what only reads: a long conversation takes its time.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// How much longer than a search may take it is waited for, so that the database can say that it was
/// stopped.
const GRACE: Duration = Duration::from_secs(2);

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
        self.run("BEGIN", WRITTEN_WITHIN, work).await
    }

    /// See `SqlStore::read`.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(READ, READ_WITHIN, work).await
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
                    // The database says itself that it stops, or is not waited for.
                    let until = Instant::now() + left + GRACE;
                    connection.transact(&begin, until, &work).map_err(was_too_long)
                }
            };
            let _ = reply.send(found);
        });
        let lane = match pace {
            Pace::Asked | Pace::Streamed => &self.asked,
            Pace::Job => &self.jobs,
        };
        lane.send(operation).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
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
