//! Somebody else who holds a lock in the database: whoever needs it has to wait.

use super::{Server, database};
use postgres::{Client, NoTls};
use secrecy::ExposeSecret as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Held until it is dropped.
pub(crate) struct Hold {
    release: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release.take();
        let _ = self.thread.take().unwrap().join();
    }
}

impl Server {
    /// Holds what `lock` locks in PostgreSQL, and the only lock there is for writers in SQLite.
    pub(crate) fn hold(&self, lock: &str) -> Hold {
        let (data, lock) = (&self.app.settings.data, lock.to_owned());
        let (url, file) = (data.url.expose_secret().to_owned(), data.directory.join("banter.db"));
        let (release, released) = channel();
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            if database::is_shared() {
                let mut client = Client::connect(&url, NoTls).unwrap();
                client.batch_execute(&format!("BEGIN; {lock}")).unwrap();
                wait(&tell, &released);
            } else {
                let connection = rusqlite::Connection::open(file).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                wait(&tell, &released);
            }
        });
        told.recv().unwrap();
        Hold { release: Some(release), thread: Some(thread) }
    }
}

fn wait(tell: &Sender<()>, released: &Receiver<()>) {
    tell.send(()).unwrap();
    // Fails when it is released.
    let _ = released.recv();
}
