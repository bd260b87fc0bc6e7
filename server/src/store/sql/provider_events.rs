//! Events of providers: each content stored once, matched to its session and applied, all in one
//! transaction.
//!
//! An event may come before we know that its session is ours: the provider's answer to "open" and
//! its webhook race each other. Such an event waits in its row until the session learns the
//! provider's id ([`apply_waiting`]). Both sides take the lock of that id before they look, so that
//! neither overlooks the other, and before they lock a row, so that neither waits for the other.

mod transcript;
mod whose;

pub(super) use whose::lock_provider_session;

use super::super::provider_events::{Delivered, NewProviderEvent, Outcome, Unconfirmed};
use super::super::{ProviderEventRepository, Result, WebhookTarget};
use super::finalize::{claim_unconfirmed, finalize, finalize_ended, settle};
use super::lifecycle::{happen, move_end};
use super::provider_sessions;
use super::rows::{from_json, to_json};
use super::{SqlStore, Transaction, args, timeline};
use crate::domain::minutes::Rule;
use crate::domain::provider::ProviderName;
use crate::domain::provider_event::{Completion, ProviderEvent};
use crate::domain::provider_session::{Settlement, Standing, is_settled, tells};
use crate::domain::session::{Happening, Phase, SessionRecord};
use async_trait::async_trait;
use banter_shared::ids::{SessionId, WidgetId};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// The one provider that sends events so far.
const PROVIDER: ProviderName = ProviderName::Vapi;

#[async_trait]
impl ProviderEventRepository for SqlStore {
    async fn webhook_target(&self, path: &str) -> Result<Option<WebhookTarget>> {
        let path = path.to_owned();
        self.read(move |tx| {
            let row = tx.first(
                "SELECT id, NULL FROM organizations WHERE webhook_path = $1
                 UNION ALL SELECT organization_id, id FROM widgets WHERE webhook_path = $1",
                args![&path],
            )?;
            let Some(row) = row else { return Ok(None) };
            let widget = row.optional_text(1)?.map(WidgetId);
            Ok(Some(WebhookTarget { organization: row.text(0)?, widget }))
        })
        .await
    }

    async fn webhook_path(&self, organization: &str) -> Result<Option<String>> {
        let organization = organization.to_owned();
        self.read(move |tx| {
            let sql = "SELECT webhook_path FROM organizations WHERE id = $1";
            let row = tx.first(sql, args![&organization])?;
            Ok(row.map(|row| row.optional_text(0)).transpose()?.flatten())
        })
        .await
    }

    async fn record_event(&self, event: NewProviderEvent) -> Result<Delivered> {
        self.write(move |tx| record(tx, &event)).await
    }

    async fn prune_unclaimed_events(&self, before: u64, limit: u32) -> Result<usize> {
        // Found on a reader's connection: on SQLite's only writer a visitor's message would wait.
        let found = self
            .read(move |tx| {
                let sql = format!(
                    "SELECT organization_id, digest FROM provider_events
                     WHERE {UNCLAIMED} AND received_at < $1 ORDER BY received_at LIMIT $2"
                );
                let rows = tx.query(&sql, args![before, limit])?;
                rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect::<Result<Vec<_>>>()
            })
            .await?;
        if found.is_empty() {
            return Ok(0);
        }
        self.write(move |tx| {
            let sql = format!(
                "DELETE FROM provider_events
                 WHERE organization_id = $1 AND digest = $2 AND {UNCLAIMED}"
            );
            for (organization, digest) in &found {
                tx.execute(&sql, args![organization, digest])?;
            }
            Ok(found.len())
        })
        .await
    }

    async fn finalize_ended(
        &self,
        rule: Rule,
        now: u64,
        patience_ms: u64,
        limit: u32,
    ) -> Result<usize> {
        self.write(move |tx| finalize_ended(tx, &rule, now, patience_ms, limit)).await
    }

    async fn claim_unconfirmed(
        &self,
        now: u64,
        patience_ms: u64,
        limit: u32,
    ) -> Result<Vec<Unconfirmed>> {
        self.write(move |tx| claim_unconfirmed(tx, now, patience_ms, limit)).await
    }

    async fn settle(
        &self,
        session: &SessionId,
        provider_session: &str,
        settlement: Settlement,
        rule: Rule,
        now: u64,
    ) -> Result<bool> {
        let (session, provider_session) = (session.clone(), provider_session.to_owned());
        self.write(move |tx| settle(tx, &session, &provider_session, settlement, &rule, now)).await
    }
}

/// Events that no log took note of and whose session, if they name one, has no log; also none of an older
/// server's.
const UNCLAIMED: &str = "outcome IN ('waiting', 'ignored')
    AND NOT EXISTS (SELECT 1 FROM provider_sessions AS one
        WHERE one.provider = provider_events.provider AND one.id = provider_events.provider_session)
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.provider = provider_events.provider
        AND sessions.provider_session = provider_events.provider_session)";

/// What is kept of an event: what it was understood to say, beside its body, of which a part may
/// have been cut.
#[derive(Deserialize)]
struct Kept {
    event: ProviderEvent,
    body: Json,
}

fn record(tx: &mut dyn Transaction, new: &NewProviderEvent) -> Result<Delivered> {
    let event = &new.event;
    // The first statement, so that of many identical deliveries all but one end here.
    let stored = tx.execute(
        "INSERT INTO provider_events (organization_id, digest, provider, kind, provider_session,
                received_at, body, outcome)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'ignored')
         ON CONFLICT (organization_id, digest) DO NOTHING",
        args![
            &new.target.organization,
            &new.digest,
            PROVIDER.name(),
            &event.name,
            event.provider_session.as_ref(),
            new.now,
            to_json(&json!({ "event": event, "body": new.body }))?,
        ],
    )?;
    if stored == 0 {
        return Ok(Delivered::Again);
    }
    if !event.concerns_a_log() {
        return Ok(Delivered::Stored(Outcome::Ignored));
    }
    let outcome = match whose::find(tx, new)? {
        None => Outcome::Waiting,
        Some(mut session) => {
            apply(tx, &mut session, event, &new.digest, &new.body, new.now)?;
            // The last one to be completed, by this event or by one that had waited for it.
            let settled = session.ended.is_some()
                && is_settled(&provider_sessions::of(tx, &session)?)
                && finalize(tx, &mut session, &new.rule, new.now)?;
            if settled { Outcome::Finalized } else { Outcome::Applied }
        }
    };
    tx.execute(
        "UPDATE provider_events SET outcome = $3 WHERE organization_id = $1 AND digest = $2",
        args![&new.target.organization, &new.digest, outcome.name()],
    )?;
    Ok(Delivered::Stored(outcome))
}

/// Applies events that came before their session was known by the provider's `id`, whose lock this
/// transaction holds. One of them may complete it; unless the caller finalises it, the next round of
/// `finalize_ended` does.
pub(super) fn apply_waiting(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    id: &str,
    now: u64,
) -> Result<()> {
    if session.provider != PROVIDER {
        return Ok(());
    }
    let rows = tx.query(
        "SELECT digest, body FROM provider_events
         WHERE provider = $1 AND provider_session = $2 AND organization_id = $3
           AND outcome = 'waiting'",
        args![PROVIDER.name(), id, &session.organization],
    )?;
    let mut waiting = Vec::new();
    for row in rows {
        let kept: Kept = from_json("provider's event", row.str(1)?)?;
        waiting.push((kept.event.at, row.text(0)?, kept));
    }
    // In an order that is theirs: in which they came says nothing.
    waiting.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    for (_, digest, Kept { event, body }) in waiting {
        apply(tx, session, &event, &digest, &body, now)?;
        tx.execute(
            "UPDATE provider_events SET outcome = $3 WHERE organization_id = $1 AND digest = $2",
            args![&session.organization, &digest, Outcome::Applied.name()],
        )?;
    }
    Ok(())
}

/// Applies an event to the session it is about, whose row this transaction has locked.
fn apply(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    event: &ProviderEvent,
    digest: &str,
    body: &Json,
    now: u64,
) -> Result<()> {
    let detail = json!({ "type": event.name, "chat": event.chat, "at": event.at });
    timeline::note(tx, &session.id, now, "provider_event", &detail)?;
    // There is no update, chat or end without a beginning, whatever became of its event.
    if session.phase == Phase::Pending {
        happen(tx, session, Happening::Began, now)?;
    }
    let Some(completion) = event.completion(digest, body, now) else { return Ok(()) };
    // Said of our session by its name alone, it is about the one it is led in.
    let id = event.provider_session.clone().or_else(|| session.provider_session.clone());
    let Some(id) = id else {
        let at = completion.at.max(session.last_activity_at).min(now);
        return happen(tx, session, Happening::ProviderClosed, at).map(drop);
    };
    complete(tx, session, &id, &completion, now)
}

/// Applies the completion of one of the provider's sessions. Once ours is settled nothing of it changes
/// any more but that there is one less to close: a bill stands.
fn complete(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    id: &str,
    completion: &Completion,
    now: u64,
) -> Result<()> {
    let mut all = provider_sessions::of(tx, session)?;
    let Some(one) = all.iter_mut().find(|one| one.id == id) else { return Ok(()) };
    let before = one.completed.as_ref().map(|completed| completed.at);
    let decides = if session.finalized_at.is_some() {
        one.standing = Standing::Closed;
        false
    } else {
        one.complete(completion)
    };
    let one = one.clone();
    provider_sessions::save(tx, session, &one)?;
    if decides {
        provider_sessions::show_total(tx, session, &all)?;
        if tells(&all, id) {
            transcript::keep(tx, session, completion)?;
        }
        if let Some(before) = before {
            move_end(tx, session, id, before, completion.at)?;
        }
    }
    provider_sessions::over(tx, session, &one, &all, now)
}
