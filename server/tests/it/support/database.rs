//! The database under a test: SQLite in the test's own folder, or, with the URL of a cluster in
//! `TEST_POSTGRES`, a PostgreSQL database of its own. `cargo xtask test` runs all tests on both.

use postgres::{Client, NoTls};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The URL of a new, empty database; empty for SQLite.
pub(crate) fn fresh() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Ok(cluster) = std::env::var("TEST_POSTGRES") else { return String::new() };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    let (admin, statement) = (cluster.clone(), format!("CREATE DATABASE {name}"));
    // The driver blocks, which a thread of the runtime must not.
    let made = std::thread::spawn(move || {
        Client::connect(&admin, NoTls).unwrap().batch_execute(&statement).unwrap();
    });
    made.join().unwrap();
    let (server, _) = cluster.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Whether the tests run on PostgreSQL.
pub(crate) fn is_shared() -> bool {
    std::env::var_os("TEST_POSTGRES").is_some()
}

/// Runs statements on the database at `url`, or in `file` if that is empty.
pub(crate) fn run(url: &str, file: &Path, script: &str) {
    if url.is_empty() {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        return connection.execute_batch(script).unwrap();
    }
    let (url, script) = (url.to_owned(), script.to_owned());
    let ran = std::thread::spawn(move || {
        Client::connect(&url, NoTls).unwrap().batch_execute(&script).unwrap();
    });
    ran.join().unwrap();
}

/// The first column of a query's rows, which must be whole numbers, in the database at `url`, or in
/// `file` if that is empty.
pub(crate) fn numbers(url: &str, file: &Path, sql: &str) -> Vec<i64> {
    if url.is_empty() {
        let connection = rusqlite::Connection::open(file).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        return rows.map(Result::unwrap).collect();
    }
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let asked = std::thread::spawn(move || {
        let rows = Client::connect(&url, NoTls).unwrap().query(&sql, &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    });
    asked.join().unwrap()
}

/// The URL of the database that the settings in `folder` name; empty for SQLite.
pub(crate) fn named_in(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("banter.toml")).unwrap();
    let settings: toml::Table = text.parse().unwrap();
    settings["data"]["url"].as_str().unwrap().to_owned()
}
