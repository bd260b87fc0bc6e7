//! What is on the disk when, with files that say what was flushed, wait, or fail.

use super::super::connection::{open_reader, open_writer};
use super::super::writer::{Haste, Writer};
use super::{Flush, MAX_PAGES};
use crate::store::sql::Transaction;
use crate::store::{Result, StoreError};
use futures_util::FutureExt as _;
use rusqlite::Connection;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use tempfile::TempDir;

/// A database with a table to write to, and where it lies.
fn table(folder: &TempDir) -> (Connection, PathBuf) {
    let file = folder.path().join("a.db");
    let connection = open_writer(&file).unwrap();
    connection.execute_batch("CREATE TABLE t (n INTEGER)").unwrap();
    (connection, file)
}

/// Writes to it, and flushes like this.
fn writer(folder: &TempDir, flush: impl Flush + 'static) -> (Writer, PathBuf) {
    let (connection, file) = table(folder);
    let writer = Writer::start(connection, flush, open_writer(&file).unwrap()).unwrap();
    (writer, file)
}

fn insert(n: i64) -> impl Fn(&mut dyn Transaction) -> Result<u64> + Send + 'static {
    move |tx| tx.execute("INSERT INTO t VALUES ($1)", &[n.into()])
}

/// What another process finds in the table.
fn stored(file: &Path) -> Vec<i64> {
    let connection = open_reader(file).unwrap();
    let mut all = connection.prepare("SELECT n FROM t ORDER BY n").unwrap();
    all.query_map([], |row| row.get(0)).unwrap().map(|n| n.unwrap()).collect()
}

/// Says when it begins, and takes as long as somebody keeps it waiting.
struct Slow {
    begins: tokio::sync::mpsc::UnboundedSender<()>,
    ends: Receiver<()>,
}

impl Flush for Slow {
    fn flush(&mut self) -> io::Result<()> {
        self.begins.send(()).map_err(io::Error::other)?;
        self.ends.recv().map_err(io::Error::other)
    }
}

#[tokio::test]
async fn a_decision_waits_for_its_commit_and_a_write_for_a_flush_that_began_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (begins, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (end, ends) = std::sync::mpsc::channel();
    let (writer, file) = writer(&folder, Slow { begins, ends });
    let (_, durable) = writer.decide(insert(1)).await.unwrap();
    durable.wait().await.unwrap();
    assert_eq!(stored(&file), [1], "committed, and nothing is flushed");
    let mut write = std::pin::pin!(writer.write(Haste::Now, insert(2)));
    assert!((&mut write).now_or_never().is_none());
    begun.recv().await.unwrap();
    // While the disk takes its time, whatever comes is decided and committed.
    for n in 3..10 {
        let (_, durable) = writer.decide(insert(n)).await.unwrap();
        durable.wait().await.unwrap();
    }
    let mut later = std::pin::pin!(writer.write(Haste::Now, insert(10)));
    assert!((&mut later).now_or_never().is_none());
    while stored(&file).len() < 10 {
        tokio::task::yield_now().await;
    }
    assert!((&mut write).now_or_never().is_none(), "committed, and not on the disk");
    end.send(()).unwrap();
    begun.recv().await.unwrap();
    assert!((&mut later).now_or_never().is_none(), "the flush had begun before it was committed");
    // Should what nobody waits for have needed one of its own.
    (0..3).for_each(|_| end.send(()).unwrap());
    write.await.unwrap();
    later.await.unwrap();
}

/// Waits until there were so many flushes.
async fn reaches(count: &AtomicUsize, flushes: usize) {
    let flushed = async {
        while count.load(Relaxed) < flushes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), flushed).await.unwrap();
}

#[tokio::test]
async fn what_nobody_waits_for_is_flushed_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (writer, _) = writer(&folder, Failing { at: 0, count: count.clone() });
    let (_, durable) = writer.decide(insert(1)).await.unwrap();
    durable.wait().await.unwrap();
    reaches(&count, 1).await;
    // And what was committed last before the server stops.
    let (_, durable) = writer.decide(insert(2)).await.unwrap();
    durable.wait().await.unwrap();
    drop(writer);
    reaches(&count, 2).await;
}

/// Copies the files as they are when they are flushed: what a power failure would leave.
struct Camera {
    file: PathBuf,
    picture: PathBuf,
}

impl Flush for Camera {
    fn flush(&mut self) -> io::Result<()> {
        copy_with_log(&self.file, &self.picture)
    }
}

fn copy_with_log(file: &Path, to: &Path) -> io::Result<()> {
    for ending in ["", "-wal"] {
        let path = |of: &Path| format!("{}{ending}", of.display());
        std::fs::copy(path(file), path(to))?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_told_as_written_is_there_after_a_power_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (file, picture) = (folder.path().join("a.db"), folder.path().join("picture.db"));
    let (writer, _) = writer(&folder, Camera { file, picture: picture.clone() });
    for n in 0..20 {
        let (_, durable) = writer.decide(insert(2 * n)).await.unwrap();
        durable.wait().await.unwrap();
        writer.write(Haste::Now, insert(2 * n + 1)).await.unwrap();
        let left = folder.path().join(format!("left-{n}.db"));
        copy_with_log(&picture, &left).unwrap();
        let left = Connection::open(left).unwrap();
        let count: i64 = left.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2 * n + 2);
        let check: String = left.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

/// Fails at one flush; counts them.
struct Failing {
    at: usize,
    count: Arc<AtomicUsize>,
}

impl Flush for Failing {
    fn flush(&mut self) -> io::Result<()> {
        if self.count.fetch_add(1, Relaxed) + 1 == self.at {
            return Err(io::Error::other("the disk is on fire"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn after_a_flush_that_failed_the_log_is_copied_and_not_flushed_again() {
    let folder = tempfile::tempdir().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (writer, file) = writer(&folder, Failing { at: 2, count: count.clone() });
    writer.write(Haste::Now, insert(1)).await.unwrap();
    // Somebody who reads what was there before keeps the rest from being copied.
    let reader = open_reader(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT n FROM t").unwrap();
    for n in [2, 3] {
        let (_, durable) = writer.decide(insert(10 * n)).await.unwrap();
        durable.wait().await.unwrap();
        let refusal = writer.write(Haste::Now, insert(n)).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Sqlite(_)), "{refusal}");
        assert_eq!(count.load(Relaxed), 2, "a flush after one that failed proves nothing");
    }
    drop(reader);
    writer.write(Haste::Now, insert(5)).await.unwrap();
    assert_eq!(count.load(Relaxed), 2);
    // Without its log, the database has everything.
    let alone = folder.path().join("alone.db");
    std::fs::copy(&file, &alone).unwrap();
    let alone = Connection::open(alone).unwrap();
    let copied: i64 = alone.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(copied, 6);
    writer.write(Haste::Now, insert(6)).await.unwrap();
    assert_eq!(count.load(Relaxed), 3, "flushed as ever");
    let nothing = |tx: &mut dyn Transaction| tx.execute("DELETE FROM t WHERE n = 7", &[]);
    assert_eq!(writer.write(Haste::Now, nothing).await.unwrap(), 0);
    assert_eq!(count.load(Relaxed), 3, "nothing was written");
}

#[tokio::test]
async fn a_log_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, file) = writer(&folder, Failing { at: 0, count: Arc::default() });
    for n in 0..3 * i64::from(MAX_PAGES) {
        writer.write(Haste::Now, insert(n)).await.unwrap();
    }
    let log = std::fs::metadata(format!("{}-wal", file.display())).unwrap();
    // A page and what SQLite says of it; the last commit may go past the bound.
    assert!(log.len() < (MAX_PAGES as u64 + 16) * (4096 + 24), "{} bytes", log.len());
}
