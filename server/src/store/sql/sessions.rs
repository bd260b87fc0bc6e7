//! Conversations: opened, read, ended.

use super::super::{Conversation, NewSession, Result, SessionRepository, ToClose};
use super::finalize::MAX_DOUBLINGS;
use super::lifecycle::{happen, look_later};
use super::provider_events::lock_provider_session;
use super::rows::{
    SESSION_COLUMNS, SESSION_WIDTH, find_session, from_json, insert_messages, is_elsewhere,
    lock_session, messages, said, session,
};
use super::{SqlStore, Transaction, args, provider_sessions, timeline};
use crate::domain::assistant::Assistant;
use crate::domain::provider_session::Standing;
use crate::domain::session::{Change, Happening, Phase, SessionRecord, runs_out};
use async_trait::async_trait;
use banter_shared::ids::SessionId;
use banter_shared::message::{Message, MessageStatus};
use serde_json::json;

/// How many sessions back a conversation is carried on: bounds what a model is shown and what a
/// page loads.
const MAX_EARLIER: usize = 5;

#[async_trait]
impl SessionRepository for SqlStore {
    async fn create_session(
        &self,
        session: NewSession,
        opening: Vec<Message>,
    ) -> Result<Option<SessionRecord>> {
        self.write(move |tx| create(tx, &session, &opening)).await
    }

    async fn conversation(&self, id: &SessionId) -> Result<Option<Conversation>> {
        let (id, node) = (id.clone(), self.node.clone());
        self.read(move |tx| {
            let Some(session) = find_session(tx, &id)? else { return Ok(None) };
            let said = said(tx, &id)?;
            let elsewhere = said.iter().find(|said| is_elsewhere(said, &node));
            let elsewhere = elsewhere.map(|(message, _)| message.id.clone());
            let messages = said.into_iter().map(|(message, _)| message).collect();
            let earlier = earlier(tx, &session)?;
            Ok(Some(Conversation { session, messages, earlier, elsewhere }))
        })
        .await
    }

    async fn happen(
        &self,
        id: &SessionId,
        happening: Happening,
        now: u64,
    ) -> Result<Option<(SessionRecord, Change)>> {
        let id = id.clone();
        if happening == Happening::Seen {
            // Pages are loaded much more often than they take a leaving back, and nothing else comes
            // of it: most of the time there is nothing to write.
            let found = {
                let id = id.clone();
                self.read(move |tx| find_session(tx, &id)).await?
            };
            match found {
                Some(session) if session.leaving.is_some() => {}
                found => return Ok(found.map(|session| (session, Change::None))),
            }
        }
        self.write(move |tx| {
            let opened = match &happening {
                Happening::Opened { id, .. } => Some(id),
                _ => None,
            };
            if let Some(provider_session) = opened {
                // Before the row, as whoever takes in what the provider says of it does.
                lock_provider_session(tx, provider_session)?;
            }
            let Some(mut session) = lock_session(tx, &id)? else { return Ok(None) };
            let happening = happening.clone();
            let change = match opened {
                Some(opened) => provider_sessions::learn(tx, &mut session, opened, happening, now)?,
                None => happen(tx, &mut session, happening, now)?,
            };
            Ok(Some((session, change)))
        })
        .await
    }

    async fn end_due(&self, now: u64, limit: u32) -> Result<usize> {
        self.write(move |tx| {
            let sql = format!(
                "SELECT {SESSION_COLUMNS} FROM sessions WHERE due_at <= $1 ORDER BY due_at LIMIT $2
                 FOR UPDATE SKIP LOCKED"
            );
            let due = tx.query(&sql, args![now, limit])?;
            for row in &due {
                let mut session = session(row)?;
                if happen(tx, &mut session, Happening::Tick, now)? == Change::None {
                    look_later(tx, &session)?;
                }
            }
            Ok(due.len())
        })
        .await
    }

    async fn claim_closing(&self, now: u64, patience_ms: u64, limit: u32) -> Result<Vec<ToClose>> {
        self.write(move |tx| {
            let sql = format!(
                "SELECT {SESSION_COLUMNS}, attempts FROM sessions
                 WHERE attend_at <= $1 AND status = 'ending'
                 ORDER BY attend_at LIMIT $2 FOR UPDATE SKIP LOCKED"
            );
            let mut claimed = Vec::new();
            for row in tx.query(&sql, args![now, limit])? {
                let (session, attempts) = (session(&row)?, row.small(SESSION_WIDTH)?);
                let wait = patience_ms << attempts.min(MAX_DOUBLINGS);
                tx.execute(
                    "UPDATE sessions SET attend_at = $2, attempts = attempts + 1 WHERE id = $1",
                    args![session.id.as_str(), now + wait],
                )?;
                let provider_sessions = provider_sessions::of(tx, &session)?
                    .into_iter()
                    .filter(|one| one.standing == Standing::Open)
                    .map(|one| one.id)
                    .collect();
                let Some(assistant) = assistant_of(tx, session.id.as_str())? else { continue };
                claimed.push(ToClose {
                    session: session.id,
                    provider_sessions,
                    assistant,
                    attempts,
                });
            }
            Ok(claimed)
        })
        .await
    }

    async fn close_provider_session(
        &self,
        session: &SessionId,
        provider_session: &str,
        standing: Standing,
        now: u64,
    ) -> Result<()> {
        let (session, provider_session) = (session.clone(), provider_session.to_owned());
        self.write(move |tx| {
            let Some(mut session) = lock_session(tx, &session)? else { return Ok(()) };
            let mut all = provider_sessions::of(tx, &session)?;
            let open = all
                .iter_mut()
                .find(|one| one.id == provider_session && one.standing == Standing::Open);
            let Some(one) = open else { return Ok(()) };
            one.standing = standing;
            let one = one.clone();
            provider_sessions::save(tx, &session, &one)?;
            provider_sessions::over(tx, &mut session, &one, &all, now)
        })
        .await
    }
}

/// A session's column, as it were: the definition of the assistant that answers its chats.
pub(super) const ASSISTANT: &str = "(SELECT assistants.definition FROM widgets JOIN assistants
     ON assistants.id = coalesce(widgets.chat_assistant_id, widgets.assistant_id)
     WHERE widgets.id = sessions.widget_id)";

/// The assistant that answers a session's chats. `None` also for one that a newer server declared and
/// this one cannot read: a single session must not keep the others of a round from theirs.
pub(super) fn assistant_of(tx: &mut dyn Transaction, session: &str) -> Result<Option<Assistant>> {
    let sql = format!("SELECT {ASSISTANT} FROM sessions WHERE id = $1");
    let row = tx.first(&sql, args![session])?;
    let Some(definition) = row.map_or(Ok(None), |row| row.optional_text(0))? else {
        return Ok(None);
    };
    let assistant = from_json("assistant", &definition);
    if let Err(error) = &assistant {
        let error = error as &dyn std::error::Error;
        tracing::error!(session, error, "a session's provider cannot be asked or told");
    }
    Ok(assistant.ok())
}

fn create(
    tx: &mut dyn Transaction,
    new: &NewSession,
    opening: &[Message],
) -> Result<Option<SessionRecord>> {
    let (due_at, _) = runs_out(new.expires_at, new.created_at, new.inactive_after_ms);
    let sql = format!(
        "INSERT INTO sessions (id, organization_id, widget_id, campaign_id, account_id, channel,
                provider, status, created_at, last_activity_at, inactive_after_ms, expires_at, due_at,
                continues, page_origin, language)
         SELECT $1, widgets.organization_id, widgets.id, widgets.campaign_id, campaigns.account_id,
                'chat', $2, $3, $4, $4, $5, $6, $7, $8, $9, $10
         FROM widgets LEFT JOIN campaigns ON campaigns.id = widgets.campaign_id
         WHERE widgets.id = $11 RETURNING {SESSION_COLUMNS}"
    );
    let stored = tx.first(
        &sql,
        args![
            new.id.as_str(),
            new.provider.name(),
            Phase::Pending.name(),
            new.created_at,
            new.inactive_after_ms,
            new.expires_at,
            due_at,
            new.continues.as_ref().map(SessionId::as_str),
            &new.page_origin,
            new.language.as_ref(),
            new.widget_id.as_str(),
        ],
    )?;
    let Some(session) = stored.as_ref().map(session).transpose()? else { return Ok(None) };
    insert_messages(tx, &session.id, opening)?;
    let detail = json!({ "pageOrigin": new.page_origin, "continues": session.continues });
    timeline::note(tx, &session.id, session.created_at, "created", &detail)?;
    Ok(Some(session))
}

/// What was said in the sessions that `session` carries on, oldest first; finished messages only.
pub(super) fn earlier(tx: &mut dyn Transaction, session: &SessionRecord) -> Result<Vec<Message>> {
    let mut all = Vec::new();
    let mut next = session.continues.clone();
    for _ in 0..MAX_EARLIER {
        let Some(id) = next else { break };
        let Some(before) = find_session(tx, &id)? else { break };
        let mut said = messages(tx, &id)?;
        said.retain(|message| message.status != MessageStatus::Streaming);
        all.splice(0..0, said);
        next = before.continues;
    }
    Ok(all)
}
