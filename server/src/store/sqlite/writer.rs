//! The one writer: takes write operations from everywhere, commits those that wait together in one
//! transaction, and acknowledges each only after the commit. What an operation decides is told at
//! once, so that whoever asked can prepare what follows while the disk is busy.
//!
//! One that fails takes nothing else with it. That hardly ever happens, so a savepoint around each
//! would be for nothing nearly always: when one has failed after it wrote, the whole group is undone
//! and the others run again. They come to the same, because nobody wrote in between and time and ids
//! are passed in.

use super::super::sql::Transaction;
use super::super::{Durable, NOTICES, Notice, Result, StoreError};
use super::statements::Statements;
use super::transaction::SqliteTransaction;
use rusqlite::{Connection, ErrorCode, ffi};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{broadcast, oneshot};

/// The most operations that share one commit: bounds how long the first of them waits.
const MAX_GROUP: usize = 256;

/// Whether a commit held.
type Committed = std::result::Result<(), ErrorCode>;

/// What was asked of the writer.
trait Operation: Send {
    /// Runs it, tells what it decided, and says whether it holds.
    fn run(&mut self, statements: &mut Statements<'_>) -> bool;
    /// Runs one that held once more, after it was undone.
    fn repeat(&mut self, statements: &mut Statements<'_>) -> Result<()>;
    /// Tells what became of the commit.
    fn end(self: Box<Self>, committed: Committed, told: &broadcast::Sender<Notice>);
}

struct Submitted<T, W> {
    work: W,
    /// Until it is told.
    decided: Option<oneshot::Sender<Result<T>>>,
    durable: oneshot::Sender<Committed>,
    /// What to tell once it is committed.
    notices: Vec<Notice>,
}

impl<T, W: Fn(&mut dyn Transaction) -> Result<T>> Submitted<T, W> {
    fn work(&mut self, statements: &mut Statements<'_>) -> Result<T> {
        let mut transaction = SqliteTransaction::new(statements);
        let result = (self.work)(&mut transaction);
        self.notices = transaction.notices;
        result
    }
}

impl<T, W> Operation for Submitted<T, W>
where
    T: Send,
    W: Fn(&mut dyn Transaction) -> Result<T> + Send,
{
    fn run(&mut self, statements: &mut Statements<'_>) -> bool {
        let result = self.work(statements);
        let holds = result.is_ok();
        if let Some(decided) = self.decided.take() {
            // Nobody waits any more when a request was dropped; the write holds all the same.
            let _ = decided.send(result);
        }
        holds
    }

    fn repeat(&mut self, statements: &mut Statements<'_>) -> Result<()> {
        self.work(statements).map(drop)
    }

    fn end(self: Box<Self>, committed: Committed, told: &broadcast::Sender<Notice>) {
        if committed.is_ok() {
            for notice in self.notices {
                // Nobody listens: nobody needs to know.
                let _ = told.send(notice);
            }
        }
        let _ = self.durable.send(committed);
    }
}

/// A handle to the writer's thread. The thread ends when the last handle is gone.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    operations: Sender<Box<dyn Operation>>,
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
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
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
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(T, Durable)> {
        let (decided, committed) = self.submit(work)?;
        let value = decided.await.map_err(|_| StoreError::Closed)??;
        Ok((value, Durable(Box::pin(async move { durable(committed.await) }))))
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(oneshot::Receiver<Result<T>>, oneshot::Receiver<Committed>)> {
        let (decided, decision) = oneshot::channel();
        let (durable, committed) = oneshot::channel();
        let submitted = Submitted { work, decided: Some(decided), durable, notices: Vec::new() };
        self.operations.send(Box::new(submitted)).map_err(|_| StoreError::Closed)?;
        Ok((decision, committed))
    }
}

/// What became of a commit, for whoever waited for it.
fn durable(committed: std::result::Result<Committed, oneshot::error::RecvError>) -> Result<()> {
    committed.map_err(|_| StoreError::Closed)?.map_err(|code| failure(code, "the commit failed"))
}

fn failure(code: ErrorCode, what: &str) -> StoreError {
    let error = ffi::Error { code, extended_code: 0 };
    StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, Some(what.into())))
}

fn run(
    connection: &Connection,
    inbox: &Receiver<Box<dyn Operation>>,
    told: &broadcast::Sender<Notice>,
) {
    let mut statements = Statements::new(connection);
    while let Ok(first) = inbox.recv() {
        let mut group = Vec::new();
        let committed = commit_group(&mut statements, first, inbox, &mut group);
        if let Err(error) = &committed {
            tracing::error!(%error, "a group of writes was not committed");
            // Fails when there is none any more, which is as good.
            let _ = statements.run("ROLLBACK", &[]);
        }
        let outcome = committed.map_err(|error| match error {
            StoreError::Sqlite(error) => error.sqlite_error_code().unwrap_or(ErrorCode::Unknown),
            _ => ErrorCode::Unknown,
        });
        for operation in group {
            operation.end(outcome, told);
        }
    }
}

/// Leaves in `group` what the commit is about.
fn commit_group(
    statements: &mut Statements<'_>,
    first: Box<dyn Operation>,
    inbox: &Receiver<Box<dyn Operation>>,
    group: &mut Vec<Box<dyn Operation>>,
) -> Result<()> {
    statements.run("BEGIN IMMEDIATE", &[])?;
    let mut next = Some(first);
    let mut count = 0;
    while let Some(mut operation) = next {
        let changes = statements.connection.total_changes();
        if operation.run(statements) {
            group.push(operation);
        } else if statements.connection.total_changes() != changes {
            undo_last(statements, group)?;
        }
        if statements.connection.is_autocommit() {
            // Some failures, a full disk's among them, undo everything at once; what came next would
            // be stored piece by piece.
            return Err(failure(ErrorCode::OperationAborted, "the transaction was undone"));
        }
        count += 1;
        next =
            if count < MAX_GROUP { inbox.try_recv().ok().or_else(|| company(inbox)) } else { None };
    }
    metrics::histogram!("banter_store_group_size").record(count as f64);
    statements.run("COMMIT", &[])?;
    Ok(())
}

/// What comes while others have the processor. Whoever was told a decision has something to do with
/// it, such as asking a model, and may have waited for this processor: that goes first. Where many
/// want to write, they come together, and a flush is for all of them.
fn company(inbox: &Receiver<Box<dyn Operation>>) -> Option<Box<dyn Operation>> {
    std::thread::yield_now();
    inbox.try_recv().ok()
}

/// Undoes an operation that failed half-way: undoes everything, and does again what held.
fn undo_last(statements: &mut Statements<'_>, held: &mut [Box<dyn Operation>]) -> Result<()> {
    statements.run("ROLLBACK", &[])?;
    statements.run("BEGIN IMMEDIATE", &[])?;
    held.iter_mut().try_for_each(|operation| operation.repeat(statements))
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::{StoreError, Transaction, Writer};
    use crate::store::Notice;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn what_fails_takes_nothing_with_it_and_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("a.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER, before INTEGER)").unwrap();
        let writer = Writer::start(connection).unwrap();
        let mut told = writer.notices();
        // Everything after it waits, and so becomes one group.
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let wait = writer.submit(move |_| Ok(gate.lock().unwrap().recv().is_ok())).unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        let insert = |n: i64, holds: bool| {
            let runs = runs.clone();
            let work = move |tx: &mut dyn Transaction| {
                runs.fetch_add(1, Relaxed);
                tx.notify(Notice::Ended(n.to_string().into()))?;
                let before = tx.first("SELECT count(*) FROM t", &[])?.unwrap().int(0)?;
                tx.execute("INSERT INTO t VALUES ($1, $2)", &[n.into(), before.into()])?;
                if holds { Ok(before) } else { Err(StoreError::Closed) }
            };
            writer.submit(work).unwrap()
        };
        let inserts = [(1, true), (2, false), (3, true), (4, true), (5, false), (6, true)]
            .map(|(n, holds)| (insert(n, holds), holds));
        let reads = writer.submit(|_| Err::<(), _>(StoreError::Closed)).unwrap();
        // At once also when it runs again.
        drop(open);
        wait.1.await.unwrap().unwrap();
        let mut before = 0;
        for ((decided, committed), holds) in inserts {
            if holds {
                assert_eq!(decided.await.unwrap().unwrap(), before);
                committed.await.unwrap().unwrap();
                before += 1;
            } else {
                assert!(matches!(decided.await.unwrap(), Err(StoreError::Closed)));
                committed.await.unwrap_err();
            }
        }
        assert!(matches!(reads.0.await.unwrap(), Err(StoreError::Closed)));
        // The first again after the second; it, the third and the fourth again after the fifth. What
        // has written nothing is not worth it.
        assert_eq!(runs.load(Relaxed), 6 + 1 + 3);
        let stored = writer.write(|tx| tx.query("SELECT n, before FROM t ORDER BY n", &[])).await;
        let stored: Vec<_> =
            stored.unwrap().iter().map(|row| (row.int(0).unwrap(), row.int(1).unwrap())).collect();
        assert_eq!(stored, [(1, 0), (3, 1), (4, 2), (6, 3)]);
        for expected in ["1", "3", "4", "6"] {
            assert!(matches!(told.recv().await, Ok(Notice::Ended(id)) if id.as_str() == expected));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_done_again_is_not_committed() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("a.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
        let writer = Writer::start(connection).unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let runs = AtomicUsize::new(0);
        let first = writer.submit(move |tx| {
            if runs.fetch_add(1, Relaxed) > 0 {
                return Err(StoreError::Closed);
            }
            gate.lock().unwrap().recv().unwrap();
            tx.execute("INSERT INTO t VALUES (1)", &[])
        });
        let second = writer.submit(|tx| {
            tx.execute("INSERT INTO t VALUES (2)", &[])?;
            Err::<(), _>(StoreError::Closed)
        });
        open.send(()).unwrap();
        let (decided, committed) = first.unwrap();
        assert_eq!(decided.await.unwrap().unwrap(), 1);
        assert!(committed.await.unwrap().is_err());
        assert!(second.unwrap().0.await.unwrap().is_err());
        let count = writer.write(|tx| tx.first("SELECT count(*) FROM t", &[])?.unwrap().int(0));
        assert_eq!(count.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn nothing_is_stored_of_a_group_whose_transaction_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("a.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
        let writer = Writer::start(connection).unwrap();
        for holds in [true, false] {
            let (open, gate) = std::sync::mpsc::channel::<()>();
            let gate = Mutex::new(gate);
            let before = writer.submit(move |tx| {
                gate.lock().unwrap().recv().unwrap();
                tx.execute("INSERT INTO t VALUES (1)", &[])
            });
            let breaks = writer.submit(move |tx| {
                tx.execute("ROLLBACK", &[])?;
                if holds { Ok(()) } else { Err(StoreError::Closed) }
            });
            let after = writer.submit(|tx| tx.execute("INSERT INTO t VALUES (2)", &[]));
            open.send(()).unwrap();
            assert!(before.unwrap().1.await.unwrap().is_err());
            assert!(!matches!(breaks.unwrap().1.await, Ok(Ok(()))));
            after.unwrap().1.await.unwrap().unwrap();
        }
        let stored = writer.write(|tx| tx.query("SELECT n FROM t", &[])).await.unwrap();
        let stored: Vec<_> = stored.iter().map(|row| row.int(0).unwrap()).collect();
        assert_eq!(stored, [2, 2]);
    }
}
