//! API keys: who holds one, and making, listing and revoking them.

use super::{Refusal, cursor};
use crate::clock::{Clock, IdSource};
use crate::domain::api_key;
use crate::domain::owner::{Owner, Scopes, Tenant};
use crate::store::Store;
use crate::store::keys::{KeyStored, NewKey};
use banter_shared::owner::key::{CreateKey, KeyCreated, KeyList};
use std::sync::Arc;

/// How exactly the last use of a key is known, in milliseconds: a write for each request would cost
/// more than most requests.
const TOUCH_MS: u64 = 60_000;

/// How many keys an organization may have that are not revoked.
const MAX_KEYS: u32 = 1_000;

/// How many keys are listed at a time.
const PAGE: u32 = 100;

/// The longest name of a key, in characters.
const MAX_NAME: usize = 80;

/// API keys.
pub struct Keys {
    /// Where they are kept, as digests.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The secrets.
    pub ids: IdSource,
}

impl Keys {
    /// Whoever holds this secret. Asked anew for every request, so that revoking works at once.
    ///
    /// # Errors
    /// [`Refusal::KeyNeeded`] when it opens nothing, or the store's failure.
    pub async fn authenticate(&self, secret: &str) -> Result<Owner, Refusal> {
        if !secret.starts_with(api_key::PREFIX) {
            return Err(Refusal::KeyNeeded);
        }
        let found = self.store.owner(&api_key::digest(secret)).await?;
        let (owner, last_used_at) = found.ok_or(Refusal::KeyNeeded)?;
        let now = self.clock.now_ms();
        if last_used_at.is_none_or(|at| at + TOUCH_MS <= now) {
            self.store.touch_key(&owner.key, now).await?;
        }
        Ok(owner)
    }

    /// A page of the tenant's keys, the newest first.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] when the cursor is none of ours, or the store's failure.
    pub async fn list(&self, owner: &Owner, cursor: Option<&str>) -> Result<KeyList, Refusal> {
        let before = cursor.map(cursor::read).transpose()?;
        let mut items = self.store.keys(&owner.tenant, before, PAGE + 1).await?;
        let more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| cursor::after(last.created_at, &last.id));
        Ok(KeyList { items, next_cursor })
    }

    /// Makes a key that may do no more and see no more than the one that makes it.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with the field, [`Refusal::NotPermitted`], [`Refusal::Busy`], or the
    /// store's failure.
    pub async fn create(&self, owner: &Owner, wanted: CreateKey) -> Result<KeyCreated, Refusal> {
        let name = wanted.name.trim();
        let length = name.chars().count();
        if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
            return Err(invalid("name", "a name has 1 to 80 characters, none of them control"));
        }
        let scopes = Scopes::new(wanted.scopes);
        if scopes.is_empty() {
            return Err(invalid("scopes", "a key needs at least one scope"));
        }
        if let Some(lacking) = owner.scopes.lacking(&scopes) {
            return Err(Refusal::NotPermitted(format!(
                "a key cannot give the scope {}, which it has not itself",
                lacking.name()
            )));
        }
        let account = match (&owner.tenant.account, wanted.account) {
            (Some(own), Some(other)) if *own != other => return Err(no_account()),
            (Some(own), _) => Some(own.clone()),
            (None, wanted) => wanted,
        };
        if account.as_ref().is_some_and(|id| id.is_empty() || id.contains('\0')) {
            return Err(no_account());
        }
        let secret = self.ids.secret(api_key::PREFIX);
        let stored = self
            .store
            .create_key(NewKey {
                id: format!("key_{}", self.ids.next()),
                digest: api_key::digest(&secret),
                tenant: Tenant { organization: owner.tenant.organization.clone(), account },
                name: name.to_owned(),
                scopes: scopes.iter().collect(),
                now: self.clock.now_ms(),
                max_keys: MAX_KEYS,
            })
            .await?;
        match stored {
            KeyStored::Stored(key) => Ok(KeyCreated { key: *key, secret }),
            KeyStored::NoAccount => Err(no_account()),
            KeyStored::Full => Err(Refusal::Busy("there are 1,000 keys; revoke some".into())),
        }
    }

    /// Revokes a key: whoever uses it after this returned is refused.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or the store's failure.
    pub async fn revoke(&self, owner: &Owner, id: &str) -> Result<(), Refusal> {
        let now = self.clock.now_ms();
        let found = self.store.revoke_key(&owner.tenant, id, now).await?;
        found.then_some(()).ok_or(Refusal::NotFound("key"))
    }
}

fn invalid(field: &str, sentence: &str) -> Refusal {
    Refusal::Invalid { field: Some(field.into()), sentence: sentence.into() }
}

fn no_account() -> Refusal {
    invalid("account", "there is no such account")
}
