//! One operation's share of a connection: statements are prepared once and kept.

use super::super::sql::{Dialect, Row, Transaction, Value};
use super::super::{Notice, Result};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

/// A transaction, or a reader's view.
pub(super) struct SqliteTransaction<'a> {
    connection: &'a Connection,
    /// What to tell once it is committed.
    pub(super) notices: Vec<Notice>,
}

impl<'a> SqliteTransaction<'a> {
    /// On `connection`, whose savepoint somebody else keeps.
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, notices: Vec::new() }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let sql = numbered(sql);
        Ok(self.connection.prepare_cached(&sql)?.execute(params_from_iter(values))? as u64)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let sql = numbered(sql);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let columns = statement.column_count();
        let mut answer = statement.query(params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = answer.next()? {
            let values = (0..columns).map(|column| row.get_ref(column).map(own));
            rows.push(Row(values.collect::<rusqlite::Result<_>>()?));
        }
        Ok(rows)
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn notify(&mut self, notice: Notice) -> Result<()> {
        self.notices.push(notice);
        Ok(())
    }
}

/// `$1` is the first *named* parameter to SQLite, whichever comes first; `?1` is number one.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

fn own(value: ValueRef<'_>) -> Value {
    match value {
        // No column of ours holds a floating-point number.
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}
