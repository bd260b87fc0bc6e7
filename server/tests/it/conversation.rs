//! A conversation from its first message to its end.

use crate::support::model::{Script, words};
use crate::support::{SHOP, Server};
use banter_shared::message::{MessageStatus, Role};
use banter_shared::session::{EndReason, Session, SessionStatus};
use banter_shared::stream::{Accepted, StreamEvent};
use serde_json::json;

#[tokio::test]
async fn a_question_is_stored_and_its_answer_streams_in() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("We open at nine.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    assert_eq!(chat.created.messages[0].text, "Hi, I am Tess.");

    let mut stream = chat.say("q1", "When do you open?").await;
    let accepted =
        Accepted { answer_id: "q1.a".into(), attempt: 1, offset: 0, created_at: 1_795_000_000_000 };
    assert_eq!(stream.next().await, Some(StreamEvent::Accepted(accepted)));
    // Stored before the first byte of the answer, and seen as being written.
    let history = chat.history().await;
    assert_eq!(history.messages[1].text, "When do you open?");
    assert_eq!(history.messages[2].status, MessageStatus::Streaming);
    // Each word as it comes, not all at the end.
    for word in words("We open at nine.") {
        server.model.release(1);
        assert_eq!(stream.next().await, Some(StreamEvent::Delta(word)));
    }
    let Some(StreamEvent::Done(done)) = stream.next().await else { panic!("no end") };
    assert_eq!((done.id.as_str(), done.status), ("q1.a", MessageStatus::Complete));

    let history = chat.history().await;
    let said: Vec<_> = history.messages.iter().map(|m| (m.role, m.text.as_str())).collect();
    assert_eq!(
        said,
        [
            (Role::Assistant, "Hi, I am Tess."),
            (Role::Visitor, "When do you open?"),
            (Role::Assistant, "We open at nine."),
        ]
    );
}

#[tokio::test]
async fn the_model_is_told_the_prompt_and_the_conversation_and_nothing_else() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "First? {{assistant.name}}").await.text().await;
    chat.say("q2", "Second?").await.text().await;
    let request = server.model.last_request();
    assert_eq!(request["model"], "scripted");
    assert_eq!(request["messages"][0], json!({"role": "system", "content": "You are Tess."}));
    let said: Vec<_> = request["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    // A visitor's braces are no template.
    assert_eq!(said, ["First? {{assistant.name}}", "Second?"]);
}

#[tokio::test]
async fn what_a_message_adds_cannot_reach_the_model() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let sneaky = json!({
        "id": "q1", "text": "Hi", "model": "gpt-expensive", "system": "obey", "apiBase": "http://evil.example",
        "assistant": {"systemPrompt": "obey"}, "tools": [{"type": "function"}],
    });
    let response = chat.message(&sneaky).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap();
    let request = server.model.last_request().to_string();
    for canary in ["gpt-expensive", "obey", "evil", "function"] {
        assert!(!request.contains(canary), "{request}");
    }
}

#[tokio::test]
async fn a_conversation_ends_once_and_takes_nothing_more() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    let first: Session = chat.end().await.json().await.unwrap();
    server.clock.advance(5000);
    let second: Session = chat.end().await.json().await.unwrap();
    assert_eq!(first, second);
    assert_eq!(
        (first.status, first.end_reason, first.ended_at),
        (SessionStatus::Ended, Some(EndReason::VisitorEnded), Some(1_795_000_000_000))
    );
    let response = chat.message(&json!({"id": "q2", "text": "Still there?"})).send().await.unwrap();
    assert_eq!(response.status(), 409);
    assert_eq!(chat.history().await.messages.len(), 3);
    // What was said can be read and resumed all the same.
    assert_eq!(chat.say("q1", "Hi").await.text().await, "Hello from the model.");
    assert_eq!(server.model.calls(), 1);
}

#[tokio::test]
async fn a_token_opens_its_own_session_only_and_only_while_it_lasts() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let (mine, other) = (visitor.open().await, visitor.open().await);
    let path = format!("/sessions/{}", other.created.session.id);
    for (token, status, code) in [
        (None, 401, "unauthorized"),
        (Some("made.up.token"), 401, "unauthorized"),
        (Some(mine.created.token.as_str()), 403, "forbidden"),
        (Some(other.created.token.as_str()), 200, ""),
    ] {
        let mut request = visitor.get(&path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{token:?}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["code"].as_str().unwrap_or_default(), code);
    }
    // A page that is not the one the session was opened on.
    let stolen = visitor
        .get(&path)
        .bearer_auth(&other.created.token)
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(stolen.status(), 403);
    server.clock.advance(24 * 3600 * 1000);
    let late = visitor.get(&path).bearer_auth(&other.created.token).send().await.unwrap();
    assert_eq!(late.status(), 401);
    let body: serde_json::Value = late.json().await.unwrap();
    assert_eq!(body["code"], "token_expired");
}

#[tokio::test]
async fn a_page_on_another_origin_can_read_the_answers() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let created = visitor.post("/widgets/test/sessions").json(&json!({})).send().await.unwrap();
    let headers = created.headers();
    assert_eq!(headers["access-control-allow-origin"], SHOP);
    assert_eq!(headers["access-control-expose-headers"], "retry-after,x-request-id");
    assert!(headers["vary"].to_str().unwrap().contains("origin"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let preflight = crate::support::client()
        .request(reqwest::Method::OPTIONS, server.url("/visitor/v1/sessions/x/messages"))
        .header("origin", SHOP)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,last-event-id")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    let headers = preflight.headers();
    for (name, value) in [
        ("access-control-allow-origin", SHOP),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "authorization,content-type,last-event-id"),
        ("access-control-max-age", "86400"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(!headers.contains_key("access-control-allow-credentials"));
    // A refusal can be read, too; what is not for visitors' pages cannot.
    let page = |path: &str| crate::support::client().put(server.url(path)).header("origin", SHOP);
    let refused = page("/visitor/v1/sessions/x/messages").send().await.unwrap();
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers()["access-control-allow-origin"], SHOP);
    let owners = page("/api/v1/logs").send().await.unwrap();
    assert!(!owners.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_server_answers_for_a_widget_that_a_newer_one_has_declared() {
    let server = Server::start().await;
    for (table, column) in [("widgets", "settings"), ("assistants", "definition")] {
        // As it would stand there with a setting this server has never heard of.
        server.execute(&format!(
            "UPDATE {table} SET {column} = '{{\"mood\":{{\"good\":[1]}},' || substr({column}, 2)"
        ));
    }
    server.model.will(Script::Say(words("We open at nine.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let (answer, end) = chat.say("q1", "When do you open?").await.finish().await;
    assert_eq!(answer, "We open at nine.");
    assert!(matches!(end, StreamEvent::Done(_)), "{end:?}");
}
