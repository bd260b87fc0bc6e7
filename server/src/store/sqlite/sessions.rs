//! Conversations in SQLite.

use super::super::{Result, SessionRepository};
use super::SqliteStore;
use super::rows::{find_session, insert_message, messages};
use crate::domain::conversation::SessionRecord;
use async_trait::async_trait;
use banter_shared::ids::SessionId;
use banter_shared::message::Message;
use banter_shared::session::EndReason;
use rusqlite::params;

#[async_trait]
impl SessionRepository for SqliteStore {
    async fn create_session(&self, session: &SessionRecord, opening: Vec<Message>) -> Result<bool> {
        let session = session.clone();
        self.writer
            .write(move |transaction| {
                let inserted = transaction
                    .prepare_cached(
                        "INSERT INTO sessions (id, widget_id, channel, created_at, last_activity_at, expires_at)
                         SELECT $1, id, 'chat', $2, $2, $3 FROM widgets WHERE id = $4",
                    )?
                    .execute(params![
                        session.id.as_str(),
                        session.created_at,
                        session.expires_at,
                        session.widget_id.as_str()
                    ])?;
                if inserted == 0 {
                    return Ok(false);
                }
                for message in &opening {
                    insert_message(transaction, &session.id, message)?;
                }
                Ok(true)
            })
            .await
    }

    async fn history(&self, id: &SessionId) -> Result<Option<(SessionRecord, Vec<Message>)>> {
        let id = id.clone();
        self.readers
            .read(move |connection| {
                let Some(session) = find_session(connection, &id)? else { return Ok(None) };
                Ok(Some((session, messages(connection, &id)?)))
            })
            .await
    }

    async fn end_session(
        &self,
        id: &SessionId,
        now: u64,
        reason: EndReason,
    ) -> Result<Option<SessionRecord>> {
        let id = id.clone();
        self.writer
            .write(move |transaction| {
                // Ended once: by whichever comes first, expiry included.
                transaction
                    .prepare_cached(
                        "UPDATE sessions SET ended_at = $1, end_reason = $2
                         WHERE id = $3 AND ended_at IS NULL AND expires_at > $1",
                    )?
                    .execute(params![now, reason.name(), id.as_str()])?;
                find_session(transaction, &id)
            })
            .await
    }
}
