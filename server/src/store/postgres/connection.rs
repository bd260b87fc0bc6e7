//! One connection: made when it is needed, made anew when it was lost; and the schema.

use super::super::migrations::MIGRATIONS;
use super::super::sql::{Dialect, Transaction};
use super::super::{Result, StoreError};
use super::link::Link;
use super::transaction::PostgresTransaction;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Statement};

/// How long to wait for the database's machine to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the database's machine may leave what was sent to it unacknowledged, and how soon, how often
/// and how many times it is asked whether it is still there while nothing is sent. A machine that has
/// vanished is found out within about 11 seconds in either case.
const UNACKNOWLEDGED: Duration = Duration::from_secs(4);
const IDLE: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_secs(2);
const ASK_TIMES: u32 = 3;

/// What PostgreSQL does by itself for a server that has gone without a word: ends its statement, and a
/// transaction that it leaves open, with whatever that has locked. Longer than this server waits, and
/// than it ever thinks between two statements.
const LIMITS: &str =
    "SET statement_timeout = '35s'; SET idle_in_transaction_session_timeout = '15s'";

/// As long as a migration takes.
const MIGRATED_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// "banter", as the number of the lock that whoever changes the schema holds.
const MIGRATION_LOCK: i64 = 0x6261_6e74_6572;

/// How often work is tried before its failure is passed on, when the database says that it lost a race
/// (deadlock, serialization) or the connection was lost before the commit.
const TRIES: usize = 5;

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
    config.tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(IDLE);
    config.keepalives_interval(ASK_EVERY).keepalives_retries(ASK_TIMES);
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

/// Whether the same work may succeed when it is simply done again. What a row refers to may have been
/// deleted after it was looked at: then it is looked at again.
fn lost_a_race(error: &StoreError) -> bool {
    let StoreError::Postgres(error) = error else { return false };
    let lost = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::FOREIGN_KEY_VIOLATION,
    ];
    error.code().is_some_and(|code| lost.contains(code))
}

/// Why a transaction did not hold.
struct Failed {
    error: StoreError,
    /// Nothing of it was committed, and the same may succeed when it is done again.
    may_be_repeated: bool,
}

impl Failed {
    fn for_good(error: StoreError) -> Self {
        Self { error, may_be_repeated: false }
    }
}

/// A connection, and the statements it has prepared.
pub(super) struct Connection {
    config: Config,
    link: Option<Link>,
    statements: HashMap<String, Statement>,
}

impl Connection {
    /// Not connected yet.
    pub(super) fn new(config: Config) -> Self {
        Self { config, link: None, statements: HashMap::new() }
    }

    /// Runs `work` in a transaction, until `until` at most. Does it again where it lost a race, and
    /// where the connection turns out to be lost before the commit was asked for: a database that was
    /// restarted costs nobody a request.
    pub(super) fn transact<T>(
        &mut self,
        begin: &str,
        until: Instant,
        work: &impl Fn(&mut dyn Transaction) -> Result<T>,
    ) -> Result<T> {
        for _ in 1..TRIES {
            match self.attempt(begin, until, work) {
                Err(failed) if failed.may_be_repeated && Instant::now() < until => {}
                result => return result.map_err(|failed| failed.error),
            }
        }
        self.attempt(begin, until, work).map_err(|failed| failed.error)
    }

    fn attempt<T>(
        &mut self,
        begin: &str,
        until: Instant,
        work: &impl Fn(&mut dyn Transaction) -> Result<T>,
    ) -> std::result::Result<T, Failed> {
        let link = match self.link.take() {
            Some(link) if !link.is_lost() => self.link.insert(link),
            _ => {
                self.statements.clear();
                self.link.insert(open(&self.config, until).map_err(Failed::for_good)?)
            }
        };
        link.wait_until(until);
        let worked = link.batch(begin).and_then(|()| {
            let mut transaction = PostgresTransaction::new(link, &mut self.statements);
            work(&mut transaction)
        });
        match worked {
            // When the connection is lost now, nobody knows whether it holds.
            Ok(result) => link
                .batch("COMMIT")
                .map(|()| result)
                .map_err(|error| Failed { may_be_repeated: lost_a_race(&error), error }),
            Err(error) if link.is_lost() => Err(Failed { error, may_be_repeated: true }),
            Err(error) => {
                // A connection whose rollback fails is lost, and with it the transaction.
                let _ = link.batch("ROLLBACK");
                Err(Failed { may_be_repeated: lost_a_race(&error), error })
            }
        }
    }

    /// Applies the migrations the database has not had. Servers that start together take turns; an
    /// older server goes on with a newer schema as long as that says it may.
    pub(super) fn migrate(&mut self) -> Result<()> {
        // A link of its own, which has time, and whose failure leaves nothing half done.
        let mut link = Link::open(&self.config, Instant::now() + MIGRATED_WITHIN)?;
        link.batch(&format!(
            "SELECT pg_advisory_lock({MIGRATION_LOCK});
             CREATE TABLE IF NOT EXISTS schema_versions
             (version BIGINT PRIMARY KEY, works_with BIGINT NOT NULL)"
        ))?;
        let row = link.ask(|client| {
            client.query_one(
                "SELECT coalesce(max(version), 0), coalesce(max(works_with), 0)
                 FROM schema_versions",
                &[],
            )
        })?;
        let (done, works_with): (i64, i64) = (row.get(0), row.get(1));
        if works_with > MIGRATIONS.len() as i64 {
            return Err(StoreError::Unopened(format!(
                "its schema is version {done}, which needs a server of schema {works_with}, and \
                 this one knows {}: use the newer server",
                MIGRATIONS.len()
            )));
        }
        for (number, migration) in MIGRATIONS.iter().enumerate().skip(done as usize) {
            link.batch("BEGIN")?;
            link.batch(&migration.sql(Dialect::Postgres))?;
            link.batch(&format!(
                "INSERT INTO schema_versions (version, works_with) VALUES ({}, {}); COMMIT",
                number + 1,
                migration.works_with
            ))?;
        }
        link.batch(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK}); {LIMITS}"))?;
        self.link = Some(link);
        Ok(())
    }
}

fn open(config: &Config, until: Instant) -> Result<Link> {
    let mut link = Link::open(config, until)?;
    link.batch(LIMITS)?;
    Ok(link)
}

#[cfg(test)]
mod tests;
