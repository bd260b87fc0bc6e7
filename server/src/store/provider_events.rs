//! What providers tell us, and the settling of sessions: cost, minutes, one line in the ledger.

use super::Result;
use crate::domain::assistant::Assistant;
use crate::domain::minutes::Rule;
use crate::domain::provider_event::ProviderEvent;
use crate::domain::provider_session::Settlement;
use async_trait::async_trait;
use banter_shared::ids::{SessionId, WidgetId};
use serde_json::Value;

/// Whose webhooks an address takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The organization.
    pub organization: String,
    /// The widget, when the address is a widget's own.
    pub widget: Option<WidgetId>,
}

/// A proven delivery, ready to be stored.
#[derive(Clone, Debug)]
pub struct NewProviderEvent {
    /// Where it was delivered to.
    pub target: WebhookTarget,
    /// SHA-256 of the raw body, in hexadecimal: the same content is the same event.
    pub digest: String,
    /// What it says.
    pub event: ProviderEvent,
    /// Its body without secrets.
    pub body: Value,
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// The id of the session to make, should it be one that we know nothing of.
    pub new_session: SessionId,
    /// How long such a session may last at most, in milliseconds.
    pub max_ms: u64,
    /// How its chat is counted, should the event finalise it.
    pub rule: Rule,
}

/// What a delivery came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It was delivered before; nothing was done.
    Again,
    /// It is stored.
    Stored(Outcome),
}

/// What a stored event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It means nothing to a log.
    Ignored,
    /// Its session is not known; it is kept and applied should that change.
    Waiting,
    /// Its log takes note of it.
    Applied,
    /// It finalised its log, or made known one that had been completed already.
    Finalized,
}

impl Outcome {
    /// The name it is stored under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Finalized => "finalized",
        }
    }
}

/// An ended session of a provider that has not confirmed the end, or not said what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Unconfirmed {
    /// The session.
    pub session: SessionId,
    /// The sessions at the provider that this is so of.
    pub unsettled: Vec<Unsettled>,
    /// Who answered in it.
    pub assistant: Assistant,
    /// How often the provider was asked or told before.
    pub attempts: u32,
}

/// A session at a provider of which is not known what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// What the provider calls it.
    pub id: String,
    /// Whether its webhook did complete it, and only the cost is missing.
    pub completed: bool,
}

/// Events of providers, and what settles a session.
#[async_trait]
pub trait ProviderEventRepository: Send + Sync {
    /// Whose webhooks the address with this last part takes.
    async fn webhook_target(&self, path: &str) -> Result<Option<WebhookTarget>>;
    /// The unguessable last part of the address of an organization's webhooks.
    async fn webhook_path(&self, organization: &str) -> Result<Option<String>>;
    /// Stores an event once and applies it, all or nothing.
    async fn record_event(&self, event: NewProviderEvent) -> Result<Delivered>;
    /// Deletes up to `limit` events that came before `before` (Unix milliseconds) and belong to no
    /// session. Returns how many it found: another server may have been faster.
    async fn prune_unclaimed_events(&self, before: u64, limit: u32) -> Result<usize>;
    /// Finalises up to `limit` ended sessions that nobody has to be asked about: those of the
    /// engine, those of which the completion and the cost of all that the provider opened are known, and
    /// after `patience_ms` those for which it never opened any. Returns how many.
    async fn finalize_ended(
        &self,
        rule: Rule,
        now: u64,
        patience_ms: u64,
        limit: u32,
    ) -> Result<usize>;
    /// Claims up to `limit` sessions that ended `patience_ms` ago or earlier and whose provider has
    /// not confirmed it, or not said what they cost. Each is offered again after `patience_ms`, doubled with every attempt.
    async fn claim_unconfirmed(
        &self,
        now: u64,
        patience_ms: u64,
        limit: u32,
    ) -> Result<Vec<Unconfirmed>>;
    /// Settles one of a session's at the provider, and finalises the session if that was the last one to
    /// wait for. `false` when it does not: others are waited for, or it was finalised before.
    async fn settle(
        &self,
        session: &SessionId,
        provider_session: &str,
        settlement: Settlement,
        rule: Rule,
        now: u64,
    ) -> Result<bool>;
}
