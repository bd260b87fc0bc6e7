//! Events of providers: each content stored once, matched to its session and applied, all in one
//! transaction.
//!
//! An event may come before we know that its session is ours: the provider's answer to "open" and
//! its webhook race each other. Such an event waits in its row until the session learns the
//! provider's id ([`apply_waiting`]). Both sides take the lock of that id before they look, so that
//! neither overlooks the other.

use super::super::provider_events::{Delivered, NewProviderEvent, Outcome, Said, Unconfirmed};
use super::super::{ProviderEventRepository, Result, Settlement, WebhookTarget};
use super::finalize::{claim_unconfirmed, complete, finalize, finalize_ended, settle};
use super::lifecycle::happen;
use super::rows::{SESSION_COLUMNS, from_json, lock_session, session as read_session, to_json};
use super::{Dialect, SqlStore, Transaction, args, timeline};
use crate::domain::minutes::Rule;
use crate::domain::provider::ProviderName;
use crate::domain::provider_event::{Facts, Kind, ProviderEvent};
use crate::domain::session::{Happening, Phase, SessionRecord};
use async_trait::async_trait;
use banter_shared::ids::{SessionId, WidgetId};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

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
        settlement: Settlement,
        rule: Rule,
        now: u64,
    ) -> Result<bool> {
        let session = session.clone();
        self.write(move |tx| settle(tx, &session, settlement, &rule, now)).await
    }
}

/// Events that no log took note of and whose session, if they name one, has no log.
const UNCLAIMED: &str = "outcome IN ('waiting', 'ignored') AND NOT EXISTS (
    SELECT 1 FROM sessions WHERE sessions.provider = provider_events.provider
        AND sessions.provider_session = provider_events.provider_session)";

/// What is kept of an event: what it was understood to say, beside its body, of which a part may
/// have been cut.
#[derive(Deserialize)]
struct Kept {
    event: ProviderEvent,
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
    let outcome = match find(tx, new)? {
        None => Outcome::Waiting,
        Some(mut session) => {
            apply(tx, &mut session, event, new.now)?;
            // Completed by this event, or by one that had waited for it.
            let completed = session.finalized_at.is_none() && known(tx, &session)?.completed;
            if completed && finalize(tx, &mut session, &new.rule, new.now)? {
                Outcome::Finalized
            } else {
                Outcome::Applied
            }
        }
    };
    tx.execute(
        "UPDATE provider_events SET outcome = $3 WHERE organization_id = $1 AND digest = $2",
        args![&new.target.organization, &new.digest, outcome.name()],
    )?;
    Ok(Delivered::Stored(outcome))
}

/// The session an event is about, locked; made if it began elsewhere, in a widget of ours.
fn find(tx: &mut dyn Transaction, new: &NewProviderEvent) -> Result<Option<SessionRecord>> {
    let (event, organization) = (&new.event, &new.target.organization);
    let is_ours = |session: &SessionRecord| {
        session.provider == PROVIDER && session.organization == *organization
    };
    // By the name first: its row's lock orders this against whoever learns the provider's id.
    let named = match &event.session_name {
        Some(name) => lock_session(tx, &SessionId(name.clone()))?.filter(is_ours),
        None => None,
    };
    let Some(provider_session) = &event.provider_session else { return Ok(named) };
    lock_provider_session(tx, provider_session)?;
    if let Some(session) = by_provider_session(tx, provider_session)?.filter(is_ours) {
        return Ok(Some(session));
    }
    // A session that has another id is another session, whatever this one is called.
    if let Some(mut session) = named.filter(|session| session.provider_session.is_none()) {
        happen(tx, &mut session, Happening::Opened(provider_session.clone()), new.now)?;
        return Ok(Some(session));
    }
    match &new.target.widget {
        Some(widget) if event.kind == Kind::SessionCreated => {
            create(tx, new, widget, provider_session)
        }
        _ => Ok(None),
    }
}

fn by_provider_session(tx: &mut dyn Transaction, id: &str) -> Result<Option<SessionRecord>> {
    let sql = format!(
        "SELECT {SESSION_COLUMNS} FROM sessions WHERE provider = $1 AND provider_session = $2
         FOR UPDATE"
    );
    tx.first(&sql, args![PROVIDER.name(), id])?.as_ref().map(read_session).transpose()
}

/// Begins the log of a session that our widget did not open: somebody else's client talks to the
/// same assistant (seed 000: `session.created` creates the log). Only its provider knows when its
/// visitor is inactive, so nothing but expiry ends it here.
fn create(
    tx: &mut dyn Transaction,
    new: &NewProviderEvent,
    widget: &WidgetId,
    provider_session: &str,
) -> Result<Option<SessionRecord>> {
    let began = new.event.began_at.unwrap_or(new.now).min(new.now);
    tx.execute(
        "INSERT INTO sessions (id, organization_id, widget_id, campaign_id, account_id, channel,
                provider, provider_session, status, created_at, last_activity_at,
                inactive_after_ms, expires_at, due_at)
         SELECT $1, widgets.organization_id, widgets.id, widgets.campaign_id, campaigns.account_id,
                'chat', $2, $3, $4, $5, $5, $6, $7, $7
         FROM widgets LEFT JOIN campaigns ON campaigns.id = widgets.campaign_id
         WHERE widgets.id = $8
         ON CONFLICT DO NOTHING",
        args![
            new.new_session.as_str(),
            PROVIDER.name(),
            provider_session,
            Phase::Pending.name(),
            began,
            new.max_ms,
            began.saturating_add(new.max_ms),
            widget.as_str(),
        ],
    )?;
    let Some(mut session) = lock_session(tx, &new.new_session)? else { return Ok(None) };
    let detail = json!({ "by": PROVIDER.name(), "providerSession": provider_session });
    timeline::note(tx, &session.id, began, "created", &detail)?;
    happen(tx, &mut session, Happening::Began, began)?;
    apply_waiting(tx, &mut session, new.now)?;
    Ok(Some(session))
}

/// Applies events that came before their session was known by the provider's id. One of them may
/// complete it; unless the caller finalises it, the next round of `finalize_ended` does.
pub(super) fn apply_waiting(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    now: u64,
) -> Result<()> {
    let Some(id) = session.provider_session.clone() else { return Ok(()) };
    if session.provider != PROVIDER {
        return Ok(());
    }
    lock_provider_session(tx, &id)?;
    let waiting = tx.query(
        "SELECT digest, body FROM provider_events
         WHERE provider = $1 AND provider_session = $2 AND organization_id = $3
           AND outcome = 'waiting'
         ORDER BY received_at, digest",
        args![PROVIDER.name(), &id, &session.organization],
    )?;
    for row in waiting {
        let kept: Kept = from_json("provider's event", &row.text(1)?)?;
        apply(tx, session, &kept.event, now)?;
        tx.execute(
            "UPDATE provider_events SET outcome = $3 WHERE organization_id = $1 AND digest = $2",
            args![&session.organization, row.text(0)?, Outcome::Applied.name()],
        )?;
    }
    Ok(())
}

/// Applies an event to the session it is about, whose row this transaction has locked.
fn apply(
    tx: &mut dyn Transaction,
    session: &mut SessionRecord,
    event: &ProviderEvent,
    now: u64,
) -> Result<()> {
    let mut facts = known(tx, session)?;
    let news = facts.apply(event, now);
    let detail = json!({ "type": event.name, "chat": event.chat, "at": event.at });
    timeline::note(tx, &session.id, now, "provider_event", &detail)?;
    if news.activated {
        happen(tx, session, Happening::Began, now)?;
    }
    let Some(completion) = news.completed else { return Ok(()) };
    // Of a session that another client led, only the provider knows what was said.
    tx.execute(
        "UPDATE sessions SET visitor_messages = $2 WHERE id = $1 AND visitor_messages = 0",
        args![session.id.as_str(), event.visitor_messages.unwrap_or_default()],
    )?;
    complete(tx, &session.id, Said { completion, source: "webhook" })?;
    let at = completion.at.max(session.last_activity_at).min(now);
    happen(tx, session, Happening::ProviderClosed, at)?;
    Ok(())
}

/// What is known of a session from its provider.
fn known(tx: &mut dyn Transaction, session: &SessionRecord) -> Result<Facts> {
    let sql = "SELECT cost_source FROM sessions WHERE id = $1";
    let row = tx.first(sql, args![session.id.as_str()])?;
    let said = row.map(|row| row.optional_text(0)).transpose()?.flatten().is_some();
    Ok(Facts {
        active: session.phase != Phase::Pending,
        completed: said || session.finalized_at.is_some(),
        deleted: false,
    })
}

/// Waits for whoever else works on the provider's session of this id. The lock is of the id, not of
/// a row, because there may be no row yet. SQLite has one writer and needs none.
fn lock_provider_session(tx: &mut dyn Transaction, id: &str) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        let digest = Sha256::digest(format!("{}\n{id}", PROVIDER.name()));
        let mut key = [0; 8];
        key.copy_from_slice(&digest[..8]);
        tx.query(
            "SELECT CASE WHEN pg_advisory_xact_lock($1) IS NULL THEN 0 ELSE 1 END::BIGINT",
            args![i64::from_be_bytes(key)],
        )?;
    }
    Ok(())
}
