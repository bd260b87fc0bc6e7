//! One connection: made when it is needed, made anew when it was lost; and the schema.

use super::super::migrations::MIGRATIONS;
use super::super::sql::{Dialect, Transaction};
use super::super::{Result, StoreError};
use super::transaction::PostgresTransaction;
use postgres::config::{Host, SslMode};
use postgres::error::SqlState;
use postgres::{Client, Config, NoTls, Statement};
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

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
    if config.get_ssl_mode() == SslMode::Prefer {
        // What is said to this machine nobody overhears; what leaves it is never said in the clear.
        let local = config.get_hosts().iter().all(is_local);
        config.ssl_mode(if local { SslMode::Disable } else { SslMode::Require });
    }
    config.connect_timeout(CONNECT_TIMEOUT).application_name("banter");
    config.keepalives_idle(Duration::from_secs(30));
    Ok(config)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
    }
}

/// Connects, with TLS unless `config` says without; the server's certificate is checked.
pub(super) fn connect(config: &Config) -> Result<Client> {
    if config.get_ssl_mode() == SslMode::Disable {
        return Ok(config.connect(NoTls)?);
    }
    Ok(config.connect(tls()?)?)
}

fn tls() -> Result<MakeRustlsConnect> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Unopened(error.to_string()))?;
    Ok(MakeRustlsConnect::new(client.with_root_certificates(roots).with_no_client_auth()))
}

/// Whether the same work may succeed when it is simply done again. What a row refers to may have been
/// deleted after it was looked at: then it is looked at again.
pub(super) fn lost_a_race(error: &StoreError) -> bool {
    let StoreError::Postgres(error) = error else { return false };
    let lost = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::FOREIGN_KEY_VIOLATION,
    ];
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

#[cfg(test)]
mod tests {
    use super::{SslMode, config};

    #[test]
    fn nothing_leaves_this_machine_in_the_clear_unless_told_to() {
        for (url, mode) in [
            ("postgres://banter@127.0.0.1:5432/banter", SslMode::Disable),
            ("postgres://banter@localhost/banter", SslMode::Disable),
            ("postgres://banter@[::1]/banter", SslMode::Disable),
            ("postgres://banter@db.example/banter", SslMode::Require),
            ("postgres://banter@127.0.0.1,db.example/banter", SslMode::Require),
            ("postgres://banter@db.example/banter?sslmode=disable", SslMode::Disable),
            ("postgres://banter@127.0.0.1/banter?sslmode=require", SslMode::Require),
        ] {
            assert_eq!(config(url).unwrap().get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_being_repeated() {
        let refusal = config("postgres://banter:hunter2@host:port/banter").unwrap_err().to_string();
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }
}
