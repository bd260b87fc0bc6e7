//! Readers: a few threads with read-only connections. WAL lets them read while the writer writes.

use super::super::sql::Transaction;
use super::super::{Result, StoreError};
use super::connection;
use super::statements::Statements;
use super::transaction::SqliteTransaction;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Reads are short and mostly from memory; more threads would only wait for each other.
const THREADS: usize = 2;

type Query = Box<dyn FnOnce(&mut Statements<'_>) + Send>;

/// A handle to the readers. Their threads end when the last handle is gone.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    queries: Sender<Query>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(file: &Path) -> Result<Self> {
        let (queries, inbox) = channel::<Query>();
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..THREADS {
            let connection = connection::open_reader(file)?;
            let inbox = inbox.clone();
            std::thread::Builder::new()
                .name(format!("sqlite-reader-{number}"))
                .spawn(move || {
                    let mut statements = Statements::new(&connection);
                    while let Some(query) = next(&inbox) {
                        query(&mut statements);
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
        let (reply, outcome) = oneshot::channel();
        let query: Query = Box::new(move |statements| {
            // Nobody waits any more when a request was dropped.
            let _ = reply.send(view(statements, work));
        });
        self.queries.send(query).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
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
