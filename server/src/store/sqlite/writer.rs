//! The one writer: takes write operations from everywhere, commits those that wait together in one
//! transaction, and has them brought to the disk (`log`). Whoever asked for an operation can be told
//! three things: what it decided, at once, to prepare what follows; that it is committed, which
//! survives this process; that it is on the disk, which survives a power failure.
//!
//! One that fails takes nothing else with it. That hardly ever happens, so a savepoint around each
//! would be for nothing nearly always: when one has failed after it wrote, the whole group is undone
//! and the others run again. They come to the same, because nobody wrote in between and time and ids
//! are passed in.

use super::super::sql::Transaction;
use super::super::{Durable, NOTICES, Notice, Result, StoreError};
use super::log::{Flush, Log, Outcome};
use super::statements::Statements;
use super::transaction::SqliteTransaction;
use rusqlite::{Connection, ffi};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};

/// The most operations that share one commit: bounds how long the first of them waits.
const MAX_GROUP: usize = 256;

/// How long what can wait does so when nobody else writes. An end that is told this much later is
/// told in the time a word takes, and most flushes for ends alone are saved.
const LINGER: Duration = Duration::from_millis(5);

/// In so much time there are two commits at most: under load they are for many operations each, and a
/// writer with little to do never notices.
const TWO_COMMITS_IN: Duration = Duration::from_millis(2);

/// How long what was committed and nobody waits for may take to be flushed: mostly until the end of the
/// answer that it was for, which is waited for, and then one flush is for both.
const FLUSH_WITHIN: Duration = Duration::from_millis(20);

/// When something wants to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Haste {
    /// At once: somebody is kept from going on.
    Now,
    /// In a moment, with whatever else is written then.
    Soon,
}

/// How far a write has to have come before it is told as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It survives this process.
    Committed,
    /// It survives a power failure.
    Flushed,
}

/// What was asked of the writer.
trait Operation: Send {
    /// When it wants to be committed.
    fn haste(&self) -> Haste;
    /// Runs it, tells what it decided, and says whether it holds.
    fn run(&mut self, statements: &mut Statements<'_>) -> bool;
    /// Runs one that held once more, after it was undone.
    fn repeat(&mut self, statements: &mut Statements<'_>) -> Result<()>;
    /// How far it has to have come.
    fn wanted(&self) -> Stage;
    /// Tells what became of it.
    fn end(self: Box<Self>, outcome: Outcome, told: &broadcast::Sender<Notice>);
}

struct Submitted<T, W> {
    work: W,
    haste: Haste,
    wanted: Stage,
    /// Until it is told.
    decided: Option<oneshot::Sender<Result<T>>>,
    done: oneshot::Sender<Outcome>,
    /// What to tell once it is done.
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
    fn haste(&self) -> Haste {
        self.haste
    }

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

    fn wanted(&self) -> Stage {
        self.wanted
    }

    fn end(self: Box<Self>, outcome: Outcome, told: &broadcast::Sender<Notice>) {
        if outcome.is_ok() {
            for notice in self.notices {
                // Nobody listens: nobody needs to know.
                let _ = told.send(notice);
            }
        }
        let _ = self.done.send(outcome);
    }
}

/// A handle to the writer's thread. The thread ends when the last handle is gone.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    operations: Sender<Box<dyn Operation>>,
    told: broadcast::Sender<Notice>,
}

impl Writer {
    /// Starts the thread that owns `connection` from now on, whose log is `log`; `spare` is another
    /// connection to the same database.
    pub(super) fn start(
        connection: Connection,
        log: impl Flush + 'static,
        spare: Connection,
    ) -> Result<Self> {
        Self::lingering(connection, Box::new(log), spare, LINGER)
    }

    fn lingering(
        mut connection: Connection,
        log: Box<dyn Flush>,
        spare: Connection,
        linger: Duration,
    ) -> Result<Self> {
        let log = Log::new(&mut connection, log, spare)?;
        let (operations, inbox) = channel();
        let told = broadcast::Sender::new(NOTICES);
        let telling = told.clone();
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || run(&connection, &log, &inbox, linger, &telling))
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
        haste: Haste,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (decided, done) = self.submit(haste, Stage::Flushed, work)?;
        // First, so that whoever waits is woken once; what was decided is there by then.
        let done = done.await;
        let value = decided.await.map_err(|_| StoreError::Closed)??;
        held(done)?;
        Ok(value)
    }

    /// Runs `work` in a transaction; returns its result at once, and when that is committed. It is flushed
    /// in a moment, at the latest with the next write that waits for that.
    pub(super) async fn decide<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(T, Durable)> {
        let (decided, done) = self.submit(Haste::Now, Stage::Committed, work)?;
        let value = decided.await.map_err(|_| StoreError::Closed)??;
        Ok((value, Durable(Box::pin(async move { held(done.await) }))))
    }

    fn submit<T: Send + 'static>(
        &self,
        haste: Haste,
        wanted: Stage,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(oneshot::Receiver<Result<T>>, oneshot::Receiver<Outcome>)> {
        let (decided, decision) = oneshot::channel();
        let (done, outcome) = oneshot::channel();
        let (decided, notices) = (Some(decided), Vec::new());
        let submitted = Submitted { work, haste, wanted, decided, done, notices };
        self.operations.send(Box::new(submitted)).map_err(|_| StoreError::Closed)?;
        Ok((decision, outcome))
    }
}

/// What became of a write, for whoever waited for it.
fn held(done: std::result::Result<Outcome, oneshot::error::RecvError>) -> Result<()> {
    done.map_err(|_| StoreError::Closed)?.map_err(|error| failure(error, "the write failed"))
}

fn failure(error: ffi::Error, what: &str) -> StoreError {
    StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, Some(what.into())))
}

fn run(
    connection: &Connection,
    log: &Log,
    inbox: &Receiver<Box<dyn Operation>>,
    linger: Duration,
    told: &broadcast::Sender<Notice>,
) {
    let mut statements = Statements::new(connection);
    // Until when something that was committed has to be flushed.
    let mut flush_by = None;
    // When the last two commits were.
    let mut commits = [None; 2];
    loop {
        let first = match next(inbox, flush_by) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                flush_by = None;
                log.flush(drop);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return log.flush(drop),
        };
        let mut group = Vec::new();
        let not_before = commits[0].map(|at: Instant| at + TWO_COMMITS_IN);
        let company = Company { inbox, linger, not_before };
        let committed = commit_group(&mut statements, first, &company, &mut group);
        commits = [commits[1], Some(Instant::now())];
        if let Err(error) = &committed {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "a group of writes was not committed"
            );
            // Fails when there is none any more, which is as good.
            let _ = statements.run("ROLLBACK", &[]);
        }
        let committed = committed.map_err(|error| match error {
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => error,
            _ => ffi::Error::new(ffi::SQLITE_ERROR),
        });
        let (early, others): (Vec<_>, Vec<_>) = group
            .into_iter()
            .partition(|operation| committed.is_err() || operation.wanted() == Stage::Committed);
        early.into_iter().for_each(|operation| operation.end(committed, told));
        if others.is_empty() {
            flush_by = flush_by.or_else(|| Some(Instant::now() + FLUSH_WITHIN));
        } else {
            flush_by = None;
            let told = told.clone();
            log.flush(move |flushed| {
                others.into_iter().for_each(|operation| operation.end(flushed, &told));
            });
        }
        log.shorten(connection);
    }
}

/// What is asked next, unless something has to be flushed before it comes.
fn next(
    inbox: &Receiver<Box<dyn Operation>>,
    flush_by: Option<Instant>,
) -> std::result::Result<Box<dyn Operation>, RecvTimeoutError> {
    match flush_by {
        Some(by) => inbox.recv_timeout(by.saturating_duration_since(Instant::now())),
        None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// Leaves in `group` what the commit is about.
fn commit_group(
    statements: &mut Statements<'_>,
    first: Box<dyn Operation>,
    company: &Company<'_>,
    group: &mut Vec<Box<dyn Operation>>,
) -> Result<()> {
    statements.run("BEGIN IMMEDIATE", &[])?;
    let until = Instant::now() + company.linger;
    let mut next = Some(first);
    let (mut count, mut haste) = (0, Haste::Soon);
    while let Some(mut operation) = next {
        if operation.haste() == Haste::Now {
            haste = Haste::Now;
        }
        let changes = statements.connection.total_changes();
        if operation.run(statements) {
            group.push(operation);
        } else if statements.connection.total_changes() != changes {
            undo_last(statements, group)?;
        }
        if statements.connection.is_autocommit() {
            // Some failures, a full disk's among them, undo everything at once; what came next would
            // be stored piece by piece.
            return Err(failure(ffi::Error::new(ffi::SQLITE_ABORT), "the transaction was undone"));
        }
        count += 1;
        next = if count < MAX_GROUP { company.next(haste, until) } else { None };
    }
    metrics::histogram!("banter_store_group_size").record(count as f64);
    statements.run("COMMIT", &[])?;
    Ok(())
}

/// Who else wants to write.
struct Company<'a> {
    inbox: &'a Receiver<Box<dyn Operation>>,
    /// How long what can wait does so.
    linger: Duration,
    /// When the next commit may be, if it may not be at once.
    not_before: Option<Instant>,
}

impl Company<'_> {
    /// What is to be committed with what there is.
    ///
    /// The others have the processor once before a commit in haste, or as long as it takes until there
    /// may be another one. Those who want to write come together, and a commit is for all of them; those
    /// who were told what was decided go on with that, and what they ask for is on its way meanwhile.
    fn next(&self, haste: Haste, until: Instant) -> Option<Box<dyn Operation>> {
        if let Ok(operation) = self.inbox.try_recv() {
            return Some(operation);
        }
        let now = Instant::now();
        let not_before = self.not_before.filter(|at| *at > now);
        let until = match (haste, not_before) {
            (Haste::Now, None) => {
                std::thread::yield_now();
                return self.inbox.try_recv().ok();
            }
            (Haste::Now, Some(at)) => at,
            (Haste::Soon, _) => until,
        };
        self.inbox.recv_timeout(until.saturating_duration_since(now)).ok()
    }
}

/// Undoes an operation that failed half-way: undoes everything, and does again what held.
fn undo_last(statements: &mut Statements<'_>, held: &mut [Box<dyn Operation>]) -> Result<()> {
    statements.run("ROLLBACK", &[])?;
    statements.run("BEGIN IMMEDIATE", &[])?;
    held.iter_mut().try_for_each(|operation| operation.repeat(statements))
}

#[cfg(test)]
mod tests;
