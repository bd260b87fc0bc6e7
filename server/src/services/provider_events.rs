//! A webhook of a provider: proven, read, redacted, stored. Nothing is stored of what is not proven,
//! and nothing is acknowledged that is not durable.

use super::Refusal;
use crate::clock::{Clock, IdSource};
use crate::domain::minutes::Rule;
use crate::domain::provider_event::{ProviderEvent, parse};
use crate::domain::redaction::Redactor;
use crate::domain::webhook_auth::{Delivery, Verifier};
use crate::store::{Delivered, NewProviderEvent, Outcome, Store, StoreError, WebhookTarget};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// When a sender should try again what could not be stored.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes webhooks in.
pub struct ProviderEvents {
    /// Where events and sessions are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The ids.
    pub ids: IdSource,
    /// Who may send.
    pub verifier: Verifier,
    /// What must not be written down.
    pub redactor: Redactor,
    /// How a chat is counted.
    pub rule: Rule,
    /// How long a session that began elsewhere may last, in milliseconds.
    pub max_ms: u64,
}

impl ProviderEvents {
    /// Whose webhooks an address takes.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when nobody's.
    pub async fn target(&self, path: &str) -> Result<WebhookTarget, Refusal> {
        let target = self.store.webhook_target(path).await.map_err(later)?;
        target.ok_or(Refusal::NotFound("webhook"))
    }

    /// Takes one delivery in. When this returns, what it says survives everything.
    ///
    /// # Errors
    /// [`Refusal::Unproven`] and nothing stored; [`Refusal::Invalid`] for what is no event;
    /// [`Refusal::Unavailable`] when it could not be stored.
    pub async fn receive(
        &self,
        target: WebhookTarget,
        delivery: &Delivery<'_>,
    ) -> Result<(), Refusal> {
        let now = self.clock.now_ms();
        if let Err(reason) = self.verifier.verify(delivery, now) {
            metrics::counter!("banter_webhooks_in_total", "outcome" => "refused").increment(1);
            tracing::warn!(
                organization = target.organization,
                %reason,
                "a webhook was refused: compare the provider's credential with vapi.webhooks"
            );
            return Err(Refusal::Unproven);
        }
        let (event, body) = parse(delivery.body)
            .map_err(|error| Refusal::Invalid { field: None, sentence: error.to_string() })?;
        let kind = event.kind;
        let delivered = self
            .store
            .record_event(NewProviderEvent {
                target,
                digest: hex(&Sha256::digest(delivery.body)),
                event: self.clean(event),
                body: self.redactor.json(&body),
                now,
                new_session: self.ids.next().into(),
                max_ms: self.max_ms,
                rule: self.rule,
            })
            .await
            .map_err(later)?;
        let outcome = match delivered {
            Delivered::Again => "again",
            Delivered::Stored(outcome) => outcome.name(),
        };
        metrics::counter!("banter_webhooks_in_total", "outcome" => outcome).increment(1);
        tracing::debug!(?kind, outcome, "a webhook was taken in");
        if delivered == Delivered::Stored(Outcome::Finalized) {
            metrics::counter!("banter_sessions_finalized_total", "source" => "webhook")
                .increment(1);
        }
        Ok(())
    }

    /// An event without secrets in what it calls things: its owner chose those names, and they are
    /// shown in timelines.
    fn clean(&self, event: ProviderEvent) -> ProviderEvent {
        let text = |text: String| self.redactor.text(&text);
        ProviderEvent {
            name: text(event.name),
            // Masked, it would be the id of many sessions.
            provider_session: event.provider_session.filter(|id| self.redactor.text(id) == *id),
            session_name: event.session_name.map(text),
            chat: event.chat.map(text),
            ..event
        }
    }
}

/// What is not durable is not acknowledged, and the sender is told to come again.
fn later(error: StoreError) -> Refusal {
    tracing::error!(error = &error as &dyn std::error::Error, "a webhook could not be stored");
    Refusal::Unavailable { retry_after: RETRY_AFTER }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}
