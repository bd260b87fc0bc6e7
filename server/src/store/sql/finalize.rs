//! Finalising a session, exactly once: its cost, its minutes, its line in the ledger.

use super::super::Result;
use super::super::provider_events::{Settlement, Unconfirmed};
use super::rows::{SESSION_COLUMNS, lock_session, session as read_session};
use super::sessions::assistant_of;
use super::{Transaction, args, outbox, timeline};
use crate::domain::minutes::{Rule, Used};
use crate::domain::session::SessionRecord;
use banter_shared::ids::SessionId;
use rust_decimal::Decimal;
use serde_json::json;

/// After so many attempts at most the wait between two no longer doubles.
pub(super) const MAX_DOUBLINGS: u32 = 8;

/// Whether the provider said what a session cost that is not settled yet. A zero may only mean that
/// Vapi has not filled it in.
const PRICED: &str = "(cost IS NOT NULL AND cost <> '0')";

/// See [`PRICED`].
pub(super) fn is_priced(tx: &mut dyn Transaction, session: &SessionRecord) -> Result<bool> {
    if session.finalized_at.is_some() {
        return Ok(false);
    }
    let sql = format!("SELECT 1 FROM sessions WHERE id = $1 AND {PRICED}");
    Ok(tx.first(&sql, args![session.id.as_str()])?.is_some())
}

/// Writes down that the provider completed a session, whose row this transaction has locked, and for
/// how much. Of several completions before it is settled the greatest cost counts, in whichever order
/// they came: costs only grow. `false` when it was settled before: a bill does not change.
pub(super) fn complete(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    cost: Option<Decimal>,
) -> Result<bool> {
    let id = session.id.as_str();
    let sql = "SELECT cost FROM sessions WHERE id = $1 AND finalized_at IS NULL";
    let Some(row) = tx.first(sql, args![id])? else { return Ok(false) };
    let known: Option<Decimal> = row.optional_text(0)?.and_then(|cost| cost.parse().ok());
    let cost = known.max(cost).map(|cost| cost.normalize().to_string());
    tx.execute(
        "UPDATE sessions SET cost = $2, cost_source = 'webhook' WHERE id = $1",
        args![id, cost],
    )?;
    Ok(true)
}

/// Settles an ended session whose row this transaction has locked: whoever comes second does
/// nothing. `false` when it was settled before.
pub(super) fn finalize(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    rule: &Rule,
    now: u64,
) -> Result<bool> {
    let Some((ended_at, _)) = session.ended else { return Ok(false) };
    let row = tx.first(
        "UPDATE sessions SET finalized_at = $2, attend_at = NULL,
                cost_source = coalesce(cost_source, 'none')
         WHERE id = $1 AND finalized_at IS NULL
         RETURNING visitor_messages, account_id, channel, cost, cost_source",
        args![session.id.as_str(), now],
    )?;
    let Some(row) = row else { return Ok(false) };
    session.finalized_at = Some(now);
    let used = Used {
        active: session.active_at.is_some(),
        messages: row.number(0)?,
        duration_ms: session.active_at.map_or(0, |begin| ended_at.saturating_sub(begin)),
    };
    let counted = rule.minutes(used);
    let (account, channel, cost) = (row.optional_text(1)?, row.text(2)?, row.optional_text(3)?);
    let source = row.text(4)?;
    let id = format!("use_{}", session.id);
    tx.execute(
        "INSERT INTO usage_records (id, session_id, organization_id, account_id, channel, units,
                unit, rate, rounding, minutes, cost, billed, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12)
         ON CONFLICT (session_id) DO NOTHING",
        args![
            &id,
            session.id.as_str(),
            &session.organization,
            account.as_ref(),
            &channel,
            counted.units.to_string(),
            counted.unit.name(),
            counted.rate.to_string(),
            counted.rounding.to_string(),
            counted.minutes.to_string(),
            cost.as_ref(),
            now,
        ],
    )?;
    let minutes = counted.minutes.to_string();
    let detail = json!({ "cost": cost, "source": source, "minutes": minutes });
    timeline::note(tx, &session.id, now, "finalized", &detail)?;
    let data = json!({
        "id": id, "sessionId": session.id, "accountId": account, "channel": channel,
        "units": counted.units.to_string(), "unit": counted.unit.name(), "rate": counted.rate.to_string(),
        "rounding": counted.rounding.to_string(), "minutes": minutes, "cost": cost,
    });
    let key = session.id.as_str();
    outbox::emit(tx, &session.organization, "usage.recorded", key, now, |_| Ok(data))?;
    Ok(true)
}

/// See `ProviderEventRepository::finalize_ended`.
pub(super) fn finalize_ended(
    tx: &mut dyn Transaction,
    rule: &Rule,
    now: u64,
    patience_ms: u64,
    limit: u32,
) -> Result<usize> {
    let sql = format!(
        "SELECT {SESSION_COLUMNS} FROM sessions
         WHERE attend_at <= $1 AND status = 'ended' AND finalized_at IS NULL
           AND (provider = 'engine' OR {PRICED}
                OR (provider_session IS NULL AND attend_at <= $2))
         ORDER BY attend_at LIMIT $3 FOR UPDATE SKIP LOCKED"
    );
    let due = tx.query(&sql, args![now, now.saturating_sub(patience_ms), limit])?;
    for row in &due {
        finalize(tx, &mut read_session(row)?, rule, now)?;
    }
    Ok(due.len())
}

/// See `ProviderEventRepository::claim_unconfirmed`. `attend_at` is when the session ended, or would
/// have had to end to be due when its next attempt is.
pub(super) fn claim_unconfirmed(
    tx: &mut dyn Transaction,
    now: u64,
    patience_ms: u64,
    limit: u32,
) -> Result<Vec<Unconfirmed>> {
    let sql = format!(
        "SELECT id, provider_session, attempts, CASE WHEN cost_source IS NULL THEN 0 ELSE 1 END
         FROM sessions
         WHERE attend_at <= $1 AND status = 'ended' AND finalized_at IS NULL
           AND provider <> 'engine' AND NOT {PRICED} AND provider_session IS NOT NULL
         ORDER BY attend_at LIMIT $2 FOR UPDATE SKIP LOCKED"
    );
    let mut claimed = Vec::new();
    for row in tx.query(&sql, args![now.saturating_sub(patience_ms), limit])? {
        let (id, attempts) = (row.text(0)?, row.small(2)?);
        let wait = patience_ms << attempts.min(MAX_DOUBLINGS);
        tx.execute(
            "UPDATE sessions SET attend_at = $2, attempts = attempts + 1 WHERE id = $1",
            args![&id, now + wait - patience_ms],
        )?;
        let Some(assistant) = assistant_of(tx, &id)? else { continue };
        claimed.push(Unconfirmed {
            session: SessionId(id),
            provider_session: row.text(1)?,
            assistant,
            attempts,
            completed: row.small(3)? == 1,
        });
    }
    Ok(claimed)
}

/// See `ProviderEventRepository::settle`.
pub(super) fn settle(
    tx: &mut dyn Transaction,
    id: &SessionId,
    settlement: Settlement,
    rule: &Rule,
    now: u64,
) -> Result<bool> {
    let Some(mut session) = lock_session(tx, id)? else { return Ok(false) };
    if session.finalized_at.is_some() {
        return Ok(false);
    }
    if let Settlement::Reconciled { cost } = settlement {
        let sql = "SELECT cost_source FROM sessions WHERE id = $1";
        let row = tx.first(sql, args![id.as_str()])?;
        let completed = row.map(|row| row.optional_text(0)).transpose()?.flatten().is_some();
        if cost.is_some() || !completed {
            tx.execute(
                "UPDATE sessions SET cost = $2, cost_source = 'reconciled' WHERE id = $1",
                args![id.as_str(), cost.map(|cost| cost.to_string())],
            )?;
        }
        if !completed {
            tx.execute(
                "UPDATE sessions SET webhook_missing = 1 WHERE id = $1",
                args![id.as_str()],
            )?;
            timeline::note(tx, id, now, "webhook_missing", &json!({}))?;
        }
    }
    finalize(tx, &mut session, rule, now)
}
