//! What is in the database, looked at from outside: for rules about what is and is not stored.

use super::Server;
use postgres::{Client, NoTls};
use secrecy::ExposeSecret as _;

impl Server {
    /// The rows of a query. Every column must be text: `CAST(x AS TEXT)`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let settings = &self.app.settings.data;
        let url = settings.url.expose_secret().to_owned();
        if url.is_empty() {
            let file = settings.directory.join("banter.db");
            let connection = rusqlite::Connection::open(file).unwrap();
            let mut statement = connection.prepare(sql).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
            return rows.unwrap().map(Result::unwrap).collect();
        }
        let sql = sql.to_owned();
        let rows = std::thread::spawn(move || {
            let mut client = Client::connect(&url, NoTls).unwrap();
            let rows = client.query(&sql, &[]).unwrap();
            rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
        });
        rows.join().unwrap()
    }

    /// The one value of a query, `""` for NULL.
    pub(crate) fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0).remove(0).unwrap_or_default()
    }

    /// How many rows of `from` there are.
    pub(crate) fn count(&self, from: &str) -> u64 {
        self.value(&format!("SELECT CAST(count(*) AS TEXT) FROM {from}")).parse().unwrap()
    }

    /// Runs statements behind the server's back.
    pub(crate) fn execute(&self, sql: &str) {
        let settings = &self.app.settings.data;
        let url = settings.url.expose_secret().to_owned();
        if url.is_empty() {
            let file = settings.directory.join("banter.db");
            rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
            return;
        }
        let sql = sql.to_owned();
        let done = std::thread::spawn(move || {
            Client::connect(&url, NoTls).unwrap().batch_execute(&sql).unwrap();
        });
        done.join().unwrap();
    }
}
