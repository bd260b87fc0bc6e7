//! Outgoing webhooks as they are kept: endpoints, and the outbox that is sent to them.

use super::Result;
use crate::domain::retry::{Rules, Verdict};
use async_trait::async_trait;
use banter_shared::owner::webhook::{Delivery, DisabledReason, WebhookEvent};

/// Where an organization is told what happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub organization: String,
    /// Where to.
    pub url: String,
    /// What its messages are signed with.
    pub secrets: StoredSecrets,
    /// Of what.
    pub events: Vec<WebhookEvent>,
    /// When it was made, in Unix milliseconds.
    pub created_at: u64,
    /// Since when nothing is sent, and why.
    pub disabled: Option<(u64, DisabledReason)>,
    /// Since when it has done nothing but fail.
    pub failing_since: Option<u64>,
}

/// An endpoint's secrets, encrypted by whoever uses them.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecrets {
    /// The one that signs.
    pub current: Vec<u8>,
    /// The one before, and until when (Unix milliseconds) it signs as well.
    pub previous: Option<(Vec<u8>, u64)>,
}

impl std::fmt::Debug for StoredSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredSecrets(…)")
    }
}

/// What to change of an endpoint; `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointChange {
    /// Where to.
    pub url: Option<String>,
    /// Of what.
    pub events: Option<Vec<WebhookEvent>>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

/// Endpoints, as their owners see them.
#[async_trait]
pub trait WebhookRepository: Send + Sync {
    /// Stores a new endpoint; `false` when the organization has `limit` of them already.
    async fn create_endpoint(&self, endpoint: Endpoint, limit: u64) -> Result<bool>;
    /// Every endpoint of an organization, oldest first.
    async fn endpoints(&self, organization: &str) -> Result<Vec<Endpoint>>;
    /// An endpoint of an organization.
    async fn endpoint(&self, organization: &str, id: &str) -> Result<Option<Endpoint>>;
    /// Changes an endpoint at `now`; one with another address has not failed yet. Returns it as it stands then.
    async fn change_endpoint(
        &self,
        organization: &str,
        id: &str,
        change: EndpointChange,
        now: u64,
    ) -> Result<Option<Endpoint>>;
    /// Gives an endpoint a new secret; the present one signs as well until `previous_until`.
    async fn replace_secret(
        &self,
        organization: &str,
        id: &str,
        secret: Vec<u8>,
        previous_until: u64,
    ) -> Result<Option<Endpoint>>;
    /// Deletes an endpoint and what waits for it: at `now` it is out of service, and then its outbox
    /// goes, a part at a time. `false` when there is none.
    async fn delete_endpoint(&self, organization: &str, id: &str, now: u64) -> Result<bool>;
    /// Up to `limit` deliveries to an endpoint, newest first, older than the one `before` (when it
    /// was written, its id).
    async fn deliveries(
        &self,
        organization: &str,
        endpoint: &str,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Delivery>>;
    /// Sends one delivery again, from its first attempt; one that waits goes at once.
    async fn replay(
        &self,
        organization: &str,
        endpoint: &str,
        id: &str,
        now: u64,
    ) -> Result<Option<Delivery>>;
    /// Sends again what was given up at `since` or later, whenever it was written. Returns how many.
    async fn replay_since(
        &self,
        organization: &str,
        endpoint: &str,
        since: u64,
        now: u64,
    ) -> Result<u64>;
}

/// A message for one endpoint that no event is behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Its id.
    pub id: String,
    /// Whose endpoint.
    pub organization: String,
    /// Which endpoint.
    pub endpoint: String,
    /// What kind.
    pub event: &'static str,
    /// What it says.
    pub data: serde_json::Value,
    /// Now, in Unix milliseconds.
    pub now: u64,
}

/// One message on its way to one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct ToDeliver {
    /// Its id.
    pub id: String,
    /// The endpoint.
    pub endpoint: String,
    /// Where to.
    pub url: String,
    /// What it is signed with.
    pub secrets: StoredSecrets,
    /// The body.
    pub payload: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// How much may be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// In all.
    pub total: u32,
    /// For one endpoint.
    pub per_endpoint: u32,
    /// How many are on their way now, by endpoint.
    pub busy: Vec<(String, u32)>,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The message.
    pub id: String,
    /// The endpoint.
    pub endpoint: String,
    /// Which attempt it was.
    pub attempt: u32,
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// What it came to.
    pub verdict: Verdict,
    /// When to try again, if it failed and that was not the last attempt.
    pub next_at: Option<u64>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The outbox, as its worker sees it.
#[async_trait]
pub trait OutboxRepository: Send + Sync {
    /// Puts a message into the outbox. `false` when the endpoint is gone or disabled.
    async fn put_note(&self, note: Note) -> Result<bool>;
    /// Claims what is due at `now` for enabled endpoints, the longest due first, each until `until`:
    /// if nothing is reported by then, it is due again.
    async fn claim_deliveries(
        &self,
        now: u64,
        until: u64,
        capacity: Capacity,
    ) -> Result<Vec<ToDeliver>>;
    /// Writes down what an attempt came to; says why the endpoint is disabled now, if it is.
    async fn report_delivery(&self, report: Report, rules: Rules)
    -> Result<Option<DisabledReason>>;
    /// Forgets up to `limit` deliveries that were written before `before` and are over. Returns how
    /// many.
    async fn prune_deliveries(&self, before: u64, limit: u32) -> Result<u64>;
    /// Gives up, at `now`, a part of what still waits for endpoints that are disabled: whoever disabled one
    /// may have died before all of it was given up, and what was put there by somebody who had just read
    /// the endpoint as enabled came later. Says whether that was all.
    async fn give_up_disabled(&self, now: u64) -> Result<bool>;
}
