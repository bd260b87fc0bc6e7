//! The servers that share the database, and the answers a dead one left behind.

use super::super::{NodeRepository, Result};
use super::{Dialect, SqlStore, Transaction, args};
use async_trait::async_trait;

/// How long a server may be silent before others take over what it was doing, in milliseconds. It
/// shows itself every second; servers' clocks may differ by a second or two.
pub(super) const LEASE_MS: u64 = 4_000;

/// How long a dead server's answer waits for its reader to come back on another one, which takes it
/// over, before it is marked interrupted, in milliseconds.
const ORPHAN_MS: u64 = 60_000;

#[async_trait]
impl NodeRepository for SqlStore {
    async fn join(&self, now: u64) -> Result<usize> {
        let node = self.node.clone();
        self.write(move |tx| {
            if tx.dialect() == Dialect::Sqlite {
                // The file has one server: whoever is in the table is a former self.
                tx.execute("DELETE FROM nodes", &[])?;
            }
            show(tx, &node, now)?;
            interrupt_orphans(tx)
        })
        .await
    }

    async fn beat(&self, now: u64) -> Result<usize> {
        let node = self.node.clone();
        self.write(move |tx| {
            if tx.dialect() == Dialect::Sqlite {
                return Ok(0);
            }
            show(tx, &node, now)?;
            let gone = tx.execute(
                "DELETE FROM nodes WHERE seen_at < $1",
                args![now.saturating_sub(ORPHAN_MS)],
            )?;
            if gone > 0 { interrupt_orphans(tx) } else { Ok(0) }
        })
        .await
    }

    async fn leave(&self) -> Result<()> {
        let node = self.node.clone();
        self.write(move |tx| {
            tx.execute("DELETE FROM nodes WHERE id = $1", args![&node])?;
            interrupt_orphans(tx)?;
            Ok(())
        })
        .await
    }
}

/// Says that a server lives.
pub(super) fn show(tx: &mut dyn Transaction, node: &str, now: u64) -> Result<()> {
    tx.execute(
        "INSERT INTO nodes (id, started_at, seen_at) VALUES ($1, $2, $2)
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
        args![node, now],
    )?;
    Ok(())
}

/// Marks what no known server writes.
fn interrupt_orphans(tx: &mut dyn Transaction) -> Result<usize> {
    let marked = tx.execute(
        "UPDATE messages SET status = 'interrupted' WHERE status = 'streaming'
         AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = messages.writer)",
        &[],
    )?;
    Ok(marked as usize)
}

/// Whether the server that writes an answer still lives.
pub(super) fn is_alive(tx: &mut dyn Transaction, writer: &str, now: u64) -> Result<bool> {
    let row = tx.first("SELECT seen_at FROM nodes WHERE id = $1", args![writer])?;
    match row {
        Some(row) => Ok(row.number(0)?.saturating_add(LEASE_MS) > now),
        None => Ok(false),
    }
}
