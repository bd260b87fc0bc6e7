//! How a conversation ends by itself, what leaving tells the server, and how one goes on after the end.

use crate::play::{MOMENT, Play, message, session, ticket};
use banter_shared::error::codes;
use banter_shared::message::Role;
use banter_shared::session::{EndReason, History, Session, SessionCreated};
use banter_shared::stream::StreamEvent;
use banter_shared::widget::Leave;
use banter_widget::state::connection::{Failure, Status};
use banter_widget::state::conversation::{Effect, Event, Manners, Moment, Reply, Task};
use banter_widget::state::presence::{Page, Standing};
use banter_widget::state::session::{Phase, Ticket};
use banter_widget::state::tabs::{Tab, Told};

const MINUTE: u64 = 60_000;

fn manners() -> Manners {
    Manners {
        greeting: Some("Hello".into()),
        inactivity_ms: MINUTE,
        leave: Leave { tab_closed: true, hidden: true, collapsed: true },
        tab: "mine".into(),
        session_on_open: false,
    }
}

fn history(left: u64) -> History {
    let session = Session { inactive_in_ms: left, ..session(None) };
    let messages = vec![message("m0", Role::Visitor, "q"), message("m0.a", Role::Assistant, "a")];
    History { session, messages, earlier: vec![] }
}

/// In conversation, the panel open; the server says there is a minute.
fn active() -> Play {
    let mut play = Play::new(manners());
    play.on(Event::Open(true));
    play.on(Event::Found(ticket()));
    play.reply(Reply::Loaded(history(MINUTE)));
    play
}

impl Play {
    /// Waits until `ms` later, as a browser does that acts on every alarm. Says what was to be done.
    fn wait(&mut self, ms: u64) -> Vec<Effect> {
        let end = self.now + ms;
        let mut effects = Vec::new();
        while let Some(alarm) = self.conversation.alarm(self.now).filter(|at| *at <= end) {
            assert!(alarm >= self.now, "an alarm that rings for ever");
            self.now = alarm;
            self.on(Event::Tick);
            effects.append(&mut self.effects);
        }
        self.now = end;
        effects
    }

    fn left(&self) -> Option<u32> {
        self.conversation.seconds_left(self.now)
    }

    fn lived(&mut self, left: u64) {
        let session = Session { inactive_in_ms: left, ..session(None) };
        self.on(Event::Lived("s".into(), Ok(session)));
    }

    fn loads(&self) -> bool {
        matches!(self.task, Some(Task::Load(_)))
    }

    /// The server says that the session is over.
    fn ended(&mut self, reason: EndReason) {
        self.reply(Reply::Loaded(History { session: session(Some(reason)), ..history(0) }));
    }

    fn tab(&mut self, standing: Standing) {
        self.on(Event::Told(Told::Tab(Tab { name: "other".into(), standing })));
    }
}

#[test]
fn when_no_time_is_left_the_server_is_asked_and_believed() {
    let mut play = active();
    assert_eq!((play.wait(29_999), play.left()), (vec![], None));
    play.wait(1);
    assert_eq!(play.left(), Some(30));
    play.wait(29_000);
    assert_eq!((play.left(), play.loads()), (Some(1), false));
    play.wait(1_000);
    assert!(play.loads());
    // Another browser of this visitor was busy meanwhile.
    play.reply(Reply::Loaded(history(12_000)));
    assert_eq!((play.left(), play.conversation.status()), (Some(12), Status::Connected));
    play.wait(12_000);
    let ended = session(Some(EndReason::Inactive));
    play.reply(Reply::Loaded(History { session: ended, ..history(0) }));
    assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::Inactive));
    assert_eq!(play.conversation.alarm(play.now), None);
    assert_eq!(play.shown(), ["m0 complete", "m0.a complete"], "what was said stays");
}

#[test]
fn typing_and_staying_give_new_time_here_and_in_other_tabs() {
    for (event, after) in [(Event::Typed, 31_000), (Event::Stay, 45_000)] {
        let mut play = active();
        play.wait(after);
        assert!(play.left().is_some());
        play.on(event);
        assert_eq!(play.effects, [Effect::PostActivity(ticket())]);
        assert_eq!(play.left(), None, "not only when the server has answered");
        play.lived(MINUTE);
        assert_eq!(play.effects, [Effect::Spread(Told::Time(MINUTE))]);
        let mut other = active();
        other.wait(after);
        other.on(Event::Told(Told::Time(MINUTE)));
        assert_eq!((other.left(), other.wait(29_000)), (None, vec![]));
    }
}

#[test]
fn what_the_server_did_not_hear_is_said_again() {
    let mut play = active();
    play.on(Event::Typed);
    play.on(Event::Lived("s".into(), Err(Failure::network())));
    assert_eq!(play.wait(15_000), [Effect::PostActivity(ticket())]);
    let over = Failure::of(409, None, Some(crate::play::error(codes::SESSION_ENDED)));
    play.on(Event::Lived("other".into(), Err(over.clone())));
    assert!(!play.loads(), "an answer about another session");
    play.on(Event::Lived("s".into(), Err(over)));
    assert!(play.loads());
}

#[test]
fn an_answer_takes_all_the_time_it_needs() {
    let mut play = active();
    play.wait(40_000);
    play.send("m1");
    play.accept("m1", 1, 0);
    assert_eq!((play.left(), play.wait(10 * MINUTE)), (None, vec![]));
    play.stream(StreamEvent::Delta("Well".into()));
    play.stream(StreamEvent::Done(message("m1.a", Role::Assistant, "")));
    assert_eq!((play.left(), play.conversation.alarm(play.now)), (None, Some(play.now + 30_000)));
}

#[test]
fn an_open_panel_looks_once_a_minute_whether_the_server_ended_it() {
    let mut play = Play::new(Manners { inactivity_ms: 0, ..manners() });
    play.on(Event::Open(true));
    assert_eq!(play.conversation.alarm(play.now), None, "there is nothing to end");
    play.on(Event::Found(ticket()));
    play.reply(Reply::Loaded(history(0)));
    play.wait(3 * MINUTE);
    assert_eq!((play.looks, play.conversation.status()), (3, Status::Connected));
    play.send("m1");
    play.accept("m1", 1, 0);
    play.wait(5 * MINUTE);
    assert_eq!(play.looks, 3, "whoever waits for an answer learns it from there");
    play.stream(StreamEvent::Done(message("m1.a", Role::Assistant, "")));
    for unseen in [Event::Open(false), Event::Page(Page::Hidden)] {
        play.on(unseen);
        play.wait(5 * MINUTE);
    }
    assert_eq!(play.looks, 3);
    play.on(Event::Open(true));
    play.on(Event::Page(Page::Shown));
    play.wait(MINUTE);
    assert_eq!(play.looks, 4);

    let over = session(Some(EndReason::OwnerEnded));
    play.on(Event::Lived("s".into(), Ok(over)));
    assert!(play.loads(), "it knows what was said last, and why it ended");
    play.ended(EndReason::OwnerEnded);
    assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::OwnerEnded));
    assert_eq!(play.conversation.alarm(play.now), None);
}

#[test]
fn a_session_too_old_to_be_read_is_found_out_too() {
    let mut play = active();
    let failure = Failure::of(401, None, Some(crate::play::error(codes::TOKEN_EXPIRED)));
    play.on(Event::Lived("s".into(), Err(failure)));
    assert!(play.loads());
    play.fail(401, codes::TOKEN_EXPIRED, None);
    assert_eq!(play.conversation.phase(), &Phase::Ended(EndReason::Expired));
}

#[test]
fn tabs_tell_each_other_every_minute_that_they_are_there() {
    let mut play = active();
    play.on(Event::Page(Page::Hidden));
    play.tab(Standing::Open);
    let mut said = Vec::new();
    for _ in 0..4 {
        while let Some(alarm) = play.conversation.alarm(play.now) {
            play.now = alarm;
            let effects = play.conversation.handle(Event::Tick, Moment { now: alarm, ..MOMENT });
            said.extend(
                effects
                    .iter()
                    .any(|effect| matches!(effect, Effect::Spread(Told::Tab(_))))
                    .then_some(alarm),
            );
        }
    }
    // Until the other has been silent for too long, and nobody is there to be told.
    assert_eq!(said, [61_000, 121_000, 181_000]);
}

#[test]
fn without_a_session_nobody_is_told_anything() {
    let mut play = Play::new(manners());
    for event in [Event::Open(true), Event::Typed, Event::Stay, Event::Page(Page::Hidden)] {
        play.on(event);
        assert_eq!((play.effects.as_slice(), play.conversation.alarm(play.now)), (&[][..], None));
    }
    play.tab(Standing::Hidden);
    play.on(Event::Page(Page::Shown));
    play.on(Event::Page(Page::Hidden));
    assert_eq!((play.wait(MINUTE), play.conversation.alarm(play.now)), (vec![], None));
}

#[test]
fn leaving_and_coming_back_are_told() {
    let mut play = active();
    for (leave, reason, back) in [
        (Event::Page(Page::Hidden), EndReason::Hidden, Event::Page(Page::Shown)),
        (Event::Open(false), EndReason::Collapsed, Event::Open(true)),
        (Event::Page(Page::Gone), EndReason::TabClosed, Event::Page(Page::Shown)),
    ] {
        play.on(leave);
        assert_eq!(play.effects, [Effect::PostLeave(ticket(), reason)]);
        play.wait(10_000);
        play.on(back);
        assert_eq!(play.effects, [Effect::PostActivity(ticket())]);
        play.lived(MINUTE);
    }
    assert_eq!(play.conversation.phase(), &Phase::Active(ticket()));
}

#[test]
fn who_is_back_at_once_says_so_twice() {
    let mut play = active();
    play.on(Event::Page(Page::Hidden));
    play.wait(100);
    play.on(Event::Page(Page::Shown));
    assert_eq!(play.effects, [Effect::PostActivity(ticket())]);
    assert_eq!(play.wait(5_000), [Effect::PostActivity(ticket())], "one may be overtaken");
    assert_eq!(play.wait(15_000), []);
}

#[test]
fn a_page_shown_with_its_panel_collapsed_does_not_take_the_collapse_back() {
    let mut play = active();
    play.on(Event::Open(false));
    play.on(Event::Page(Page::Hidden));
    assert_eq!(play.effects, []);
    play.on(Event::Page(Page::Shown));
    assert_eq!((play.effects.as_slice(), play.loads()), (&[][..], false));
    play.on(Event::Page(Page::Gone));
    play.on(Event::Page(Page::Shown));
    assert_eq!((play.effects.as_slice(), play.loads()), (&[][..], true));
}

#[test]
fn a_new_tab_is_told_of_this_one() {
    let mut play = active();
    let told = play.conversation.handle(
        Event::Told(Told::Tab(Tab { name: "other".into(), standing: Standing::Collapsed })),
        MOMENT,
    );
    let mine = Tab { name: "mine".into(), standing: Standing::Open };
    assert_eq!(told, [Effect::Spread(Told::Tab(mine))]);
    play.on(Event::Page(Page::Hidden));
    assert_eq!(play.effects, [], "the other is seen");
}

#[test]
fn after_an_end_the_conversation_can_be_carried_on() {
    let mut play = active();
    assert!(!play.conversation.can_continue());
    play.on(Event::End);
    assert!(play.conversation.can_continue());
    play.on(Event::Continue);
    assert_eq!(play.effects, [Effect::Spread(Told::Restarted)]);
    assert_eq!(play.task, Some(Task::Create(Some("t".into()))));
    assert_eq!(play.shown(), ["~0 complete", "~1 complete"]);

    play.fail(0, "", None);
    assert!(play.rests().is_some());
    play.reply(Reply::Rested);
    assert_eq!(play.task, Some(Task::Create(Some("t".into()))), "also after a bad line");
    play.reply(Reply::Created(SessionCreated {
        session: Session { id: "s2".into(), ..session(None) },
        token: "t2".into(),
        messages: vec![],
    }));
    let next = Ticket { id: "s2".into(), token: "t2".into() };
    assert_eq!(play.conversation.phase(), &Phase::Active(next));
    play.send("m0");
    assert_eq!(play.shown(), ["~0 complete", "~1 complete", "m0 sending"]);

    // Carried on once more, and then not: the second end starts from nothing.
    play.on(Event::End);
    play.on(Event::Restart);
    assert_eq!((play.task.as_ref(), play.shown()), (None, vec!["greeting complete".to_owned()]));
    play.send("m1");
    assert_eq!(play.task, Some(Task::Create(None)));
}

#[test]
fn a_server_that_will_not_carry_it_on_begins_anew() {
    for status in [400, 401, 403, 404, 409] {
        let mut play = active();
        play.on(Event::End);
        play.on(Event::Continue);
        play.send("m1");
        play.fail(status, codes::INVALID_REQUEST, None);
        assert_eq!(play.task, Some(Task::Create(None)), "{status}");
        assert_eq!(play.shown(), ["greeting complete", "m1 sending"]);
    }
}

#[test]
fn what_expired_before_the_visitor_s_eyes_can_be_carried_on() {
    for (status, code, can) in
        [(401, codes::TOKEN_EXPIRED, true), (401, codes::UNAUTHORIZED, false)]
    {
        let mut play = active();
        play.send("m1");
        play.fail(status, code, None);
        assert_eq!(play.conversation.can_continue(), can, "{code}");
        play.on(Event::Continue);
        play.send("m2");
        assert_eq!(play.task == Some(Task::Create(Some(ticket().token))), can, "{code}");
    }
}

#[test]
fn what_cannot_be_carried_on_is_not_offered() {
    let mut play = Play::new(manners());
    play.on(Event::Found(ticket()));
    play.fail(404, codes::NOT_FOUND, None);
    assert!(!play.conversation.can_continue(), "the ticket opens nothing");

    let mut play = Play::new(manners());
    play.on(Event::Found(ticket()));
    let ended = session(Some(EndReason::Inactive));
    play.reply(Reply::Loaded(History { session: ended, messages: vec![], earlier: vec![] }));
    assert!(!play.conversation.can_continue(), "nothing was said");
}

#[test]
fn a_page_loaded_anew_shows_what_was_said_before() {
    let mut play = Play::new(manners());
    play.on(Event::Found(ticket()));
    let earlier = vec![message("m0", Role::Visitor, "before")];
    play.reply(Reply::Loaded(History { earlier, ..history(MINUTE) }));
    assert_eq!(play.shown(), ["~0 complete", "m0 complete", "m0.a complete"]);
    assert_eq!(play.text("~0"), "before");
}

#[test]
fn the_slower_of_two_tabs_takes_the_session_of_the_faster() {
    let mut play = Play::new(manners());
    play.send("m1");
    play.reply(Reply::Taken(ticket()));
    assert!(play.loads());
    play.reply(Reply::Loaded(history(MINUTE)));
    assert_eq!(play.post().map(|(id, ..)| id), Some("m1"));
    assert_eq!(play.shown(), ["m0 complete", "m0.a complete", "m1 sending"]);
}
