//! The transcript of a session that another client led: it comes with the end of the session.

use super::super::super::Result;
use super::super::rows::insert_messages;
use super::super::{Transaction, args};
use crate::domain::provider_event::said;
use crate::domain::session::SessionRecord;
use banter_shared::ids::MessageId;
use banter_shared::message::{Message, MessageStatus, Role};
use serde_json::Value as Json;

/// Keeps what an event says was said in its session, of which nothing was said to us. `at` (Unix
/// milliseconds) is when the event happened: when each message was said, nobody tells.
pub(super) fn keep(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    body: &Json,
    at: u64,
) -> Result<()> {
    let said = said(body);
    let sql = "SELECT 1 FROM messages WHERE session_id = $1 LIMIT 1";
    if said.is_empty() || tx.first(sql, args![session.id.as_str()])?.is_some() {
        return Ok(());
    }
    let answers = said.iter().filter(|said| said.role == Role::Assistant).count();
    let messages: Vec<_> = said
        .into_iter()
        .enumerate()
        .map(|(number, said)| Message {
            id: MessageId(format!("{}-{number}", session.provider.name())),
            role: said.role,
            text: said.text,
            status: MessageStatus::Complete,
            created_at: at,
            attempt: 1,
            sources: Vec::new(),
            error: None,
        })
        .collect();
    insert_messages(tx, &session.id, &messages)?;
    tx.execute(
        "UPDATE sessions SET assistant_messages = $2 WHERE id = $1",
        args![session.id.as_str(), u32::try_from(answers).unwrap_or(u32::MAX)],
    )?;
    Ok(())
}
