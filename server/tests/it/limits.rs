//! What a visitor may do how often, and that what it does leaves a bounded trace.

use crate::support::owner::Seed;
use crate::support::{Server, client};
use banter_shared::session::SessionStatus;
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn loading_and_leaving_have_limits_of_their_own() {
    let server = Server::start_with(
        "[limits]\nloads_per_minute_per_address = 3\nleaves_per_minute_per_address = 2",
    )
    .await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let load = async || {
        let id = &chat.created.session.id;
        let url = server.url(&format!("/visitor/v1/sessions/{id}"));
        client().get(url).bearer_auth(&chat.created.token).send().await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(load().await.status(), StatusCode::OK);
    }
    let refused = load().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    // Whoever reloaded too often can still say goodbye, talk, and show that it is there.
    let beacon = json!({"reason": "hidden", "token": chat.created.token});
    for _ in 0..2 {
        assert_eq!(chat.beacon(&beacon).await.status(), StatusCode::OK);
    }
    let refused = chat.beacon(&beacon).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(chat.stir().await.status, SessionStatus::Active);
    assert_eq!(chat.say("q1", "Hi").await.text().await, "Hello from the model.");
}

#[tokio::test]
async fn a_page_that_is_loaded_writes_only_to_take_a_leaving_back() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let held = server.hold("SELECT id FROM sessions FOR UPDATE");
    let loaded = tokio::time::timeout(Duration::from_secs(3), chat.history()).await;
    assert_eq!(loaded.unwrap().session.status, SessionStatus::Active);
    drop(held);
    chat.leave("tab_closed").await;
    chat.history().await;
    server.clock.advance(60_000);
    assert_eq!(chat.history().await.session.status, SessionStatus::Active);
    let kinds = "session_events WHERE kind = ";
    assert_eq!(server.count(&format!("{kinds}'left'")), 1);
    assert_eq!(server.count(&format!("{kinds}'returned'")), 1);
}

#[tokio::test]
async fn whoever_comes_and_goes_all_day_fills_no_timeline() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    for _ in 0..120 {
        chat.leave("hidden").await;
        chat.stir().await;
    }
    assert_eq!(server.count("session_events WHERE kind IN ('left', 'returned')"), 200);
    // What it means for the session still holds.
    chat.leave("hidden").await;
    server.clock.advance(61_000);
    let ended = chat.history().await.session;
    assert_eq!(ended.end_reason.unwrap().name(), "hidden");
}

#[tokio::test]
async fn of_a_long_timeline_the_owner_sees_the_end() {
    let server = Server::start().await;
    server.seed(&[Seed::new("long"), Seed::new("short")]);
    server.sql(
        "INSERT INTO session_events (session_id, at, kind, detail)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
         SELECT 'long', i, 'left', '{}' FROM n;
         INSERT INTO session_events (session_id, at, kind, detail)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         SELECT 'short', i, 'left', '{}' FROM n;",
    );
    let owner = server.first_owner();
    let (_, long) = owner.get("/logs/long").await;
    let events = long["timeline"].as_array().unwrap();
    assert_eq!((events.len(), &long["timelineCut"]), (500, &json!(true)));
    assert_eq!((&events[0]["at"], &events[499]["at"]), (&json!(101), &json!(600)));
    let (_, short) = owner.get("/logs/short").await;
    assert_eq!(short["timeline"].as_array().unwrap().len(), 500);
    assert_eq!(short.get("timelineCut"), None);
}
