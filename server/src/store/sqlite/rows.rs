//! Rows to domain and back: the names under which enums are stored, and JSON columns.

use super::super::{Result, StoreError};
use crate::domain::conversation::SessionRecord;
use banter_shared::ids::{MessageId, SessionId, WidgetId};
use banter_shared::message::{Message, MessageStatus, Role};
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The columns [`message`] reads, in its order.
pub(super) const MESSAGE_COLUMNS: &str =
    "id, role, text, status, attempt, created_at, sources, error";

/// Reads one message from a row of [`MESSAGE_COLUMNS`].
pub(super) fn message(row: &Row<'_>) -> Result<Message> {
    let error: Option<String> = row.get(7)?;
    Ok(Message {
        id: MessageId(row.get(0)?),
        role: from_name("role", &row.get::<_, String>(1)?)?,
        text: row.get(2)?,
        status: from_name("message status", &row.get::<_, String>(3)?)?,
        attempt: row.get(4)?,
        created_at: row.get(5)?,
        sources: from_json("list of sources", &row.get::<_, String>(6)?)?,
        error: error.map(|json| from_json("error", &json)).transpose()?,
    })
}

/// Every message of a session, oldest first.
pub(super) fn messages(connection: &Connection, session: &SessionId) -> Result<Vec<Message>> {
    let sql =
        format!("SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = $1 ORDER BY position");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([session.as_str()])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(message(row)?);
    }
    Ok(messages)
}

/// One message of a session.
pub(super) fn find_message(
    connection: &Connection,
    session: &SessionId,
    id: &MessageId,
) -> Result<Option<Message>> {
    let sql = format!("SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = $1 AND id = $2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([session.as_str(), id.as_str()])?;
    rows.next()?.map(message).transpose()
}

/// Stores a message at the end of its session.
pub(super) fn insert_message(
    connection: &Connection,
    session: &SessionId,
    message: &Message,
) -> Result<()> {
    let error = message.error.as_ref().map(to_json).transpose()?;
    connection
        .prepare_cached(
            "INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources, error)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )?
        .execute(params![
            session.as_str(),
            message.id.as_str(),
            role_name(message.role),
            message.text,
            status_name(message.status),
            message.attempt,
            message.created_at,
            to_json(&message.sources)?,
            error,
        ])?;
    Ok(())
}

/// A session, without its messages.
pub(super) fn find_session(
    connection: &Connection,
    id: &SessionId,
) -> Result<Option<SessionRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT widget_id, created_at, expires_at, ended_at, end_reason FROM sessions WHERE id = $1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let ended_at: Option<u64> = row.get(3)?;
    let end_reason: Option<String> = row.get(4)?;
    let ended = match (ended_at, end_reason) {
        (Some(at), Some(reason)) => Some((at, from_name("end reason", &reason)?)),
        _ => None,
    };
    Ok(Some(SessionRecord {
        id: id.clone(),
        widget_id: WidgetId(row.get(0)?),
        created_at: row.get(1)?,
        expires_at: row.get(2)?,
        ended,
    }))
}

/// A value as a JSON column holds it.
pub(super) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|cause| StoreError::Inconsistent { what: "document", cause })
}

/// What a JSON column holds.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|cause| StoreError::Inconsistent { what, cause })
}

/// An enum by the name it has on the wire, which is the name it is stored under.
fn from_name<T: DeserializeOwned>(what: &'static str, name: &str) -> Result<T> {
    T::deserialize(serde::de::value::StrDeserializer::<serde_json::Error>::new(name))
        .map_err(|cause| StoreError::Inconsistent { what, cause })
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Visitor => "visitor",
        Role::Assistant | Role::Unknown => "assistant",
    }
}

/// The name a status is stored under.
pub(super) fn status_name(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Streaming => "streaming",
        MessageStatus::Complete | MessageStatus::Unknown => "complete",
        MessageStatus::Interrupted => "interrupted",
        MessageStatus::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::{from_name, role_name, status_name};
    use banter_shared::message::{MessageStatus, Role};
    use banter_shared::session::EndReason;

    #[test]
    fn what_is_stored_is_what_is_read() {
        for role in [Role::Visitor, Role::Assistant] {
            assert_eq!(from_name::<Role>("", role_name(role)).unwrap(), role);
        }
        for status in [
            MessageStatus::Streaming,
            MessageStatus::Complete,
            MessageStatus::Interrupted,
            MessageStatus::Failed,
        ] {
            assert_eq!(from_name::<MessageStatus>("", status_name(status)).unwrap(), status);
        }
        for (name, reason) in EndReason::NAMES {
            assert_eq!(from_name::<EndReason>("", name).unwrap(), reason);
        }
    }
}
