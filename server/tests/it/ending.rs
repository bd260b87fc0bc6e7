//! What an end does to an answer that is being written, and what such an answer does to the end.

use crate::support::model::{Script, words};
use crate::support::visitor::{Chat, Stream};
use crate::support::{Server, eventually};
use banter_server::clock::Clock as _;
use banter_server::store::Notice;
use banter_shared::message::MessageStatus;
use banter_shared::session::{EndReason, SessionStatus};
use futures_util::FutureExt as _;
use std::time::Duration;

const MINUTE: u64 = 60_000;

/// Ends a session as a server does whose notice got lost.
fn end_unheard(server: &Server, chat: &Chat<'_>) {
    let (id, now) = (&chat.created.session.id, server.clock.now_ms());
    server.sql(&format!(
        "UPDATE sessions SET status = 'ended', ended_at = {now}, end_reason = 'owner_ended',
                due_at = NULL WHERE id = '{id}';"
    ));
}

/// The stream ends because the session did.
async fn is_over(stream: Stream) {
    let (_, error) = tokio::time::timeout(Duration::from_secs(10), stream.fails()).await.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("session_ended", false));
    assert_eq!(error.message, "This chat has ended; start a new one.");
}

/// An answer as a server leaves it behind that dies while it writes; `alive` until it is removed.
async fn ghost(server: &Server, chat: &Chat<'_>) {
    chat.say("q1", "Hi").await.text().await;
    let (id, now) = (&chat.created.session.id, server.clock.now_ms());
    server.sql(&format!(
        "UPDATE messages SET status = 'streaming', text = 'Half an ', writer = 'ghost'
         WHERE session_id = '{id}' AND id = 'q1.a';
         INSERT INTO nodes (id, started_at, seen_at) VALUES ('ghost', {now}, {now});"
    ));
}

/// Reads such an answer along.
async fn read_along(server: &Server, chat: &Chat<'_>) -> Stream {
    ghost(server, chat).await;
    let mut stream = chat.say("q1", "Hi").await;
    stream.read_until("Half an ").await;
    stream
}

#[tokio::test]
async fn whoever_reads_a_dead_servers_answer_along_is_told_of_the_end() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = read_along(&server, &chat).await;
    end_unheard(&server, &chat);
    server.sql("DELETE FROM nodes WHERE id = 'ghost'");
    is_over(stream).await;
    server.quiet().await;
}

#[tokio::test]
async fn whoever_reads_a_dead_servers_answer_along_is_told_that_the_store_fails() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = read_along(&server, &chat).await;
    // Where it stands can be read, but it cannot be asked for anew.
    server.sql("ALTER TABLE assistants RENAME TO hidden; DELETE FROM nodes WHERE id = 'ghost'");
    let (_, error) = tokio::time::timeout(Duration::from_secs(10), stream.fails()).await.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("unavailable", true));
    server.sql("ALTER TABLE hidden RENAME TO assistants");
    server.quiet().await;
    assert_eq!(chat.say("q1", "Hi").await.text().await, "Hello from the model.");
}

#[tokio::test]
async fn a_dead_servers_answer_is_not_asked_for_anew_when_nobody_reads_it_any_more() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = read_along(&server, &chat).await;
    drop(stream);
    server.quiet().await;
    server.sql("DELETE FROM nodes WHERE id = 'ghost'");
    assert_eq!(server.model.calls(), 1);
    // Whoever comes back has it written anew.
    assert_eq!(chat.say("q1", "Hi").await.text().await, "Hello from the model.");
    assert_eq!(server.model.calls(), 2);
}

#[tokio::test]
async fn an_answer_takes_all_the_time_it_needs_and_silence_counts_from_its_end() {
    let server = Server::start_with("[widgets.test]\ninactivity_minutes = 1").await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    server.model.will(Script::Hold(words("A slow answer.")));
    let stream = chat.say("q1", "Hi").await;
    // Not a word for 90 seconds: what a provider takes that opens its session first and then thinks.
    let last_activity = format!(
        "SELECT CAST(last_activity_at AS TEXT) FROM sessions WHERE id = '{}'",
        chat.created.session.id
    );
    for _ in 0..3 {
        server.clock.advance(30_000);
        let now = server.clock.now_ms().to_string();
        eventually("the session is told", || server.value(&last_activity) == now).await;
        server.app.lifecycle.end_due().await.unwrap();
    }
    server.model.release(10);
    assert_eq!(stream.text().await, "A slow answer.");
    assert_eq!(chat.history().await.session.inactive_in_ms, MINUTE);
    let answered = server.clock.now_ms();
    server.clock.advance(MINUTE - 1);
    assert_eq!(chat.history().await.session.status, SessionStatus::Active);
    server.clock.advance(1);
    let ended = chat.history().await.session;
    assert_eq!(ended.end_reason, Some(EndReason::Inactive));
    assert_eq!(ended.ended_at, Some(answered + MINUTE));
}

#[tokio::test]
async fn a_dead_servers_answer_keeps_no_session_alive() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    ghost(&server, &chat).await;
    server.clock.advance(3 * MINUTE);
    server.app.lifecycle.end_due().await.unwrap();
    let reason =
        format!("SELECT end_reason FROM sessions WHERE id = '{}'", chat.created.session.id);
    assert_eq!(server.value(&reason), "inactive");
}

#[tokio::test]
async fn an_answer_is_not_written_on_after_an_end_that_was_not_heard_of() {
    let server = Server::start().await;
    let visitor = server.visitor();
    server.model.will(Script::Hold(words("One two three four.")));
    // With words it is found out when they are stored.
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    server.model.release(1);
    stream.read_until("One ").await;
    end_unheard(&server, &chat);
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.model.release(1);
    is_over(stream).await;
    eventually("the call is cancelled", || server.model.open() == 0).await;
    // Without, when the session would be told of them.
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    eventually("the model is asked", || server.model.open() == 1).await;
    end_unheard(&server, &chat);
    server.clock.advance(15_000);
    is_over(stream).await;
    eventually("the call is cancelled", || server.model.open() == 0).await;
}

#[tokio::test]
async fn whoever_missed_notices_looks_whether_an_end_was_among_them() {
    let server = Server::start().await;
    let visitor = server.visitor();
    server.model.will(Script::Hold(words("Never said.")));
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    eventually("the model is asked", || server.model.open() == 1).await;
    end_unheard(&server, &chat);
    // More than are kept for a listener, while this thread, and with it the listener, stands still.
    let notices = (0..2_000).map(|_| server.app.store.notify(Notice::Outbox));
    let mut notices = futures_util::future::join_all(notices);
    assert!((&mut notices).now_or_never().is_none());
    std::thread::sleep(Duration::from_secs(2));
    notices.await;
    is_over(stream).await;
    eventually("the call is cancelled", || server.model.open() == 0).await;
}

#[tokio::test]
async fn an_answer_is_not_written_on_after_another_server_took_it_over() {
    let server = Server::start().await;
    let visitor = server.visitor();
    server.model.will(Script::Hold(words("One two three four.")));
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    eventually("the model is asked", || server.model.open() == 1).await;
    server.sql("UPDATE messages SET attempt = 2, writer = 'other' WHERE status = 'streaming'");
    server.clock.advance(15_000);
    let (_, error) = tokio::time::timeout(Duration::from_secs(10), stream.fails()).await.unwrap();
    assert_eq!(error.code, "answer_interrupted");
    eventually("the call is cancelled", || server.model.open() == 0).await;
}

#[tokio::test]
async fn what_an_end_cut_off_cannot_be_asked_for_again() {
    let server = Server::start().await;
    let visitor = server.visitor();
    server.model.will(Script::Hold(words("One two three four.")));
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    server.model.release(1);
    stream.read_until("One ").await;
    assert_eq!(chat.end().await.status(), 200);
    is_over(stream).await;
    server.quiet().await;
    let answer = chat.history().await.messages.remove(2);
    assert_eq!((answer.text.as_str(), answer.status), ("One ", MessageStatus::Interrupted));
    assert!(!answer.error.unwrap().retryable);
    // Read again, it is as it was, and says the same.
    let again = chat.say("q1", "Hi").await;
    let (text, error) = again.fails().await;
    assert_eq!((text.as_str(), error.code.as_str()), ("One ", "session_ended"));
    assert_eq!(server.model.calls(), 1);
}
