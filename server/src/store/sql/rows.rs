//! Rows to domain and back: the names under which enums are stored, and JSON columns.

use super::super::{Result, StoreError};
use super::{Row, Transaction, Value, args};
use crate::domain::provider::ProviderName;
use crate::domain::session::{Leaving, Phase, SessionRecord};
use banter_shared::ids::{MessageId, SessionId, WidgetId};
use banter_shared::message::{Message, MessageStatus, Role};
use banter_shared::session::EndReason;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::LazyLock;

/// The columns [`message`] reads, in its order.
pub(super) const MESSAGE_COLUMNS: &str =
    "id, role, text, status, attempt, created_at, sources, error";

/// Reads one message from a row of [`MESSAGE_COLUMNS`].
pub(super) fn message(row: &Row) -> Result<Message> {
    let error = row.optional_text(7)?;
    Ok(Message {
        id: MessageId(row.text(0)?),
        role: from_name("role", row.str(1)?)?,
        text: row.text(2)?,
        status: from_name("message status", row.str(3)?)?,
        attempt: row.small(4)?,
        created_at: row.number(5)?,
        sources: match row.str(6)? {
            // Most messages name none.
            "[]" => Vec::new(),
            named => from_json("list of sources", named)?,
        },
        error: error.map(|json| from_json("error", &json)).transpose()?,
    })
}

/// Every message of a session, oldest first.
pub(super) fn messages(tx: &mut dyn Transaction, session: &SessionId) -> Result<Vec<Message>> {
    Ok(said(tx, session)?.into_iter().map(|(message, _)| message).collect())
}

/// Every message of a session, oldest first, each with the server that writes it.
///
/// Put in order here: the databases would copy every message once more for that.
pub(super) fn said(
    tx: &mut dyn Transaction,
    session: &SessionId,
) -> Result<Vec<(Message, Option<String>)>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {MESSAGE_COLUMNS}, writer, position FROM messages WHERE session_id = $1")
    });
    let mut said = Vec::new();
    tx.each(&SQL, args![session.as_str()], &mut |row| {
        said.push((row.int(9)?, message_and_writer(row)?));
        Ok(())
    })?;
    said.sort_unstable_by_key(|(position, _)| *position);
    Ok(said.into_iter().map(|(_, message)| message).collect())
}

/// Whether another server than `node` is writing a message.
pub(super) fn is_elsewhere((message, writer): &(Message, Option<String>), node: &str) -> bool {
    message.status == MessageStatus::Streaming && writer.as_ref().is_some_and(|by| by != node)
}

/// One message of a session, and the server that writes it.
pub(super) fn find_message(
    tx: &mut dyn Transaction,
    session: &SessionId,
    id: &MessageId,
) -> Result<Option<(Message, Option<String>)>> {
    let sql =
        format!("SELECT {MESSAGE_COLUMNS}, writer FROM messages WHERE session_id = $1 AND id = $2");
    let row = tx.first(&sql, args![session.as_str(), id.as_str()])?;
    row.as_ref().map(message_and_writer).transpose()
}

fn message_and_writer(row: &Row) -> Result<(Message, Option<String>)> {
    Ok((message(row)?, row.optional_text(8)?))
}

/// Stores messages that nobody writes any more at the end of their session.
pub(super) fn insert_messages(
    tx: &mut dyn Transaction,
    session: &SessionId,
    new: &[Message],
) -> Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let mut sql = "INSERT INTO messages (session_id, id, role, text, status, attempt, created_at,
                          sources, error) VALUES "
        .to_owned();
    let mut values = vec![Value::from(session.as_str())];
    for (number, message) in new.iter().enumerate() {
        let error = message.error.as_ref().map(to_json).transpose()?;
        sql.push_str(if number == 0 { "($1" } else { ", ($1" });
        for own in args![
            message.id.as_str(),
            role_name(message.role),
            &message.text,
            status_name(message.status),
            message.attempt,
            message.created_at,
            to_json(&message.sources)?,
            error,
        ] {
            values.push(own.clone());
            sql.push_str(&format!(", ${}", values.len()));
        }
        sql.push(')');
    }
    tx.execute(&sql, &values)?;
    Ok(())
}

/// The columns [`session`] reads, in its order.
pub(super) const SESSION_COLUMNS: &str =
    "sessions.id, sessions.organization_id, sessions.widget_id, sessions.provider,
     sessions.provider_session, sessions.status, sessions.created_at, sessions.active_at,
     sessions.last_activity_at, sessions.inactive_after_ms, sessions.expires_at,
     sessions.leave_at, sessions.leave_reason, sessions.ended_at, sessions.end_reason,
     sessions.continues, sessions.finalized_at";

/// How many columns those are.
pub(super) const SESSION_WIDTH: usize = 17;

/// Reads one session from a row of [`SESSION_COLUMNS`].
pub(super) fn session(row: &Row) -> Result<SessionRecord> {
    let instant_and_reason = |at: usize| -> Result<Option<(u64, EndReason)>> {
        match (row.optional_number(at)?, row.optional_text(at + 1)?) {
            (Some(at), Some(reason)) => Ok(Some((at, from_name("end reason", &reason)?))),
            _ => Ok(None),
        }
    };
    let leaving = instant_and_reason(11)?.map(|(due_at, reason)| Leaving { due_at, reason });
    Ok(SessionRecord {
        id: SessionId(row.text(0)?),
        organization: row.text(1)?,
        widget_id: WidgetId(row.text(2)?),
        provider: ProviderName::parse(row.str(3)?).ok_or(StoreError::Column(3))?,
        provider_session: row.optional_text(4)?,
        phase: phase(row.str(5)?).ok_or(StoreError::Column(5))?,
        created_at: row.number(6)?,
        active_at: row.optional_number(7)?,
        last_activity_at: row.number(8)?,
        inactive_after_ms: row.number(9)?,
        expires_at: row.number(10)?,
        leaving,
        ended: instant_and_reason(13)?,
        continues: row.optional_text(15)?.map(SessionId),
        finalized_at: row.optional_number(16)?,
    })
}

fn phase(name: &str) -> Option<Phase> {
    Phase::NAMES.iter().find(|(known, _)| *known == name).map(|(_, phase)| *phase)
}

/// A session, without its messages.
pub(super) fn find_session(
    tx: &mut dyn Transaction,
    id: &SessionId,
) -> Result<Option<SessionRecord>> {
    let sql = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE id = $1");
    tx.first(&sql, args![id.as_str()])?.as_ref().map(session).transpose()
}

/// A session that is about to be changed: nobody else changes it before this transaction ends.
pub(super) fn lock_session(
    tx: &mut dyn Transaction,
    id: &SessionId,
) -> Result<Option<SessionRecord>> {
    static SQL: LazyLock<String> = LazyLock::new(|| lock_session_and(""));
    tx.first(&SQL, args![id.as_str()])?.as_ref().map(session).transpose()
}

/// The statement that does so; its row says besides what `columns` say, from number
/// [`SESSION_WIDTH`] on.
pub(super) fn lock_session_and(columns: &str) -> String {
    format!("SELECT {SESSION_COLUMNS}{columns} FROM sessions WHERE id = $1 FOR UPDATE")
}

/// Lets one transaction at a time count what an organization has and add to it: two cannot both make
/// the last one. Whoever only names the organization, as every message does, is not kept waiting.
pub(super) fn lock_organization(tx: &mut dyn Transaction, id: &str) -> Result<()> {
    let sql = "SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE";
    tx.first(sql, args![id]).map(drop)
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
pub(super) fn from_name<T: DeserializeOwned>(what: &'static str, name: &str) -> Result<T> {
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
    use super::{from_name, phase, role_name, status_name};
    use crate::domain::session::Phase;
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
        for (name, known) in Phase::NAMES {
            assert_eq!((phase(name), known.name()), (Some(known), name));
        }
    }
}
