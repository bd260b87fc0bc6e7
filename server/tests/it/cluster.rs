//! Two servers on one PostgreSQL database: any of them serves any session, and one may die. On SQLite,
//! which has one server, there is nothing to see; `cargo xtask test` runs all tests on both.

mod ends;

use crate::crash::{prepare, start};
use crate::support::model::{Script, words};
use crate::support::visitor::{Chat, Visitor};
use crate::support::{SHOP, balancer, config, database, eventually};
use banter_shared::message::MessageStatus;
use banter_shared::session::{EndReason, SessionStatus};
use banter_shared::stream::StreamEvent;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn any_server_serves_any_session_and_a_stream_goes_on_elsewhere() {
    if !database::is_shared() {
        return;
    }
    let (model, folder) = prepare().await;
    let (mut one, first) = start(folder.path(), 0).await;
    let (mut two, second) = start(folder.path(), 0).await;
    let (here, there) = (Visitor::on(SHOP, first), Visitor::on(SHOP, second));
    let chat = here.open().await;
    let elsewhere = there.at(&chat);
    model.will(Script::Hold(words("One two three four five six.")));
    let mut stream = chat.say("q1", "Count").await;
    model.release(2);
    stream.read_until("One two ").await;
    // The same question at the other server: the same answer, asked once.
    let mut along = elsewhere.resume("q1", "Count", &stream.last_id).await;
    // Another question has to wait for it, whichever server is asked.
    let refused = elsewhere.message(&json!({"id": "q2", "text": "And?"})).send().await.unwrap();
    assert_eq!(refused.status(), 409);
    // The first word makes the writer store what it has; then they come as they are said.
    model.release(2);
    assert_eq!(along.read_until("three four ").await, "three four ");
    model.release(2);
    let (rest, end) = along.finish().await;
    assert!(matches!(end, StreamEvent::Done(_)), "{end:?}");
    assert_eq!(rest, "five six.");
    assert_eq!(stream.text().await, "three four five six.");
    assert_eq!(model.calls(), 1);
    // Ended there, the answer stops here.
    model.will(Script::Hold(words("Never said.")));
    let stream = chat.say("q2", "And?").await;
    eventually("the model is asked", || model.open() == 1).await;
    assert_eq!(elsewhere.end().await.status(), 200);
    assert_eq!(stream.fails().await.1.code, "session_ended");
    eventually("the call is cancelled", || model.open() == 0).await;
    assert_eq!(chat.history().await.session.end_reason, Some(EndReason::VisitorEnded));
    one.kill().await.unwrap();
    two.kill().await.unwrap();
}

/// As when a balancer sends a visitor who lost the connection to the other server: who writes has no
/// reader of its own any more, and must not take that for being left.
#[tokio::test]
async fn who_reads_along_elsewhere_keeps_the_writer_writing() {
    if !database::is_shared() {
        return;
    }
    let (model, folder) = prepare().await;
    let settings = config(model.address);
    assert!(settings.contains("abandon_seconds = 1"));
    let patient = settings.replace("abandon_seconds = 1", "abandon_seconds = 2");
    std::fs::write(folder.path().join("banter.toml"), patient).unwrap();
    let (mut one, first) = start(folder.path(), 0).await;
    let (mut two, second) = start(folder.path(), 0).await;
    let (here, there) = (Visitor::on(SHOP, first), Visitor::on(SHOP, second));
    let chat = here.open().await;
    let elsewhere = there.at(&chat);
    model.will(Script::Hold(words("One two three four.")));
    let mut stream = chat.say("q1", "Count").await;
    model.release(1);
    stream.read_until("One ").await;
    let mut along = elsewhere.resume("q1", "Count", &stream.last_id).await;
    model.release(1);
    along.read_until("two ").await;
    drop(stream);
    tokio::time::sleep(Duration::from_secs(6)).await;
    model.release(2);
    let (rest, end) = along.finish().await;
    assert!(matches!(end, StreamEvent::Done(_)), "{end:?}");
    assert_eq!(rest, "three four.");
    assert_eq!(model.calls(), 1);
    // And when that reader leaves as well, the call is cancelled.
    model.will(Script::Hold(words("Never said.")));
    let stream = chat.say("q2", "And?").await;
    eventually("the model is asked", || model.open() == 1).await;
    let along = elsewhere.resume("q2", "And?", "").await;
    drop((stream, along));
    eventually("the call is cancelled", || model.open() == 0).await;
    one.kill().await.unwrap();
    two.kill().await.unwrap();
}

/// Says something and sees it through, over however many connections it takes, as the widget does.
/// Returns the answer's text.
async fn see_through(chat: &Chat<'_>, text: &str) -> String {
    let (mut got, mut last) = (String::new(), String::new());
    for _ in 0..60 {
        let request = chat.message(&json!({"id": "q1", "text": text}));
        let sent = request.header("last-event-id", &last).send().await;
        if let Ok(response) = sent
            && response.status() == 200
        {
            let mut stream = crate::support::visitor::Stream::of(response);
            while let Some(event) = stream.next().await {
                match event {
                    StreamEvent::Accepted(accepted) => got.truncate(accepted.offset as usize),
                    StreamEvent::Delta(delta) => {
                        got.push_str(&delta);
                        last.clone_from(&stream.last_id);
                    }
                    StreamEvent::Done(_) => return got,
                    StreamEvent::Error(error) => panic!("{error:?} after {got:?}"),
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("no end after {got:?}");
}

#[tokio::test]
async fn one_server_dies_while_two_hundred_answers_stream() {
    if !database::is_shared() {
        return;
    }
    const VISITORS: usize = 200;
    let (model, folder) = prepare().await;
    let (mut one, first) = start(folder.path(), 0).await;
    let (mut two, second) = start(folder.path(), 0).await;
    let visitor = Visitor::on(SHOP, balancer::start([first, second]).await);
    let chats = futures_util::future::join_all((0..VISITORS).map(|_| visitor.open())).await;
    let answer = "Every word of this answer arrives although a server dies in the middle of it.";
    model.will(Script::Hold(words(answer)));
    let all = futures_util::future::join_all(chats.iter().map(|chat| see_through(chat, "Hi")));
    let killer = async {
        eventually("all are being answered", || model.open() == VISITORS).await;
        // A few words each, some checkpoints, and then one of the two is gone.
        model.release(VISITORS * 4);
        tokio::time::sleep(Duration::from_millis(500)).await;
        one.kill().await.unwrap();
        // From now on the model says everything to whoever asks.
        model.release(VISITORS * 100);
    };
    let (answers, ()) = tokio::join!(all, killer);
    for got in &answers {
        assert_eq!(got, answer);
    }
    let mut taken_over = 0;
    let survivor = Visitor::on(SHOP, second);
    for chat in &chats {
        let history = survivor.at(chat).history().await;
        let said: Vec<_> = history.messages.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(said, ["Hi, I am Tess.", "Hi", answer]);
        let last = &history.messages[2];
        assert_eq!(last.status, MessageStatus::Complete);
        assert!(last.attempt <= 2, "{last:?}");
        taken_over += usize::from(last.attempt == 2);
        assert_eq!(history.session.status, SessionStatus::Active);
    }
    assert!((20..VISITORS).contains(&taken_over), "{taken_over} were taken over");
    assert_eq!(model.calls(), VISITORS + taken_over);
    two.kill().await.unwrap();
}
