//! The outbox: what webhook endpoints are to be told, written in the transaction that makes it true.

use super::super::{Notice, Result};
use super::rows::{from_json, to_json};
use super::{Transaction, args};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Display;

/// The event that outlives what it tells of, as the ledger does.
const BILL: &str = "usage.recorded";

/// Puts `event` into the outbox of every endpoint of the organization that asked for it. `key` names
/// what happened, so that the same thing is told once however often it is written. `data` is made
/// only if somebody asked. What tells of a `sessionId` goes when that session is deleted; only the bill, a
/// few numbers, does not.
pub(super) fn emit(
    tx: &mut dyn Transaction,
    organization: &str,
    event: &str,
    key: impl Display,
    now: u64,
    data: impl FnOnce(&mut dyn Transaction) -> Result<Json>,
) -> Result<()> {
    let endpoints = wanting(tx, organization, event)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let data = data(tx)?;
    let body = payload(event, now, &data)?;
    let session = data["sessionId"].as_str().filter(|_| event != BILL);
    for endpoint in &endpoints {
        tx.execute(
            "INSERT INTO outbox
                    (id, organization_id, endpoint_id, session_id, event, payload, created_at, next_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING",
            args![
                message_id(endpoint, event, &key),
                organization,
                endpoint,
                session,
                event,
                &body,
                now,
            ],
        )?;
    }
    tx.notify(Notice::Outbox)
}

/// The endpoints of the organization that asked for `event`.
fn wanting(tx: &mut dyn Transaction, organization: &str, event: &str) -> Result<Vec<String>> {
    let endpoints = tx.query(
        "SELECT id, events FROM webhook_endpoints
         WHERE organization_id = $1 AND disabled_at IS NULL",
        args![organization],
    )?;
    let mut wanting = Vec::new();
    for endpoint in &endpoints {
        let wanted: Vec<String> = from_json("list of events", endpoint.str(1)?)?;
        if wanted.iter().any(|wanted| wanted == event) {
            wanting.push(endpoint.text(0)?);
        }
    }
    Ok(wanting)
}

/// The body of a message, exactly as it will be signed and sent. Its instant is RFC 3339, as Standard
/// Webhooks asks for.
pub(super) fn payload(event: &str, now: u64, data: &Json) -> Result<String> {
    let instant = i64::try_from(now).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let timestamp = format!("{:.3}", instant.unwrap_or_default());
    to_json(&json!({ "type": event, "timestamp": timestamp, "data": data }))
}

/// The same for the same thing told to the same endpoint.
fn message_id(endpoint: &str, event: &str, key: &impl Display) -> String {
    let digest = Sha256::digest(format!("{endpoint}\n{event}\n{key}"));
    digest[..16].iter().fold("msg_".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}
