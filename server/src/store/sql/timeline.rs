//! A session's timeline: what happened to it, in the order in which it was written down.

use super::super::Result;
use super::rows::to_json;
use super::{Transaction, args};
use banter_shared::ids::SessionId;
use serde_json::Value as Json;

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
