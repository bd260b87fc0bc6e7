//! What follows from a change of a session: its row, its timeline, what others are told.

use super::super::{Notice, Result};
use super::{Transaction, args, outbox, provider_events, timeline};
use crate::domain::session::{Change, Happening, Phase, SessionRecord};
use banter_shared::session::EndReason;
use serde_json::json;

/// Applies what happened to a session whose row this transaction has locked, and writes it down.
pub(super) fn happen(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    happening: Happening,
    now: u64,
) -> Result<Change> {
    let before = session.clone();
    let change = session.apply(happening, now);
    if *session == before {
        return Ok(change);
    }
    save(tx, session, now)?;
    let id = &session.id;
    if let (Some(leaving), true) = (session.leaving, session.leaving != before.leaving) {
        let detail = json!({ "reason": leaving.reason.name(), "dueAt": leaving.due_at });
        timeline::note(tx, id, now, "left", &detail)?;
    }
    if before.leaving.is_some() && session.leaving.is_none() && session.ended.is_none() {
        timeline::note(tx, id, now, "returned", &json!({}))?;
    }
    if session.provider_session.is_some() && before.provider_session.is_none() {
        let detail = json!({ "providerSession": session.provider_session });
        timeline::note(tx, id, now, "opened", &detail)?;
    }
    if change == Change::Activated {
        timeline::note(tx, id, now, "activated", &json!({}))?;
        let data = json!({
            "sessionId": id, "widgetId": session.widget_id, "provider": session.provider.name(),
            "createdAt": session.created_at, "startedAt": now,
        });
        outbox::emit(tx, &session.organization, "session.started", id.as_str(), now, &data)?;
    }
    if let (Change::Ended, Some((at, reason))) = (change, session.ended) {
        ended(tx, session, at, reason, now)?;
    }
    if session.phase == Phase::Ended && before.phase == Phase::Ending {
        timeline::note(tx, id, now, "closed", &json!({}))?;
    }
    if session.provider_session != before.provider_session {
        // What the provider said of its session before we knew that it is ours.
        provider_events::apply_waiting(tx, session, now)?;
    }
    Ok(change)
}

fn ended(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    at: u64,
    reason: EndReason,
    now: u64,
) -> Result<()> {
    timeline::note(tx, &session.id, at, "ended", &json!({ "reason": reason.name() }))?;
    let data = json!({
        "sessionId": session.id, "widgetId": session.widget_id,
        "provider": session.provider.name(), "createdAt": session.created_at,
        "startedAt": session.active_at, "endedAt": at, "endReason": reason.name(),
        "durationMs": at.saturating_sub(session.created_at),
    });
    outbox::emit(tx, &session.organization, "session.ended", session.id.as_str(), now, &data)?;
    tx.notify(Notice::Ended(session.id.clone()))
}

/// Writes a session's row.
fn save(tx: &mut dyn Transaction, session: &SessionRecord, now: u64) -> Result<()> {
    let due_at = session.ended.is_none().then(|| session.deadline().0);
    // Ending is a state to get out of: somebody has to tell the provider. An ended session has to be
    // finalised.
    let to_attend = match session.phase {
        Phase::Ending => true,
        Phase::Ended => session.finalized_at.is_none(),
        Phase::Pending | Phase::Active => false,
    };
    let attend_at = to_attend.then_some(now);
    tx.execute(
        "UPDATE sessions SET status = $2, active_at = $3, last_activity_at = $4, leave_at = $5,
                leave_reason = $6, ended_at = $7, end_reason = $8, provider_session = $9,
                due_at = $10, attend_at = $11,
                -- What failed while the provider was to be told says nothing about what is next.
                attempts = CASE WHEN status = $2 THEN attempts ELSE 0 END
         WHERE id = $1",
        args![
            session.id.as_str(),
            session.phase.name(),
            session.active_at,
            session.last_activity_at,
            session.leaving.map(|leaving| leaving.due_at),
            session.leaving.map(|leaving| leaving.reason.name()),
            session.ended.map(|(at, _)| at),
            session.ended.map(|(_, reason)| reason.name()),
            session.provider_session.as_ref(),
            due_at,
            attend_at,
        ],
    )?;
    Ok(())
}
