//! Widgets, as their owner reads them.

use super::Refusal;
use crate::domain::owner::Owner;
use crate::store::Store;
use banter_shared::owner::key::Scope;
use banter_shared::owner::widget::Widget;
use std::sync::Arc;

/// Widgets.
pub struct Widgets {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Whether webhooks of providers are taken at all: some credential is configured.
    pub takes_webhooks: bool,
}

impl Widgets {
    /// The owner's widgets. `address` makes the whole address of a path for webhooks.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn list(
        &self,
        owner: &Owner,
        address: impl Fn(&str) -> String,
    ) -> Result<Vec<Widget>, Refusal> {
        // Whoever knows the address is half way to sending webhooks, so it takes the right to set
        // them up, which a key of an account never has.
        let shows_address = self.takes_webhooks
            && owner.tenant.account.is_none()
            && owner.scopes.has(Scope::WebhooksManage);
        let widgets = self.store.widgets(&owner.tenant).await?.into_iter();
        let shown = widgets.map(|(widget, webhook_path)| Widget {
            id: widget.id,
            title: widget.settings.title,
            enabled: widget.settings.enabled,
            assistant: widget.settings.assistant,
            chat_assistant: widget.settings.chat_assistant,
            campaign: widget.settings.campaign,
            webhook_url: webhook_path.filter(|_| shows_address).map(|path| address(&path)),
        });
        Ok(shown.collect())
    }
}
