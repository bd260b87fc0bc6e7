//! SQLite, the default database: one file, WAL, one writer that commits in groups, one thread that
//! flushes what it committed, a few readers.
//!
//! A write is acknowledged when it is flushed to the disk; only a question is told as stored when it is
//! committed (`log`). Under load many messages share a commit and a flush. rusqlite instead of sqlx
//! because its calls run on the writer's own thread without a task hop per statement; a stored message
//! is part of every visitor's wait.

mod connection;
mod log;
mod reader;
mod statements;
mod transaction;
mod writer;

use super::lane::{self, Leash};
use super::logs::Pace;
use super::sql::Transaction;
use super::{Durable, Notice, Result};
use reader::Readers;
use std::path::Path;
use tokio::sync::broadcast;
use writer::Writer;

pub(super) use writer::Haste;

/// How many connections visitors' reads have: they are short and mostly from memory; more would only
/// wait for each other.
const READERS: usize = 2;

/// The database. Clones share the connections.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    writer: Writer,
    readers: Readers,
    asked: Readers,
    jobs: Readers,
}

impl Sqlite {
    /// Opens the database, makes it if it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is from a newer version, or a migration fails.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let mut connection = connection::open_writer(file)?;
        connection::migrate(&mut connection)?;
        let spare = connection::open_writer(file)?;
        let writer = Writer::start(connection, log::open(file)?, spare)?;
        let leashed = |name, pace| Readers::start_leashed(file, name, lane::connections(pace));
        Ok(Self {
            writer,
            readers: Readers::start(file, READERS)?,
            asked: leashed("search", Pace::Asked)?,
            jobs: leashed("job", Pace::Job)?,
        })
    }

    /// See `SqlStore::write`.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        haste: Haste,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(haste, work).await
    }

    /// See `SqlStore::decide`.
    pub(super) async fn decide<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(T, Durable)> {
        self.writer.decide(work).await
    }

    /// See `SqlStore::read`.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.readers.read(work).await
    }

    /// See `SqlStore::look`.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        pace: Pace,
        leash: Leash,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match pace {
            Pace::Asked | Pace::Streamed => self.asked.look(leash, work).await,
            Pace::Job => self.jobs.look(leash, work).await,
        }
    }

    /// What committed transactions tell. One process has the file, so nobody else needs to know.
    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.writer.notices()
    }
}
