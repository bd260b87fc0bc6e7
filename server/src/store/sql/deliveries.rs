//! The outbox on its way out: claimed, sent by somebody, and written down what came of it.
//!
//! `next_at` alone says when a row is due. A claim moves it to the end of its lease, so that what a
//! dead server claimed is due again by itself; `attempts` tells a late report from a fresh one.

use super::super::webhooks::{Capacity, Note, OutboxRepository, Report, ToDeliver};
use super::super::{Notice, Result};
use super::{Row, SqlStore, Transaction, args, outbox, webhooks};
use crate::domain::retry::{FORGIVEN_AFTER, Rules, Verdict, is_hopeless};
use async_trait::async_trait;
use banter_shared::owner::webhook::{Delivery, DeliveryState, DisabledReason};

/// The columns [`delivery`] reads, in its order.
const COLUMNS: &str = "id, event, attempts, created_at, next_at, locked_until, delivered_at,
     failed_at, last_status, last_error";

/// How many endpoints are looked at in one go.
const ENDPOINTS: u32 = 64;

/// How many deliveries are given up in one transaction: bounds how long a visitor's message waits for it.
const GIVEN_UP_AT_ONCE: u32 = 200;

#[async_trait]
impl OutboxRepository for SqlStore {
    async fn put_note(&self, note: Note) -> Result<bool> {
        self.write(move |tx| {
            let payload = outbox::payload(note.event, note.now, &note.data)?;
            let inserted = tx.execute(
                "INSERT INTO outbox
                        (id, organization_id, endpoint_id, event, payload, created_at, next_at)
                 SELECT $1, organization_id, id, $4, $5, $6, $6 FROM webhook_endpoints
                 WHERE organization_id = $2 AND id = $3 AND disabled_at IS NULL",
                args![&note.id, &note.organization, &note.endpoint, note.event, payload, note.now],
            )?;
            if inserted > 0 {
                tx.notify(Notice::Outbox)?;
            }
            Ok(inserted > 0)
        })
        .await
    }

    async fn claim_deliveries(
        &self,
        now: u64,
        until: u64,
        capacity: Capacity,
    ) -> Result<Vec<ToDeliver>> {
        // Looked for before anything is locked: most of the time there is nothing.
        let due = self.read(move |tx| due(tx, now)).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |tx| claim(tx, &due, now, until, &capacity)).await
    }

    async fn report_delivery(
        &self,
        report: Report,
        rules: Rules,
    ) -> Result<Option<DisabledReason>> {
        let (endpoint, now) = (report.endpoint.clone(), report.now);
        let disabled = self.write(move |tx| write_down(tx, &report, rules)).await?;
        if disabled.is_some() {
            give_up(self, &endpoint, now).await?;
        }
        Ok(disabled)
    }

    async fn prune_deliveries(&self, before: u64, limit: u32) -> Result<u64> {
        self.write(move |tx| {
            tx.execute(
                "DELETE FROM outbox WHERE id IN (
                    SELECT id FROM outbox WHERE next_at IS NULL AND created_at < $1
                    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                args![before, limit],
            )
        })
        .await
    }

    async fn give_up_disabled(&self, now: u64) -> Result<bool> {
        // Found beside everything else: most of the time there is nothing.
        let waiting = self.read(waits_in_vain).await?;
        let Some(endpoint) = waiting else { return Ok(true) };
        let given_up = self.write(move |tx| give_up_some(tx, &endpoint, now)).await?;
        Ok(given_up == 0)
    }
}

/// An endpoint that is disabled and for which something waits.
fn waits_in_vain(tx: &mut dyn Transaction) -> Result<Option<String>> {
    let sql = "SELECT id FROM webhook_endpoints WHERE disabled_at IS NOT NULL AND EXISTS
             (SELECT 1 FROM outbox WHERE endpoint_id = webhook_endpoints.id AND next_at IS NOT NULL)
         ORDER BY disabled_at LIMIT 1";
    tx.first(sql, args![])?.map(|row| row.text(0)).transpose()
}

/// Endpoints for which something is due, the longest waiting first.
fn due(tx: &mut dyn Transaction, now: u64) -> Result<Vec<String>> {
    let rows = tx.query(
        "SELECT id FROM (
            SELECT webhook_endpoints.id AS id,
                   (SELECT min(next_at) FROM outbox
                    WHERE endpoint_id = webhook_endpoints.id AND next_at IS NOT NULL) AS due
            FROM webhook_endpoints WHERE disabled_at IS NULL) AS waiting
         WHERE due <= $1 ORDER BY due, id LIMIT $2",
        args![now, ENDPOINTS],
    )?;
    rows.iter().map(|row| row.text(0)).collect()
}

fn claim(
    tx: &mut dyn Transaction,
    endpoints: &[String],
    now: u64,
    until: u64,
    capacity: &Capacity,
) -> Result<Vec<ToDeliver>> {
    let mut claimed = Vec::new();
    let mut room = capacity.total;
    for endpoint in endpoints {
        let busy = capacity.busy.iter().find(|(id, _)| id == endpoint).map_or(0, |(_, n)| *n);
        let share = capacity.per_endpoint.saturating_sub(busy).min(room);
        if share == 0 {
            continue;
        }
        let row = tx.first(
            "SELECT url, secret, previous_secret, previous_until FROM webhook_endpoints
             WHERE id = $1 AND disabled_at IS NULL",
            args![endpoint],
        )?;
        let Some(row) = row else { continue };
        let (url, secrets) = (row.text(0)?, webhooks::secrets(&row, 1)?);
        let sql = "SELECT id FROM outbox WHERE endpoint_id = $1 AND next_at <= $2
                   ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED";
        for row in tx.query(sql, args![endpoint, now, share])? {
            let id = row.text(0)?;
            let row = tx.first(
                "UPDATE outbox SET attempts = attempts + 1, next_at = $2, locked_until = $2
                 WHERE id = $1 RETURNING payload, attempts",
                args![&id, until],
            )?;
            let Some(row) = row else { continue };
            room -= 1;
            claimed.push(ToDeliver {
                id,
                endpoint: endpoint.clone(),
                url: url.clone(),
                secrets: secrets.clone(),
                payload: row.text(0)?,
                attempt: row.small(1)?,
            });
        }
    }
    Ok(claimed)
}

fn write_down(
    tx: &mut dyn Transaction,
    report: &Report,
    rules: Rules,
) -> Result<Option<DisabledReason>> {
    let status = report.status.map(u32::from);
    if report.verdict == Verdict::Taken {
        // Whatever was decided meanwhile: it has arrived.
        tx.execute(
            "UPDATE outbox SET delivered_at = $2, failed_at = NULL, next_at = NULL,
                    locked_until = NULL, last_status = $3, last_error = NULL
             WHERE id = $1 AND delivered_at IS NULL",
            args![&report.id, report.now, status],
        )?;
        tx.execute(
            "UPDATE webhook_endpoints SET failing_since = NULL
             WHERE id = $1 AND failing_since IS NOT NULL",
            args![&report.endpoint],
        )?;
        return Ok(None);
    }
    // The endpoint before its rows: whoever disables it takes them in this order, too.
    let row = tx.first(
        "UPDATE webhook_endpoints
         SET failing_since = CASE WHEN failed_at < $3 THEN $2 ELSE coalesce(failing_since, $2) END,
             failed_at = $2
         WHERE id = $1 AND disabled_at IS NULL RETURNING failing_since",
        args![&report.endpoint, report.now, report.now.saturating_sub(FORGIVEN_AFTER)],
    )?;
    tx.execute(
        "UPDATE outbox SET next_at = $3, failed_at = $4, locked_until = NULL,
                last_status = $5, last_error = $6
         WHERE id = $1 AND attempts = $2 AND next_at IS NOT NULL",
        args![
            &report.id,
            report.attempt,
            report.next_at,
            report.next_at.is_none().then_some(report.now),
            status,
            report.error.as_ref(),
        ],
    )?;
    let Some(row) = row else { return Ok(None) };
    let reason = if report.verdict == Verdict::Gone {
        DisabledReason::Gone
    } else if is_hopeless(rules, row.number(0)?, report.now) {
        DisabledReason::Failing
    } else {
        return Ok(None);
    };
    disable(tx, &report.endpoint, reason, report.now)?;
    Ok(Some(reason))
}

/// Disables an endpoint. What waits for it is sent no more from then on, and is to be given up.
pub(super) fn disable(
    tx: &mut dyn Transaction,
    endpoint: &str,
    reason: DisabledReason,
    now: u64,
) -> Result<()> {
    tx.execute(
        "UPDATE webhook_endpoints SET disabled_at = $2, disabled_reason = $3 WHERE id = $1",
        args![endpoint, now, reason.name()],
    )?;
    Ok(())
}

/// Gives up what waits for an endpoint that is disabled, a part at a time: it may be days of it. Its owner
/// can replay that.
pub(super) async fn give_up(store: &SqlStore, endpoint: &str, now: u64) -> Result<()> {
    loop {
        let endpoint = endpoint.to_owned();
        if store.write(move |tx| give_up_some(tx, &endpoint, now)).await? == 0 {
            return Ok(());
        }
    }
}

/// One part of it; says how much that was.
fn give_up_some(tx: &mut dyn Transaction, endpoint: &str, now: u64) -> Result<u64> {
    tx.execute(
        "UPDATE outbox SET next_at = NULL, locked_until = NULL, failed_at = $2,
                last_error = coalesce(last_error, 'the endpoint was disabled')
         WHERE next_at IS NOT NULL AND id IN (
            SELECT outbox.id FROM outbox
            JOIN webhook_endpoints ON webhook_endpoints.id = outbox.endpoint_id
            WHERE endpoint_id = $1 AND next_at IS NOT NULL AND disabled_at IS NOT NULL
            LIMIT $3)",
        args![endpoint, now, GIVEN_UP_AT_ONCE],
    )
}

/// Deletes up to `limit` deliveries of an endpoint that is out of service; says how many. What
/// somebody else is at is passed over.
pub(super) fn forget(tx: &mut dyn Transaction, endpoint: &str, limit: u32) -> Result<u64> {
    tx.execute(
        "DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE endpoint_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        args![endpoint, limit],
    )
}

/// See `WebhookRepository::deliveries`.
pub(super) fn list(
    tx: &mut dyn Transaction,
    organization: &str,
    endpoint: &str,
    before: Option<&(u64, String)>,
    limit: u32,
) -> Result<Vec<Delivery>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM outbox
         WHERE organization_id = $1 AND endpoint_id = $2
         AND (created_at < $3 OR (created_at = $3 AND id < $4))
         ORDER BY created_at DESC, id DESC LIMIT $5"
    );
    let (at, id) = before.map_or((u64::MAX, ""), |(at, id)| (*at, id.as_str()));
    let rows = tx.query(&sql, args![organization, endpoint, at, id, limit])?;
    rows.iter().map(delivery).collect()
}

/// See `WebhookRepository::replay`.
pub(super) fn replay(
    tx: &mut dyn Transaction,
    organization: &str,
    endpoint: &str,
    id: &str,
    now: u64,
) -> Result<Option<Delivery>> {
    // What is being sent is left alone; what waits for its next attempt goes at once.
    let sql = format!(
        "UPDATE outbox SET
            attempts = CASE WHEN next_at IS NULL THEN 0 ELSE attempts END,
            next_at = CASE WHEN locked_until IS NULL THEN $4 ELSE next_at END,
            delivered_at = NULL, failed_at = NULL
         WHERE organization_id = $1 AND endpoint_id = $2 AND id = $3 RETURNING {COLUMNS}"
    );
    let row = tx.first(&sql, args![organization, endpoint, id, now])?;
    let Some(row) = row else { return Ok(None) };
    tx.notify(Notice::Outbox)?;
    Ok(Some(delivery(&row)?))
}

/// What was given up since an instant and at `now` the latest, in the order in which it was written,
/// after that place: when each was written, and its id.
pub(super) fn given_up(
    tx: &mut dyn Transaction,
    organization: &str,
    endpoint: &str,
    (since, now): (u64, u64),
    (at, id): &(u64, String),
    limit: u32,
) -> Result<Vec<(u64, String)>> {
    let rows = tx.query(
        "SELECT created_at, id FROM outbox
         WHERE organization_id = $1 AND endpoint_id = $2 AND failed_at >= $3 AND failed_at <= $4
         AND (created_at, id) > ($5, $6) ORDER BY created_at, id LIMIT $7",
        args![organization, endpoint, since, now, *at, id, limit],
    )?;
    rows.iter().map(|row| Ok((row.number(0)?, row.text(1)?))).collect()
}

/// Sends again what is still given up of these; says how many.
pub(super) fn replay_each(
    tx: &mut dyn Transaction,
    given_up: &[(u64, String)],
    now: u64,
) -> Result<u64> {
    let mut count = 0;
    for (_, id) in given_up {
        count += tx.execute(
            "UPDATE outbox SET next_at = $2, attempts = 0, failed_at = NULL
             WHERE id = $1 AND failed_at IS NOT NULL",
            args![id, now],
        )?;
    }
    if count > 0 {
        tx.notify(Notice::Outbox)?;
    }
    Ok(count)
}

/// Reads a delivery from a row of [`COLUMNS`].
fn delivery(row: &Row) -> Result<Delivery> {
    let (next_at, locked_until) = (row.optional_number(4)?, row.optional_number(5)?);
    let (delivered_at, failed_at) = (row.optional_number(6)?, row.optional_number(7)?);
    let state = match (delivered_at, failed_at, locked_until) {
        (Some(_), ..) => DeliveryState::Delivered,
        (None, Some(_), _) => DeliveryState::Failed,
        (None, None, Some(_)) => DeliveryState::Sending,
        (None, None, None) => DeliveryState::Pending,
    };
    Ok(Delivery {
        id: row.text(0)?,
        event: row.text(1)?,
        state,
        attempts: row.small(2)?,
        created_at: row.number(3)?,
        next_at,
        delivered_at,
        failed_at,
        last_status: row.optional_number(8)?.and_then(|status| u32::try_from(status).ok()),
        last_error: row.optional_text(9)?,
    })
}

#[cfg(test)]
mod tests;
