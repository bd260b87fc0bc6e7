//! Finalising a session, exactly once: its cost, its minutes, its line in the ledger.

use super::super::Result;
use super::super::provider_events::{Unconfirmed, Unsettled};
use super::provider_sessions::{self, SETTLED};
use super::rows::{SESSION_COLUMNS, SESSION_WIDTH, lock_session, session as read_session};
use super::sessions::assistant_of;
use super::{Transaction, args, outbox, timeline};
use crate::domain::minutes::{Rule, Used};
use crate::domain::provider_session::{CostSource, Settlement, is_settled, total};
use crate::domain::session::SessionRecord;
use banter_shared::ids::SessionId;
use serde_json::json;

/// After so many attempts at most the wait between two no longer doubles.
pub(super) const MAX_DOUBLINGS: u32 = 8;

/// Settles an ended session whose row this transaction has locked: whoever comes second does
/// nothing. `false` when it was settled before.
pub(super) fn finalize(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    rule: &Rule,
    now: u64,
) -> Result<bool> {
    let Some((ended_at, _)) = session.ended else { return Ok(false) };
    let total = total(&provider_sessions::of(tx, session)?);
    let cost = total.cost.map(|cost| cost.normalize().to_string());
    let source = total.source.map_or("none", CostSource::name);
    let row = tx.first(
        "UPDATE sessions SET finalized_at = $2, attend_at = NULL, cost = $3, cost_source = $4,
                webhook_missing = $5
         WHERE id = $1 AND finalized_at IS NULL
         RETURNING visitor_messages, account_id, channel",
        args![session.id.as_str(), now, cost.as_ref(), source, total.webhook_missing],
    )?;
    let Some(row) = row else { return Ok(false) };
    session.finalized_at = Some(now);
    let used = Used {
        active: session.active_at.is_some(),
        messages: row.number(0)?,
        duration_ms: session.active_at.map_or(0, |begin| ended_at.saturating_sub(begin)),
    };
    let counted = rule.minutes(used);
    let (account, channel) = (row.optional_text(1)?, row.text(2)?);
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
    if total.webhook_missing {
        timeline::note(tx, &session.id, now, "webhook_missing", &json!({}))?;
    }
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
           AND (provider = 'engine' OR {SETTLED}
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
        "SELECT {SESSION_COLUMNS}, attempts FROM sessions
         WHERE attend_at <= $1 AND status = 'ended' AND finalized_at IS NULL
           AND provider <> 'engine' AND NOT {SETTLED} AND provider_session IS NOT NULL
         ORDER BY attend_at LIMIT $2 FOR UPDATE SKIP LOCKED"
    );
    let mut claimed = Vec::new();
    for row in tx.query(&sql, args![now.saturating_sub(patience_ms), limit])? {
        let (session, attempts) = (read_session(&row)?, row.small(SESSION_WIDTH)?);
        let wait = patience_ms << attempts.min(MAX_DOUBLINGS);
        tx.execute(
            "UPDATE sessions SET attend_at = $2, attempts = attempts + 1 WHERE id = $1",
            args![session.id.as_str(), now + wait - patience_ms],
        )?;
        let unsettled = provider_sessions::of(tx, &session)?
            .into_iter()
            .filter(|one| !one.is_settled)
            .map(|one| Unsettled { completed: one.completed.is_some(), id: one.id })
            .collect();
        let Some(assistant) = assistant_of(tx, session.id.as_str())? else { continue };
        claimed.push(Unconfirmed { session: session.id, unsettled, assistant, attempts });
    }
    Ok(claimed)
}

/// See `ProviderEventRepository::settle`.
pub(super) fn settle(
    tx: &mut dyn Transaction,
    id: &SessionId,
    provider_session: &str,
    settlement: Settlement,
    rule: &Rule,
    now: u64,
) -> Result<bool> {
    let Some(mut session) = lock_session(tx, id)? else { return Ok(false) };
    if session.finalized_at.is_some() {
        return Ok(false);
    }
    let mut all = provider_sessions::of(tx, &session)?;
    let Some(one) = all.iter_mut().find(|one| one.id == provider_session) else {
        return Ok(false);
    };
    one.settle(settlement);
    provider_sessions::save(tx, &session, one)?;
    provider_sessions::show_total(tx, &session, &all)?;
    Ok(is_settled(&all) && finalize(tx, &mut session, rule, now)?)
}
