//! Whatever the model does, the visitor gets a full answer or a typed error, in bounded time, and
//! never learns what the model's server said.

use crate::support::Server;
use crate::support::model::{Script, words};
use banter_shared::message::MessageStatus;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn every_fault_ends_the_stream_with_its_code() {
    let impatient = "[engine.connections.test]\nfirst_byte_seconds = 1\nidle_seconds = 1";
    let server = Server::start_with(impatient).await;
    let canary = r#"{"error":{"message":"bad key sk-canary-upstream for org-secret"}}"#;
    let fail = |status| Script::Fail(status, canary.into());
    let cases = [
        (fail(401), "assistant_unavailable"),
        (fail(404), "assistant_unavailable"),
        (fail(429), "assistant_unavailable"),
        (fail(500), "assistant_unavailable"),
        (fail(503), "assistant_unavailable"),
        (Script::Silence, "assistant_timeout"),
        (Script::Stall, "assistant_timeout"),
        (Script::Cut(words("Half an ")), "assistant_failed"),
        (Script::Cut(vec![]), "assistant_failed"),
        (Script::Junk, "assistant_failed"),
    ];
    let visitor = server.visitor();
    for (number, (script, code)) in cases.into_iter().enumerate() {
        server.model.will(script.clone());
        let chat = visitor.open().await;
        let started = Instant::now();
        let (_, error) = chat.say("q1", "Hi").await.fails().await;
        assert_eq!(error.code, code, "{number}: {script:?} {error:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{script:?}");
        assert!(!error.request_id.is_empty());
        let history = chat.history().await;
        assert_eq!(history.messages[2].status, MessageStatus::Failed);
        let seen = serde_json::to_string(&(error, history)).unwrap();
        assert!(!seen.contains("canary") && !seen.contains("org-secret"), "{seen}");
    }
    server.quiet().await;
}

#[tokio::test]
async fn what_no_text_may_hold_is_shown_as_unknown() {
    let server = Server::start().await;
    server.model.will(Script::Say(vec!["Hi \0".into(), " there".into()]));
    let chat = server.visitor();
    let chat = chat.open().await;
    assert_eq!(chat.say("q1", "Hi").await.text().await, "Hi \u{fffd} there");
    let kept = &chat.history().await.messages[2];
    assert_eq!((kept.text.as_str(), kept.status), ("Hi \u{fffd} there", MessageStatus::Complete));
}

#[tokio::test]
async fn an_answer_that_could_not_be_stored_is_stored_later() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Worth keeping.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    server.sql("ALTER TABLE messages RENAME TO hidden;");
    server.model.release(2);
    let (_, error) = stream.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("answer_interrupted", true));
    server.sql("ALTER TABLE hidden RENAME TO messages;");
    let kept = async {
        while chat.history().await.messages[2].status != MessageStatus::Complete {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.unwrap();
    assert_eq!(chat.say("q1", "Hi").await.text().await, "Worth keeping.");
    assert_eq!(server.model.calls(), 1);
}

#[tokio::test]
async fn one_question_is_not_asked_for_ever() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    for _ in 0..20 {
        server.model.will(Script::Fail(500, "no".into()));
        chat.retry("q1", "Hi").await.fails().await;
        server.clock.advance(4_000);
    }
    let again = json!({"id": "q1", "text": "Hi", "retry": true});
    let response = chat.message(&again).send().await.unwrap();
    let error: Value = response.json().await.unwrap();
    assert_eq!(error["code"], "session_full", "{error}");
    assert_eq!(server.model.calls(), 20);
}

#[tokio::test]
async fn a_model_that_is_down_is_said_so() {
    let server =
        Server::start_with("[engine.connections.test]\nbase_url = \"http://127.0.0.1:9/v1\"").await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let (_, error) = chat.say("q1", "Hi").await.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("assistant_unavailable", true));
}
