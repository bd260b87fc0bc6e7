//! Widgets as their owner sees them: which there are, who answers in each, and where its provider's
//! webhooks go.

use crate::ids::WidgetId;
use serde::{Deserialize, Serialize};

/// A widget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Widget {
    /// Its id: what the tag on a page names.
    pub id: WidgetId,
    /// The header's first line.
    pub title: String,
    /// Whether visitors may talk to it.
    pub enabled: bool,
    /// Name of the assistant that answers.
    pub assistant: String,
    /// Name of the one that answers chats, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_assistant: Option<String>,
    /// The campaign whose logs its sessions are read with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The address for the webhooks of its provider, a secret: only for keys that may manage webhooks,
    /// and only when there is a credential to check deliveries with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// `GET /api/v1/widgets`: by their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WidgetList {
    /// The widgets.
    pub items: Vec<Widget>,
}
