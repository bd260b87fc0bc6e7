//! Sends what is in the outbox: claims what is due, sends a bounded number at once, and writes down
//! what came of each.
//!
//! At least once, in no order: a message that was sent and not yet written down when the server died
//! is sent again when its lease is over, under the same id, by which a receiver knows it. One future
//! drives all of it, so that there is nothing to leak.

use super::secrets::Sealer;
use super::webhooks::signing_secrets;
use crate::clock::{Clock, Entropy};
use crate::domain::retry::{self, Rules, Verdict};
use crate::domain::signature::signatures;
use crate::providers::webhook_sender::{Parcel, Reply, WebhookSender};
use crate::store::webhooks::{Capacity, Report, ToDeliver};
use crate::store::{Notice, Store};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, interval};

/// Deliveries on their way at once, in all and to one endpoint.
const AT_ONCE: u32 = 32;
const AT_ONCE_PER_ENDPOINT: u32 = 4;
/// How long a claim holds, in milliseconds: longer than an attempt can take.
const LEASE: u64 = 20_000;
/// How often the outbox is looked into though nobody said that there is something in it: retries
/// fall due, and another server's notice may be lost.
const LOOK: Duration = Duration::from_secs(1);
/// How often what is over is forgotten, and what waits in vain given up; and how much is forgotten at a
/// time.
const PRUNE: Duration = Duration::from_secs(600);
const PRUNE_ROWS: u32 = 1000;

/// The worker.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is named after its documented type")]
pub struct Deliver {
    pub store: Arc<dyn Store>,
    pub sender: WebhookSender,
    pub sealer: Sealer,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub rules: Rules,
    /// How long a delivery is kept, unless it is still tried, in milliseconds.
    pub keep: u64,
}

impl Deliver {
    /// Delivers until `stopping` says so, then waits for what is on its way. Who wants to wait for
    /// that waits until `stopping` is dropped.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut notices = self.store.notices();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut under_way = FuturesUnordered::new();
        let mut busy = BTreeMap::new();
        let mut prune_at = Instant::now();
        loop {
            for order in self.claim(&busy).await {
                *busy.entry(order.endpoint.clone()).or_insert(0) += 1;
                under_way.push(self.deliver(order));
            }
            if Instant::now() >= prune_at && self.prune().await {
                prune_at = Instant::now() + PRUNE;
            }
            // Until something changes: time, the outbox, or room for more.
            loop {
                tokio::select! {
                    () = asked_to_stop(&mut stopping) => {
                        while under_way.next().await.is_some() {}
                        return;
                    }
                    _ = look.tick() => break,
                    notice = notices.recv() => match notice {
                        Ok(Notice::Outbox) | Err(RecvError::Lagged(_)) => break,
                        Ok(_) => {}
                        // The store is going; the clock still looks.
                        Err(RecvError::Closed) => {
                            look.tick().await;
                            break;
                        }
                    },
                    Some(endpoint) = under_way.next() => {
                        free(&mut busy, &endpoint);
                        break;
                    }
                }
            }
        }
    }

    async fn claim(&self, busy: &BTreeMap<String, u32>) -> Vec<ToDeliver> {
        let total = AT_ONCE.saturating_sub(busy.values().sum());
        if total == 0 {
            return Vec::new();
        }
        let capacity = Capacity {
            total,
            per_endpoint: AT_ONCE_PER_ENDPOINT,
            busy: busy.iter().map(|(endpoint, count)| (endpoint.clone(), *count)).collect(),
        };
        let now = self.clock.now_ms();
        self.store.claim_deliveries(now, now + LEASE, capacity).await.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the outbox cannot be looked into"
            );
            Vec::new()
        })
    }

    /// One attempt. Returns the endpoint, which has room for another one then.
    async fn deliver(&self, order: ToDeliver) -> String {
        let report = self.attempt(&order).await;
        let outcome = match report.verdict {
            Verdict::Taken => "taken",
            Verdict::Gone => "gone",
            Verdict::Failed => "failed",
        };
        metrics::counter!("banter_webhook_attempts_total", "outcome" => outcome).increment(1);
        match self.store.report_delivery(report, self.rules).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                tracing::warn!(
                    endpoint = order.endpoint,
                    reason = reason.name(),
                    "a webhook endpoint is disabled"
                );
            }
            // Sent again when the lease is over.
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                message = order.id,
                "what came of a delivery was not written down"
            ),
        }
        order.endpoint
    }

    async fn attempt(&self, order: &ToDeliver) -> Report {
        let now = self.clock.now_ms();
        let (status, retry_after, error) =
            match signing_secrets(&self.sealer, &order.endpoint, &order.secrets, now) {
                Ok(secrets) => {
                    let (id, seconds) = (order.id.as_str(), now / 1000);
                    let signatures = signatures(&secrets, id, seconds, order.payload.as_bytes());
                    let parcel = Parcel {
                        url: &order.url,
                        id,
                        seconds,
                        signatures: &signatures,
                        body: &order.payload,
                    };
                    match self.sender.send(parcel, now).await {
                        Reply::Status { status, retry_after } => (Some(status), retry_after, None),
                        Reply::Nothing(failure) => (None, None, Some(failure.sentence())),
                    }
                }
                Err(_) => (None, None, Some("the secret cannot be read; rotate it")),
            };
        let verdict = status.map_or(Verdict::Failed, retry::verdict);
        let error = match (verdict, error) {
            (Verdict::Taken, _) => None,
            (_, Some(sentence)) => Some(sentence.to_owned()),
            (_, None) => status.map(|status| format!("the endpoint answered {status}")),
        };
        let now = self.clock.now_ms();
        let next_at = (verdict == Verdict::Failed)
            .then(|| {
                retry::next_attempt(self.rules, order.attempt, now, retry_after, self.random())
            })
            .flatten();
        Report {
            id: order.id.clone(),
            endpoint: order.endpoint.clone(),
            attempt: order.attempt,
            now,
            verdict,
            next_at,
            status,
            error,
        }
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Forgets some of what is over, and gives up some of what waits for endpoints that are disabled.
    /// Says whether that was all.
    async fn prune(&self) -> bool {
        let now = self.clock.now_ms();
        let before = now.saturating_sub(self.keep);
        let forgotten = self.store.prune_deliveries(before, PRUNE_ROWS).await;
        let given_up = self.store.give_up_disabled(now).await;
        let all = forgotten.map(|count| count < u64::from(PRUNE_ROWS));
        all.and_then(|all| given_up.map(|too| all && too)).unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old deliveries are still kept, or wait for endpoints that are disabled"
            );
            true
        })
    }
}

async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone can ask no more; the server is gone with it.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// One delivery less is on its way to `endpoint`.
fn free(busy: &mut BTreeMap<String, u32>, endpoint: &str) {
    if let Some(count) = busy.get_mut(endpoint) {
        *count -= 1;
        if *count == 0 {
            busy.remove(endpoint);
        }
    }
}
