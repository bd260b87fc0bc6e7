//! What outlives its log, what is replayed, and what counts as failing all the time.

use super::{HOUR, LOCAL, Owner, a_while, advance, eventually};
use crate::support::Server;
use crate::support::receiver::{Answer, Receiver};
use banter_server::clock::Clock as _;
use banter_shared::owner::webhook::{DeliveryState, DisabledReason};
use serde_json::{Value, json};

#[tokio::test]
async fn a_bill_arrives_although_its_log_is_deleted() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &["usage.recorded"]).await;
    let (said, _) = owner.create(&receiver.url("/said"), &["message.created"]).await;
    receiver.will(&[Answer::Status(500); 3]);
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    owner.newest(&said, |delivery| delivery.attempts == 1).await;
    chat.end().await;
    server.clock.advance(2_000);
    owner.newest(&path, |d| d.attempts == 1 && d.state == DeliveryState::Pending).await;
    let log = format!("/logs/{}", chat.created.session.id);
    assert_eq!(server.first_owner().delete(&log).await.0, 204);
    assert!(owner.deliveries(&said).await.is_empty(), "what was said is gone");
    advance(&server, 10_000).await;
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    let last = receiver.got().pop().unwrap();
    assert_eq!(last.json()["data"]["sessionId"], chat.created.session.id.as_str());
    assert_eq!(last.json()["data"]["minutes"], "0.5");
    assert!(!String::from_utf8_lossy(&last.body).contains("Hi"));
}

#[tokio::test]
async fn what_is_replayed_is_what_was_given_up_since() {
    let server = Server::start_with(&format!("{LOCAL}max_attempts = 2\n")).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    receiver.will(&[Answer::Status(500); 2]);
    let id = owner.ping(&path).await;
    let put = server.clock.now_ms();
    owner.newest(&path, |d| d.attempts == 1 && d.state == DeliveryState::Pending).await;
    advance(&server, 10_000).await;
    owner.newest(&path, |d| d.state == DeliveryState::Failed).await;
    let replay = async |since: u64| {
        let answer = owner.post(&format!("{path}/replay?since={since}")).await;
        answer.json::<Value>().await.unwrap()
    };
    server.clock.advance(1);
    assert_eq!(replay(put + 10_001).await, json!({"count": 0}), "given up before");
    // It is older than that, and failed later.
    assert_eq!(replay(put + 5_000).await, json!({"count": 1}));
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    assert_eq!(receiver.got()[2].id(), id);
}

#[tokio::test]
async fn many_are_replayed_once_each_also_when_they_fail_again_at_once() {
    let server = Server::start_with(&format!("{LOCAL}max_attempts = 1\n")).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    let endpoint = &path[1..];
    receiver.will(&[Answer::Status(500); 250]);
    server.sql(&format!(
        "INSERT INTO outbox (id, organization_id, endpoint_id, event, payload, created_at, failed_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
         SELECT 'msg_' || i, 'default', '{endpoint}', 'ping', '{{}}', i % 7, 1000 + i FROM n;"
    ));
    let answer = owner.post(&format!("{path}/replay?since=1001")).await;
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"count": 250}));
    eventually("all arrive", || receiver.count() >= 250).await;
    a_while().await;
    assert_eq!(receiver.count(), 250);
}

#[tokio::test]
async fn two_failures_weeks_apart_are_not_weeks_of_failing() {
    let server = Server::start_with(&format!("{LOCAL}max_attempts = 1\n")).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    receiver.will(&[Answer::Status(500); 20]);
    let fail = async || {
        server.clock.advance(1);
        let id = owner.ping(&path).await;
        owner.newest(&path, |d| d.id == id && d.state == DeliveryState::Failed).await;
        owner.webhook(&path).await
    };
    let began = fail().await.failing_since.unwrap();
    server.clock.advance(14 * 24 * HOUR);
    let webhook = fail().await;
    assert!(webhook.enabled);
    let anew = webhook.failing_since.unwrap();
    assert!(anew >= began + 14 * 24 * HOUR);
    // Day after day it counts on, as far apart as attempts for one delivery may be.
    for _ in 0..4 {
        server.clock.advance(29 * HOUR);
        let webhook = fail().await;
        assert_eq!((webhook.enabled, webhook.failing_since), (true, Some(anew)));
    }
    server.clock.advance(10 * HOUR);
    let webhook = fail().await;
    assert_eq!((webhook.enabled, webhook.disabled_reason), (false, Some(DisabledReason::Failing)));
}

#[tokio::test]
async fn another_address_has_not_failed_yet() {
    let server = Server::start_with(&format!("{LOCAL}max_attempts = 1\n")).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/a"), &["session.ended"]).await;
    receiver.will(&[Answer::Status(500)]);
    owner.ping(&path).await;
    owner.newest(&path, |d| d.state == DeliveryState::Failed).await;
    let same = json!({ "url": receiver.url("/a"), "events": ["session.started"] });
    assert_eq!(owner.update(&path, &same).await.status(), 200);
    assert!(owner.webhook(&path).await.failing_since.is_some());
    assert_eq!(owner.update(&path, &json!({ "url": receiver.url("/b") })).await.status(), 200);
    assert_eq!(owner.webhook(&path).await.failing_since, None);
}

#[tokio::test]
async fn days_of_what_waits_are_given_up_when_the_endpoint_is_disabled() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    let (other, _) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    for path in [&path, &other] {
        let endpoint = &path[1..];
        server.sql(&format!(
            "INSERT INTO outbox (id, organization_id, endpoint_id, event, payload, created_at,
                 next_at)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
             SELECT '{endpoint}' || i, 'default', '{endpoint}', 'ping', '{{}}', i, 1799000000000
             FROM n;"
        ));
    }
    assert_eq!(owner.update(&path, &json!({ "enabled": false })).await.status(), 200);
    let of = |condition: &str| server.count(&format!("outbox WHERE {condition}"));
    assert_eq!((of("failed_at IS NOT NULL"), of("next_at IS NOT NULL")), (450, 450));
    // As it does by itself.
    receiver.will(&[Answer::Status(410)]);
    owner.ping(&other).await;
    eventually("it is gone", || of("next_at IS NOT NULL") == 0).await;
    assert_eq!(of("failed_at IS NOT NULL"), 901);
}

/// Left by a server that died while it gave up, by a transaction that had read the endpoint as enabled,
/// by a replay that had.
#[tokio::test]
async fn what_waits_for_a_disabled_endpoint_all_the_same_is_given_up() {
    let server = Server::start_with(LOCAL).await;
    let receiver = Receiver::start().await;
    let (path, _) = Owner(&server).create(&receiver.url("/a"), &["session.ended"]).await;
    let (other, _) = Owner(&server).create(&receiver.url("/b"), &["session.ended"]).await;
    let change = json!({ "enabled": false });
    assert_eq!(Owner(&server).update(&path, &change).await.status(), 200);
    for (path, count) in [(&path, 450), (&other, 1)] {
        let endpoint = &path[1..];
        server.sql(&format!(
            "INSERT INTO outbox (id, organization_id, endpoint_id, event, payload, created_at,
                 next_at)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             SELECT '{endpoint}' || i, 'default', '{endpoint}', 'ping', '{{}}', {now},
                 1799000000000
             FROM n;",
            now = server.clock.now_ms()
        ));
    }
    // What happens every ten minutes happens at the start as well.
    let server = server.again().await;
    let of = |condition: &str| server.count(&format!("outbox WHERE {condition}"));
    eventually("it is given up", || of("failed_at IS NOT NULL") == 450).await;
    assert_eq!(of("next_at IS NOT NULL"), 1, "another endpoint's");
    assert_eq!(Owner(&server).update(&path, &json!({ "enabled": true })).await.status(), 200);
    advance(&server, 5_000_000_000).await;
    eventually("the other's is sent", || receiver.count() > 0).await;
    a_while().await;
    assert!(receiver.got().iter().all(|got| got.path == "/b"), "nothing of it is sent");
}
