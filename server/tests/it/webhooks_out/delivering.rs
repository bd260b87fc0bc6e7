//! What arrives, when it is tried again, and when that ends.

use super::{HOUR, LOCAL, Owner, a_while, advance, client, eventually};
use crate::support::Server;
use crate::support::database;
use crate::support::receiver::{Answer, Receiver};
use banter_server::clock::Clock as _;
use banter_shared::owner::webhook::{DeliveryState, DisabledReason};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ALL: [&str; 4] = ["session.started", "message.created", "session.ended", "usage.recorded"];

#[tokio::test]
async fn a_conversation_is_told_signed_and_once() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (_, secret) = owner.create(&receiver.url("/all?key=1"), &ALL).await;
    let (_, other) = owner.create(&receiver.url("/ends"), &["session.ended"]).await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    chat.end().await;
    let of = |path: &str| {
        let path = path.to_owned();
        receiver.got().into_iter().filter(move |got| got.path == path)
    };
    eventually("the end is told", || of("/all").any(|got| got.json()["type"] == "session.ended"))
        .await;
    eventually("the other hears of it", || of("/ends").count() == 1).await;
    a_while().await;
    let now = server.clock.now_ms();
    for got in of("/all") {
        assert!(got.is_genuine(&secret, now) && !got.is_genuine(&other, now));
        assert_eq!(got.header("content-type"), "application/json");
        assert!(got.header("user-agent").starts_with("Banter/"), "{got:?}");
        assert_eq!(got.json()["timestamp"], "2026-11-18T11:06:40.000Z");
        assert_eq!(got.json()["data"]["sessionId"], chat.created.session.id.as_str());
    }
    assert!(of("/ends").all(|got| got.is_genuine(&other, now)));
    // The bill may have come by now, or not yet.
    let mut told: Vec<String> = of("/all")
        .map(|got| got.json()["type"].as_str().unwrap().to_owned())
        .filter(|kind| kind != "usage.recorded")
        .collect();
    told.sort();
    assert_eq!(
        told,
        ["message.created", "message.created", "session.ended", "session.started"],
        "{:?}",
        receiver.got()
    );
    let all = receiver.got();
    let ids: BTreeSet<_> = all.iter().map(|got| got.id().to_owned()).collect();
    assert_eq!(ids.len(), all.len());
    let texts: BTreeSet<String> = of("/all")
        .filter(|got| got.json()["type"] == "message.created")
        .map(|got| got.json()["data"]["message"]["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["Hello from the model.", "Hi"].map(str::to_owned).into());

    server.clock.advance(2_000);
    let usage = || of("/all").find(|got| got.json()["type"] == "usage.recorded");
    eventually("the usage is told", || usage().is_some()).await;
    let usage = usage().unwrap().json();
    for (name, value) in [("units", "1"), ("rate", "0.5"), ("minutes", "0.5")] {
        assert_eq!(usage["data"][name], value, "a decimal is a text: {usage}");
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_later_under_the_same_id() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, secret) = owner.create(&receiver.url("/"), &ALL).await;
    receiver.will(&[Answer::Status(500), Answer::Status(302), Answer::Status(404)]);
    let id = owner.ping(&path).await;
    let mut wait = 0;
    for (attempts, status, least, most) in
        [(1, 500, 5_000, 6_000), (2, 302, 300_000, 360_000), (3, 404, 1_800_000, 2_160_000)]
    {
        if attempts > 1 {
            // Not before it is due.
            advance(&server, wait - 1).await;
            a_while().await;
            assert_eq!(receiver.count(), attempts as usize - 1);
            advance(&server, 1).await;
        }
        let pending = owner
            .newest(&path, |d| d.attempts == attempts && d.state == DeliveryState::Pending)
            .await;
        assert_eq!(pending.last_status, Some(status));
        assert_eq!(pending.last_error, Some(format!("the endpoint answered {status}")));
        wait = pending.next_at.unwrap() - server.clock.now_ms();
        assert!((least..=most).contains(&wait), "{attempts}: {wait}");
    }
    assert!(owner.webhook(&path).await.failing_since.is_some());
    advance(&server, wait).await;
    let done = owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    assert_eq!((done.attempts, done.last_status, done.last_error), (4, Some(204), None));
    assert_eq!(done.next_at, None);
    let got = receiver.got();
    assert_eq!(got.len(), 4);
    assert!(got.iter().all(|each| each.id() == id && each.body == got[0].body));
    // Each attempt is signed for its own time.
    assert!(got[3].is_genuine(&secret, server.clock.now_ms()));
    assert!(!got[0].is_genuine(&secret, server.clock.now_ms()));
    assert_eq!(owner.webhook(&path).await.failing_since, None);
}

#[tokio::test]
async fn a_receiver_says_when_to_come_back() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &ALL).await;
    receiver.will(&[Answer::Later(7200)]);
    owner.ping(&path).await;
    let pending = owner.newest(&path, |d| d.last_status == Some(503)).await;
    let wait = pending.next_at.unwrap() - server.clock.now_ms();
    assert!((2 * HOUR..=2 * HOUR + HOUR / 2).contains(&wait), "{wait}");
    advance(&server, 2 * HOUR - 1).await;
    a_while().await;
    assert_eq!(receiver.count(), 1);
    // Its owner need not wait.
    let replay = format!("{path}/deliveries/{}/replay", pending.id);
    assert_eq!(owner.post(&replay).await.status(), 202);
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
}

#[tokio::test]
async fn gone_means_gone() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &ALL).await;
    receiver.will(&[Answer::Status(410)]);
    let id = owner.ping(&path).await;
    let failed = owner.newest(&path, |d| d.state == DeliveryState::Failed).await;
    assert_eq!((failed.next_at, failed.last_status), (None, Some(410)));
    let webhook = owner.webhook(&path).await;
    assert_eq!((webhook.enabled, webhook.disabled_reason), (false, Some(DisabledReason::Gone)));
    // Nothing more is sent, and nothing can be.
    server.visitor().open().await.say("q1", "Hi").await.text().await;
    for action in ["/test".into(), "/replay?since=0".into(), format!("/deliveries/{id}/replay")] {
        let response = owner.post(&format!("{path}{action}")).await;
        assert_eq!(response.status(), 400, "{action}");
        assert!(response.text().await.unwrap().contains("disabled"), "{action}");
    }
    a_while().await;
    assert_eq!(receiver.count(), 1);
    // Until its owner says that it is there again.
    assert_eq!(owner.update(&path, &json!({ "enabled": true })).await.status(), 200);
    assert!(owner.webhook(&path).await.enabled);
    let replayed = owner.post(&format!("{path}/replay?since=2026-11-18T00:00:00Z")).await;
    assert_eq!(replayed.json::<Value>().await.unwrap(), json!({ "count": 1 }));
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    assert_eq!(receiver.got()[1].id(), id);
}

#[tokio::test]
async fn days_of_nothing_but_failure_disable() {
    let server =
        Server::start_with(&format!("{LOCAL}disable_after_hours = 2\nmax_attempts = 30\n")).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &ALL).await;
    let fails = [Answer::Status(500)];
    receiver.will(&fails);
    owner.ping(&path).await;
    owner.newest(&path, |d| d.attempts == 1 && d.state == DeliveryState::Pending).await;
    // One success in between, and the time begins anew.
    advance(&server, 2 * HOUR).await;
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    receiver.will(&[fails, fails, fails].concat());
    server.clock.advance(1);
    owner.ping(&path).await;
    owner.newest(&path, |d| d.attempts == 1 && d.state == DeliveryState::Pending).await;
    advance(&server, HOUR).await;
    owner.newest(&path, |d| d.attempts == 2 && d.state == DeliveryState::Pending).await;
    assert!(owner.webhook(&path).await.enabled);
    advance(&server, HOUR).await;
    owner.newest(&path, |d| d.state == DeliveryState::Failed).await;
    let webhook = owner.webhook(&path).await;
    assert_eq!((webhook.enabled, webhook.disabled_reason), (false, Some(DisabledReason::Failing)));
}

#[tokio::test]
async fn the_last_attempt_is_the_last_until_somebody_replays() {
    let server = Server::start_with(&format!("{LOCAL}max_attempts = 2\n")).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &ALL).await;
    receiver.will(&[Answer::Status(500), Answer::Status(500)]);
    let id = owner.ping(&path).await;
    owner.newest(&path, |d| d.attempts == 1 && d.state == DeliveryState::Pending).await;
    advance(&server, 10_000).await;
    let failed = owner.newest(&path, |d| d.state == DeliveryState::Failed).await;
    assert_eq!((failed.attempts, failed.next_at), (2, None));
    advance(&server, 100 * HOUR).await;
    a_while().await;
    assert_eq!(receiver.count(), 2);
    // Replays have all their attempts again; also what was delivered can be had once more.
    receiver.will(&[Answer::Status(500)]);
    let replay = format!("{path}/deliveries/{id}/replay");
    assert_eq!(owner.post(&replay).await.status(), 202);
    owner.newest(&path, |d| d.attempts == 1 && d.state == DeliveryState::Pending).await;
    advance(&server, 10_000).await;
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    assert_eq!(owner.post(&replay).await.status(), 202);
    eventually("it comes again", || receiver.count() == 5).await;
    assert!(receiver.got().iter().all(|got| got.id() == id));
    // What was delivered is not replayed as a whole, nor what is older than asked for.
    owner.newest(&path, |d| d.state == DeliveryState::Delivered).await;
    let response = owner.post(&format!("{path}/replay?since=0")).await;
    assert_eq!(response.json::<Value>().await.unwrap(), json!({ "count": 0 }));
}

#[tokio::test]
async fn one_that_hangs_holds_up_nobody_else() {
    let server = Server::start_with(LOCAL).await;
    let (owner, slow, quick) = (Owner(&server), Receiver::start().await, Receiver::start().await);
    let (slow_path, _) = owner.create(&slow.url("/"), &ALL).await;
    let (quick_path, _) = owner.create(&quick.url("/"), &ALL).await;
    slow.will(&[Answer::Hold; 12]);
    for _ in 0..12 {
        owner.ping(&slow_path).await;
    }
    eventually("the slow one has its share", || slow.count() == 4).await;
    for _ in 0..12 {
        owner.ping(&quick_path).await;
    }
    eventually("the quick one has all", || quick.count() == 12).await;
    assert_eq!(slow.count(), 4);
    slow.release(12);
    eventually("the slow one has all", || slow.count() == 12).await;
}

#[tokio::test]
async fn two_servers_on_one_database_send_each_message_once() {
    if !database::is_shared() {
        return;
    }
    let extra = format!("{LOCAL}[data]\nurl = \"{}\"\n", database::fresh());
    let one = Server::start_with(&extra).await;
    let two = Server::start_beside(Some(&one), &extra).await;
    let (owner, receiver) = (Owner(&one), Receiver::start().await);
    let (path, secret) = owner.create(&receiver.url("/"), &ALL).await;
    // Both have their hands full at some time, so both take part.
    receiver.will(&[Answer::Hold; 8]);
    for _ in 0..40 {
        owner.ping(&path).await;
    }
    eventually("each has its share", || receiver.count() == 8).await;
    receiver.release(8);
    eventually("all arrive", || receiver.count() == 40).await;
    a_while().await;
    let ids: BTreeSet<_> = receiver.got().iter().map(|got| got.id().to_owned()).collect();
    assert_eq!((receiver.count(), ids.len()), (40, 40));
    let now = two.clock.now_ms();
    assert!(receiver.got().iter().all(|got| got.is_genuine(&secret, now)));
}

#[tokio::test]
async fn a_graceful_stop_waits_for_what_is_on_its_way() {
    let mut server = Server::start_with(LOCAL).await;
    let receiver = Receiver::start().await;
    let (path, _) = Owner(&server).create(&receiver.url("/"), &ALL).await;
    receiver.will(&[Answer::Hold]);
    Owner(&server).ping(&path).await;
    eventually("it is on its way", || receiver.count() == 1).await;
    server.stop();
    a_while().await;
    assert!(client().get(server.url("/healthz")).send().await.is_err());
    receiver.release(1);
    let id = path.trim_start_matches('/');
    for _ in 0..500 {
        let list = server.app.webhooks.deliveries("default", id, None).await.unwrap();
        if list.items[0].state == DeliveryState::Delivered {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was cut off");
}

#[tokio::test]
async fn a_page_of_deliveries_leads_to_the_next() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, _) = owner.create(&receiver.url("/"), &ALL).await;
    for number in 0..60 {
        server.clock.advance(number % 2);
        owner.ping(&path).await;
    }
    let page = |query: String| owner.ask(Method::GET, &format!("{path}/deliveries{query}")).send();
    let first: Value = page(String::new()).await.unwrap().json().await.unwrap();
    let cursor = first["nextCursor"].as_str().unwrap();
    let second: Value = page(format!("?cursor={cursor}")).await.unwrap().json().await.unwrap();
    assert!(second["nextCursor"].is_null());
    let ids = |page: &Value| {
        let items = page["items"].as_array().unwrap().clone();
        items.into_iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&first).len(), ids(&second).len()), (50, 10));
    let all: BTreeSet<_> = ids(&first).into_iter().chain(ids(&second)).collect();
    assert_eq!(all.len(), 60);
    assert_eq!(page("?cursor=nonsense".into()).await.unwrap().status(), 400);
}
