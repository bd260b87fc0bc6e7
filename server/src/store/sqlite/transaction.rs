//! One operation's share of a connection.

use super::super::sql::{Dialect, Row, Transaction, Value};
use super::super::{Notice, Result};
use super::statements::Statements;
use rusqlite::params_from_iter;
use rusqlite::types::ValueRef;

/// A transaction, or a reader's view.
pub(super) struct SqliteTransaction<'a, 'c> {
    statements: &'a mut Statements<'c>,
    /// What to tell once it is committed.
    pub(super) notices: Vec<Notice>,
}

impl<'a, 'c> SqliteTransaction<'a, 'c> {
    /// On a connection that somebody else begins and ends transactions on.
    pub(super) fn new(statements: &'a mut Statements<'c>) -> Self {
        Self { statements, notices: Vec::new() }
    }
}

impl Transaction for SqliteTransaction<'_, '_> {
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        Ok(self.statements.run(sql, values)? as u64)
    }

    fn each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        see: &mut dyn FnMut(&mut Row) -> Result<()>,
    ) -> Result<()> {
        self.statements.with(sql, |statement| {
            let columns = statement.column_count();
            let mut answer = statement.query(params_from_iter(values))?;
            let mut own = Row::default();
            while let Some(row) = answer.next()? {
                own.begin(columns);
                for column in 0..columns {
                    own.push(value(row.get_ref(column)?));
                }
                if let Err(error) = see(&mut own) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })?
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn notify(&mut self, notice: Notice) -> Result<()> {
        self.notices.push(notice);
        Ok(())
    }
}

fn value(value: ValueRef<'_>) -> Value<'_> {
    match value {
        // No column of ours holds a floating-point number.
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        // Looking for what is not UTF-8 goes byte by byte; there hardly ever is any.
        ValueRef::Text(text) => Value::Text(match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(text),
        }),
        ValueRef::Blob(bytes) => bytes.into(),
    }
}
