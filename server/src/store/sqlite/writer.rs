//! The one writer: takes write operations from everywhere, commits those that wait together in one
//! transaction, and acknowledges each only after the commit. What an operation decides is told at
//! once, so that whoever asked can prepare what follows while the disk is busy.
//!
//! Each operation runs in a savepoint of its own, so one that fails takes nothing else with it.

use super::super::sql::Transaction;
use super::super::{Durable, NOTICES, Notice, Result, StoreError};
use super::transaction::SqliteTransaction;
use rusqlite::{Connection, ErrorCode, ffi};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{broadcast, oneshot};

/// The most operations that share one commit: bounds how long the first of them waits.
const MAX_GROUP: usize = 256;

/// Whether a commit held.
type Committed = std::result::Result<(), ErrorCode>;

/// What waits for the commit: what to tell then, and whom to tell whether it held.
struct Waiting {
    notices: Vec<Notice>,
    durable: oneshot::Sender<Committed>,
}

/// Runs on the writer's thread; `None` when it failed and left nothing behind.
type Operation = Box<dyn FnOnce(&Connection) -> rusqlite::Result<Option<Waiting>> + Send>;

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
            .spawn(move || run(&connection, &inbox, &telling))
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
        let (decided, committed) = self.submit(work)?;
        // First, so that whoever waits is woken once; what was decided is there by then.
        let committed = committed.await;
        let value = decided.await.map_err(|_| StoreError::Closed)??;
        durable(committed)?;
        Ok(value)
    }

    /// Runs `work` in a transaction; returns its result at once, and when that is on the disk.
    pub(super) async fn decide<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(T, Durable)> {
        let (decided, committed) = self.submit(work)?;
        let value = decided.await.map_err(|_| StoreError::Closed)??;
        Ok((value, Durable(Box::pin(async move { durable(committed.await) }))))
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(oneshot::Receiver<Result<T>>, oneshot::Receiver<Committed>)> {
        let (reply, decided) = oneshot::channel();
        let (durable, committed) = oneshot::channel();
        let operation: Operation = Box::new(move |connection| {
            run_cached(connection, "SAVEPOINT operation")?;
            let mut transaction = SqliteTransaction::new(connection);
            let result = work(&mut transaction);
            let notices = transaction.notices;
            let held = result.is_ok();
            if !held {
                // Undoes this operation only.
                run_cached(connection, "ROLLBACK TO operation")?;
            }
            run_cached(connection, "RELEASE operation")?;
            // Nobody waits any more when a request was dropped; the write holds all the same.
            let _ = reply.send(result);
            Ok(held.then_some(Waiting { notices, durable }))
        });
        self.operations.send(operation).map_err(|_| StoreError::Closed)?;
        Ok((decided, committed))
    }
}

/// What became of a commit, for whoever waited for it.
fn durable(committed: std::result::Result<Committed, oneshot::error::RecvError>) -> Result<()> {
    committed.map_err(|_| StoreError::Closed)?.map_err(|code| {
        StoreError::Sqlite(rusqlite::Error::SqliteFailure(
            ffi::Error { code, extended_code: 0 },
            Some("the commit failed".into()),
        ))
    })
}

fn run(connection: &Connection, inbox: &Receiver<Operation>, told: &broadcast::Sender<Notice>) {
    while let Ok(first) = inbox.recv() {
        let mut waiting = Vec::new();
        let committed = commit_group(connection, first, inbox, &mut waiting);
        if let Err(error) = &committed {
            tracing::error!(%error, "a group of writes was not committed");
            // Fails when there is none any more, which is as good.
            let _ = run_cached(connection, "ROLLBACK");
        }
        let outcome =
            committed.map_err(|error| error.sqlite_error_code().unwrap_or(ErrorCode::Unknown));
        for Waiting { notices, durable } in waiting {
            if outcome.is_ok() {
                for notice in notices {
                    // Nobody listens: nobody needs to know.
                    let _ = told.send(notice);
                }
            }
            let _ = durable.send(outcome);
        }
    }
}

fn commit_group(
    connection: &Connection,
    first: Operation,
    inbox: &Receiver<Operation>,
    waiting: &mut Vec<Waiting>,
) -> rusqlite::Result<()> {
    run_cached(connection, "BEGIN IMMEDIATE")?;
    let mut next = Some(first);
    let mut count = 0;
    while let Some(operation) = next {
        waiting.extend(operation(connection)?);
        count += 1;
        next = if count < MAX_GROUP { inbox.try_recv().ok() } else { None };
    }
    metrics::histogram!("banter_store_group_size").record(count as f64);
    run_cached(connection, "COMMIT")
}

/// Statements around every operation: parsed once.
fn run_cached(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::{StoreError, Writer};
    use crate::store::Notice;

    #[tokio::test]
    async fn what_fails_takes_nothing_with_it_and_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("a.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
        let writer = Writer::start(connection).unwrap();
        let mut told = writer.notices();
        let insert = |n: i64, holds: bool| {
            writer.decide(move |tx| {
                tx.notify(Notice::Ended(n.to_string().into()))?;
                tx.execute("INSERT INTO t VALUES ($1)", &[n.into()])?;
                if holds { Ok(n) } else { Err(StoreError::Closed) }
            })
        };
        let (first, second, third) =
            tokio::join!(insert(1, true), insert(2, false), insert(3, true));
        let (one, durable) = first.unwrap();
        durable.wait().await.unwrap();
        assert!(matches!(second, Err(StoreError::Closed)));
        let (three, durable) = third.unwrap();
        durable.wait().await.unwrap();
        assert_eq!((one, three), (1, 3));
        let sum = writer.write(|tx| tx.first("SELECT sum(n) FROM t", &[])?.unwrap().int(0));
        assert_eq!(sum.await.unwrap(), 4);
        for expected in ["1", "3"] {
            assert!(matches!(told.recv().await, Ok(Notice::Ended(id)) if id.as_str() == expected));
        }
    }
}
