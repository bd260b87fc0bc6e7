//! SQLite, the default store: one file, WAL, one writer that commits in groups, a few readers.
//!
//! `synchronous = FULL`: every commit reaches the disk before it is acknowledged. Group commit pays
//! for that: under load many messages share one flush. rusqlite instead of sqlx because its calls
//! run on the writer's own thread without a task hop per statement; a stored message is part of
//! every visitor's wait.

mod connection;
mod messages;
mod reader;
mod rows;
mod sessions;
mod widgets;
mod writer;

use super::{Result, Store};
use async_trait::async_trait;
use reader::Readers;
use std::path::Path;
use writer::Writer;

/// The store. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
}

impl SqliteStore {
    /// Opens the database, makes it if it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is from a newer version, or a migration fails.
    pub fn open(file: &Path) -> Result<Self> {
        let mut connection = connection::open_writer(file)?;
        connection::migrate(&mut connection)?;
        Ok(Self { writer: Writer::start(connection)?, readers: Readers::start(file)? })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<()> {
        self.writer
            .write(|transaction| {
                // Touches the write path without leaving anything behind.
                transaction.execute("DELETE FROM sessions WHERE id = ''", [])?;
                Ok(())
            })
            .await
    }
}
