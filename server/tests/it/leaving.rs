//! A visitor who leaves for good cancels the call to the model; one who reloads does not.

use crate::support::model::{Script, words};
use crate::support::{Server, eventually};
use banter_shared::message::MessageStatus;
use std::time::{Duration, Instant};

#[tokio::test]
async fn leaving_for_good_cancels_the_call_and_keeps_what_came() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Some of it and no more.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    server.model.release(2);
    stream.read_until("Some of ").await;
    assert_eq!(server.model.open(), 1);
    drop(stream);
    let left = Instant::now();
    eventually("the call is cancelled", || server.model.open() == 0).await;
    // Not before somebody could have come back.
    assert!(left.elapsed() >= Duration::from_millis(900), "{:?}", left.elapsed());
    server.quiet().await;
    let answer = chat.history().await.messages.remove(2);
    assert_eq!((answer.text.as_str(), answer.status), ("Some of ", MessageStatus::Interrupted));
}

#[tokio::test]
async fn ending_the_chat_cancels_the_call_at_once() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Never said.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    eventually("the model is asked", || server.model.open() == 1).await;
    let ended = Instant::now();
    assert_eq!(chat.end().await.status(), 200);
    let (_, error) = stream.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("session_ended", false));
    eventually("the call is cancelled", || server.model.open() == 0).await;
    assert!(ended.elapsed() < Duration::from_millis(900), "{:?}", ended.elapsed());
}

#[tokio::test]
async fn a_thousand_streams_leave_nothing_behind() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Never said.")));
    let visitor = server.visitor();
    for _ in 0..10 {
        let chats = futures_util::future::join_all((0..100).map(|_| visitor.open())).await;
        let streams =
            futures_util::future::join_all(chats.iter().map(|chat| chat.say("q1", "Hi"))).await;
        assert_eq!(server.app.converse.live_answers(), 100);
        drop(streams);
        server.quiet().await;
    }
    eventually("every call is cancelled", || server.model.open() == 0).await;
    drop(visitor);
    eventually("nothing runs", || server.app.tasks.running() == 0).await;
}
