//! The schema's history: one SQL for both databases, with a few words that each says its own way.
//!
//! Rules, so that two versions of the server can run on one database while it is upgraded:
//! a migration only adds; what an older server does not write has a default; nothing is renamed.
//! [`Migration::works_with`] says which older servers that holds for.

use super::sql::Dialect;

/// One step of the schema.
pub(super) struct Migration {
    sql: &'static str,
    /// The oldest schema version whose server may go on working beside this one.
    pub(super) works_with: usize,
}

/// In order; the first is version 1.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("migrations/0001_first.sql"), works_with: 1 },
    Migration { sql: include_str!("migrations/0002_logs.sql"), works_with: 1 },
    Migration { sql: include_str!("migrations/0003_unclaimed_events.sql"), works_with: 1 },
    Migration { sql: include_str!("migrations/0004_last_failure.sql"), works_with: 1 },
    Migration { sql: include_str!("migrations/0005_provider_sessions.sql"), works_with: 1 },
];

impl Migration {
    /// The statements as a database understands them.
    pub(super) fn sql(&self, dialect: Dialect) -> String {
        let words = match dialect {
            Dialect::Sqlite => [
                ("{BY_KEY}", " STRICT, WITHOUT ROWID"),
                ("{STRICT}", " STRICT"),
                ("{SERIAL}", "INTEGER PRIMARY KEY"),
                ("{INT}", "INTEGER"),
                ("{BYTES}", "BLOB"),
            ],
            Dialect::Postgres => [
                ("{BY_KEY}", ""),
                ("{STRICT}", ""),
                ("{SERIAL}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
                ("{INT}", "BIGINT"),
                ("{BYTES}", "BYTEA"),
            ],
        };
        words.iter().fold(self.sql.to_owned(), |sql, (word, own)| sql.replace(word, own))
    }
}
