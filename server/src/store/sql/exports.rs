//! Exports: jobs under a lease, and their files in pieces.

use super::super::exports::{ClaimedExport, ExportRepository, Lease, NewExport};
use super::super::{Notice, Result};
use super::rows::{from_json, lock_organization, to_json};
use super::{Row, SqlStore, Transaction, args};
use crate::domain::owner::Tenant;
use async_trait::async_trait;
use banter_shared::owner::export::{Export, ExportState};

/// The columns [`export`] reads, in its order.
const EXPORT_COLUMNS: &str =
    "id, request, state, total, done, bytes, file_name, error, created_at, finished_at";

/// Whether an export is the tenant's: `$1` is its id, `$2` the organization, `$3` the account or ''.
const OWN: &str = "id = $1 AND organization_id = $2 AND ($3 = '' OR account_id = $3)";

/// Whether nobody makes an export at `$1` that is to be made.
const WAITS: &str = "(state = 'queued' OR (state = 'running' AND locked_until < $1))";

/// Remembers with what a tenant (`$1`, and `$2` its account or '') has queued that it had its turn at
/// `$3`: what was made may be deleted at once, and must not buy the next turn. Who is claiming another
/// of them does the same.
const HAD_ITS_TURN: &str = "UPDATE exports SET locked_until = $3 WHERE id IN
     (SELECT id FROM exports
      WHERE organization_id = $1 AND coalesce(account_id, '') = $2 AND state = 'queued'
      FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl ExportRepository for SqlStore {
    async fn create_export(&self, export: NewExport) -> Result<Option<Export>> {
        self.write(move |tx| create(tx, &export)).await
    }

    async fn exports(&self, tenant: &Tenant, limit: u32) -> Result<Vec<Export>> {
        let tenant = tenant.clone();
        self.read(move |tx| {
            let sql = format!(
                "SELECT {EXPORT_COLUMNS} FROM exports
                 WHERE organization_id = $1 AND ($2 = '' OR account_id = $2)
                 ORDER BY created_at DESC, id DESC LIMIT $3"
            );
            let values = args![&tenant.organization, account(&tenant), limit];
            tx.query(&sql, values)?.iter().map(export).collect()
        })
        .await
    }

    async fn export(&self, tenant: &Tenant, id: &str) -> Result<Option<Export>> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.read(move |tx| find(tx, &tenant, &id)).await
    }

    async fn cancel_export(&self, tenant: &Tenant, id: &str, now: u64) -> Result<Option<Export>> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.write(move |tx| {
            tx.execute(
                &format!(
                    "UPDATE exports SET state = 'cancelled', finished_at = $4, locked_by = NULL,
                            locked_until = NULL
                     WHERE {OWN} AND state IN ('queued', 'running')"
                ),
                args![&id, &tenant.organization, account(&tenant), now],
            )?;
            find(tx, &tenant, &id)
        })
        .await
    }

    async fn export_chunk(&self, id: &str, number: u32) -> Result<Option<Vec<u8>>> {
        let id = id.to_owned();
        self.read(move |tx| {
            let sql = "SELECT bytes FROM export_chunks WHERE export_id = $1 AND number = $2";
            tx.first(sql, args![&id, number])?.map(|row| row.bytes(0)).transpose()
        })
        .await
    }

    async fn delete_export(&self, tenant: &Tenant, id: &str, limit: u32) -> Result<bool> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.write(move |tx| {
            let sql = format!("SELECT 1 FROM exports WHERE {OWN} FOR UPDATE");
            if tx.first(&sql, args![&id, &tenant.organization, account(&tenant)])?.is_none() {
                return Ok(false);
            }
            let left = delete_pieces(tx, &id, limit)?;
            let sql = if left {
                // From now on there is no whole file to fetch, whatever happens.
                "UPDATE exports SET state = 'cancelled' WHERE id = $1"
            } else {
                "DELETE FROM exports WHERE id = $1"
            };
            tx.execute(sql, args![&id])?;
            Ok(left)
        })
        .await
    }

    async fn exports_too_many(
        &self,
        tenant: &Tenant,
        exports: u32,
        bytes: u64,
    ) -> Result<Vec<String>> {
        let tenant = tenant.clone();
        self.read(move |tx| too_many(tx, &tenant, exports, bytes)).await
    }

    async fn expired_exports(&self, before: u64, limit: u32) -> Result<Vec<(Tenant, String)>> {
        self.read(move |tx| {
            tx.query(
                "SELECT organization_id, account_id, id FROM exports
                 WHERE finished_at < $1 ORDER BY finished_at LIMIT $2",
                args![before, limit],
            )?
            .iter()
            .map(|row| Ok((tenant(row, 0)?, row.text(2)?)))
            .collect()
        })
        .await
    }

    async fn claim_export(
        &self,
        holder: &str,
        now: u64,
        until: u64,
    ) -> Result<Option<ClaimedExport>> {
        let holder = holder.to_owned();
        // Looked for beside everything else: most of the time there is nothing.
        let sql = format!("SELECT 1 FROM exports WHERE {WAITS} LIMIT 1");
        if self.read(move |tx| tx.first(&sql, args![now])).await?.is_none() {
            return Ok(None);
        }
        self.write(move |tx| {
            let Some(row) = next(tx, now)? else { return Ok(None) };
            let (id, tenant) = (row.text(2)?, tenant(&row, 0)?);
            tx.execute(
                "UPDATE exports SET state = 'running', locked_by = $2, locked_until = $3,
                        total = 0, done = 0, bytes = 0
                 WHERE id = $1",
                args![&id, &holder, until],
            )?;
            let values = args![&tenant.organization, account(&tenant), now];
            tx.execute(HAD_ITS_TURN, values)?;
            Ok(Some(ClaimedExport {
                id,
                tenant,
                request: from_json("export's request", &row.text(3)?)?,
                created_at: row.number(4)?,
            }))
        })
        .await
    }

    async fn clear_export(&self, lease: Lease, limit: u32) -> Result<Option<bool>> {
        self.write(move |tx| {
            let touched = tx.execute(
                "UPDATE exports SET locked_until = $3, bytes = 0
                 WHERE id = $1 AND locked_by = $2 AND state = 'running'",
                args![&lease.export, &lease.holder, lease.until],
            )?;
            if touched == 0 {
                return Ok(None);
            }
            delete_pieces(tx, &lease.export, limit).map(Some)
        })
        .await
    }

    async fn export_progress(&self, lease: Lease, total: u64, done: u64) -> Result<bool> {
        self.write(move |tx| {
            let touched = tx.execute(
                "UPDATE exports SET locked_until = $3, total = $4, done = $5
                 WHERE id = $1 AND locked_by = $2 AND state = 'running'",
                args![&lease.export, &lease.holder, lease.until, total, done],
            )?;
            Ok(touched > 0)
        })
        .await
    }

    async fn append_export(&self, lease: Lease, number: u32, bytes: Vec<u8>) -> Result<bool> {
        self.write(move |tx| {
            let touched = tx.execute(
                "UPDATE exports SET locked_until = $3, bytes = bytes + $4
                 WHERE id = $1 AND locked_by = $2 AND state = 'running'",
                args![&lease.export, &lease.holder, lease.until, bytes.len() as u64],
            )?;
            if touched == 0 {
                return Ok(false);
            }
            tx.execute(
                "INSERT INTO export_chunks (export_id, number, bytes) VALUES ($1, $2, $3)",
                args![&lease.export, number, bytes.clone()],
            )?;
            Ok(true)
        })
        .await
    }

    async fn finish_export(&self, lease: Lease, now: u64, error: Option<String>) -> Result<bool> {
        self.write(move |tx| {
            let state = if error.is_some() { "failed" } else { "done" };
            let touched = tx.execute(
                "UPDATE exports SET state = $3, error = $4, finished_at = $5, locked_by = NULL,
                        locked_until = NULL
                 WHERE id = $1 AND locked_by = $2 AND state = 'running'",
                args![&lease.export, &lease.holder, state, error.clone(), now],
            )?;
            Ok(touched > 0)
        })
        .await
    }
}

fn create(tx: &mut dyn Transaction, new: &NewExport) -> Result<Option<Export>> {
    let organization = &new.tenant.organization;
    lock_organization(tx, organization)?;
    let open = tx.first(
        "SELECT count(*) FROM exports
         WHERE organization_id = $1 AND coalesce(account_id, '') = $2
           AND state IN ('queued', 'running')",
        args![organization, account(&new.tenant)],
    )?;
    if open.map_or(Ok(0), |row| row.number(0))? >= new.max_open.into() {
        return Ok(None);
    }
    tx.execute(
        "INSERT INTO exports (id, organization_id, account_id, request, state, file_name, created_at)
         VALUES ($1, $2, $3, $4, 'queued', $5, $6)",
        args![
            &new.id,
            organization,
            new.tenant.account.as_ref(),
            to_json(&new.request)?,
            &new.file_name,
            new.now
        ],
    )?;
    tx.notify(Notice::Export)?;
    find(tx, &new.tenant, &new.id)
}

/// The export whose turn it is: tenants take turns, so that one who asks for many keeps nobody waiting for
/// more than one of them. A tenant had its last turn when something of it was begun or finished; what is
/// being made says in `locked_until` that it still has one.
fn next(tx: &mut dyn Transaction, now: u64) -> Result<Option<Row>> {
    let sql = format!(
        "WITH turns AS
             (SELECT organization_id, coalesce(account_id, '') AS account,
                     max(coalesce(locked_until, finished_at, 0)) AS had
              FROM exports GROUP BY organization_id, coalesce(account_id, ''))
         SELECT exports.organization_id, account_id, id, request, created_at FROM exports
         JOIN turns ON turns.organization_id = exports.organization_id
                   AND turns.account = coalesce(account_id, '')
         WHERE {WAITS} ORDER BY turns.had, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"
    );
    tx.first(&sql, args![now])
}

/// See `ExportRepository::exports_too_many`.
fn too_many(
    tx: &mut dyn Transaction,
    tenant: &Tenant,
    exports: u32,
    bytes: u64,
) -> Result<Vec<String>> {
    let rows = tx.query(
        "SELECT id, bytes, state FROM exports
         WHERE organization_id = $1 AND coalesce(account_id, '') = $2
         ORDER BY finished_at DESC, id DESC",
        args![&tenant.organization, account(tenant)],
    )?;
    let (mut unfinished, mut finished) = (Vec::new(), Vec::new());
    for row in &rows {
        let open = ["queued", "running"].contains(&row.str(2)?);
        if open { &mut unfinished } else { &mut finished }.push(row);
    }
    let (mut count, mut taken, mut going) = (0, 0, Vec::new());
    for (number, row) in unfinished.iter().chain(&finished).enumerate() {
        count += 1;
        taken += row.number(1)?;
        if number >= unfinished.len() && (count > exports || taken > bytes) {
            going.push(row.text(0)?);
        }
    }
    Ok(going)
}

/// Deletes up to `limit` pieces of a file; says whether any are left.
fn delete_pieces(tx: &mut dyn Transaction, id: &str, limit: u32) -> Result<bool> {
    tx.execute(
        "DELETE FROM export_chunks WHERE export_id = $1 AND number IN
             (SELECT number FROM export_chunks WHERE export_id = $1 LIMIT $2)",
        args![id, limit],
    )?;
    let sql = "SELECT 1 FROM export_chunks WHERE export_id = $1 LIMIT 1";
    Ok(tx.first(sql, args![id])?.is_some())
}

/// Has every file made anew or deleted that may hold something of a session: those of its account
/// and of the organization that were asked for since it began. A finished one can be fetched no more,
/// and its time is over, so that it goes even if nobody deletes it now.
pub(super) fn erase(
    tx: &mut dyn Transaction,
    organization: &str,
    account: Option<&str>,
    since: u64,
) -> Result<()> {
    const OF_IT: &str = "organization_id = $1 AND (account_id IS NULL OR account_id = $2)
         AND created_at >= $3";
    let values = args![organization, account, since];
    let again = tx.execute(
        &format!(
            "UPDATE exports SET state = 'queued', locked_by = NULL
             WHERE {OF_IT} AND state IN ('queued', 'running')"
        ),
        values,
    )?;
    tx.execute(
        &format!(
            "UPDATE exports SET state = 'cancelled', finished_at = 0
             WHERE {OF_IT} AND state NOT IN ('queued', 'running')"
        ),
        values,
    )?;
    if again > 0 {
        tx.notify(Notice::Export)?;
    }
    Ok(())
}

fn find(tx: &mut dyn Transaction, tenant: &Tenant, id: &str) -> Result<Option<Export>> {
    let sql = format!("SELECT {EXPORT_COLUMNS} FROM exports WHERE {OWN}");
    let row = tx.first(&sql, args![id, &tenant.organization, account(tenant)])?;
    row.as_ref().map(export).transpose()
}

/// An account as a column that is never NULL holds it.
fn account(tenant: &Tenant) -> &str {
    tenant.account.as_deref().unwrap_or_default()
}

/// Reads a tenant from two columns, from `at` on.
fn tenant(row: &Row, at: usize) -> Result<Tenant> {
    Ok(Tenant { organization: row.text(at)?, account: row.optional_text(at + 1)? })
}

fn export(row: &Row) -> Result<Export> {
    Ok(Export {
        id: row.text(0)?,
        request: from_json("export's request", &row.text(1)?)?,
        state: ExportState::named(&row.text(2)?),
        total: row.number(3)?,
        done: row.number(4)?,
        bytes: row.number(5)?,
        file_name: row.text(6)?,
        error: row.optional_text(7)?,
        created_at: row.number(8)?,
        finished_at: row.optional_number(9)?,
    })
}

#[cfg(test)]
mod tests;
