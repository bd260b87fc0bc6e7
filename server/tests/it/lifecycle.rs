//! How a session lives and ends: by hand, by leaving, by the clock, also after a restart.

use crate::support::model::{Script, words};
use crate::support::{Server, eventually};
use banter_shared::session::{EndReason, SessionStatus};
use serde_json::json;
use std::time::Duration;

const MINUTE: u64 = 60_000;

#[tokio::test]
async fn three_quiet_minutes_end_a_session_and_a_sign_of_life_does_not() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let (quiet, typing) = (visitor.open().await, visitor.open().await);
    assert_eq!(quiet.created.session.inactive_in_ms, 3 * MINUTE);
    assert_eq!(quiet.say("q1", "Hi").await.text().await, "Hello from the model.");
    server.clock.advance(2 * MINUTE);
    assert_eq!(quiet.history().await.session.inactive_in_ms, MINUTE, "looking is no sign of life");
    assert_eq!(typing.stir().await.inactive_in_ms, 3 * MINUTE);
    server.clock.advance(MINUTE);
    let ended = quiet.history().await.session;
    assert_eq!(ended.end_reason, Some(EndReason::Inactive));
    assert_eq!(ended.ended_at.map(|at| at - ended.created_at), Some(3 * MINUTE));
    assert_eq!(typing.history().await.session.status, SessionStatus::Active);
    // Too late: what ended stays ended, and takes nothing.
    assert_eq!(quiet.stir().await.end_reason, Some(EndReason::Inactive));
    let refused = quiet.message(&json!({"id": "q2", "text": "Hi"})).send().await.unwrap();
    assert_eq!(refused.status(), 409);
}

#[tokio::test]
async fn an_answer_counts_as_activity_when_it_is_there_to_be_read() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("A slow answer.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    server.clock.advance(2 * MINUTE);
    server.model.release(10);
    assert_eq!(stream.text().await, "A slow answer.");
    assert_eq!(chat.history().await.session.inactive_in_ms, 3 * MINUTE);
}

#[tokio::test]
async fn leaving_ends_a_session_after_its_grace_period_only() {
    let server = Server::start_with(
        r#"
        [widgets.test]
        leave = { tab_closed = 10, hidden = 0, collapsed = false }
        "#,
    )
    .await;
    let visitor = server.visitor();

    let reloads = visitor.open().await;
    assert_eq!(reloads.leave("tab_closed").await.status, SessionStatus::Active);
    server.clock.advance(9_999);
    reloads.history().await;
    server.clock.advance(60_000);
    assert_eq!(reloads.history().await.session.status, SessionStatus::Active);

    let closes = visitor.open().await;
    closes.leave("tab_closed").await;
    server.clock.advance(MINUTE);
    let ended = closes.history().await.session;
    assert_eq!(ended.end_reason, Some(EndReason::TabClosed));
    assert_eq!(ended.ended_at.map(|at| at - ended.created_at), Some(10_000));

    let hides = visitor.open().await;
    assert_eq!(hides.leave("hidden").await.end_reason, Some(EndReason::Hidden));

    let collapses = visitor.open().await;
    collapses.leave("collapsed").await;
    server.clock.advance(2 * MINUTE);
    assert_eq!(collapses.history().await.session.status, SessionStatus::Active);
}

#[tokio::test]
async fn a_beacon_carries_its_token_in_the_body_and_may_not_say_everything() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let (chat, other) = (visitor.open().await, visitor.open().await);
    let token = &chat.created.token;
    let cases = [
        (json!({"reason": "hidden"}), 401),
        (json!({"reason": "hidden", "token": "x"}), 401),
        (json!({"reason": "hidden", "token": other.created.token}), 403),
        (json!({"reason": "owner_ended", "token": token}), 400),
        (json!({"reason": "expired", "token": token}), 400),
        (json!({"reason": "never heard of", "token": token}), 400),
        (json!([1]), 400),
    ];
    for (body, status) in cases {
        assert_eq!(chat.beacon(&body).await.status(), status, "{body}");
        assert_eq!(chat.history().await.session.status, SessionStatus::Active, "{body}");
    }
    let told = chat.beacon(&json!({"reason": "visitor_ended", "token": token})).await;
    assert_eq!(told.status(), 200);
    assert_eq!(chat.history().await.session.end_reason, Some(EndReason::VisitorEnded));
}

#[tokio::test]
async fn the_clock_decides_also_after_a_restart() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let (quiet, left) = (visitor.open().await, visitor.open().await);
    left.leave("tab_closed").await;
    let clock = server.clock.clone();
    let server = server.again().await;
    clock.advance(60 * MINUTE);
    let visitor = server.visitor();
    for (chat, reason, after) in
        [(&quiet, EndReason::Inactive, 3 * MINUTE), (&left, EndReason::TabClosed, 10_000)]
    {
        let session = visitor.at(chat).history().await.session;
        assert_eq!(session.end_reason, Some(reason));
        assert_eq!(session.ended_at.map(|at| at - session.created_at), Some(after));
    }
}

#[tokio::test]
async fn the_reaper_writes_down_what_nobody_asks_for() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chats = futures_util::future::join_all((0..250).map(|_| visitor.open())).await;
    server.clock.advance(3 * MINUTE);
    server.app.lifecycle.end_due().await.unwrap();
    // Nothing is due any more: a second round finds nothing to write.
    let now = banter_server::clock::Clock::now_ms(server.clock.as_ref());
    assert_eq!(server.app.store.end_due(now, 1_000).await.unwrap(), 0);
    for chat in &chats {
        let ended = chat.history().await.session;
        assert_eq!(ended.end_reason, Some(EndReason::Inactive));
    }
}

/// While servers are upgraded one after the other, both versions write.
#[tokio::test]
async fn what_a_server_of_the_first_version_begins_ends_by_the_clock_too() {
    let server = Server::start().await;
    let now = banter_server::clock::Clock::now_ms(server.clock.as_ref());
    let expires = now + 24 * 60 * MINUTE;
    for (id, columns, values) in [
        ("begun", "", String::new()),
        ("ended", ", ended_at, end_reason", format!(", {now}, 'visitor_ended'")),
    ] {
        server.sql(&format!(
            "INSERT INTO sessions
                    (id, widget_id, channel, created_at, last_activity_at, expires_at{columns})
             VALUES ('{id}', 'test', 'chat', {now}, {now}, {expires}{values})"
        ));
    }
    let mut ends = Vec::new();
    for _ in 0..3 {
        server.app.lifecycle.end_due().await.unwrap();
        ends.push(server.value(
            "SELECT coalesce(end_reason, '') || ' ' || coalesce(ended_at - created_at, 0)
             FROM sessions WHERE id = 'begun'",
        ));
        server.clock.advance(2 * MINUTE);
    }
    assert_eq!(ends, [" 0", " 0", "inactive 180000"]);
    assert_eq!(server.count("sessions WHERE due_at IS NOT NULL"), 0, "nothing is looked at again");
    assert_eq!(server.value("SELECT end_reason FROM sessions WHERE id = 'ended'"), "visitor_ended");
}

#[tokio::test]
async fn an_end_stops_the_answer_that_is_being_written() {
    let server = Server::start().await;
    server.model.will(Script::Hold(words("Never said.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    let end = format!("/logs/{}/end", chat.created.session.id);
    assert_eq!(server.first_owner().post(&end, json!({})).await.0, 200);
    let (_, error) = tokio::time::timeout(Duration::from_secs(10), stream.fails()).await.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("session_ended", false));
    eventually("the call is cancelled", || server.model.open() == 0).await;
}

#[tokio::test]
async fn a_new_session_carries_an_old_one_on() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let first = visitor.open().await;
    first.say("q1", "My name is Ann.").await.text().await;
    first.end().await;
    let second = visitor.open_with(&json!({"continues": first.created.token})).await;
    assert_eq!(second.created.messages, [], "whoever goes on was greeted before");
    second.say("q1", "What is my name?").await.text().await;
    let asked: Vec<String> = server.model.last_request()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(&asked[1..], ["My name is Ann.", "Hello from the model.", "What is my name?"]);
    let history = second.history().await;
    let earlier: Vec<_> = history.earlier.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(earlier, ["Hi, I am Tess.", "My name is Ann.", "Hello from the model."]);
    assert_eq!(history.messages.len(), 2);
    // Nobody carries on what is not theirs.
    let carry_on = async |token: &str| {
        let request = visitor.post("/widgets/test/sessions").json(&json!({"continues": token}));
        request.send().await.unwrap().status()
    };
    for token in ["x", "a.b.c"] {
        assert_eq!(carry_on(token).await, 401, "{token}");
    }
    // A token outlives its session's time by an hour, for this alone.
    server.clock.advance(25 * 60 * MINUTE - 1_000);
    assert_eq!(carry_on(&first.created.token).await, 201);
    server.clock.advance(2_000);
    assert_eq!(carry_on(&first.created.token).await, 401);
}
