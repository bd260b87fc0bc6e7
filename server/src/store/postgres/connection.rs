//! One connection: made when it is needed, made anew when it was lost; and the schema.

use super::super::migrations::MIGRATIONS;
use super::super::sql::{Dialect, Transaction};
use super::super::{Result, StoreError};
use super::transaction::PostgresTransaction;
use postgres::error::SqlState;
use postgres::{Client, Config, NoTls, Statement};
use std::collections::HashMap;
use std::time::Duration;

/// How long to wait for the database to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// "banter", as the number of the lock that whoever changes the schema holds.
const MIGRATION_LOCK: i64 = 0x6261_6e74_6572;

/// Reads a `postgres://` URL.
pub(super) fn config(url: &str) -> Result<Config> {
    let mut config: Config = url
        .parse()
        // The parser's own message may quote the URL, password and all.
        .map_err(|_| StoreError::Unopened("the URL is not postgres://user@host/database".into()))?;
    config.connect_timeout(CONNECT_TIMEOUT).application_name("banter");
    config.keepalives_idle(Duration::from_secs(30));
    Ok(config)
}

/// Connects, with TLS where the URL's `sslmode` asks for it.
pub(super) fn connect(config: &Config) -> Result<Client> {
    Ok(config.connect(NoTls)?)
}

/// Whether the same work may succeed when it is simply done again.
pub(super) fn lost_a_race(error: &StoreError) -> bool {
    let StoreError::Postgres(error) = error else { return false };
    let lost = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    error.code().is_some_and(|code| lost.contains(code))
}

/// A connection, and the statements it has prepared.
pub(super) struct Connection {
    config: Config,
    client: Option<Client>,
    statements: HashMap<String, Statement>,
}

impl Connection {
    /// Not connected yet.
    pub(super) fn new(config: Config) -> Self {
        Self { config, client: None, statements: HashMap::new() }
    }

    /// Runs `work` in a transaction. What was lost with a connection before its commit was begun
    /// is not done; the next transaction connects anew.
    pub(super) fn transact<T>(
        &mut self,
        begin: &str,
        work: &impl Fn(&mut dyn Transaction) -> Result<T>,
    ) -> Result<T> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => self.client.insert(client),
            _ => {
                self.statements.clear();
                self.client.insert(connect(&self.config)?)
            }
        };
        client.batch_execute(begin)?;
        let mut transaction = PostgresTransaction::new(client, &mut self.statements);
        match work(&mut transaction) {
            Ok(result) => {
                client.batch_execute("COMMIT")?;
                Ok(result)
            }
            Err(error) => {
                // A connection whose rollback fails is closed, and with it the transaction.
                let _ = client.batch_execute("ROLLBACK");
                Err(error)
            }
        }
    }

    /// Applies the migrations the database has not had. Servers that start together take turns; an
    /// older server goes on with a newer schema as long as that says it may.
    pub(super) fn migrate(&mut self) -> Result<()> {
        let client = self.client.insert(connect(&self.config)?);
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])?;
        client.batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_versions
             (version BIGINT PRIMARY KEY, works_with BIGINT NOT NULL)",
        )?;
        let row = client.query_one(
            "SELECT coalesce(max(version), 0), coalesce(max(works_with), 0) FROM schema_versions",
            &[],
        )?;
        let (done, works_with): (i64, i64) = (row.get(0), row.get(1));
        if works_with > MIGRATIONS.len() as i64 {
            return Err(StoreError::Unopened(format!(
                "its schema is version {done}, which needs a server of schema {works_with}, and \
                 this one knows {}: use the newer server",
                MIGRATIONS.len()
            )));
        }
        for (number, migration) in MIGRATIONS.iter().enumerate().skip(done as usize) {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(&migration.sql(Dialect::Postgres))?;
            transaction.execute(
                "INSERT INTO schema_versions (version, works_with) VALUES ($1, $2)",
                &[&(number as i64 + 1), &(migration.works_with as i64)],
            )?;
            transaction.commit()?;
        }
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK])?;
        Ok(())
    }
}
