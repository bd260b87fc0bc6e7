//! Claims and reports that come late, or in an order that no single worker would choose.

use super::super::{SqlStore, args, outbox};
use crate::domain::retry::{Rules, Verdict};
use crate::store::webhooks::{
    Capacity, Endpoint, Note, OutboxRepository as _, Report, StoredSecrets, ToDeliver,
    WebhookRepository as _,
};
use banter_shared::owner::webhook::{Delivery, DeliveryState, DisabledReason, WebhookEvent};
use serde_json::json;
use tempfile::TempDir;

const LEASE: u64 = 100;
const RULES: Rules = Rules { max_attempts: 10, disable_after: 1_000_000 };

/// A store with these endpoints.
async fn store(endpoints: &[&str]) -> (SqlStore, TempDir) {
    let (store, folder) = SqlStore::fresh().await;
    let organization = "INSERT INTO organizations (id, name, created_at) VALUES ('o', 'O', 0)";
    store.write(move |tx| tx.execute(organization, args![])).await.unwrap();
    for id in endpoints {
        let endpoint = Endpoint {
            id: (*id).into(),
            organization: "o".into(),
            url: "https://hooks.example/".into(),
            secrets: StoredSecrets { current: vec![1], previous: None },
            events: vec![WebhookEvent::SessionEnded],
            created_at: 0,
            disabled: None,
            failing_since: None,
        };
        assert!(store.create_endpoint(endpoint, 10).await.unwrap());
    }
    (store, folder)
}

async fn put(store: &SqlStore, endpoint: &str, id: &str, now: u64) {
    let note = Note {
        id: id.into(),
        organization: "o".into(),
        endpoint: endpoint.into(),
        event: "ping",
        data: json!({}),
        now,
    };
    assert!(store.put_note(note).await.unwrap());
}

async fn claim(store: &SqlStore, now: u64, busy: &[(&str, u32)]) -> Vec<ToDeliver> {
    let busy = busy.iter().map(|(endpoint, count)| ((*endpoint).to_owned(), *count)).collect();
    let capacity = Capacity { total: 5, per_endpoint: 3, busy };
    store.claim_deliveries(now, now + LEASE, capacity).await.unwrap()
}

fn report(order: &ToDeliver, now: u64, verdict: Verdict) -> Report {
    let next_at = (verdict == Verdict::Failed).then_some(now + 1000);
    Report {
        id: order.id.clone(),
        endpoint: order.endpoint.clone(),
        attempt: order.attempt,
        now,
        verdict,
        next_at,
        status: Some(204),
        error: None,
    }
}

async fn show(store: &SqlStore, endpoint: &str) -> Delivery {
    store.deliveries("o", endpoint, None, 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_claim_holds_for_its_lease_and_a_late_report_moves_nothing() {
    let (store, _folder) = store(&["a"]).await;
    put(&store, "a", "m1", 10).await;
    assert!(claim(&store, 9, &[]).await.is_empty());
    let first = claim(&store, 10, &[]).await.remove(0);
    assert_eq!((first.attempt, show(&store, "a").await.state), (1, DeliveryState::Sending));
    assert!(claim(&store, 10 + LEASE - 1, &[]).await.is_empty());
    let second = claim(&store, 10 + LEASE, &[]).await.remove(0);
    assert_eq!((second.id.as_str(), second.attempt), ("m1", 2));
    // Whoever had it first says now that it failed: the second attempt is under way all the same.
    store.report_delivery(report(&first, 120, Verdict::Failed), RULES).await.unwrap();
    let shown = show(&store, "a").await;
    assert_eq!((shown.state, shown.next_at), (DeliveryState::Sending, Some(10 + 2 * LEASE)));
    // That it arrived is true whoever says so, and nobody takes it back.
    store.report_delivery(report(&first, 130, Verdict::Taken), RULES).await.unwrap();
    store.report_delivery(report(&second, 140, Verdict::Failed), RULES).await.unwrap();
    let shown = show(&store, "a").await;
    assert_eq!((shown.state, shown.delivered_at), (DeliveryState::Delivered, Some(130)));
    assert!(claim(&store, 1_000_000, &[]).await.is_empty());
}

#[tokio::test]
async fn what_arrives_at_a_disabled_endpoint_has_arrived() {
    let (store, _folder) = store(&["a"]).await;
    for id in ["m1", "m2", "m3"] {
        put(&store, "a", id, 10).await;
    }
    let orders = claim(&store, 10, &[]).await;
    let gone = report(&orders[0], 20, Verdict::Gone);
    let reason = store.report_delivery(gone, RULES).await.unwrap();
    assert_eq!(reason, Some(DisabledReason::Gone));
    store.report_delivery(report(&orders[1], 21, Verdict::Taken), RULES).await.unwrap();
    // Told once that it is disabled.
    let again = report(&orders[2], 22, Verdict::Gone);
    assert_eq!(store.report_delivery(again, RULES).await.unwrap(), None);
    let all = store.deliveries("o", "a", None, 10).await.unwrap();
    let state = |id: &str| all.iter().find(|delivery| delivery.id == id).unwrap().state;
    assert_eq!(state(&orders[0].id), DeliveryState::Failed);
    assert_eq!(state(&orders[1].id), DeliveryState::Delivered);
    assert_eq!(state(&orders[2].id), DeliveryState::Failed);
    assert!(claim(&store, 1_000_000, &[]).await.is_empty());
}

#[tokio::test]
async fn nobody_gets_more_than_a_share_and_who_waits_longest_is_first() {
    let (store, _folder) = store(&["a", "b", "c"]).await;
    for number in 0..10 {
        put(&store, "a", &format!("a{number}"), 10 + number).await;
        put(&store, "b", &format!("b{number}"), 5 + number).await;
    }
    put(&store, "c", "c0", 12).await;
    let of = |orders: &[ToDeliver]| {
        let of = |id: &str| orders.iter().filter(|order| order.endpoint == id).count();
        (of("a"), of("b"), of("c"))
    };
    assert_eq!(of(&claim(&store, 50, &[]).await), (2, 3, 0));
    assert_eq!(of(&claim(&store, 50, &[("b", 3), ("a", 2)]).await), (1, 0, 1));
    assert_eq!(of(&claim(&store, 50, &[("b", 3), ("a", 3)]).await), (0, 0, 0));
}

#[tokio::test]
async fn only_what_is_old_and_over_is_forgotten() {
    let (store, _folder) = store(&["a"]).await;
    for (id, now) in [("old", 10), ("waits", 11), ("young", 90)] {
        put(&store, "a", id, now).await;
    }
    for order in claim(&store, 90, &[]).await {
        let verdict = if order.id == "waits" { Verdict::Failed } else { Verdict::Taken };
        store.report_delivery(report(&order, 95, verdict), RULES).await.unwrap();
    }
    assert_eq!(store.prune_deliveries(50, 100).await.unwrap(), 1);
    let left = store.deliveries("o", "a", None, 10).await.unwrap();
    assert_eq!(left.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["young", "waits"]);
    assert_eq!(store.prune_deliveries(100, 0).await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_is_told_once_and_deleted_with_its_session() {
    let (store, _folder) = store(&["a"]).await;
    let tell = |id: &'static str, event: &'static str| {
        store.write(move |tx| {
            outbox::emit(tx, "o", event, id, 10, |_| Ok(json!({ "sessionId": id, "said": "much" })))
        })
    };
    for id in ["s1", "s2"] {
        let session = format!(
            "INSERT INTO sessions (id, widget_id, channel, created_at, expires_at, last_activity_at)
             VALUES ('{id}', 'w', 'chat', 0, 0, 0)"
        );
        store
            .write(move |tx| {
                for sql in [
                    "INSERT INTO assistants (id, organization_id, definition)
                     VALUES ('x', 'o', '{}') ON CONFLICT DO NOTHING",
                    "INSERT INTO widgets (id, organization_id, assistant_id, settings)
                     VALUES ('w', 'o', 'x', '{}') ON CONFLICT DO NOTHING",
                    &session,
                ] {
                    tx.execute(sql, args![])?;
                }
                Ok(())
            })
            .await
            .unwrap();
        tell(id, "session.ended").await.unwrap();
        tell(id, "session.ended").await.unwrap();
        tell(id, "message.created").await.unwrap();
    }
    assert_eq!(store.deliveries("o", "a", None, 10).await.unwrap().len(), 2);
    let told = claim(&store, 10, &[]).await;
    assert_eq!(
        told.iter().find(|order| order.payload.contains("s1")).unwrap().payload,
        r#"{"data":{"said":"much","sessionId":"s1"},"timestamp":"1970-01-01T00:00:00.010Z","type":"session.ended"}"#
    );
    let delete = "DELETE FROM sessions WHERE id = 's1'";
    store.write(move |tx| tx.execute(delete, args![])).await.unwrap();
    assert_eq!(store.deliveries("o", "a", None, 10).await.unwrap().len(), 1);
}
