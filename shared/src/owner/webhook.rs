//! Outgoing webhooks: where an organization is told what happens, and whether that worked.

use serde::{Deserialize, Serialize};

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum WebhookEvent {
    /// A session takes messages now.
    #[serde(rename = "session.started")]
    SessionStarted,
    /// A message is there to stay: a visitor's, or a finished answer.
    #[serde(rename = "message.created")]
    MessageCreated,
    /// A session is over.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A session's usage is in the ledger.
    #[serde(rename = "usage.recorded")]
    UsageRecorded,
}

impl WebhookEvent {
    /// Every event by its name on the wire and in the store.
    pub const NAMES: [(&str, Self); 4] = [
        ("session.started", Self::SessionStarted),
        ("message.created", Self::MessageCreated),
        ("session.ended", Self::SessionEnded),
        ("usage.recorded", Self::UsageRecorded),
    ];

    /// The name on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The event of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, event)| *event)
    }
}

/// `POST /api/v1/webhooks`: tell an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateWebhook {
    /// Where to: https, on the open internet, without user and password; at most 2,048 bytes.
    pub url: String,
    /// Of what: at least one.
    pub events: Vec<WebhookEvent>,
}

/// `PATCH /api/v1/webhooks/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UpdateWebhook {
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of what: at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<WebhookEvent>>,
    /// Whether anything is sent. What happens while it is not is not kept for later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Why nothing is sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DisabledReason {
    /// Its owner said so.
    Owner,
    /// It answered 410 Gone.
    Gone,
    /// It did nothing but fail for days.
    Failing,
    /// A reason from a newer server.
    #[serde(other)]
    Unknown,
}

impl DisabledReason {
    /// Every reason by the name it has on the wire and in the store.
    pub const NAMES: [(&str, Self); 3] =
        [("owner", Self::Owner), ("gone", Self::Gone), ("failing", Self::Failing)];

    /// The name on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("unknown", |(name, _)| name)
    }

    /// The reason of that name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::NAMES.iter().find(|(known, _)| *known == name).map_or(Self::Unknown, |(_, r)| *r)
    }
}

/// An endpoint, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where to.
    pub url: String,
    /// Of what.
    pub events: Vec<WebhookEvent>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// When it was made, in Unix milliseconds.
    pub created_at: u64,
    /// Since when nothing is sent, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<u64>,
    /// Why nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// Since when it has done nothing but fail, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<u64>,
    /// Until when the previous secret signs as well, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_until: Option<u64>,
}

/// The answer to [`CreateWebhook`] and to `POST …/rotate-secret`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WebhookSecret {
    /// The endpoint.
    pub webhook: Webhook,
    /// What its messages are signed with: `whsec_` and base64. Shown this once.
    pub secret: String,
}

/// `GET /api/v1/webhooks`: the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WebhookList {
    /// The endpoints.
    pub items: Vec<Webhook>,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DeliveryState {
    /// Waits for its next attempt.
    Pending,
    /// Being sent.
    Sending,
    /// Taken by the endpoint.
    Delivered,
    /// Given up; can be replayed.
    Failed,
    /// A state from a newer server.
    #[serde(other)]
    Unknown,
}

/// One message to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// Its id: `webhook-id`, the same at every attempt.
    pub id: String,
    /// What it tells, or `ping`.
    pub event: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was written, in Unix milliseconds.
    pub created_at: u64,
    /// When it is sent (again), in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<u64>,
    /// When it was taken, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<u64>,
    /// When it was given up, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<u64>,
    /// The HTTP status of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u32>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// `GET /api/v1/webhooks/{id}/deliveries`: the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeliveryList {
    /// The deliveries.
    pub items: Vec<Delivery>,
    /// Send as `cursor` to read on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The answer to `POST /api/v1/webhooks/{id}/replay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Replayed {
    /// How many deliveries are sent again.
    pub count: u64,
}
