//! Readers: a few threads with read-only connections. WAL lets them read while the writer writes.

use super::super::lane::Leash;
use super::super::sql::Transaction;
use super::super::{Result, StoreError};
use super::connection;
use super::statements::Statements;
use super::transaction::SqliteTransaction;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// How many steps of SQLite's machine lie between two looks at the clock: a few rows, for a row may be
/// a long text to be searched.
const STEPS: i32 = 100;

type Query = Box<dyn FnOnce(&mut Statements<'_>, &Held) + Send>;

/// A handle to some readers. Their threads end when the last handle is gone.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    queries: Sender<Query>,
}

impl Readers {
    /// Opens `count` connections for reads that are short, and starts their threads.
    pub(super) fn start(file: &Path, count: usize) -> Result<Self> {
        Self::open(file, "reader", count, |_, _| Ok(()))
    }

    /// The same for reads that may take long, and can be stopped.
    pub(super) fn start_leashed(file: &Path, name: &str, count: usize) -> Result<Self> {
        Self::open(file, name, count, |connection, held| {
            let held = held.clone();
            Ok(connection.progress_handler(STEPS, Some(move || held.is_over()))?)
        })
    }

    fn open(
        file: &Path,
        name: &str,
        count: usize,
        prepare: impl Fn(&mut Connection, &Held) -> Result<()>,
    ) -> Result<Self> {
        let (queries, inbox) = channel::<Query>();
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..count {
            let mut connection = connection::open_reader(file)?;
            let held = Held::default();
            prepare(&mut connection, &held)?;
            let inbox = inbox.clone();
            std::thread::Builder::new()
                .name(format!("sqlite-{name}-{number}"))
                .spawn(move || {
                    let mut statements = Statements::new(&connection);
                    while let Some(query) = next(&inbox) {
                        query(&mut statements, &held);
                    }
                })
                .map_err(|error| StoreError::Unopened(error.to_string()))?;
        }
        Ok(Self { queries })
    }

    /// Runs `work` on a reader's connection.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(|statements, _| view(statements, work)).await
    }

    /// Runs `work` for as long as its leash lets it, on a connection of
    /// [`Readers::start_leashed`].
    pub(super) async fn look<T: Send + 'static>(
        &self,
        leash: Leash,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(|statements, held| {
            if leash.left().is_none() {
                return Err(StoreError::TooLong);
            }
            held.set(Some(leash));
            let found = view(statements, |tx| {
                let found = work(tx);
                held.set(None);
                found
            });
            found.map_err(|error| if is_interrupt(&error) { StoreError::TooLong } else { error })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Statements<'_>, &Held) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel();
        let query: Query = Box::new(move |statements, held| {
            // Nobody waits any more when a request was dropped.
            let _ = reply.send(work(statements, held));
        });
        self.queries.send(query).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

/// The leash of the read that a connection is at.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Option<Leash>>>);

impl Held {
    fn set(&self, leash: Option<Leash>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = leash;
    }

    fn is_over(&self) -> bool {
        let leash = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leash.as_ref().is_some_and(|leash| leash.left().is_none())
    }
}

fn is_interrupt(error: &StoreError) -> bool {
    let StoreError::Sqlite(error) = error else { return false };
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// One view for all of its queries; it ends with the transaction, which wrote nothing.
fn view<T>(
    statements: &mut Statements<'_>,
    work: impl FnOnce(&mut dyn Transaction) -> Result<T>,
) -> Result<T> {
    statements.run("BEGIN", &[])?;
    let result = work(&mut SqliteTransaction::new(statements));
    let ended = statements.run("ROLLBACK", &[]);
    let value = result?;
    ended?;
    Ok(value)
}

/// The next query, or `None` when all handles are gone. One thread waits in the channel, the others
/// for its place; whoever gets a query leaves the place before running it.
fn next(inbox: &Mutex<Receiver<Query>>) -> Option<Query> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
