//! The one writer: takes write operations from everywhere, commits those that wait together in one
//! transaction, and acknowledges each only after the commit.
//!
//! Each operation runs in a savepoint of its own, so one that fails takes nothing else with it.

use super::super::sql::Transaction;
use super::super::{NOTICES, Notice, Result, StoreError};
use super::transaction::SqliteTransaction;
use rusqlite::{Connection, Savepoint, TransactionBehavior};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{broadcast, oneshot};

/// The most operations that share one commit: bounds how long the first of them waits.
const MAX_GROUP: usize = 256;

/// Told whether the commit held, and where to tell others.
type Acknowledge = Box<
    dyn FnOnce(std::result::Result<(), rusqlite::ErrorCode>, &broadcast::Sender<Notice>) + Send,
>;
type Operation = Box<dyn FnOnce(&mut Savepoint<'_>) -> Acknowledge + Send>;

/// A handle to the writer's thread. The thread ends when the last handle is gone.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    operations: Sender<Operation>,
    told: broadcast::Sender<Notice>,
}

impl Writer {
    /// Starts the thread that owns `connection` from now on.
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (operations, inbox) = channel();
        let told = broadcast::Sender::new(NOTICES);
        let telling = told.clone();
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || run(connection, &inbox, &telling))
            .map_err(|error| StoreError::Unopened(error.to_string()))?;
        Ok(Self { operations, told })
    }

    /// What committed operations tell.
    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.told.subscribe()
    }

    /// Runs `work` in a transaction and returns its result once that is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel();
        let operation: Operation = Box::new(move |savepoint| {
            let mut transaction = SqliteTransaction::new(savepoint);
            let result = work(&mut transaction);
            let notices = transaction.notices;
            if result.is_err() {
                // Undoes this operation only; if even that fails the commit will, too.
                let _ = savepoint.rollback();
            }
            Box::new(move |committed, told| {
                if committed.is_ok() && result.is_ok() {
                    for notice in notices {
                        // Nobody listens: nobody needs to know.
                        let _ = told.send(notice);
                    }
                }
                let outcome = committed
                    .map_err(|code| {
                        StoreError::Sqlite(rusqlite::Error::SqliteFailure(
                            rusqlite::ffi::Error { code, extended_code: 0 },
                            Some("the commit failed".into()),
                        ))
                    })
                    .and(result);
                // Nobody waits any more when a request was dropped; the write holds all the same.
                let _ = reply.send(outcome);
            })
        });
        self.operations.send(operation).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

fn run(mut connection: Connection, inbox: &Receiver<Operation>, told: &broadcast::Sender<Notice>) {
    while let Ok(first) = inbox.recv() {
        let mut acknowledgements = Vec::new();
        let committed = commit_group(&mut connection, first, inbox, &mut acknowledgements);
        if let Err(error) = &committed {
            tracing::error!(%error, "a group of writes was not committed");
        }
        let outcome = committed
            .map_err(|error| error.sqlite_error_code().unwrap_or(rusqlite::ErrorCode::Unknown));
        for acknowledge in acknowledgements {
            acknowledge(outcome, told);
        }
    }
}

fn commit_group(
    connection: &mut Connection,
    first: Operation,
    inbox: &Receiver<Operation>,
    acknowledgements: &mut Vec<Acknowledge>,
) -> rusqlite::Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut next = Some(first);
    while let Some(operation) = next {
        let mut savepoint = transaction.savepoint()?;
        acknowledgements.push(operation(&mut savepoint));
        savepoint.commit()?;
        next = if acknowledgements.len() < MAX_GROUP { inbox.try_recv().ok() } else { None };
    }
    metrics::histogram!("banter_store_group_size").record(acknowledgements.len() as f64);
    transaction.commit()
}
