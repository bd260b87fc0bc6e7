//! What is asked of the store about API keys.

use super::Result;
use crate::domain::owner::{Owner, Tenant};
use async_trait::async_trait;
use banter_shared::owner::key::{Key, Scope};

/// A key about to be stored.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its id.
    pub id: String,
    /// The digest of its secret.
    pub digest: String,
    /// Whose data it opens.
    pub tenant: Tenant,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// How many keys an organization may have that are not revoked.
    pub max_keys: u32,
}

/// What became of a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStored {
    /// It is good from now on.
    Stored(Box<Key>),
    /// The organization has no such account.
    NoAccount,
    /// The organization has all the keys it may have.
    Full,
}

/// API keys.
#[async_trait]
pub trait KeyRepository: Send + Sync {
    /// Whoever holds the key with this digest, if it is not revoked; and when it was last used, in
    /// Unix milliseconds.
    async fn owner(&self, digest: &str) -> Result<Option<(Owner, Option<u64>)>>;
    /// Writes down that a key is used `now` (Unix milliseconds).
    async fn touch_key(&self, id: &str, now: u64) -> Result<()>;
    /// The tenant's keys, the newest first.
    async fn keys(&self, tenant: &Tenant) -> Result<Vec<Key>>;
    /// Stores a key.
    async fn create_key(&self, key: NewKey) -> Result<KeyStored>;
    /// Revokes one of the tenant's keys at `now` (Unix milliseconds), once. `false` if there is none.
    async fn revoke_key(&self, tenant: &Tenant, id: &str, now: u64) -> Result<bool>;
}
