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
    /// The organization has no such account, or none any more.
    NoAccount,
    /// The organization has all the keys it may have.
    Full,
}

/// API keys.
#[async_trait]
pub trait KeyRepository: Send + Sync {
    /// Whoever holds the key with this digest, if it is not revoked nor its account closed; and when it was last used, in
    /// Unix milliseconds.
    async fn owner(&self, digest: &str) -> Result<Option<(Owner, Option<u64>)>>;
    /// Writes down that a key is used `now` (Unix milliseconds).
    async fn touch_key(&self, id: &str, now: u64) -> Result<()>;
    /// Up to `limit` of the tenant's keys, the newest first, older than the one `before` (when it was made,
    /// its id).
    async fn keys(
        &self,
        tenant: &Tenant,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Key>>;
    /// Forgets up to `limit` keys that were revoked before that instant (Unix milliseconds). Returns how
    /// many.
    async fn prune_keys(&self, before: u64, limit: u32) -> Result<u64>;
    /// Stores a key. Of revoked ones as many are kept as there may be good ones.
    async fn create_key(&self, key: NewKey) -> Result<KeyStored>;
    /// Revokes one of the tenant's keys at `now` (Unix milliseconds), once. `false` if there is none.
    async fn revoke_key(&self, tenant: &Tenant, id: &str, now: u64) -> Result<bool>;
}
