//! The repositories, written once in SQL that both databases understand, over a seam that either
//! driver fills: a transaction that takes statements, and values that go in and out.
//!
//! What the databases share and therefore may be used: `$1` parameters, `ON CONFLICT`, `RETURNING`,
//! partial indexes, 64-bit integers, text, bytes. Documents are JSON in text columns; truth values
//! are 0 and 1. In PostgreSQL transactions run side by side, so whatever reads before it writes
//! takes the row's lock first (`FOR UPDATE`), and whoever looks for work passes over rows that another
//! server works on (`SKIP LOCKED`); SQLite has one writer and leaves these words out.

mod answers;
mod assistants;
mod deliveries;
mod exports;
mod finalize;
#[cfg(test)]
mod fresh;
mod keys;
mod lifecycle;
mod logs;
mod messages;
mod nodes;
mod outbox;
mod provider_events;
mod provider_sessions;
mod rows;
mod sessions;
mod timeline;
mod values;
mod webhooks;
mod widgets;

use super::lane::Lanes;
use super::logs::Pace;
use super::postgres::Postgres;
use super::sqlite::{Haste, Sqlite};
use super::{Durable, Notice, Result, Store};
use crate::domain::owner::Tenant;
use assistants::Assistants;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::broadcast;

pub(in crate::store) use logs::lower;
pub(in crate::store) use values::{Row, Value, args};

/// Which database understands the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Dialect {
    Sqlite,
    Postgres,
}

/// A transaction of either database.
pub(in crate::store) trait Transaction {
    /// Runs a statement; says how many rows it touched.
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64>;
    /// Runs a query and shows each row of its answer, one after the other in the same place, from
    /// where it may be taken. The first failure ends it.
    fn each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        see: &mut dyn FnMut(&mut Row) -> Result<()>,
    ) -> Result<()>;
    /// Whose statements it takes.
    fn dialect(&self) -> Dialect;
    /// Tells every server, this one included, once the transaction is committed.
    fn notify(&mut self, notice: Notice) -> Result<()>;

    /// Runs a query.
    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.each(sql, values, &mut |row| {
            rows.push(std::mem::take(row));
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row of a query, if it has one.
    fn first(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, values)?.into_iter().next())
    }
}

/// The store on either database. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
    /// This server's name among those that share the database.
    node: String,
    assistants: Assistants,
    /// For reads that may take long.
    lanes: Lanes,
    /// When it was last seen to take writes, in Unix milliseconds.
    pinged: Arc<AtomicU64>,
}

/// How long the store is believed to take writes once it did, in milliseconds.
const PING_EVERY_MS: u64 = 1_000;

#[derive(Clone, Debug)]
enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl SqlStore {
    /// Opens or makes the SQLite database in `file`.
    ///
    /// # Errors
    /// When the file cannot be opened, is from a newer version, or a migration fails.
    pub fn open(file: &std::path::Path, node: String) -> Result<Self> {
        Ok(Self::on(Database::Sqlite(Sqlite::open(file)?), node))
    }

    /// Connects to the PostgreSQL database at `url` with up to `connections` connections.
    ///
    /// # Errors
    /// When it cannot be reached, is from an incompatible newer version, or a migration fails.
    pub fn connect(url: &str, connections: usize, node: String) -> Result<Self> {
        Ok(Self::on(Database::Postgres(Postgres::open(url, connections)?), node))
    }

    fn on(database: Database, node: String) -> Self {
        Self {
            database,
            node,
            assistants: Assistants::default(),
            lanes: Lanes::default(),
            pinged: Arc::default(),
        }
    }

    /// The same store with this much time for a search that an owner waits for, and a multiple of it
    /// for what a job looks for.
    #[must_use]
    pub fn searching_for(self, limit: Duration) -> Self {
        Self { lanes: self.lanes.clone().within(limit), ..self }
    }

    /// Runs `work` in a transaction and returns its result once that is durable. `work` may run
    /// again when the database asks for it (a deadlock, a lost connection before the commit) or when
    /// what ran before it was undone.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_with(Haste::Now, work).await
    }

    /// The same for what can wait a moment for others to share a flush with.
    async fn write_soon<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_with(Haste::Soon, work).await
    }

    /// PostgreSQL groups commits by itself and knows no haste.
    async fn write_with<T: Send + 'static>(
        &self,
        haste: Haste,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.write(haste, work).await,
            Database::Postgres(postgres) => postgres.write(work).await,
        }
    }

    /// Runs `work` in a transaction and returns its result as soon as it is known: SQLite may still
    /// be storing it. PostgreSQL is asked to commit first, because there a transaction can lose a
    /// race until it has.
    async fn decide<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<(T, Durable)> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.decide(work).await,
            Database::Postgres(postgres) => {
                let value = postgres.write(work).await?;
                Ok((value, Durable::default()))
            }
        }
    }

    /// Runs `work`, which only reads, on a consistent view.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.read(work).await,
            Database::Postgres(postgres) => postgres.read(work).await,
        }
    }

    /// The same for what may take long, in a lane of its own: visitors do not wait behind it, and it
    /// is stopped when its time is over. Whose it is decides whether there is a seat for it.
    async fn look<T: Send + 'static>(
        &self,
        pace: Pace,
        whose: Option<Tenant>,
        work: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (leash, waiting) = self.lanes.enter(pace, whose).await?;
        match &self.database {
            Database::Sqlite(sqlite) => waiting.on(sqlite.look(pace, leash, work)).await,
            Database::Postgres(postgres) => waiting.on(postgres.look(pace, leash, work)).await,
        }
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self, now: u64) -> Result<()> {
        // Strangers may ask for it.
        if now.abs_diff(self.pinged.load(Relaxed)) < PING_EVERY_MS {
            return Ok(());
        }
        let node = self.node.clone();
        self.write(move |tx| nodes::show(tx, &node, now)).await?;
        self.pinged.store(now, Relaxed);
        Ok(())
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.notices(),
            Database::Postgres(postgres) => postgres.notices(),
        }
    }

    async fn notify(&self, notice: Notice) -> Result<()> {
        self.write(move |tx| tx.notify(notice.clone())).await
    }
}
