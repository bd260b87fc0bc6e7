//! What happens at every start: the configuration's assistants and widgets are written to the
//! store, the first organization and its key are made if there is none, and answers that a crash
//! left unfinished are marked.

use super::Refusal;
use crate::clock::{Clock, IdSource};
use crate::domain::api_key;
use crate::domain::widget::Widget;
use crate::settings::Settings;
use crate::store::{Declaration, NewOrganization, Seeded, Store};
use serde_json::json;

/// Brings the store in step with the configuration. Returns the owner's key if it was made just
/// now: it is kept nowhere and can be shown only this once.
///
/// # Errors
/// The store's failure.
pub async fn configure(
    store: &dyn Store,
    settings: &Settings,
    clock: &dyn Clock,
    ids: &IdSource,
) -> Result<Option<String>, Refusal> {
    let interrupted = store.join(clock.now_ms()).await?;
    if interrupted > 0 {
        tracing::warn!(
            interrupted,
            "answers were cut off by the last stop; visitors can retry them"
        );
    }
    let key = ids.secret(api_key::PREFIX);
    let seeded = store
        .declare(Declaration {
            accounts: settings
                .accounts
                .iter()
                .map(|(id, account)| {
                    let permissions = account
                        .exports
                        .as_ref()
                        .map_or_else(|| json!({}), |formats| json!({ "exports": formats }));
                    (id.clone(), account.name.clone(), permissions)
                })
                .collect(),
            campaigns: settings
                .campaigns
                .iter()
                .map(|(id, campaign)| (id.clone(), campaign.name.clone(), campaign.account.clone()))
                .collect(),
            assistants: settings
                .assistants
                .iter()
                .map(|(name, assistant)| (name.clone(), assistant.clone()))
                .collect(),
            widgets: settings
                .widgets
                .iter()
                .map(|(id, settings)| {
                    let widget = Widget { id: id.as_str().into(), settings: settings.clone() };
                    (widget, ids.secret(""))
                })
                .collect(),
            organization: NewOrganization {
                name: "Demo".into(),
                webhook_path_is_set: !settings.vapi.webhook_path.is_empty(),
                webhook_path: Some(settings.vapi.webhook_path.clone())
                    .filter(|path| !path.is_empty())
                    .unwrap_or_else(|| ids.secret("")),
                key_id: format!("key_{}", ids.next()),
                key_digest: api_key::digest(&key),
            },
            now: clock.now_ms(),
        })
        .await?;
    Ok((seeded == Seeded::Key).then_some(key))
}
