//! Deleting an endpoint while its organization's chats go on: nobody waits for it, nobody fails.

use super::{Owner, client};
use crate::support::owner::Seed;
use crate::support::{Server, database};
use reqwest::Method;
use std::time::Duration;

const ALL: [&str; 4] = ["session.started", "message.created", "session.ended", "usage.recorded"];

/// Puts so many delivered messages of a month into the endpoint's outbox.
fn fill(server: &Server, path: &str, count: u32) {
    let endpoint = &path[1..];
    server.sql(&format!(
        "INSERT INTO outbox (id, organization_id, endpoint_id, event, payload, created_at,
             delivered_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         SELECT 'old-' || i || '{endpoint}', 'default', '{endpoint}', 'ping', '{{}}', i, 1 FROM n;"
    ));
}

#[tokio::test]
async fn an_endpoint_goes_with_its_outbox_and_nothing_of_anothers() {
    let server = Server::start().await;
    let owner = Owner(&server);
    let (path, _) = owner.create("https://hooks.example/a", &ALL).await;
    let (other, _) = owner.create("https://hooks.example/b", &["session.ended"]).await;
    fill(&server, &path, 1_001);
    fill(&server, &other, 3);
    server.seed(&[Seed::new("s")]);
    assert_eq!(owner.ask(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(owner.ask(Method::DELETE, &path).send().await.unwrap().status(), 404);
    assert_eq!((server.count("outbox"), server.count("webhook_endpoints")), (3, 1));
    assert!(owner.webhook(&other).await.enabled);
}

#[tokio::test]
async fn whoever_is_at_its_outbox_holds_up_no_chat() {
    if !database::is_shared() {
        // SQLite has one lock for all.
        return;
    }
    let server = Server::start().await;
    let owner = Owner(&server);
    let (path, _) = owner.create("https://hooks.example/", &ALL).await;
    fill(&server, &path, 3);
    let held = server.hold("SELECT id FROM outbox WHERE id LIKE 'old-2%' FOR UPDATE");
    let url = server.url(&format!("/api/v1/webhooks{path}"));
    let delete = client().delete(url).bearer_auth(&server.owner_key).send();
    let chats = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let visitor = server.visitor();
        let chat = visitor.open().await;
        let talk = async {
            chat.say("q1", "Hi").await.text().await;
            chat.end().await
        };
        let talked = tokio::time::timeout(Duration::from_secs(5), talk).await;
        drop(held);
        assert_eq!(talked.unwrap().status(), 200);
    };
    let (deleted, ()) = tokio::join!(delete, chats);
    assert_eq!(deleted.unwrap().status(), 204);
    assert_eq!((server.count("outbox"), server.count("webhook_endpoints")), (0, 0));
}

#[tokio::test]
async fn endpoints_come_and_go_while_everybody_talks() {
    let server = Server::start().await;
    let owner = Owner(&server);
    let visitor = server.visitor();
    let manage = async {
        for _ in 0..15 {
            let (path, _) = owner.create("https://hooks.example/", &ALL).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
            let deleted = owner.ask(Method::DELETE, &path).send().await.unwrap();
            assert_eq!(deleted.status(), 204);
        }
    };
    let talk = async |number: usize| {
        for turn in 0..8 {
            let chat = visitor.open().await;
            let text = chat.say("q1", "Hi").await.text().await;
            assert_eq!(text, "Hello from the model.", "{number} {turn}");
            assert_eq!(chat.end().await.status(), 200);
        }
    };
    let talks = futures_util::future::join_all((0..6).map(talk));
    tokio::join!(manage, talks);
    assert_eq!(server.count("outbox"), 0);
}
