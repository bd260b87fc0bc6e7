//! Webhook endpoints, and what their owners may see and do of their deliveries.

use super::super::Result;
use super::super::logs::Pace;
use super::super::webhooks::{Endpoint, EndpointChange, StoredSecrets, WebhookRepository};
use super::rows::{from_json, lock_organization, to_json};
use super::{Row, SqlStore, Transaction, args, deliveries};
use crate::domain::owner::Tenant;
use async_trait::async_trait;
use banter_shared::owner::webhook::{Delivery, DisabledReason};

/// The columns [`endpoint`] reads, in its order.
const COLUMNS: &str = "id, organization_id, url, secret, previous_secret, previous_until, events,
     created_at, disabled_at, disabled_reason, failing_since";

/// How many deliveries go in one transaction with their endpoint: bounds how long a visitor's message
/// waits for it.
const DELETED_AT_ONCE: u32 = 200;

/// The same of those that are sent again, each by its id.
const REPLAYED_AT_ONCE: u32 = 100;

#[async_trait]
impl WebhookRepository for SqlStore {
    async fn create_endpoint(&self, endpoint: Endpoint, limit: u64) -> Result<bool> {
        self.write(move |tx| create(tx, &endpoint, limit)).await
    }

    async fn endpoints(&self, organization: &str) -> Result<Vec<Endpoint>> {
        let organization = organization.to_owned();
        self.read(move |tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM webhook_endpoints WHERE organization_id = $1
                 ORDER BY created_at, id"
            );
            tx.query(&sql, args![&organization])?.iter().map(endpoint).collect()
        })
        .await
    }

    async fn endpoint(&self, organization: &str, id: &str) -> Result<Option<Endpoint>> {
        let (organization, id) = (organization.to_owned(), id.to_owned());
        self.read(move |tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM webhook_endpoints WHERE organization_id = $1 AND id = $2"
            );
            tx.first(&sql, args![&organization, &id])?.as_ref().map(endpoint).transpose()
        })
        .await
    }

    async fn change_endpoint(
        &self,
        organization: &str,
        id: &str,
        change: EndpointChange,
        now: u64,
    ) -> Result<Option<Endpoint>> {
        let organization = organization.to_owned();
        let changed = {
            let id = id.to_owned();
            self.write(move |tx| change_it(tx, &organization, &id, &change, now)).await?
        };
        if changed.as_ref().is_some_and(|endpoint| endpoint.disabled.is_some()) {
            deliveries::give_up(self, id, now).await?;
        }
        Ok(changed)
    }

    async fn replace_secret(
        &self,
        organization: &str,
        id: &str,
        secret: Vec<u8>,
        previous_until: u64,
    ) -> Result<Option<Endpoint>> {
        let (organization, id) = (organization.to_owned(), id.to_owned());
        self.write(move |tx| {
            let sql = format!(
                "UPDATE webhook_endpoints
                 SET previous_secret = secret, previous_until = $4, secret = $3
                 WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"
            );
            let row = tx.first(&sql, args![&organization, &id, secret.clone(), previous_until])?;
            row.as_ref().map(endpoint).transpose()
        })
        .await
    }

    async fn delete_endpoint(&self, organization: &str, id: &str, now: u64) -> Result<bool> {
        let (organization, id) = (organization.to_owned(), id.to_owned());
        // Nothing is put into its outbox from here on. Whoever does so now, having seen it in service,
        // is not kept waiting, as it would be if the row went first with all that hangs on it.
        let found = {
            let id = id.clone();
            self.write(move |tx| take_out_of_service(tx, &organization, &id, now)).await?
        };
        if !found {
            return Ok(false);
        }
        loop {
            let id = id.clone();
            if self.write(move |tx| deliveries::forget(tx, &id, DELETED_AT_ONCE)).await? == 0 {
                break;
            }
        }
        self.write(move |tx| {
            // With what somebody was at just now.
            tx.execute("DELETE FROM webhook_endpoints WHERE id = $1", args![&id])
        })
        .await?;
        Ok(true)
    }

    async fn deliveries(
        &self,
        organization: &str,
        endpoint: &str,
        before: Option<(u64, String)>,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let (organization, endpoint) = (organization.to_owned(), endpoint.to_owned());
        self.read(move |tx| deliveries::list(tx, &organization, &endpoint, before.as_ref(), limit))
            .await
    }

    async fn replay(
        &self,
        organization: &str,
        endpoint: &str,
        id: &str,
        now: u64,
    ) -> Result<Option<Delivery>> {
        let (organization, endpoint) = (organization.to_owned(), endpoint.to_owned());
        let id = id.to_owned();
        self.write(move |tx| deliveries::replay(tx, &organization, &endpoint, &id, now)).await
    }

    async fn replay_since(
        &self,
        organization: &str,
        endpoint: &str,
        since: u64,
        now: u64,
    ) -> Result<u64> {
        let (mut after, mut count) = ((0, String::new()), 0);
        loop {
            let (organization, endpoint, from) =
                (organization.to_owned(), endpoint.to_owned(), after.clone());
            // Found beside everything else: nearly all of a month may have been delivered.
            let whose = Tenant { organization: organization.clone(), account: None };
            let found = self.look(Pace::Asked, Some(whose), move |tx| {
                let within = (since, now);
                deliveries::given_up(tx, &organization, &endpoint, within, &from, REPLAYED_AT_ONCE)
            });
            let found = found.await?;
            let more = found.len() == REPLAYED_AT_ONCE as usize;
            let Some(last) = found.last() else { return Ok(count) };
            after = last.clone();
            count += self.write(move |tx| deliveries::replay_each(tx, &found, now)).await?;
            if !more {
                return Ok(count);
            }
        }
    }
}

fn create(tx: &mut dyn Transaction, endpoint: &Endpoint, limit: u64) -> Result<bool> {
    lock_organization(tx, &endpoint.organization)?;
    let count = tx.first(
        "SELECT count(*) FROM webhook_endpoints WHERE organization_id = $1",
        args![&endpoint.organization],
    )?;
    if count.map(|row| row.number(0)).transpose()?.unwrap_or(0) >= limit {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO webhook_endpoints (id, organization_id, url, secret, events, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![
            &endpoint.id,
            &endpoint.organization,
            &endpoint.url,
            endpoint.secrets.current.clone(),
            to_json(&endpoint.events)?,
            endpoint.created_at,
        ],
    )?;
    Ok(true)
}

/// Disables an endpoint and leaves what waits for it as it is; `false` when there is none.
fn take_out_of_service(
    tx: &mut dyn Transaction,
    organization: &str,
    id: &str,
    now: u64,
) -> Result<bool> {
    let touched = tx.execute(
        "UPDATE webhook_endpoints SET disabled_at = $3, disabled_reason = $4
         WHERE organization_id = $1 AND id = $2",
        args![organization, id, now, DisabledReason::Owner.name()],
    )?;
    Ok(touched > 0)
}

fn change_it(
    tx: &mut dyn Transaction,
    organization: &str,
    id: &str,
    change: &EndpointChange,
    now: u64,
) -> Result<Option<Endpoint>> {
    let sql = format!(
        "UPDATE webhook_endpoints SET url = coalesce($3, url), events = coalesce($4, events),
             failing_since = CASE WHEN coalesce($3, url) = url THEN failing_since END
         WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"
    );
    let events = change.events.as_ref().map(to_json).transpose()?;
    let row = tx.first(&sql, args![organization, id, change.url.as_ref(), events])?;
    let Some(row) = row else { return Ok(None) };
    let mut changed = endpoint(&row)?;
    match (change.enabled, changed.disabled) {
        (Some(true), Some(_)) => {
            // A new beginning: what it failed before is not held against it.
            tx.execute(
                "UPDATE webhook_endpoints
                 SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
                 WHERE id = $1",
                args![id],
            )?;
            (changed.disabled, changed.failing_since) = (None, None);
        }
        (Some(false), None) => {
            deliveries::disable(tx, id, DisabledReason::Owner, now)?;
            changed.disabled = Some((now, DisabledReason::Owner));
        }
        _ => {}
    }
    Ok(Some(changed))
}

/// Reads an endpoint from a row of [`COLUMNS`].
fn endpoint(row: &Row) -> Result<Endpoint> {
    let disabled = row.optional_number(8)?.zip(row.optional_text(9)?);
    Ok(Endpoint {
        id: row.text(0)?,
        organization: row.text(1)?,
        url: row.text(2)?,
        secrets: secrets(row, 3)?,
        events: from_json("list of events", &row.text(6)?)?,
        created_at: row.number(7)?,
        disabled: disabled.map(|(at, reason)| (at, DisabledReason::named(&reason))),
        failing_since: row.optional_number(10)?,
    })
}

/// Reads an endpoint's secrets from the three columns that begin at `column`.
pub(super) fn secrets(row: &Row, column: usize) -> Result<StoredSecrets> {
    let previous = match row.optional_number(column + 2)? {
        Some(until) => Some((row.bytes(column + 1)?, until)),
        None => None,
    };
    Ok(StoredSecrets { current: row.bytes(column)?, previous })
}
