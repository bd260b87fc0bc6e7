//! What is said, and what goes wrong with it.

use crate::play::{Play, error, message, session, ticket};
use banter_shared::error::{ErrorBody, codes};
use banter_shared::host::ToLoader;
use banter_shared::message::{MessageStatus, Role};
use banter_shared::session::{EndReason, History, SessionCreated};
use banter_shared::stream::{Cursor, StreamEvent};
use banter_widget::state::connection::{Failure, Status};
use banter_widget::state::conversation::{Effect, Event, Manners, Reply, Task};
use banter_widget::state::presence::Page;
use banter_widget::state::session::Phase;
use banter_widget::state::tabs::{Question, Told};

#[test]
fn nothing_is_created_or_kept_before_the_first_message() {
    let mut play = Play::new(Manners { greeting: Some("Hello".into()), ..Manners::default() });
    play.on(Event::Open(true));
    assert_eq!((play.task.as_ref(), play.conversation.status()), (None, Status::Ready));
    assert_eq!(play.shown(), ["greeting complete"]);

    play.send("m1");
    assert_eq!(
        (play.task.as_ref(), play.conversation.status()),
        (Some(&Task::Create(None)), Status::Connecting)
    );
    assert_eq!(play.shown(), ["greeting complete", "m1 sending"]);

    play.reply(Reply::Created(SessionCreated {
        session: session(None),
        token: "t".into(),
        messages: vec![message("s0", Role::Assistant, "Hello")],
    }));
    assert_eq!(
        play.effects,
        [Effect::Tell(ToLoader::SessionStart("s".into())), Effect::Keep(ticket())]
    );
    assert_eq!(play.shown(), ["s0 complete", "m1 sending"]);
    assert_eq!(play.post(), Some(("m1", false, None)));

    play.answer("m1", "Hi!");
    assert_eq!(play.shown(), ["s0 complete", "m1 complete", "m1.a complete"]);
    assert_eq!((play.text("m1.a"), play.conversation.status()), ("Hi!", Status::Connected));
    assert!(play.effects.contains(&Effect::Announce("m1.a".into())));

    play.reply(Reply::Failed(Failure::network()));
    assert_eq!(play.conversation.status(), Status::Connected, "the stream's own end is no failure");
}

#[test]
fn a_session_can_begin_with_the_opening() {
    let mut play = Play::new(Manners { session_on_open: true, ..Manners::default() });
    assert_eq!(play.task, None);
    play.on(Event::Open(true));
    assert_eq!(play.task, Some(Task::Create(None)));
}

#[test]
fn what_is_sent_during_an_answer_goes_out_after_it() {
    let mut play = Play::active();
    play.send("m1");
    play.accept("m1", 1, 0);
    play.send("m2");
    play.send("m3");
    assert_eq!(play.post().unwrap().0, "m1");
    play.stream(StreamEvent::Done(message("m1.a", Role::Assistant, "")));
    assert_eq!(play.post().unwrap().0, "m2");
    play.answer("m2", "x");
    assert_eq!(play.post().unwrap().0, "m3");
    assert_eq!(play.shown()[4..], ["m3 sending"]);
}

#[test]
fn the_offline_queue_flushes_in_order_by_itself() {
    let mut play = Play::active();
    play.on(Event::Online(false));
    play.send("m1");
    play.reply(Reply::Failed(Failure::network()));
    play.send("m2");
    assert_eq!(play.shown(), ["m1 queued", "m2 queued"]);
    assert_eq!((play.rests(), play.conversation.status()), (Some(1_000), Status::Offline));
    play.reply(Reply::Rested);
    play.reply(Reply::Failed(Failure::network()));
    assert_eq!(play.rests(), Some(2_000));

    play.on(Event::Online(true));
    assert_eq!(play.post().unwrap().0, "m1");
    play.answer("m1", "one");
    play.answer("m2", "two");
    assert_eq!(play.shown(), ["m1 complete", "m1.a complete", "m2 complete", "m2.a complete"]);
}

#[test]
fn a_broken_stream_goes_on_where_it_was() {
    let mut play = Play::active();
    play.send("m");
    play.accept("m", 1, 0);
    play.stream(StreamEvent::Delta("Grü".into()));
    play.reply(Reply::Failed(Failure::network()));
    assert_eq!(play.rests(), Some(0), "the first time at once");
    play.reply(Reply::Rested);
    assert_eq!(play.post(), Some(("m", false, Some(Cursor { attempt: 1, offset: 4 }))));
    play.reply(Reply::Failed(Failure::network()));
    assert_eq!(play.rests(), Some(2_000), "then with pauses");
    play.on(Event::Page(Page::Shown));
    // The server lost the last byte and goes on from before it.
    play.accept("m", 1, 2);
    play.stream(StreamEvent::Delta("üezi".into()));
    assert_eq!(play.text("m.a"), "Grüezi");
}

#[test]
fn an_answer_under_way_is_taken_up_after_a_reload() {
    let mut play = Play::new(Manners::default());
    play.on(Event::Found(ticket()));
    assert_eq!(play.task, Some(Task::Load(ticket())));
    let mut answer = message("m.a", Role::Assistant, "Half an");
    answer.status = MessageStatus::Streaming;
    let messages = vec![message("m", Role::Visitor, "Question"), answer];
    play.reply(Reply::Loaded(History { session: session(None), messages, earlier: vec![] }));
    assert_eq!(play.post(), Some(("m", false, Some(Cursor { attempt: 1, offset: 7 }))));
    play.accept("m", 1, 7);
    assert_eq!(play.effects, [], "it was told before the reload");
    play.stream(StreamEvent::Delta(" answer".into()));
    play.stream(StreamEvent::Done(message("m.a", Role::Assistant, "")));
    assert_eq!(play.text("m.a"), "Half an answer");
    assert!(play.effects.contains(&Effect::Tell(ToLoader::Unread(1))), "the panel is closed");
    play.on(Event::Open(true));
    assert_eq!(play.effects[0], Effect::Tell(ToLoader::Unread(0)));
}

#[test]
fn a_failed_answer_is_asked_for_anew_with_the_same_id() {
    let mut play = Play::active();
    play.send("m");
    play.accept("m", 1, 0);
    play.stream(StreamEvent::Delta("Well".into()));
    play.stream(StreamEvent::Error(error(codes::ANSWER_INTERRUPTED)));
    assert_eq!(play.shown(), ["m complete", "m.a interrupted"]);
    play.on(Event::Retry("m.a".into()));
    assert_eq!(play.post(), Some(("m", true, None)));
    assert_eq!((play.text("m.a"), play.shown()[1].as_str()), ("", "m.a streaming"));
    play.accept("m", 2, 0);
    play.stream(StreamEvent::Delta("Better".into()));
    play.reply(Reply::Failed(Failure::network()));
    play.reply(Reply::Rested);
    let cursor = Some(Cursor { attempt: 2, offset: 6 });
    assert_eq!(play.post(), Some(("m", false, cursor)), "resumed, not asked a third time");
}

#[test]
fn a_server_that_says_later_is_believed_and_not_hurried() {
    let mut play = Play::active();
    play.send("m");
    play.fail(429, codes::RATE_LIMITED, Some(9));
    assert_eq!(play.rests(), Some(9_000));
    play.on(Event::Page(Page::Shown));
    play.send("m2");
    assert_eq!(play.rests(), Some(9_000));
    for _ in 0..6 {
        play.reply(Reply::Rested);
        assert_eq!(play.post().unwrap().0, "m");
        play.fail(503, codes::UNAVAILABLE, None);
    }
    assert_eq!(play.shown()[0], "m failed");
    assert!(play.effects.contains(&Effect::Tell(ToLoader::Error(codes::UNAVAILABLE.into()))));
    assert_eq!(play.post().unwrap().0, "m2", "what waits behind it has its own chance");

    play.on(Event::Retry("m".into()));
    play.answer("m2", "x");
    assert_eq!(play.post(), Some(("m", false, None)));
}

#[test]
fn an_answer_in_progress_elsewhere_is_waited_for() {
    let mut play = Play::active();
    play.send("mine");
    play.fail(409, codes::ANSWER_IN_PROGRESS, None);
    play.on(Event::Told(Told::Asked(Question { id: "theirs".into(), text: "q".into(), at: 5 })));
    play.reply(Reply::Rested);
    assert_eq!(play.post().unwrap().0, "theirs");
    play.answer("theirs", "x");
    assert_eq!(play.post().unwrap().0, "mine");
    assert_eq!(play.shown(), ["theirs complete", "theirs.a complete", "mine sending"]);
}

#[test]
fn a_second_tab_follows() {
    let mut play = Play::new(Manners { greeting: Some("Hello".into()), ..Manners::default() });
    play.on(Event::Told(Told::Asked(Question { id: "m".into(), text: "q".into(), at: 5 })));
    assert_eq!(play.shown(), ["greeting complete"], "no session, so nothing to follow");
    play.on(Event::Found(ticket()));
    play.reply(Reply::Loaded(History {
        session: session(None),
        messages: vec![],
        earlier: vec![],
    }));
    play.on(Event::Told(Told::Asked(Question { id: "m".into(), text: "q".into(), at: 5 })));
    assert_eq!(play.post(), Some(("m", false, None)));
    play.accept("m", 1, 0);
    assert_eq!(play.effects, [], "followers tell nobody");
    play.stream(StreamEvent::Done(message("m.a", Role::Assistant, "")));

    play.on(Event::Told(Told::Ended(EndReason::VisitorEnded)));
    assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::VisitorEnded));
    assert!(
        !play.effects.iter().any(|effect| matches!(effect, Effect::PostEnd(_) | Effect::Spread(_)))
    );
    play.on(Event::Told(Told::Restarted));
    assert_eq!(
        (play.conversation.phase(), play.shown()),
        (&Phase::Fresh, vec!["greeting complete".to_owned()])
    );
}

#[test]
fn a_question_asked_while_the_history_is_on_its_way_is_followed() {
    let mut play = Play::new(Manners { greeting: Some("Hello".into()), ..Manners::default() });
    play.on(Event::Found(ticket()));
    play.on(Event::Told(Told::Asked(Question { id: "m".into(), text: "q".into(), at: 5 })));
    let messages = vec![message("s0", Role::Assistant, "Hello")];
    play.reply(Reply::Loaded(History { session: session(None), messages, earlier: vec![] }));
    assert_eq!(play.post(), Some(("m", false, None)));
    assert_eq!(play.shown(), ["s0 complete", "m complete"]);
}

#[test]
fn ending_keeps_the_transcript_and_a_restart_clears_it() {
    let mut play = Play::active();
    play.send("m");
    play.accept("m", 1, 0);
    play.send("late");
    let turn = play.turn;
    play.on(Event::End);
    assert_eq!(
        play.effects,
        [
            Effect::PostEnd(ticket()),
            Effect::Forget,
            Effect::Tell(ToLoader::SessionEnd(EndReason::VisitorEnded)),
            Effect::Spread(Told::Ended(EndReason::VisitorEnded)),
        ]
    );
    assert_eq!(play.shown(), ["m complete", "m.a interrupted", "late failed"]);
    play.on(Event::Reply(turn, Reply::Streamed(StreamEvent::Delta("too late".into()))));
    assert_eq!(play.text("m.a"), "");
    play.send("ignored");
    assert_eq!((play.task.as_ref(), play.conversation.status()), (None, Status::Ended));

    play.on(Event::Restart);
    assert_eq!((play.shown().len(), play.conversation.status()), (0, Status::Ready));
    assert_eq!(play.effects, [Effect::Spread(Told::Restarted)]);
}

#[test]
fn a_session_that_is_over_says_why() {
    let mut play = Play::active();
    play.send("m");
    play.fail(409, codes::SESSION_ENDED, None);
    assert_eq!(play.task, Some(Task::Load(ticket())));
    let history =
        History { session: session(Some(EndReason::Expired)), messages: vec![], earlier: vec![] };
    play.reply(Reply::Loaded(history));
    assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::Expired));
    assert_eq!(play.shown(), ["m failed"]);

    let mut play = Play::new(Manners::default());
    play.on(Event::Found(ticket()));
    play.fail(401, codes::TOKEN_EXPIRED, None);
    assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::Expired));
    assert!(play.effects.contains(&Effect::Forget));
}

#[test]
fn a_session_that_ends_during_an_answer_says_why() {
    for (code, shown, told) in [
        // Ended by somebody, or by the clock: the answer is just not finished.
        (codes::SESSION_ENDED, "m.a interrupted", None),
        // The assistant cannot answer: that it said so stays.
        (codes::ASSISTANT_UNAVAILABLE, "m.a failed", Some(codes::ASSISTANT_UNAVAILABLE)),
    ] {
        let mut play = Play::active();
        play.send("m");
        play.accept("m", 1, 0);
        play.stream(StreamEvent::Delta("Well".into()));
        let last = ErrorBody { retryable: false, ..error(code) };
        play.stream(StreamEvent::Error(last.clone()));
        let tell = |effect: &Effect| match effect {
            Effect::Tell(ToLoader::Error(code)) => Some(code.clone()),
            _ => None,
        };
        assert_eq!(play.effects.iter().find_map(tell).as_deref(), told);
        assert_eq!(play.task, Some(Task::Load(ticket())));
        let mut answer = message("m.a", Role::Assistant, "Well");
        answer.status =
            if told.is_some() { MessageStatus::Failed } else { MessageStatus::Interrupted };
        answer.error = Some(last);
        let messages = vec![message("m", Role::Visitor, "text of m"), answer];
        let session = session(Some(EndReason::Failed));
        play.reply(Reply::Loaded(History { session, messages, earlier: vec![] }));
        assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::Failed));
        assert_eq!(play.shown(), ["m complete", shown]);
    }
}

#[test]
fn what_cannot_be_answered_after_other_answers_leaves_the_session_as_it_is() {
    let mut play = Play::active();
    play.send("m");
    play.accept("m", 1, 0);
    let last = ErrorBody { retryable: false, ..error(codes::ASSISTANT_UNAVAILABLE) };
    play.stream(StreamEvent::Error(last.clone()));
    let mut answer = message("m.a", Role::Assistant, "");
    (answer.status, answer.error) = (MessageStatus::Failed, Some(last));
    let messages = vec![message("m", Role::Visitor, "text of m"), answer];
    play.reply(Reply::Loaded(History { session: session(None), messages, earlier: vec![] }));
    assert_eq!((play.conversation.status(), play.task.as_ref()), (Status::Connected, None));
    assert!(!play.conversation.transcript().entries()[1].can_retry());
    play.send("m2");
    assert_eq!(play.post().unwrap().0, "m2");
}

#[test]
fn a_widget_that_takes_no_sessions_says_so_and_stops_asking() {
    let mut play = Play::new(Manners::default());
    play.send("m");
    play.fail(409, codes::WIDGET_DISABLED, None);
    assert_eq!((play.shown(), play.task.as_ref()), (vec!["m failed".to_owned()], None));
    play.on(Event::Retry("m".into()));
    assert_eq!(play.task, Some(Task::Create(None)));
}
