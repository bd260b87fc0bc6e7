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
mod keys;
mod lifecycle;
mod logs;
mod messages;
mod nodes;
mod outbox;
mod provider_events;
mod rows;
mod sessions;
mod timeline;
mod webhooks;
mod widgets;

use super::postgres::Postgres;
use super::sqlite::{Haste, Sqlite};
use super::{Durable, Notice, Result, Store, StoreError};
use assistants::Assistants;
use async_trait::async_trait;
use tokio::sync::broadcast;

/// Which database understands the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Dialect {
    Sqlite,
    Postgres,
}

/// What goes into a statement and comes out of a row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    /// Instants and counts stay far below 2⁶³.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement, each made a [`Value`].
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::Value::from($value)),*] };
}
pub(in crate::store) use args;

/// One row of an answer; columns are counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Row(pub(in crate::store) Vec<Value>);

impl Row {
    fn value(&self, column: usize) -> &Value {
        self.0.get(column).unwrap_or(&Value::Null)
    }

    /// A text that is only looked at.
    pub(in crate::store) fn str(&self, column: usize) -> Result<&str> {
        match self.value(column) {
            Value::Text(text) => Ok(text),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// A text.
    pub(in crate::store) fn text(&self, column: usize) -> Result<String> {
        self.str(column).map(str::to_owned)
    }

    /// A text or nothing.
    pub(in crate::store) fn optional_text(&self, column: usize) -> Result<Option<String>> {
        match self.value(column) {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// Bytes.
    pub(in crate::store) fn bytes(&self, column: usize) -> Result<Vec<u8>> {
        match self.value(column) {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// A number.
    pub(in crate::store) fn int(&self, column: usize) -> Result<i64> {
        match self.value(column) {
            Value::Int(int) => Ok(*int),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// An instant or a count.
    pub(in crate::store) fn number(&self, column: usize) -> Result<u64> {
        u64::try_from(self.int(column)?).map_err(|_| StoreError::Column(column))
    }

    /// An instant or a count, or nothing.
    pub(in crate::store) fn optional_number(&self, column: usize) -> Result<Option<u64>> {
        match self.value(column) {
            Value::Null => Ok(None),
            _ => self.number(column).map(Some),
        }
    }

    /// A small count.
    pub(in crate::store) fn small(&self, column: usize) -> Result<u32> {
        u32::try_from(self.int(column)?).map_err(|_| StoreError::Column(column))
    }

    /// 0 or 1.
    pub(in crate::store) fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }
}

/// A transaction of either database.
pub(in crate::store) trait Transaction {
    /// Runs a statement; says how many rows it touched.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64>;
    /// Runs a query.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>>;
    /// Whose statements it takes.
    fn dialect(&self) -> Dialect;
    /// Tells every server, this one included, once the transaction is committed.
    fn notify(&mut self, notice: Notice) -> Result<()>;

    /// The first row of a query, if it has one.
    fn first(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>> {
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
}

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
        Self { database, node, assistants: Assistants::default() }
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
    /// be flushing it. PostgreSQL is asked to commit first, because there a transaction can lose a
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
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<()> {
        // Touches the write path without leaving anything behind.
        self.write(|tx| tx.execute("DELETE FROM sessions WHERE id = ''", &[]).map(drop)).await
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
