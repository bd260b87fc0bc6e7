//! A session's life after it was opened: signs of life, leaving, ending, and what the clock ends.

use super::{Refusal, tokens::Claims};
use crate::clock::Clock;
use crate::domain::provider_session::Standing;
use crate::domain::session::Happening;
use crate::domain::widget::LeaveRules;
use crate::providers::{Provider, in_time};
use crate::store::{Store, ToClose};
use crate::tasks::{repeat, work_off};
use banter_shared::ids::SessionId;
use banter_shared::session::{EndReason, Session};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// How many sessions are ended in one transaction: bounds how long it lasts.
const BATCH: u32 = 100;

/// How many sessions' providers are told at once, a quarter of them by way of one connection.
const TOLD_AT_ONCE: u32 = 64;

/// How long after an attempt to tell a provider the next one may be made, in milliseconds; each wait
/// is twice the one before. The first is longer than an attempt may take.
const CLOSING_PATIENCE_MS: u64 = 60_000;

/// After how many failures, in about two hours, a provider that cannot be told is left alone: its
/// session expires there.
const MAX_CLOSING_ATTEMPTS: u32 = 8;

/// What happens to sessions. Clones share everything.
#[derive(Clone)]
pub struct Lifecycle {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// Who is told of an end.
    pub provider: Arc<dyn Provider>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Lifecycle {
    /// The visitor typed, or came back.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when the session is gone, or the store's failure.
    pub async fn stir(&self, session: &SessionId) -> Result<Session, Refusal> {
        self.happen(session, Happening::Stirred).await
    }

    /// The page was loaded again.
    ///
    /// # Errors
    /// The same.
    pub async fn seen(&self, session: &SessionId) -> Result<Session, Refusal> {
        self.happen(session, Happening::Seen).await
    }

    /// The visitor ends the session or left; the widget's rules say what leaving means.
    ///
    /// # Errors
    /// The same.
    pub async fn leave(&self, claims: &Claims, reason: EndReason) -> Result<Session, Refusal> {
        let rules = match self.store.widget(&claims.widget).await? {
            Some((widget, _)) => widget.settings.leave,
            None => LeaveRules::default(),
        };
        let happening = match rules.grace_ms(reason) {
            None => Happening::Tick,
            Some(0) => Happening::End(reason),
            Some(grace_ms) => Happening::Left { reason, grace_ms },
        };
        self.happen(&claims.session, happening).await
    }

    /// Ends a session now.
    ///
    /// # Errors
    /// The same.
    pub async fn end(&self, session: &SessionId, reason: EndReason) -> Result<Session, Refusal> {
        self.happen(session, Happening::End(reason)).await
    }

    async fn happen(&self, session: &SessionId, happening: Happening) -> Result<Session, Refusal> {
        let now = self.clock.now_ms();
        let happened = self.store.happen(session, happening, now).await?;
        let (record, _) = happened.ok_or(Refusal::NotFound("session"))?;
        Ok(record.seen_at(now))
    }

    /// For as long as the server runs: shows that it lives, writes down what the clock ended, and
    /// tells providers, none of which waits for another. Any number of servers may do this on one
    /// database.
    pub async fn keep(self) {
        tokio::join!(
            repeat(TICK, "this server could not show that it lives", || self.beat()),
            repeat(TICK, "what the clock ended could not be written down", || self.end_due()),
            repeat(TICK, "providers could not be told of an end", || self.tell()),
        );
    }

    /// Shows the other servers that this one lives.
    async fn beat(&self) -> crate::store::Result<usize> {
        self.store.beat(self.clock.now_ms()).await
    }

    /// Writes down what the clock ended by now.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn end_due(&self) -> crate::store::Result<()> {
        while self.store.end_due(self.clock.now_ms(), BATCH).await? == BATCH as usize {}
        Ok(())
    }

    /// Tells providers which of their sessions are over. A connection that hangs holds up no other.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn tell(&self) -> crate::store::Result<()> {
        let claim = |free| self.store.claim_closing(self.clock.now_ms(), CLOSING_PATIENCE_MS, free);
        let whose = |ending: &ToClose| ending.assistant.connection().map(str::to_owned);
        work_off(TOLD_AT_ONCE, claim, whose, |ending| self.close(ending)).await
    }

    /// Tells a provider that a session is over, with all that it opened for it. What cannot be told now
    /// is tried again, whatever the reason: a key that is wrong today may be right in an hour.
    async fn close(&self, ending: ToClose) -> crate::store::Result<()> {
        let told = ending.provider_sessions.iter().map(|one| self.close_one(&ending, one));
        join_all(told).await.into_iter().collect()
    }

    async fn close_one(
        &self,
        ending: &ToClose,
        provider_session: &str,
    ) -> crate::store::Result<()> {
        let told = in_time(self.provider.close(&ending.assistant, provider_session)).await;
        let standing = match told {
            Ok(()) => Standing::Closed,
            Err(error) => {
                tracing::warn!(
                    session = %ending.session,
                    attempts = ending.attempts + 1,
                    error = &error as &dyn std::error::Error,
                    "the provider could not be told that a session is over"
                );
                if ending.attempts + 1 < MAX_CLOSING_ATTEMPTS {
                    return Ok(());
                }
                Standing::Untold
            }
        };
        let now = self.clock.now_ms();
        self.store.close_provider_session(&ending.session, provider_session, standing, now).await
    }
}
