//! Whatever the model does, the visitor gets a full answer or a typed error, in bounded time, and
//! never learns what the model's server said.

use crate::support::Server;
use crate::support::model::{Script, words};
use banter_shared::message::MessageStatus;
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
async fn a_model_that_is_down_is_said_so() {
    let server =
        Server::start_with("[engine.connections.test]\nbase_url = \"http://127.0.0.1:9/v1\"").await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let (_, error) = chat.say("q1", "Hi").await.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("assistant_unavailable", true));
}
