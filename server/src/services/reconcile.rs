//! Settling sessions: what the engine ran at once; what a provider ran when it confirms the end;
//! and when its webhook does not come, by asking. Seed 000 loses such sessions; here every one is
//! logged and counted, and its log says that the webhook seems not to be configured.

use crate::clock::Clock;
use crate::domain::minutes::Rule;
use crate::domain::provider_session::Settlement;
use crate::providers::{ModelError, Provider, in_time};
use crate::store::{Result, Store, Unconfirmed, Unsettled};
use crate::tasks::{repeat, work_off};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// How many sessions are finalised in one transaction: bounds how long it lasts.
const BATCH: u32 = 100;

/// How many sessions' providers are asked at once, a quarter of them by way of one connection.
const ASKED_AT_ONCE: u32 = 64;

/// After how many attempts a session is settled without its provider, in about a day.
const MAX_ATTEMPTS: u32 = 8;

/// Settles sessions. Clones share everything.
#[derive(Clone)]
pub struct Reconcile {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// Who is asked.
    pub provider: Arc<dyn Provider>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How a chat is counted.
    pub rule: Rule,
    /// How long a completion event may take, in milliseconds.
    pub patience_ms: u64,
}

impl Reconcile {
    /// For as long as the server runs: settles what is due, and asks about what is overdue, neither of
    /// which waits for the other. Any number of servers may do this on one database; each session is
    /// claimed by one of them.
    pub async fn keep(self) {
        tokio::join!(
            repeat(TICK, "ended sessions could not be settled", || self.settle_ended()),
            repeat(TICK, "providers could not be asked how sessions ended", || self.ask_overdue()),
        );
    }

    /// Settles what ended and needs no asking.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn settle_ended(&self) -> Result<()> {
        loop {
            let now = self.clock.now_ms();
            let settled =
                self.store.finalize_ended(self.rule, now, self.patience_ms, BATCH).await?;
            metrics::counter!("banter_sessions_finalized_total", "source" => "ended")
                .increment(settled as u64);
            if settled < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Asks providers about sessions that no event completed in time. A connection that hangs holds up
    /// no other.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn ask_overdue(&self) -> Result<()> {
        let claim =
            |free| self.store.claim_unconfirmed(self.clock.now_ms(), self.patience_ms, free);
        let whose = |session: &Unconfirmed| session.assistant.connection().map(str::to_owned);
        work_off(ASKED_AT_ONCE, claim, whose, |session| self.ask(session)).await
    }

    /// Asks a provider about a session. What stays unclear is offered again by the store later.
    async fn ask(&self, session: Unconfirmed) -> Result<()> {
        let asked = session.unsettled.iter().map(|one| self.ask_about(&session, one));
        join_all(asked).await.into_iter().collect()
    }

    async fn ask_about(&self, session: &Unconfirmed, one: &Unsettled) -> Result<()> {
        let provider_session = one.id.as_str();
        let found = in_time(self.provider.look_up(&session.assistant, provider_session)).await;
        let last = session.attempts + 1 >= MAX_ATTEMPTS;
        let settlement = match found {
            Ok(Some(known)) if known.completed => Settlement::Reconciled { cost: known.cost },
            Ok(None) => Settlement::Unknown,
            Ok(Some(_)) => {
                // It goes on over there although it is over here: it was not told, or did not hear.
                let told = in_time(self.provider.close(&session.assistant, provider_session)).await;
                if let Err(error) = told {
                    self.warn(session, &error);
                }
                if !last {
                    return Ok(());
                }
                Settlement::Unknown
            }
            // Whatever the reason: a key that is wrong today may be right in an hour.
            Err(error) => {
                self.warn(session, &error);
                if !last {
                    return Ok(());
                }
                Settlement::Unknown
            }
        };
        let now = self.clock.now_ms();
        let id = &session.session;
        if self.store.settle(id, provider_session, settlement, self.rule, now).await? {
            let source = match settlement {
                Settlement::Reconciled { .. } => "reconciled",
                Settlement::Unknown => "none",
            };
            metrics::counter!("banter_sessions_finalized_total", "source" => source).increment(1);
            if source == "reconciled" && !one.completed {
                tracing::warn!(
                    session = %id,
                    "the provider completed a session and its webhook did not come: are \
                     session.created and session.updated in the assistant's server messages?"
                );
            }
        }
        Ok(())
    }

    fn warn(&self, session: &Unconfirmed, error: &ModelError) {
        tracing::warn!(
            session = %session.session,
            attempts = session.attempts + 1,
            error = error as &dyn std::error::Error,
            "the provider could not be asked about a session that is over"
        );
    }
}
