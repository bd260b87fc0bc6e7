//! API keys: what opens the owner API.

use serde::{Deserialize, Serialize};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Read logs.
    #[serde(rename = "logs:read")]
    LogsRead,
    /// Delete logs.
    #[serde(rename = "logs:delete")]
    LogsDelete,
    /// Have logs made into files.
    #[serde(rename = "exports:create")]
    ExportsCreate,
    /// Make, list and revoke keys.
    #[serde(rename = "keys:manage")]
    KeysManage,
    /// Set up outgoing webhooks.
    #[serde(rename = "webhooks:manage")]
    WebhooksManage,
    /// End a visitor's session.
    #[serde(rename = "sessions:end")]
    SessionsEnd,
    /// Read what the server counts.
    #[serde(rename = "metrics:read")]
    MetricsRead,
    /// List widgets.
    #[serde(rename = "widgets:read")]
    WidgetsRead,
}

impl Scope {
    /// Every scope by its name on the wire and in the store.
    pub const NAMES: [(&str, Self); 8] = [
        ("logs:read", Self::LogsRead),
        ("logs:delete", Self::LogsDelete),
        ("exports:create", Self::ExportsCreate),
        ("keys:manage", Self::KeysManage),
        ("webhooks:manage", Self::WebhooksManage),
        ("sessions:end", Self::SessionsEnd),
        ("metrics:read", Self::MetricsRead),
        ("widgets:read", Self::WidgetsRead),
    ];

    /// The name on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// `POST /api/v1/keys`: make a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateKey {
    /// What its owner calls it: 1 to 80 characters.
    pub name: String,
    /// What it may do: at least one, and none that the key that makes it has not.
    pub scopes: Vec<Scope>,
    /// The account it is bound to: it sees the logs of that account's campaigns only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// A key, without what opens anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Key {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The account it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it was made, in Unix milliseconds.
    pub created_at: u64,
    /// When it was last used, to the minute, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<u64>,
    /// When it was revoked, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<u64>,
}

/// The answer to [`CreateKey`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyCreated {
    /// The key.
    pub key: Key,
    /// What to send as a bearer token. Shown this once and kept nowhere.
    pub secret: String,
}

/// `GET /api/v1/keys`: one page, the newest first, revoked ones included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyList {
    /// The keys of this page.
    pub items: Vec<Key>,
    /// Give it as `cursor` to read on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
