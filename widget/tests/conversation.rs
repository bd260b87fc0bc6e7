//! The conversation machine, played through as a browser and a server would play it.

use banter_shared::error::{ErrorBody, codes};
use banter_shared::host::ToLoader;
use banter_shared::message::{Message, MessageStatus, Role, answer_id};
use banter_shared::session::{EndReason, History, Session, SessionCreated, SessionStatus};
use banter_shared::stream::{Accepted, Cursor, StreamEvent};
use banter_widget::state::connection::{Failure, Status};
use banter_widget::state::conversation::{
    Conversation, Effect, Event, Manners, Moment, Reply, Task,
};
use banter_widget::state::session::{Phase, Ticket};
use banter_widget::state::tabs::{Question, Told};

const MOMENT: Moment = Moment { now: 1_000, jitter: 0.5 };

/// A conversation and the task it is waiting for.
struct Play {
    conversation: Conversation,
    turn: u32,
    task: Option<Task>,
    effects: Vec<Effect>,
}

impl Play {
    fn new(manners: Manners) -> Self {
        let conversation = Conversation::new(manners, MOMENT);
        Self { conversation, turn: 0, task: None, effects: Vec::new() }
    }

    /// In conversation, nothing said yet.
    fn active() -> Self {
        let mut play = Self::new(Manners::default());
        play.on(Event::Open(true));
        play.on(Event::Found(ticket()));
        play.reply(Reply::Loaded(History {
            session: session(None),
            messages: vec![],
            earlier: vec![],
        }));
        play
    }

    fn on(&mut self, event: Event) {
        self.effects.clear();
        for effect in self.conversation.handle(event, MOMENT) {
            match effect {
                Effect::Start(turn, task) => {
                    self.turn = turn;
                    self.task = Some(task);
                }
                Effect::Stop => self.task = None,
                other => self.effects.push(other),
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        let ends =
            !matches!(reply, Reply::Streamed(StreamEvent::Accepted(_) | StreamEvent::Delta(_)));
        if ends {
            self.task = None;
        }
        self.on(Event::Reply(self.turn, reply));
    }

    fn send(&mut self, id: &str) {
        self.on(Event::Send(id.into(), format!("text of {id}")));
    }

    fn accept(&mut self, id: &str, attempt: u32, offset: u32) {
        self.stream(StreamEvent::Accepted(Accepted {
            answer_id: answer_id(&id.into()),
            attempt,
            offset,
            created_at: 7,
        }));
    }

    fn stream(&mut self, event: StreamEvent) {
        self.reply(Reply::Streamed(event));
    }

    fn answer(&mut self, id: &str, text: &str) {
        self.accept(id, 1, 0);
        self.stream(StreamEvent::Delta(text.into()));
        self.stream(StreamEvent::Done(message(&format!("{id}.a"), Role::Assistant, "")));
    }

    fn fail(&mut self, status: u16, code: &str, retry_after: Option<u32>) {
        self.reply(Reply::Failed(Failure::of(status, retry_after, Some(error(code)))));
    }

    /// Id and state of every entry.
    fn shown(&self) -> Vec<String> {
        let entries = self.conversation.transcript().entries();
        entries.iter().map(|entry| format!("{} {}", entry.message.id, entry.state())).collect()
    }

    fn text(&self, id: &str) -> &str {
        self.conversation.transcript().get(&id.into()).map_or("", |entry| &entry.message.text)
    }

    /// Id, retry and cursor of the post under way.
    fn post(&self) -> Option<(&str, bool, Option<Cursor>)> {
        match self.task.as_ref()? {
            Task::Post(_, message, cursor) => Some((message.id.as_str(), message.retry, *cursor)),
            _ => None,
        }
    }

    fn rests(&self) -> Option<u32> {
        match self.task {
            Some(Task::Rest(pause)) => Some(pause),
            _ => None,
        }
    }
}

fn ticket() -> Ticket {
    Ticket { id: "s".into(), token: "t".into() }
}

fn error(code: &str) -> ErrorBody {
    ErrorBody {
        code: code.into(),
        message: "Sorry.".into(),
        field: None,
        retryable: true,
        request_id: String::new(),
    }
}

fn session(end_reason: Option<EndReason>) -> Session {
    Session {
        id: "s".into(),
        widget_id: "w".into(),
        status: if end_reason.is_some() { SessionStatus::Ended } else { SessionStatus::Active },
        created_at: 1,
        inactive_in_ms: 0,
        expires_at: 2,
        ended_at: None,
        end_reason,
    }
}

fn message(id: &str, role: Role, text: &str) -> Message {
    Message {
        id: id.into(),
        role,
        text: text.into(),
        status: MessageStatus::Complete,
        created_at: 1,
        attempt: u32::from(role == Role::Assistant),
        sources: vec![],
        error: None,
    }
}

#[test]
fn nothing_is_created_or_kept_before_the_first_message() {
    let mut play = Play::new(Manners { greeting: Some("Hello".into()), session_on_open: false });
    play.on(Event::Open(true));
    assert_eq!((play.task.as_ref(), play.conversation.status()), (None, Status::Ready));
    assert_eq!(play.shown(), ["greeting complete"]);

    play.send("m1");
    assert_eq!(
        (play.task.as_ref(), play.conversation.status()),
        (Some(&Task::Create), Status::Connecting)
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
    let mut play = Play::new(Manners { greeting: None, session_on_open: true });
    assert_eq!(play.task, None);
    play.on(Event::Open(true));
    assert_eq!(play.task, Some(Task::Create));
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
    play.on(Event::Woken);
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
    assert_eq!(play.effects, [Effect::Tell(ToLoader::Unread(0))]);
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
    play.on(Event::Woken);
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
    let mut play = Play::new(Manners { greeting: Some("Hello".into()), session_on_open: false });
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
    let mut play = Play::new(Manners { greeting: Some("Hello".into()), session_on_open: false });
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
fn a_widget_that_takes_no_sessions_says_so_and_stops_asking() {
    let mut play = Play::new(Manners::default());
    play.send("m");
    play.fail(409, codes::WIDGET_DISABLED, None);
    assert_eq!((play.shown(), play.task.as_ref()), (vec!["m failed".to_owned()], None));
    play.on(Event::Retry("m".into()));
    assert_eq!(play.task, Some(Task::Create));
}
