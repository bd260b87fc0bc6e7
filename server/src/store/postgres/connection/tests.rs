//! What leaves this machine, and what becomes of work whose connection is lost. The latter needs a
//! cluster: `cargo xtask test --only test-postgres`.

use super::{Connection, SslMode, config};
use crate::store::sql::{Transaction, args};
use crate::store::{Result, test_database};
use std::cell::Cell;
use std::time::{Duration, Instant};

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

/// A machine that vanished is found out by TCP, long before a request's time is up.
#[test]
fn a_vanished_machine_is_found_out_in_seconds() {
    let config = config("postgres://banter@db.example/banter").unwrap();
    let unacknowledged = *config.get_tcp_user_timeout().unwrap();
    assert!(unacknowledged + *config.get_connect_timeout().unwrap() < Duration::from_secs(10));
    let silent =
        config.get_keepalives_interval().unwrap() * config.get_keepalives_retries().unwrap();
    assert!(config.get_keepalives_idle() + silent <= Duration::from_secs(12));
}

const DIE: &str = "SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS TEXT)";

/// A connection to a database with an empty table `t`, unless there is no cluster.
fn connected() -> Option<Connection> {
    let url = test_database::fresh();
    if url.is_empty() {
        return None;
    }
    let mut connection = Connection::new(config(&url).unwrap());
    transact(&mut connection, &|tx| tx.execute("CREATE TABLE t (n BIGINT)", args![])).unwrap();
    Some(connection)
}

fn transact<T>(
    connection: &mut Connection,
    work: &impl Fn(&mut dyn Transaction) -> Result<T>,
) -> Result<T> {
    connection.transact("BEGIN", Instant::now() + Duration::from_secs(10), work)
}

fn rows(connection: &mut Connection) -> u64 {
    let count = "SELECT count(*) FROM t";
    transact(connection, &|tx| tx.first(count, args![])?.unwrap().number(0)).unwrap()
}

#[test]
fn work_whose_connection_is_lost_before_the_commit_is_done_once() {
    let Some(mut connection) = connected() else { return };
    let runs = Cell::new(0_u32);
    let done = transact(&mut connection, &|tx| {
        runs.set(runs.get() + 1);
        tx.execute("INSERT INTO t VALUES ($1)", args![runs.get()])?;
        if runs.get() == 1 {
            tx.query(DIE, args![])?;
        }
        tx.execute("INSERT INTO t VALUES ($1)", args![0_u32])
    });
    assert_eq!((done.unwrap(), runs.get(), rows(&mut connection)), (1, 2, 2));
}

#[test]
fn work_whose_commit_is_lost_is_not_done_again() {
    let Some(mut connection) = connected() else { return };
    for sql in [
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION die()",
    ] {
        transact(&mut connection, &|tx| tx.execute(sql, args![])).unwrap();
    }
    let runs = Cell::new(0_u32);
    let done = transact(&mut connection, &|tx| {
        runs.set(runs.get() + 1);
        tx.execute("INSERT INTO t VALUES (1)", args![])
    });
    assert!(done.is_err());
    assert_eq!((runs.get(), rows(&mut connection)), (1, 0));
}

#[test]
fn work_that_takes_too_long_is_given_up_and_the_next_is_done() {
    let Some(mut connection) = connected() else { return };
    let begun = Instant::now();
    let work = |tx: &mut dyn Transaction| {
        tx.execute("INSERT INTO t VALUES (1)", args![])?;
        tx.query("SELECT CAST(pg_sleep(60) AS TEXT)", args![])
    };
    let done = connection.transact("BEGIN", begun + Duration::from_millis(300), &work);
    assert!(matches!(done, Err(crate::store::StoreError::Silent)), "{done:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(rows(&mut connection), 0);
}
