//! SQLite's write-ahead log, whose way to the disk is ours.
//!
//! SQLite itself writes a commit into the log (`synchronous = NORMAL`) and would have it flushed before
//! it says so (`FULL`), and every so often copies the log into the database before it goes on. Here a
//! commit, its flush and the copying are three steps, so that each who waits waits for no more than he
//! needs. The flush has a thread of its own: while the disk takes its time, the writer decides and
//! commits what comes next, and one flush is for all that was committed until it began.

use crate::store::{Result, StoreError};
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// How long the log gets, in pages, before it is copied into the database: SQLite's own bound.
const MAX_PAGES: i32 = 1_000;

/// Has what was written to a file reach the disk.
pub(super) trait Flush: Send {
    /// Returns when it has.
    ///
    /// # Errors
    /// The disk's. What was written may be lost then, and flushing again does not tell.
    fn flush(&mut self) -> io::Result<()>;
}

impl Flush for File {
    fn flush(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Whether what was committed is on the disk.
pub(super) type Outcome = std::result::Result<(), ffi::Error>;

/// Tells whoever waits for a flush what became of it.
type Tell = Box<dyn FnOnce(Outcome) + Send>;

/// The log of the one connection that writes.
pub(super) struct Log {
    written: Arc<Written>,
    /// To the thread that flushes, which ends when this is gone.
    flushes: Sender<Tell>,
}

/// What commits did to the log.
#[derive(Default)]
struct Written {
    /// How long it is.
    pages: AtomicI32,
    /// Whether there is something to flush. Not every transaction writes.
    is_new: AtomicBool,
}

/// Opens the log that belongs to a database somebody has open.
///
/// # Errors
/// When there is none, or not to write to.
pub(super) fn open(database: &Path) -> Result<File> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    OpenOptions::new()
        .write(true)
        .open(&name)
        .map_err(|error| StoreError::Unopened(format!("{}: {error}", name.display())))
}

impl Log {
    /// The log of `connection`. `file` is where it lies; `spare` is another connection to the same
    /// database, for when that fails.
    ///
    /// # Errors
    /// When SQLite does not take the hook, or the operating system has no thread.
    pub(super) fn new(
        connection: &mut Connection,
        file: Box<dyn Flush>,
        spare: Connection,
    ) -> Result<Self> {
        let written = Arc::<Written>::default();
        let told = written.clone();
        // In place of SQLite's own, which copies within the commit.
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            told.pages.store(pages, Ordering::Relaxed);
            told.is_new.store(true, Ordering::Release);
            Ok(())
        }))?;
        let (flushes, inbox) = channel();
        let flusher = Flusher { file, spare, written: written.clone(), is_suspect: false };
        std::thread::Builder::new()
            .name("sqlite-flusher".into())
            .spawn(move || flusher.run(&inbox))
            .map_err(|error| StoreError::Unopened(error.to_string()))?;
        Ok(Self { written, flushes })
    }

    /// Has all that was committed until now brought to the disk, and `tell` told of it: by another
    /// thread, in the order asked for.
    pub(super) fn flush(&self, tell: impl FnOnce(Outcome) + Send + 'static) {
        // Were that thread gone, `tell` would be dropped, and whoever waits would learn from that.
        let _ = self.flushes.send(Box::new(tell));
    }

    /// Copies the log into the database when it has got long, and lets it begin anew.
    pub(super) fn shorten(&self, connection: &Connection) {
        if self.written.pages.load(Ordering::Relaxed) < MAX_PAGES {
            return;
        }
        match copy(connection) {
            // Tried again after the next commit.
            Err(error) => tracing::error!(%error, "the log was not copied into the database"),
            Ok(_) => self.written.pages.store(0, Ordering::Relaxed),
        }
    }
}

/// Who brings the log to the disk.
struct Flusher {
    file: Box<dyn Flush>,
    spare: Connection,
    written: Arc<Written>,
    /// Whether a flush failed, and what it was for is not known to be on the disk.
    is_suspect: bool,
}

impl Flusher {
    fn run(mut self, inbox: &Receiver<Tell>) {
        while let Ok(first) = inbox.recv() {
            // Whoever waits by now has committed before the flush begins.
            let others: Vec<_> = inbox.try_iter().collect();
            let outcome = self.flush();
            first(outcome);
            others.into_iter().for_each(|tell| tell(outcome));
        }
    }

    /// Brings to the disk what was committed.
    ///
    /// # Errors
    /// When it is not known to be there.
    fn flush(&mut self) -> Outcome {
        let is_new = self.written.is_new.swap(false, Ordering::Acquire);
        if !self.is_suspect {
            if !is_new {
                return Ok(());
            }
            match self.file.flush() {
                Ok(()) => return Ok(()),
                Err(error) => tracing::error!(%error, "what was written did not reach the disk"),
            }
            self.is_suspect = true;
        }
        // The operating system takes for written what it could not write, and would say so the next
        // time. Copied into the database, the same is written anew.
        match copy(&self.spare) {
            Ok(true) => {
                self.is_suspect = false;
                Ok(())
            }
            _ => Err(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC)),
        }
    }
}

/// Copies what readers allow, on the disk when this returns; says whether that is all.
fn copy(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (is_busy, pages, copied): (bool, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(!is_busy && pages == copied)
    })
}

#[cfg(test)]
mod tests;
