//! A connection with the statements it has prepared: each is parsed once and kept.
//!
//! Kept here and not in the driver's own cache, because that wants the text SQLite understands,
//! copies it and orders its entries anew, each time. Found by a hash that is quick and no protection:
//! what a stranger says is bound to a statement and never part of its text.

use super::super::sql::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, PrepFlags, Result, Statement, ToSql, params_from_iter};
use rustc_hash::FxHashMap;

/// How many statements a connection keeps: all of ours, and a bound for those that are put together
/// from filters.
const MAX_STATEMENTS: usize = 256;

/// A connection and its statements. What was last bound to one stays with it until it runs again; a
/// message and a piece of an export are the largest values there are.
pub(super) struct Statements<'c> {
    pub(super) connection: &'c Connection,
    prepared: FxHashMap<String, Statement<'c>>,
}

impl<'c> Statements<'c> {
    /// On `connection`, nothing prepared yet.
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: FxHashMap::default() }
    }

    /// Runs a statement; says how many rows it touched.
    pub(super) fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<usize> {
        self.with(sql, |statement| statement.execute(params_from_iter(values)))
    }

    /// Does something with a prepared statement.
    pub(super) fn with<T>(
        &mut self,
        sql: &str,
        work: impl FnOnce(&mut Statement<'c>) -> Result<T>,
    ) -> Result<T> {
        if let Some(statement) = self.prepared.get_mut(sql) {
            return work(statement);
        }
        let flags = PrepFlags::SQLITE_PREPARE_PERSISTENT;
        let mut statement = self.connection.prepare_with_flags(&in_its_words(sql), flags)?;
        let result = work(&mut statement);
        if self.prepared.len() >= MAX_STATEMENTS {
            self.prepared.clear();
        }
        self.prepared.insert(sql.to_owned(), statement);
        result
    }
}

/// A statement as SQLite says it. `$1` is the first *named* parameter to it, whichever comes first;
/// `?1` is number one. It has one writer, who has locked everything.
fn in_its_words(sql: &str) -> String {
    [" FOR UPDATE SKIP LOCKED", " FOR NO KEY UPDATE", " FOR UPDATE"]
        .iter()
        .fold(sql.replace('$', "?"), |sql, lock| sql.replace(lock, ""))
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_writer;
    use super::{MAX_STATEMENTS, Statements, in_its_words};

    #[test]
    fn locks_are_left_out_and_parameters_have_their_numbers() {
        for (sql, own) in [
            ("SELECT a FROM t WHERE b = $2 AND c = $1", "SELECT a FROM t WHERE b = ?2 AND c = ?1"),
            ("SELECT a FROM t FOR UPDATE", "SELECT a FROM t"),
            ("SELECT a FROM t FOR NO KEY UPDATE", "SELECT a FROM t"),
            (
                "DELETE FROM t WHERE a IN (SELECT a FROM t LIMIT $1 FOR UPDATE SKIP LOCKED)",
                "DELETE FROM t WHERE a IN (SELECT a FROM t LIMIT ?1)",
            ),
        ] {
            assert_eq!(in_its_words(sql), own);
        }
    }

    #[test]
    fn statements_are_kept_and_their_number_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("a.db")).unwrap();
        let mut statements = Statements::new(&connection);
        statements.run("CREATE TABLE t (n INTEGER)", &[]).unwrap();
        let insert = "INSERT INTO t VALUES ($1)";
        for n in 0..3_i64 {
            assert_eq!(statements.run(insert, &[n.into()]).unwrap(), 1);
        }
        assert_eq!(statements.prepared.len(), 2);
        for n in 0..2 * MAX_STATEMENTS {
            let count = statements.run(&format!("UPDATE t SET n = {n}"), &[]).unwrap();
            assert_eq!(count, 3);
            assert!(statements.prepared.len() <= MAX_STATEMENTS);
        }
        assert!(statements.run("UPDATE nowhere SET n = 1", &[]).is_err());
    }
}
