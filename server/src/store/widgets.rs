//! What is asked of the store about widgets, assistants and what else the configuration declares.

use super::Result;
use crate::domain::assistant::Assistant;
use crate::domain::owner::Tenant;
use crate::domain::widget::Widget;
use async_trait::async_trait;
use banter_shared::ids::WidgetId;

/// What the configuration declares.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Accounts by id: name and permissions.
    pub accounts: Vec<(String, String, serde_json::Value)>,
    /// Campaigns by id: name and account.
    pub campaigns: Vec<(String, String, Option<String>)>,
    /// Assistants by name.
    pub assistants: Vec<(String, Assistant)>,
    /// Widgets, each with the unguessable path of its webhooks in case it has none yet.
    pub widgets: Vec<(Widget, String)>,
    /// The organization to make if there is none.
    pub organization: NewOrganization,
    /// Now, in Unix milliseconds.
    pub now: u64,
}

/// The first organization and its first key.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// What it is called.
    pub name: String,
    /// The unguessable path of its webhooks.
    pub webhook_path: String,
    /// Whether the settings say so, whatever it was before.
    pub webhook_path_is_set: bool,
    /// The id of its first API key.
    pub key_id: String,
    /// The digest of its API key, if it has none.
    pub key_digest: String,
}

/// Whether [`WidgetRepository::declare`] found a key that opens the owner API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// It stored the new one: there was none, or none any more.
    Key,
    /// There was one.
    Before,
}

/// Widgets and assistants.
#[async_trait]
pub trait WidgetRepository: Send + Sync {
    /// Writes what the configuration declares, replacing what it declared before under the same
    /// names, and closes the widgets and accounts that it declares no more. Makes the first organization if there is none.
    async fn declare(&self, declaration: Declaration) -> Result<Seeded>;
    /// The tenant's widgets by their ids, each with the unguessable path of its webhooks. An account has
    /// those of its campaigns.
    async fn widgets(&self, tenant: &Tenant) -> Result<Vec<(Widget, Option<String>)>>;
    /// A widget and the assistant that answers its chats.
    async fn widget(&self, id: &WidgetId) -> Result<Option<(Widget, Assistant)>>;
}
