//! The same message sent again, at once or later: asked once, stored once, answered the same.

use crate::support::Server;
use crate::support::model::{Script, words};
use banter_shared::message::MessageStatus;
use banter_shared::stream::StreamEvent;
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test]
async fn fifty_at_once_are_one() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let answers =
        join_all((0..50).map(|_| async { chat.say("q1", "Hi").await.text().await })).await;
    assert_eq!(answers, vec!["Hello from the model."; 50]);
    assert_eq!(server.model.calls(), 1);
    assert_eq!(chat.history().await.messages.len(), 3);
    server.quiet().await;
}

#[tokio::test]
async fn a_reader_that_lost_its_connection_goes_on_where_it_was() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Grüezi from the möđel, friend.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    server.model.release(2);
    let mut got = stream.read_until("Grüezi from ").await;
    let last = stream.last_id.clone();
    drop(stream);
    let stream = chat.resume("q1", "Hi", &last).await;
    server.model.release(3);
    got += &stream.text().await;
    assert_eq!(got, "Grüezi from the möđel, friend.");
    assert_eq!(server.model.calls(), 1);
    // Long after it is complete, the same place leads to the same rest.
    let rest = chat.resume("q1", "Hi", &last).await.text().await;
    assert_eq!(rest, "the möđel, friend.");
    // And without a place the whole answer comes.
    assert_eq!(chat.say("q1", "Hi").await.text().await, got);
    assert_eq!(server.model.calls(), 1);
}

#[tokio::test]
async fn two_tabs_read_one_answer() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("One answer for both.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut first = chat.say("q1", "Hi").await;
    server.model.release(1);
    assert_eq!(first.read_until("One ").await, "One ");
    let second = chat.say("q1", "Hi").await;
    server.model.release(3);
    let (rest, whole) = tokio::join!(first.text(), second.text());
    assert_eq!((rest.as_str(), whole.as_str()), ("answer for both.", "One answer for both."));
}

#[tokio::test]
async fn another_text_under_the_same_id_is_a_mistake() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    let before = chat.history().await;
    for id in ["q1", "first"] {
        let response = chat.message(&json!({"id": id, "text": "Other"})).send().await.unwrap();
        assert_eq!(response.status(), 409, "{id}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["code"], "message_id_conflict");
    }
    assert_eq!(chat.history().await, before);
}

#[tokio::test]
async fn one_question_waits_for_the_other() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Busy.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    let response = chat.message(&json!({"id": "q2", "text": "And?"})).send().await.unwrap();
    assert_eq!(response.status(), 409);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!((&body["code"], &body["retryable"]), (&json!("answer_in_progress"), &json!(true)));
    server.model.release(10);
    stream.text().await;
    server.quiet().await;
    assert_eq!(chat.say("q2", "And?").await.text().await, "Busy.");
}

#[tokio::test]
async fn a_failed_answer_is_asked_for_anew_only_when_the_visitor_wants_it() {
    let server = Server::start().await;
    server.model.will(Script::Cut(words("Half an ")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let (text, error) = chat.say("q1", "Hi").await.fails().await;
    assert_eq!((text.as_str(), error.retryable), ("Half an ", true));
    // Sent again it is the same failure, not another call.
    let (text, again) = chat.say("q1", "Hi").await.fails().await;
    assert_eq!((text.as_str(), again.code), ("Half an ", error.code));
    assert_eq!(server.model.calls(), 1);

    server.model.will(Script::Say(words("A whole answer.")));
    let retries =
        join_all((0..8).map(|_| async { chat.retry("q1", "Hi").await.finish().await })).await;
    for (text, end) in retries {
        assert_eq!(text, "A whole answer.");
        let StreamEvent::Done(done) = end else { panic!("{end:?}") };
        assert_eq!(done.attempt, 2);
    }
    assert_eq!(server.model.calls(), 2);
    // A good answer is not asked for again, whatever the browser wants.
    assert_eq!(chat.retry("q1", "Hi").await.text().await, "A whole answer.");
    assert_eq!(server.model.calls(), 2);
    let history = chat.history().await;
    assert_eq!(history.messages.len(), 3);
    assert_eq!(history.messages[2].status, MessageStatus::Complete);
    // What the model was told has nothing of the failed try in it.
    assert!(!server.model.last_request().to_string().contains("Half an"));
}

#[tokio::test]
async fn a_place_in_an_earlier_try_is_no_place_in_this_one() {
    let server = Server::start().await;
    server.model.will(Script::Cut(words("Half an ")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    stream.read_until("Half an ").await;
    let last = stream.last_id.clone();
    stream.fails().await;
    server.model.will(Script::Say(words("Anew.")));
    chat.retry("q1", "Hi").await.text().await;
    let mut stream = chat.resume("q1", "Hi", &last).await;
    let Some(StreamEvent::Accepted(accepted)) = stream.next().await else { panic!() };
    assert_eq!((accepted.attempt, accepted.offset), (2, 0));
    assert_eq!(stream.text().await, "Anew.");
}
