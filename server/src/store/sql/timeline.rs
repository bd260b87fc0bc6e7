//! A session's timeline: what happened to it, in the order in which it was written down.

use super::super::Result;
use super::rows::to_json;
use super::{Transaction, args};
use banter_shared::ids::SessionId;
use serde_json::Value as Json;

/// How often at most it is written down that a visitor left or returned: whoever holds a session's
/// token says so as often as it likes, and after so many times it tells its owner nothing new.
const MOST_COMINGS_AND_GOINGS: u32 = 200;

/// Writes down that `kind` happened `at` (Unix milliseconds).
pub(super) fn note(
    tx: &mut dyn Transaction,
    session: &SessionId,
    at: u64,
    kind: &str,
    detail: &Json,
) -> Result<()> {
    tx.execute(
        "INSERT INTO session_events (session_id, at, kind, detail) VALUES ($1, $2, $3, $4)",
        args![session.as_str(), at, kind, to_json(detail)?],
    )?;
    Ok(())
}

/// Moves the end that was noted at `from`, and the closing that it brought, to the instant `to` (Unix
/// milliseconds): nobody shall read of two ends.
pub(super) fn move_end(
    tx: &mut dyn Transaction,
    session: &SessionId,
    from: u64,
    to: u64,
) -> Result<()> {
    tx.execute(
        "UPDATE session_events SET at = $3
         WHERE session_id = $1 AND at = $2 AND kind IN ('ended', 'closed')",
        args![session.as_str(), from, to],
    )?;
    Ok(())
}

/// Writes down that the visitor `left` or `returned`, unless that was done very often before.
pub(super) fn note_coming_or_going(
    tx: &mut dyn Transaction,
    session: &SessionId,
    at: u64,
    kind: &str,
    detail: &Json,
) -> Result<()> {
    let row = tx.first(
        "SELECT count(*) FROM session_events
         WHERE session_id = $1 AND kind IN ('left', 'returned')",
        args![session.as_str()],
    )?;
    let noted = row.map_or(Ok(0), |row| row.small(0))?;
    if noted < MOST_COMINGS_AND_GOINGS { note(tx, session, at, kind, detail) } else { Ok(()) }
}
