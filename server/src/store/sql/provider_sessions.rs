//! The sessions that a provider opened for one of ours: learned of, found by the provider's id, closed.
//!
//! Whoever reads or writes those of a session has locked the session's row. A server of an older version
//! may be working on the same database, and this one may have data of its: both know but the last of a
//! session's, in the session's row, from where it is taken over ([`of`]).

use super::super::{Result, StoreError};
use super::lifecycle::happen;
use super::provider_events::apply_waiting;
use super::rows::{SESSION_COLUMNS, session as read_session};
use super::{Row, Transaction, args, timeline};
use crate::domain::provider::ProviderName;
use crate::domain::provider_session::{
    Completed, CostSource, ProviderSessionRecord, Standing, after_close, is_told, total,
};
use crate::domain::session::{Change, Happening, SessionRecord};
use serde_json::json;

/// The columns [`read`] reads, in its order.
const COLUMNS: &str = "id, state, cost, cost_source, settled, completed_at, messages, digest";

/// A condition on a session's row: nobody has to be asked any more what any of its provider's sessions
/// cost. One that an older server opened is not known to be so.
pub(super) const SETTLED: &str = "(EXISTS (SELECT 1 FROM provider_sessions AS one
        WHERE one.provider = sessions.provider AND one.id = sessions.provider_session)
    AND NOT EXISTS (SELECT 1 FROM provider_sessions AS one
        WHERE one.session_id = sessions.id AND one.settled = 0))";

fn read(row: &Row) -> Result<ProviderSessionRecord> {
    let (state, source) = (row.text(1)?, row.optional_text(3)?);
    let standing = Standing::NAMES.iter().find(|(name, _)| *name == state);
    let source = CostSource::NAMES.iter().find(|(name, _)| Some(*name) == source.as_deref());
    let completed = match row.optional_number(5)? {
        Some(at) => Some(Completed { at, messages: row.small(6)?, digest: row.text(7)? }),
        None => None,
    };
    Ok(ProviderSessionRecord {
        id: row.text(0)?,
        standing: standing.ok_or(StoreError::Column(1))?.1,
        completed,
        cost: row.optional_text(2)?.and_then(|cost| cost.parse().ok()),
        source: source.map(|(_, source)| *source),
        is_settled: row.flag(4)?,
    })
}

/// All that were opened for a session, oldest first.
pub(super) fn of(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
) -> Result<Vec<ProviderSessionRecord>> {
    let Some(current) = &session.provider_session else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {COLUMNS} FROM provider_sessions WHERE session_id = $1 ORDER BY opened_at, id"
    );
    let rows = tx.query(&sql, args![session.id.as_str()])?;
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    if all.iter().all(|one| one.id != *current) {
        all.extend(take_over(tx, session)?);
    }
    Ok(all)
}

/// Takes over what an older server, or whoever began the log of another client's session, knows of the
/// last one: it is in the session's row.
fn take_over(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
) -> Result<Option<ProviderSessionRecord>> {
    let sql = format!(
        "INSERT INTO provider_sessions (provider, id, session_id, opened_at, state, completed_at,
                cost, cost_source, settled)
         SELECT provider, provider_session, id, created_at,
                CASE WHEN status = 'ended' THEN 'closed' ELSE 'open' END,
                CASE WHEN cost_source = 'webhook' THEN ended_at END, cost, cost_source,
                CASE WHEN finalized_at IS NULL THEN 0 ELSE 1 END
         FROM sessions WHERE id = $1 AND provider_session IS NOT NULL
         ON CONFLICT DO NOTHING RETURNING {COLUMNS}"
    );
    tx.first(&sql, args![session.id.as_str()])?.as_ref().map(read).transpose()
}

/// Our session for which `provider` opened the one it calls `id`, locked.
pub(super) fn whose(
    tx: &mut dyn Transaction,
    provider: ProviderName,
    id: &str,
) -> Result<Option<SessionRecord>> {
    let sql = format!(
        "SELECT {SESSION_COLUMNS} FROM sessions WHERE id = coalesce(
             (SELECT session_id FROM provider_sessions WHERE provider = $1 AND id = $2),
             (SELECT last.id FROM sessions AS last
              WHERE last.provider = $1 AND last.provider_session = $2))
         FOR UPDATE"
    );
    tx.first(&sql, args![provider.name(), id])?.as_ref().map(read_session).transpose()
}

/// Writes down that the provider opened a session for one of ours: the one that `happening` names,
/// [`Happening::Opened`] or [`Happening::Heard`], whose lock this transaction holds.
pub(super) fn learn(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    id: &str,
    happening: Happening,
    now: u64,
) -> Result<Change> {
    let all = of(tx, session)?;
    let Some(known) = all.iter().find(|one| one.id == id) else {
        tx.execute(
            "INSERT INTO provider_sessions (provider, id, session_id, opened_at)
             VALUES ($1, $2, $3, $4)",
            args![session.provider.name(), id, session.id.as_str(), now],
        )?;
        timeline::note(tx, &session.id, now, "opened", &json!({ "providerSession": id }))?;
        let change = happen(tx, session, happening, now)?;
        // What the provider said of it before we knew that it is ours.
        apply_waiting(tx, session, id, now)?;
        return Ok(change);
    };
    if known.standing == Standing::Open {
        return happen(tx, session, happening, now);
    }
    if session.ended.is_some() {
        // There is nothing to close.
        return Ok(Change::None);
    }
    let change = happen(tx, session, happening, now)?;
    over(tx, session, known, &all, now)?;
    Ok(change)
}

/// Writes down what is known of one of a session's.
pub(super) fn save(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    one: &ProviderSessionRecord,
) -> Result<()> {
    let completed = one.completed.as_ref();
    tx.execute(
        "UPDATE provider_sessions SET state = $3, cost = $4, cost_source = $5, settled = $6,
                completed_at = $7, messages = $8, digest = $9
         WHERE provider = $1 AND id = $2",
        args![
            session.provider.name(),
            &one.id,
            one.standing.name(),
            one.cost.map(|cost| cost.to_string()),
            one.source.map(CostSource::name),
            one.is_settled,
            completed.map(|completed| completed.at),
            completed.map_or(0, |completed| completed.messages),
            completed.map_or("", |completed| &completed.digest),
        ],
    )?;
    Ok(())
}

/// Writes down what follows for a session from one of its provider's, which is not open any more.
pub(super) fn over(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    one: &ProviderSessionRecord,
    all: &[ProviderSessionRecord],
    now: u64,
) -> Result<()> {
    let Some(happening) = after_close(session, &one.id, all) else { return Ok(()) };
    let completed_at = one.completed.as_ref().map_or(now, |completed| completed.at);
    let at = completed_at.max(session.last_activity_at).min(now);
    happen(tx, session, happening, at)?;
    Ok(())
}

/// Shows in a session's row what its provider's sessions cost together, once each has been heard of.
pub(super) fn show_total(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    all: &[ProviderSessionRecord],
) -> Result<()> {
    if is_told(all) {
        let total = total(all);
        tx.execute(
            "UPDATE sessions SET cost = $2, cost_source = $3 WHERE id = $1",
            args![
                session.id.as_str(),
                total.cost.map(|cost| cost.normalize().to_string()),
                total.source.map(CostSource::name),
            ],
        )?;
    }
    Ok(())
}
