//! SQLite's write-ahead log, whose way to the disk is ours.
//!
//! SQLite itself writes a commit into the log (`synchronous = NORMAL`) and would have it flushed before
//! it says so (`FULL`), and every so often copies the log into the database before it goes on. Here a
//! commit, its flush and the copying are three steps, so that each who waits waits for no more than he
//! needs.

use crate::store::{Result, StoreError};
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};

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

/// The log of the one connection that writes.
pub(super) struct Log {
    file: Box<dyn Flush>,
    written: Arc<Written>,
    /// Whether a flush failed, and what it was for is not known to be on the disk.
    is_suspect: bool,
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
    /// The log of `connection`; `file` is where it lies.
    ///
    /// # Errors
    /// When SQLite does not take the hook.
    pub(super) fn new(connection: &mut Connection, file: Box<dyn Flush>) -> Result<Self> {
        let written = Arc::<Written>::default();
        let told = written.clone();
        // In place of SQLite's own, which copies within the commit.
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            told.pages.store(pages, Relaxed);
            told.is_new.store(true, Relaxed);
            Ok(())
        }))?;
        Ok(Self { file, written, is_suspect: false })
    }

    /// Brings to the disk what was committed.
    ///
    /// # Errors
    /// When it is not known to be there.
    pub(super) fn flush(&mut self, connection: &Connection) -> std::result::Result<(), ffi::Error> {
        let is_new = self.written.is_new.swap(false, Relaxed);
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
        match copy(connection) {
            Ok(true) => {
                self.is_suspect = false;
                Ok(())
            }
            _ => Err(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC)),
        }
    }

    /// Copies the log into the database when it has got long, and lets it begin anew.
    pub(super) fn shorten(&mut self, connection: &Connection) {
        if self.written.pages.load(Relaxed) < MAX_PAGES {
            return;
        }
        match copy(connection) {
            // Tried again after the next commit.
            Err(error) => tracing::error!(%error, "the log was not copied into the database"),
            Ok(_) => self.written.pages.store(0, Relaxed),
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
