//! What an organization may do with its outgoing webhooks. Secrets are made here, shown once and
//! kept encrypted.

use super::secrets::{Sealed, Sealer, Unreadable};
use super::{Refusal, cursor};
use crate::clock::{Clock, Entropy, IdSource};
use crate::domain::signature::SigningSecret;
use crate::domain::webhook_url::{self, AllowedHosts};
use crate::store::Store;
use crate::store::webhooks::{Endpoint, EndpointChange, Note, StoredSecrets};
use banter_shared::owner::webhook::{
    CreateWebhook, Delivery, DeliveryList, UpdateWebhook, Webhook, WebhookEvent, WebhookList,
    WebhookSecret,
};
use serde_json::json;
use std::sync::Arc;

/// How many endpoints an organization may have: each multiplies what is sent.
const MOST_ENDPOINTS: u64 = 50;
/// How long a replaced secret signs as well, in milliseconds.
const OVERLAP: u64 = 24 * 3_600_000;
/// How many bytes a secret has.
const SECRET_BYTES: usize = 32;
/// The kind of message that only says that messages arrive.
const PING: &str = "ping";
/// How many deliveries a page holds.
const PAGE: u32 = 50;
/// What a secret is sealed for.
const PURPOSE: &str = "webhook endpoints";

/// The sealer of endpoints' secrets.
#[must_use]
pub fn sealer(key_file: &[u8], entropy: Arc<dyn Entropy>) -> Sealer {
    Sealer::new(key_file, PURPOSE, entropy)
}

/// The secrets an endpoint's messages are signed with at `now`, the newest first.
///
/// # Errors
/// When they were sealed with another key file.
pub fn signing_secrets(
    sealer: &Sealer,
    endpoint: &str,
    stored: &StoredSecrets,
    now: u64,
) -> Result<Vec<SigningSecret>, Unreadable> {
    let previous = stored.previous.iter().filter(|(_, until)| now < *until);
    std::iter::once(&stored.current)
        .chain(previous.map(|(secret, _)| secret))
        .map(|bytes| {
            let opened = sealer.open(endpoint, &Sealed::from_stored(bytes.clone()))?;
            SigningSecret::new(opened).ok_or(Unreadable)
        })
        .collect()
}

/// The use cases. Each names the organization that asks.
#[expect(missing_docs, reason = "each field is named after its documented type")]
pub struct Webhooks {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub ids: IdSource,
    pub sealer: Sealer,
    pub allowed: Arc<AllowedHosts>,
}

impl Webhooks {
    /// Every endpoint.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, organization: &str) -> Result<WebhookList, Refusal> {
        let endpoints = self.store.endpoints(organization).await?;
        let now = self.clock.now_ms();
        Ok(WebhookList { items: endpoints.into_iter().map(|e| shown(e, now)).collect() })
    }

    /// One endpoint.
    ///
    /// # Errors
    /// When there is none.
    pub async fn show(&self, organization: &str, id: &str) -> Result<Webhook, Refusal> {
        let endpoint = self.store.endpoint(organization, id).await?.ok_or(NO_WEBHOOK)?;
        Ok(shown(endpoint, self.clock.now_ms()))
    }

    /// Makes an endpoint, and the secret that is shown this once.
    ///
    /// # Errors
    /// When the address must not be called, nothing is to be told, or there are too many.
    pub async fn create(
        &self,
        organization: &str,
        wanted: CreateWebhook,
    ) -> Result<WebhookSecret, Refusal> {
        let now = self.clock.now_ms();
        let id = format!("we_{}", self.ids.next());
        let (secret, stored) = self.new_secret(&id)?;
        let endpoint = Endpoint {
            url: self.url(&wanted.url)?,
            events: events(wanted.events)?,
            organization: organization.to_owned(),
            secrets: StoredSecrets { current: stored, previous: None },
            created_at: now,
            disabled: None,
            failing_since: None,
            id,
        };
        if !self.store.create_endpoint(endpoint.clone(), MOST_ENDPOINTS).await? {
            return Err(Refusal::Invalid {
                field: None,
                sentence: format!("there are {MOST_ENDPOINTS} webhooks already; delete one first"),
            });
        }
        Ok(WebhookSecret { webhook: shown(endpoint, now), secret: secret.reveal() })
    }

    /// Changes an endpoint.
    ///
    /// # Errors
    /// As [`Self::create`], or when there is none.
    pub async fn update(
        &self,
        organization: &str,
        id: &str,
        wanted: UpdateWebhook,
    ) -> Result<Webhook, Refusal> {
        let change = EndpointChange {
            url: wanted.url.map(|url| self.url(&url)).transpose()?,
            events: wanted.events.map(events).transpose()?,
            enabled: wanted.enabled,
        };
        let now = self.clock.now_ms();
        let changed = self.store.change_endpoint(organization, id, change, now).await?;
        Ok(shown(changed.ok_or(NO_WEBHOOK)?, now))
    }

    /// Deletes an endpoint and what waits for it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete(&self, organization: &str, id: &str) -> Result<(), Refusal> {
        let now = self.clock.now_ms();
        let deleted = self.store.delete_endpoint(organization, id, now).await?;
        if deleted { Ok(()) } else { Err(NO_WEBHOOK) }
    }

    /// Gives an endpoint a new secret; the present one signs as well for 24 hours.
    ///
    /// # Errors
    /// When there is none.
    pub async fn rotate_secret(
        &self,
        organization: &str,
        id: &str,
    ) -> Result<WebhookSecret, Refusal> {
        let now = self.clock.now_ms();
        let (secret, stored) = self.new_secret(id)?;
        let endpoint = self.store.replace_secret(organization, id, stored, now + OVERLAP).await?;
        let webhook = shown(endpoint.ok_or(NO_WEBHOOK)?, now);
        Ok(WebhookSecret { webhook, secret: secret.reveal() })
    }

    /// Sends a `ping` that says nothing. Returns its delivery, which has not begun.
    ///
    /// # Errors
    /// When there is no such endpoint, or it is disabled.
    pub async fn test(&self, organization: &str, endpoint: &str) -> Result<Delivery, Refusal> {
        self.enabled(organization, endpoint).await?;
        let (id, now) = (format!("msg_{}", self.ids.next()), self.clock.now_ms());
        let note = Note {
            id: id.clone(),
            organization: organization.to_owned(),
            endpoint: endpoint.to_owned(),
            event: PING,
            data: json!({ "webhookId": endpoint }),
            now,
        };
        if !self.store.put_note(note).await? {
            return Err(disabled());
        }
        let deliveries = self.store.deliveries(organization, endpoint, None, PAGE).await?;
        deliveries.into_iter().find(|delivery| delivery.id == id).ok_or(NO_DELIVERY)
    }

    /// Deliveries to an endpoint, newest first.
    ///
    /// # Errors
    /// When there is no such endpoint, or the cursor is none of ours.
    pub async fn deliveries(
        &self,
        organization: &str,
        endpoint: &str,
        cursor: Option<&str>,
    ) -> Result<DeliveryList, Refusal> {
        self.show(organization, endpoint).await?;
        let before = cursor.map(cursor::read).transpose()?;
        let mut items = self.store.deliveries(organization, endpoint, before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| cursor::after(last.created_at, &last.id));
        Ok(DeliveryList { items, next_cursor })
    }

    /// Sends one delivery again, whatever came of it, under the same id.
    ///
    /// # Errors
    /// When there is none, or its endpoint is disabled.
    pub async fn replay(
        &self,
        organization: &str,
        endpoint: &str,
        id: &str,
    ) -> Result<Delivery, Refusal> {
        self.enabled(organization, endpoint).await?;
        let now = self.clock.now_ms();
        self.store.replay(organization, endpoint, id, now).await?.ok_or(NO_DELIVERY)
    }

    /// Sends again whatever was given up since an instant (Unix milliseconds). Returns how many.
    ///
    /// # Errors
    /// When there is no such endpoint, or it is disabled.
    pub async fn replay_since(
        &self,
        organization: &str,
        endpoint: &str,
        since: u64,
    ) -> Result<u64, Refusal> {
        self.enabled(organization, endpoint).await?;
        let now = self.clock.now_ms();
        Ok(self.store.replay_since(organization, endpoint, since, now).await?)
    }

    async fn enabled(&self, organization: &str, id: &str) -> Result<(), Refusal> {
        if self.show(organization, id).await?.enabled { Ok(()) } else { Err(disabled()) }
    }

    fn url(&self, text: &str) -> Result<String, Refusal> {
        let url = webhook_url::parse(text, &self.allowed).map_err(|fault| Refusal::Invalid {
            field: Some("url".into()),
            sentence: format!("the url {fault}"),
        })?;
        // As it was understood, so that nobody reads it differently later.
        Ok(url.into())
    }

    fn new_secret(&self, endpoint: &str) -> Result<(SigningSecret, Vec<u8>), Refusal> {
        let mut bytes = vec![0; SECRET_BYTES];
        self.entropy.fill(&mut bytes);
        let sealed = self
            .sealer
            .seal(endpoint, &bytes)
            .map_err(|unreadable| Refusal::Internal(Arc::new(unreadable)))?;
        let secret =
            SigningSecret::new(bytes).ok_or_else(|| Refusal::Internal(Arc::new(Unreadable)))?;
        Ok((secret, sealed.into_stored()))
    }
}

const NO_WEBHOOK: Refusal = Refusal::NotFound("webhook");
const NO_DELIVERY: Refusal = Refusal::NotFound("delivery");

fn disabled() -> Refusal {
    Refusal::Invalid { field: None, sentence: "the webhook is disabled; enable it first".into() }
}

fn events(mut events: Vec<WebhookEvent>) -> Result<Vec<WebhookEvent>, Refusal> {
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        return Err(Refusal::Invalid {
            field: Some("events".into()),
            sentence: "a webhook needs at least one event".into(),
        });
    }
    Ok(events)
}

fn shown(endpoint: Endpoint, now: u64) -> Webhook {
    let previous = endpoint.secrets.previous.map(|(_, until)| until);
    Webhook {
        id: endpoint.id,
        url: endpoint.url,
        events: endpoint.events,
        enabled: endpoint.disabled.is_none(),
        created_at: endpoint.created_at,
        disabled_at: endpoint.disabled.map(|(at, _)| at),
        disabled_reason: endpoint.disabled.map(|(_, reason)| reason),
        failing_since: endpoint.failing_since,
        previous_secret_until: previous.filter(|until| now < *until),
    }
}
