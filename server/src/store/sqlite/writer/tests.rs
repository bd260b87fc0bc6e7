//! Groups: what is committed together, what is undone, what waits.

use super::super::connection::open_writer;
use super::super::log;
use super::{Haste, LINGER, Stage, StoreError, TWO_COMMITS_IN, Transaction, Writer};
use crate::store::Notice;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A writer to a database with a table.
fn writer(folder: &TempDir, name: &str, linger: Duration) -> Writer {
    let file = folder.path().join(name);
    let connection = open_writer(&file).unwrap();
    connection.execute_batch("CREATE TABLE t (n INTEGER, before INTEGER)").unwrap();
    let log = Box::new(log::open(&file).unwrap());
    Writer::lingering(connection, log, open_writer(&file).unwrap(), linger).unwrap()
}

#[tokio::test]
async fn what_fails_takes_nothing_with_it_and_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder, "a.db", LINGER);
    let mut told = writer.notices();
    // Everything after it waits, and so becomes one group.
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let wait = writer
        .submit(Haste::Now, Stage::Flushed, move |_| Ok(gate.lock().unwrap().recv().is_ok()))
        .unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let insert = |n: i64, holds: bool| {
        let runs = runs.clone();
        let work = move |tx: &mut dyn Transaction| {
            runs.fetch_add(1, Relaxed);
            tx.notify(Notice::Ended(n.to_string().into()))?;
            let before = tx.first("SELECT count(*) FROM t", &[])?.unwrap().int(0)?;
            tx.execute("INSERT INTO t VALUES ($1, $2)", &[n.into(), before.into()])?;
            if holds { Ok(before) } else { Err(StoreError::Closed) }
        };
        writer.submit(Haste::Now, Stage::Flushed, work).unwrap()
    };
    let inserts = [(1, true), (2, false), (3, true), (4, true), (5, false), (6, true)]
        .map(|(n, holds)| (insert(n, holds), holds));
    let reads =
        writer.submit(Haste::Now, Stage::Flushed, |_| Err::<(), _>(StoreError::Closed)).unwrap();
    // At once also when it runs again.
    drop(open);
    wait.1.await.unwrap().unwrap();
    let mut before = 0;
    for ((decided, committed), holds) in inserts {
        if holds {
            assert_eq!(decided.await.unwrap().unwrap(), before);
            committed.await.unwrap().unwrap();
            before += 1;
        } else {
            assert!(matches!(decided.await.unwrap(), Err(StoreError::Closed)));
            committed.await.unwrap_err();
        }
    }
    assert!(matches!(reads.0.await.unwrap(), Err(StoreError::Closed)));
    // The first again after the second; it, the third and the fourth again after the fifth. What
    // has written nothing is not worth it.
    assert_eq!(runs.load(Relaxed), 6 + 1 + 3);
    let stored =
        writer.write(Haste::Now, |tx| tx.query("SELECT n, before FROM t ORDER BY n", &[])).await;
    let stored: Vec<_> =
        stored.unwrap().iter().map(|row| (row.int(0).unwrap(), row.int(1).unwrap())).collect();
    assert_eq!(stored, [(1, 0), (3, 1), (4, 2), (6, 3)]);
    for expected in ["1", "3", "4", "6"] {
        assert!(matches!(told.recv().await, Ok(Notice::Ended(id)) if id.as_str() == expected));
    }
}

#[tokio::test]
async fn what_cannot_be_done_again_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder, "a.db", LINGER);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let runs = AtomicUsize::new(0);
    let first = writer.submit(Haste::Now, Stage::Flushed, move |tx| {
        if runs.fetch_add(1, Relaxed) > 0 {
            return Err(StoreError::Closed);
        }
        gate.lock().unwrap().recv().unwrap();
        tx.execute("INSERT INTO t (n) VALUES (1)", &[])
    });
    let second = writer.submit(Haste::Now, Stage::Flushed, |tx| {
        tx.execute("INSERT INTO t (n) VALUES (2)", &[])?;
        Err::<(), _>(StoreError::Closed)
    });
    open.send(()).unwrap();
    let (decided, committed) = first.unwrap();
    assert_eq!(decided.await.unwrap().unwrap(), 1);
    assert!(committed.await.unwrap().is_err());
    assert!(second.unwrap().0.await.unwrap().is_err());
    let count =
        writer.write(Haste::Now, |tx| tx.first("SELECT count(*) FROM t", &[])?.unwrap().int(0));
    assert_eq!(count.await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_stored_of_a_group_whose_transaction_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder, "a.db", LINGER);
    for holds in [true, false] {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let before = writer.submit(Haste::Now, Stage::Flushed, move |tx| {
            gate.lock().unwrap().recv().unwrap();
            tx.execute("INSERT INTO t (n) VALUES (1)", &[])
        });
        let breaks = writer.submit(Haste::Now, Stage::Flushed, move |tx| {
            tx.execute("ROLLBACK", &[])?;
            if holds { Ok(()) } else { Err(StoreError::Closed) }
        });
        let after = writer.submit(Haste::Now, Stage::Flushed, |tx| {
            tx.execute("INSERT INTO t (n) VALUES (2)", &[])
        });
        open.send(()).unwrap();
        assert!(before.unwrap().1.await.unwrap().is_err());
        assert!(!matches!(breaks.unwrap().1.await, Ok(Ok(()))));
        after.unwrap().1.await.unwrap().unwrap();
    }
    let stored = writer.write(Haste::Now, |tx| tx.query("SELECT n FROM t", &[])).await.unwrap();
    let stored: Vec<_> = stored.iter().map(|row| row.int(0).unwrap()).collect();
    assert_eq!(stored, [2, 2]);
}

#[tokio::test]
async fn what_can_wait_is_committed_with_what_cannot_or_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let write = |tx: &mut dyn Transaction| tx.execute("INSERT INTO t (n) VALUES (1)", &[]);
    let patient = writer(&folder, "a.db", Duration::from_secs(3600));
    let (decided, mut committed) = patient.submit(Haste::Soon, Stage::Flushed, write).unwrap();
    decided.await.unwrap().unwrap();
    assert!(committed.try_recv().is_err(), "nobody is in haste");
    patient.write(Haste::Now, write).await.unwrap();
    committed.try_recv().unwrap().unwrap();
    let impatient = writer(&folder, "b.db", Duration::from_millis(1));
    impatient.write(Haste::Soon, write).await.unwrap();
}

#[tokio::test]
async fn whoever_writes_without_a_pause_shares_commits() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder, "a.db", LINGER);
    let began = Instant::now();
    for _ in 0..20 {
        let write = |tx: &mut dyn Transaction| tx.execute("INSERT INTO t (n) VALUES (1)", &[]);
        let (_, durable) = writer.decide(write).await.unwrap();
        durable.wait().await.unwrap();
    }
    assert!(began.elapsed() >= 9 * TWO_COMMITS_IN, "{:?}", began.elapsed());
}
