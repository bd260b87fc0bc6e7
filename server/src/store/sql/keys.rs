//! API keys: found by their digest, listed and revoked by their tenant.

use super::super::Result;
use super::super::keys::{KeyRepository, KeyStored, NewKey};
use super::rows::{from_json, lock_organization, to_json};
use super::{Row, SqlStore, Transaction, args};
use crate::domain::owner::{Owner, Scopes, Tenant};
use async_trait::async_trait;
use banter_shared::owner::key::Key;
use serde::Deserialize;

/// How many revoked keys that are too many go when a new one is made.
const PRUNED_AT_ONCE: u32 = 50;

const KEY_COLUMNS: &str = "id, name, scopes, account_id, created_at, last_used_at, revoked_at";

/// What an account's own keys may do, as the column holds it.
#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    exports: Option<Vec<String>>,
    /// The settings do not declare it any more.
    #[serde(default)]
    closed: bool,
}

#[async_trait]
impl KeyRepository for SqlStore {
    async fn owner(&self, digest: &str) -> Result<Option<(Owner, Option<u64>)>> {
        let digest = digest.to_owned();
        self.read(move |tx| {
            let row = tx.first(
                "SELECT api_keys.id, api_keys.organization_id, api_keys.account_id,
                        api_keys.scopes, api_keys.last_used_at, accounts.permissions
                 FROM api_keys LEFT JOIN accounts ON accounts.id = api_keys.account_id
                 WHERE api_keys.digest = $1 AND api_keys.revoked_at IS NULL",
                args![&digest],
            )?;
            row.as_ref().map_or(Ok(None), owner)
        })
        .await
    }

    async fn touch_key(&self, id: &str, now: u64) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| {
            // Servers' clocks differ a little: it never goes back.
            tx.execute(
                "UPDATE api_keys SET last_used_at = $2
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
                args![&id, now],
            )?;
            Ok(())
        })
        .await
    }

    async fn keys(
        &self,
        tenant: &Tenant,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Key>> {
        let tenant = tenant.clone();
        self.read(move |tx| {
            let sql = format!(
                "SELECT {KEY_COLUMNS} FROM api_keys
                 WHERE organization_id = $1 AND ($2 = '' OR account_id = $2)
                 AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $5"
            );
            let (at, id) = before.as_ref().map_or((u64::MAX, ""), |(at, id)| (*at, id.as_str()));
            let account = tenant.account.as_deref().unwrap_or_default();
            let values = args![&tenant.organization, account, at, id, limit];
            tx.query(&sql, values)?.iter().map(key).collect()
        })
        .await
    }

    async fn prune_keys(&self, before: u64, limit: u32) -> Result<u64> {
        self.write(move |tx| {
            tx.execute(
                "DELETE FROM api_keys WHERE digest IN
                     (SELECT digest FROM api_keys WHERE revoked_at < $1 LIMIT $2)",
                args![before, limit],
            )
        })
        .await
    }

    async fn create_key(&self, new: NewKey) -> Result<KeyStored> {
        self.write(move |tx| create(tx, &new)).await
    }

    async fn revoke_key(&self, tenant: &Tenant, id: &str, now: u64) -> Result<bool> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.write(move |tx| {
            let touched = tx.execute(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $4)
                 WHERE id = $1 AND organization_id = $2 AND ($3 = '' OR account_id = $3)",
                args![
                    &id,
                    &tenant.organization,
                    tenant.account.as_deref().unwrap_or_default(),
                    now
                ],
            )?;
            Ok(touched > 0)
        })
        .await
    }
}

fn create(tx: &mut dyn Transaction, new: &NewKey) -> Result<KeyStored> {
    let organization = &new.tenant.organization;
    lock_organization(tx, organization)?;
    if let Some(account) = &new.tenant.account {
        let sql = "SELECT permissions FROM accounts WHERE id = $1 AND organization_id = $2";
        let row = tx.first(sql, args![account, organization])?;
        let open = row.map(|row| permissions(&row.text(0)?)).transpose()?;
        if open.is_none_or(|permissions| permissions.closed) {
            return Ok(KeyStored::NoAccount);
        }
    }
    let count = tx.first(
        "SELECT count(*) FROM api_keys WHERE organization_id = $1 AND revoked_at IS NULL",
        args![organization],
    )?;
    if count.map_or(Ok(0), |row| row.number(0))? >= new.max_keys.into() {
        return Ok(KeyStored::Full);
    }
    let names: Vec<&str> = new.scopes.iter().map(|scope| scope.name()).collect();
    tx.execute(
        "INSERT INTO api_keys (digest, organization_id, created_at, id, account_id, name, scopes)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![
            &new.digest,
            organization,
            new.now,
            &new.id,
            new.tenant.account.as_ref(),
            &new.name,
            to_json(&names)?
        ],
    )?;
    // Whoever makes and revokes keys all day shall not fill the store with them.
    tx.execute(
        "DELETE FROM api_keys WHERE digest IN
             (SELECT digest FROM api_keys WHERE organization_id = $1 AND revoked_at IS NOT NULL
              ORDER BY revoked_at DESC, digest LIMIT $2 OFFSET $3)",
        args![organization, PRUNED_AT_ONCE, new.max_keys],
    )?;
    Ok(KeyStored::Stored(Box::new(Key {
        id: new.id.clone(),
        name: new.name.clone(),
        scopes: new.scopes.clone(),
        account: new.tenant.account.clone(),
        created_at: new.now,
        last_used_at: None,
        revoked_at: None,
    })))
}

fn permissions(json: &str) -> Result<Permissions> {
    from_json("account's permissions", json)
}

/// Reads whoever holds a key; nobody does whose account is closed.
fn owner(row: &Row) -> Result<Option<(Owner, Option<u64>)>> {
    let permissions = row.optional_text(5)?.map(|json| permissions(&json)).transpose()?;
    if permissions.as_ref().is_some_and(|permissions| permissions.closed) {
        return Ok(None);
    }
    let scopes: Vec<String> = from_json("list of scopes", &row.text(3)?)?;
    let owner = Owner {
        key: row.text(0)?,
        tenant: Tenant { organization: row.text(1)?, account: row.optional_text(2)? },
        scopes: Scopes::stored(&scopes),
        exports: permissions.and_then(|permissions| permissions.exports),
    };
    Ok(Some((owner, row.optional_number(4)?)))
}

fn key(row: &Row) -> Result<Key> {
    let scopes: Vec<String> = from_json("list of scopes", &row.text(2)?)?;
    Ok(Key {
        id: row.text(0)?,
        name: row.text(1)?,
        scopes: Scopes::stored(&scopes).iter().collect(),
        account: row.optional_text(3)?,
        created_at: row.number(4)?,
        last_used_at: row.optional_number(5)?,
        revoked_at: row.optional_number(6)?,
    })
}
