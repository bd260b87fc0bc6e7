//! What Vapi will not do: what its owner learns of it, what it means to the session; and that Vapi is
//! left alone once nobody waits for the answer.

use crate::support::eventually;
use crate::support::vapi::VapiServer;
use banter_shared::session::{EndReason, SessionStatus};
use serde_json::Value;
use std::time::{Duration, Instant};
use vapi_double::{Act, KEY, Route, Script};

/// What a refusal of Vapi's might quote.
const CANARY: &str = "canary-31d7";

fn refusal(status: u16) -> Script {
    let said = format!(r#"{{"message":"{CANARY}: key {KEY}","statusCode":{status}}}"#);
    Act::Fail(status, said).into()
}

/// The owner's log of a session.
async fn log(server: &VapiServer, session: &str) -> Value {
    let (status, log) = server.first_owner().get(&format!("/logs/{session}")).await;
    assert_eq!(status, 200);
    log
}

/// The details of the events of this kind in a log's timeline.
fn events(log: &Value, kind: &str) -> Vec<Value> {
    let timeline = log["timeline"].as_array().unwrap().iter();
    timeline.filter(|event| event["kind"] == kind).map(|event| event["detail"].clone()).collect()
}

#[tokio::test]
async fn a_refusal_for_good_ends_the_session_and_its_owner_knows_why() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let calm = Script::default;
    for (opening, chat, code, cause, is_over) in [
        (refusal(401), calm(), "assistant_unavailable", "private key", true),
        (calm(), refusal(401), "assistant_unavailable", "private key", true),
        (refusal(402), calm(), "assistant_unavailable", "payment method", true),
        (calm(), refusal(402), "assistant_unavailable", "payment method", true),
        (calm(), refusal(403), "assistant_unavailable", "keep this server out", true),
        (refusal(404), calm(), "assistant_unavailable", "the assistant's id", true),
        // Of a chat it means its session, and another one is opened next time.
        (calm(), refusal(404), "assistant_failed", "no longer has the session", false),
        (calm(), refusal(503), "assistant_unavailable", "HTTP 503", false),
        (calm(), refusal(429), "assistant_unavailable", "limits our rate", false),
    ] {
        server.double.will_on(Route::Open, opening);
        server.double.will(chat);
        let chat = visitor.open().await;
        let (_, error) = chat.say("q1", "Hi").await.fails().await;
        assert_eq!((error.code.as_str(), error.retryable), (code, !is_over), "{cause}");
        let session = chat.history().await.session;
        let log = log(&server, session.id.as_str()).await;
        let failed = events(&log, "answer_failed");
        assert_eq!(failed.len(), 1, "{cause}: {log}");
        assert_eq!(failed[0]["code"], code, "{cause}");
        let told = failed[0]["cause"].as_str().unwrap();
        assert!(told.contains(cause), "{told}");
        assert!(!log.to_string().contains(KEY), "{log}");
        let (reason, status) = match is_over {
            true => (Some(EndReason::Failed), SessionStatus::Ended),
            false => (None, SessionStatus::Active),
        };
        assert_eq!((session.end_reason, session.status), (reason, status), "{cause}");
        let ended = if is_over { Value::from("failed") } else { Value::Null };
        assert_eq!(log["log"]["endReason"], ended, "{cause}");
        // The visitor learns of none of it.
        let seen = format!("{error:?} {}", serde_json::to_string(&chat.history().await).unwrap());
        assert!(!seen.contains(CANARY) && !seen.contains(cause), "{seen}");
        server.clock.advance(30_000);
    }
}

#[tokio::test]
async fn whoever_was_answered_before_may_ask_something_else() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    server.double.will(Script::say("Welcome."));
    chat.say("q1", "Hi").await.text().await;
    let long = "x".repeat(5_000);
    server.double.will(Act::Fail(402, format!(r#"{{"message":"{long}"}}"#)));
    let (_, error) = chat.say("q2", "And?").await.fails().await;
    assert!(!error.retryable);
    let session = chat.history().await.session;
    assert_eq!(session.status, SessionStatus::Active);
    let log = log(&server, session.id.as_str()).await;
    assert!(events(&log, "answer_failed")[0]["cause"].as_str().unwrap().len() <= 500);
    server.double.will(Script::say("Paid."));
    assert_eq!(chat.say("q3", "And now?").await.text().await, "Paid.");
}

#[tokio::test]
async fn an_end_while_a_session_is_being_opened_asks_vapi_nothing() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    server.double.will_on(Route::Open, Script::default().delay(Duration::from_millis(1_000)));
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    eventually("Vapi is asked", || !server.double.bodies("POST", "/session").is_empty()).await;
    let ended = Instant::now();
    assert_eq!(chat.end().await.status(), 200);
    assert_eq!(stream.fails().await.1.code, "session_ended");
    assert!(ended.elapsed() < Duration::from_millis(700), "{:?}", ended.elapsed());
    // What was opened all the same is closed again.
    let closed = async || {
        server.app.lifecycle.tell().await.unwrap();
        server.double.sessions().iter().any(|session| session["status"] == "completed")
    };
    while !closed().await {
        assert!(ended.elapsed() < Duration::from_secs(10), "it stays open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.double.sessions().len(), 1);
    assert!(server.double.bodies("POST", "/chat").is_empty());
    drop(visitor);
    eventually("nothing runs", || server.app.tasks.running() == 0).await;
}

#[tokio::test]
async fn an_end_that_was_not_heard_of_while_a_session_is_being_opened_asks_vapi_nothing() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    server.double.will_on(Route::Open, Script::default().delay(Duration::from_millis(500)));
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    server.sql(
        "UPDATE sessions SET status = 'ended', ended_at = 1, end_reason = 'owner_ended',
                due_at = NULL",
    );
    assert_eq!(stream.fails().await.1.code, "session_ended");
    assert!(server.double.bodies("POST", "/chat").is_empty());
}

#[tokio::test]
async fn whoever_leaves_while_a_session_is_being_opened_is_not_answered() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    // Longer than the second for which an answer waits for its reader to come back.
    server.double.will_on(Route::Open, Script::default().delay(Duration::from_millis(1_700)));
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    eventually("Vapi is asked", || !server.double.bodies("POST", "/session").is_empty()).await;
    drop(stream);
    let left = Instant::now();
    server.quiet().await;
    assert!(left.elapsed() < Duration::from_millis(1_500), "{:?}", left.elapsed());
    let session = chat.created.session.id.as_str();
    while events(&log(&server, session).await, "opened").is_empty() {
        assert!(left.elapsed() < Duration::from_secs(10), "the session's id is lost");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(server.double.bodies("POST", "/chat").is_empty());
    // The next question goes there.
    assert!(!chat.retry("q1", "Hi").await.text().await.is_empty());
    assert_eq!(server.double.sessions().len(), 1);
}

/// Its visitor comes back and asks again, which opens another one; the first one comes after that, or while
/// that is being opened. What was said is in one of them, and the next question goes there.
#[tokio::test]
async fn a_session_that_is_opened_late_takes_no_chat_over() {
    for again in [0, 1_500] {
        let server = VapiServer::start().await;
        let visitor = server.visitor();
        let late = Script::default().delay(Duration::from_millis(1_900));
        server.double.will_on(Route::Open, late);
        let chat = visitor.open().await;
        let stream = chat.say("q1", "Hi").await;
        eventually("Vapi is asked", || !server.double.bodies("POST", "/session").is_empty()).await;
        drop(stream);
        server.quiet().await;
        server.double.will_on(Route::Open, Script::default().delay(Duration::from_millis(again)));
        chat.retry("q1", "Hi").await.text().await;
        eventually("both are opened", || server.double.sessions().len() == 2).await;
        let opened = "session_events WHERE kind = 'opened'";
        eventually("both are known", || server.count(opened) == 2).await;
        chat.say("q2", "And?").await.text().await;
        let chats = server.double.bodies("POST", "/chat");
        assert_eq!(chats.len(), 2);
        assert_eq!(chats[0]["sessionId"], chats[1]["sessionId"], "{again}");
        // Both are closed with the chat.
        chat.end().await;
        server.app.lifecycle.tell().await.unwrap();
        let is_completed = |session: &Value| session["status"] == "completed";
        assert!(server.double.sessions().iter().all(is_completed));
    }
}
