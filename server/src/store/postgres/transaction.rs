//! One transaction: statements are prepared once per connection and kept.

use super::super::sql::{Dialect, Row, Transaction, Value};
use super::super::{Notice, Result};
use super::link::Link;
use bytes::BytesMut;
use std::collections::HashMap;
use std::error::Error;
use tokio_postgres::Statement;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// The channel on which servers tell each other.
pub(super) const CHANNEL: &str = "banter";

/// How many statements a connection keeps: all of ours, and a bound for those that are put together
/// from filters.
const MAX_STATEMENTS: usize = 256;

/// A transaction that somebody else begins and commits.
pub(super) struct PostgresTransaction<'a> {
    link: &'a mut Link,
    statements: &'a mut HashMap<String, Statement>,
}

impl<'a> PostgresTransaction<'a> {
    /// On `link`, with the statements it has prepared.
    pub(super) fn new(link: &'a mut Link, statements: &'a mut HashMap<String, Statement>) -> Self {
        Self { link, statements }
    }

    fn statement(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if self.statements.len() >= MAX_STATEMENTS {
            self.statements.clear();
        }
        let statement = self.link.ask(|client| client.prepare(sql))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Transaction for PostgresTransaction<'_> {
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let statement = self.statement(sql)?;
        let parameters = parameters(values);
        self.link.ask(|client| client.execute(&statement, &parameters))
    }

    fn each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        see: &mut dyn FnMut(&mut Row) -> Result<()>,
    ) -> Result<()> {
        let statement = self.statement(sql)?;
        let parameters = parameters(values);
        let mut own = Row::default();
        for row in self.link.ask(|client| client.query(&statement, &parameters))? {
            own.begin(row.len());
            for column in 0..row.len() {
                own.push(row.try_get(column)?);
            }
            see(&mut own)?;
        }
        Ok(())
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn notify(&mut self, notice: Notice) -> Result<()> {
        // Delivered with the commit, or never.
        let statement = self.statement("SELECT pg_notify($1, $2)")?;
        let payload = notice.to_string();
        let parameters: [&(dyn ToSql + Sync); 2] = [&CHANNEL, &payload];
        self.link.ask(|client| client.execute(&statement, &parameters))?;
        Ok(())
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(int) if *kind == Type::INT4 => i32::try_from(*int)?.to_sql(kind, out),
            Self::Int(int) => int.to_sql(kind, out),
            // PostgreSQL has no NUL in a text: what is looked up with one is not there.
            Self::Text(text) if text.contains('\0') => {
                text.replace('\0', "\u{fffd}").to_sql(kind, out)
            }
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT4, Type::INT8, Type::TEXT, Type::VARCHAR, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::BYTEA => <&[u8]>::from_sql(kind, raw)?.into(),
            _ => <&str>::from_sql(kind, raw)?.into(),
        })
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        <Self as ToSql>::accepts(kind) || *kind == Type::VOID
    }
}
