//! API keys: found by their digest, listed and revoked by their tenant.

use super::super::Result;
use super::super::keys::{KeyRepository, KeyStored, NewKey};
use super::rows::{from_json, to_json};
use super::{Row, SqlStore, Transaction, args};
use crate::domain::owner::{Owner, Scopes, Tenant};
use async_trait::async_trait;
use banter_shared::owner::key::Key;
use serde::Deserialize;

const KEY_COLUMNS: &str = "id, name, scopes, account_id, created_at, last_used_at, revoked_at";

/// What an account's own keys may do, as the column holds it.
#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    exports: Option<Vec<String>>,
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
            row.as_ref().map(owner).transpose()
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

    async fn keys(&self, tenant: &Tenant) -> Result<Vec<Key>> {
        let tenant = tenant.clone();
        self.read(move |tx| {
            let sql = format!(
                "SELECT {KEY_COLUMNS} FROM api_keys
                 WHERE organization_id = $1 AND ($2 = '' OR account_id = $2)
                 ORDER BY created_at DESC, id DESC"
            );
            let account = tenant.account.as_deref().unwrap_or_default();
            tx.query(&sql, args![&tenant.organization, account])?.iter().map(key).collect()
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
    if let Some(account) = &new.tenant.account {
        let sql = "SELECT 1 FROM accounts WHERE id = $1 AND organization_id = $2";
        if tx.first(sql, args![account, organization])?.is_none() {
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

fn owner(row: &Row) -> Result<(Owner, Option<u64>)> {
    let permissions: Option<Permissions> =
        row.optional_text(5)?.map(|json| from_json("account's permissions", &json)).transpose()?;
    let scopes: Vec<String> = from_json("list of scopes", &row.text(3)?)?;
    let owner = Owner {
        key: row.text(0)?,
        tenant: Tenant { organization: row.text(1)?, account: row.optional_text(2)? },
        scopes: Scopes::stored(&scopes),
        exports: permissions.and_then(|permissions| permissions.exports),
    };
    Ok((owner, row.optional_number(4)?))
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
