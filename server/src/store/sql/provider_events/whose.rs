//! Whose session an event is about: one that we opened, one that began elsewhere, or one that we do
//! not know yet.

use super::super::super::{NewProviderEvent, Result};
use super::super::lifecycle::happen;
use super::super::rows::lock_session;
use super::super::{Dialect, Transaction, args, provider_sessions, timeline};
use super::{PROVIDER, apply_waiting};
use crate::domain::provider_event::Kind;
use crate::domain::session::{Happening, Phase, SessionRecord};
use banter_shared::ids::{SessionId, WidgetId};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The session an event is about, locked; made if it began elsewhere, in a widget of ours.
///
/// The lock of the provider's id comes before the row's, and one row is all that is locked: so does
/// whoever learns the id (`SessionRepository::happen`).
pub(super) fn find(
    tx: &mut dyn Transaction,
    new: &NewProviderEvent,
) -> Result<Option<SessionRecord>> {
    let (event, organization) = (&new.event, &new.target.organization);
    let is_ours = |session: &SessionRecord| {
        session.provider == PROVIDER && session.organization == *organization
    };
    if let Some(id) = &event.provider_session {
        lock_provider_session(tx, id)?;
        if let Some(session) = provider_sessions::whose(tx, PROVIDER, id)? {
            return Ok(Some(session).filter(is_ours));
        }
    }
    let named = match &event.session_name {
        Some(name) => lock_session(tx, &SessionId(name.clone()))?.filter(is_ours),
        None => None,
    };
    match (named, &event.provider_session, &new.target.widget) {
        (Some(session), None, _) => Ok(Some(session)),
        // Ours by its name and not yet by its id: we are about to be told it, or the answer in which we
        // would have been was lost.
        (Some(mut session), Some(id), _) => {
            let heard = Happening::Heard(id.clone());
            provider_sessions::learn(tx, &mut session, id, heard, new.now)?;
            Ok(Some(session))
        }
        (None, Some(id), Some(widget)) if event.kind == Kind::SessionCreated => {
            create(tx, new, widget, id)
        }
        (None, ..) => Ok(None),
    }
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
    apply_waiting(tx, &mut session, provider_session, new.now)?;
    Ok(Some(session))
}

/// Waits for whoever else works on the provider's session of this id, until the transaction ends.
/// The lock is of the id, not of a row, because there may be no row yet. SQLite has one writer and
/// needs none.
pub(in super::super) fn lock_provider_session(tx: &mut dyn Transaction, id: &str) -> Result<()> {
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
