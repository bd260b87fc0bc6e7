//! A browser and a server for the machine to play with.

use banter_shared::error::ErrorBody;
use banter_shared::message::{Message, MessageStatus, Role, answer_id};
use banter_shared::session::{EndReason, History, Session, SessionStatus};
use banter_shared::stream::{Accepted, Cursor, StreamEvent};
use banter_widget::state::connection::Failure;
use banter_widget::state::conversation::{
    Conversation, Effect, Event, Manners, Moment, Reply, Task,
};
use banter_widget::state::session::Ticket;
use banter_widget::state::tabs::Told;

pub(crate) const MOMENT: Moment = Moment { now: 1_000, jitter: 0.5 };

/// A conversation and the task it is waiting for.
pub(crate) struct Play {
    pub(crate) conversation: Conversation,
    pub(crate) turn: u32,
    pub(crate) task: Option<Task>,
    pub(crate) effects: Vec<Effect>,
    /// How often it looked whether the session has ended.
    pub(crate) looks: u32,
    /// The browser's clock.
    pub(crate) now: u64,
}

impl Play {
    pub(crate) fn new(manners: Manners) -> Self {
        let conversation = Conversation::new(manners, MOMENT);
        Self { conversation, turn: 0, task: None, effects: Vec::new(), looks: 0, now: MOMENT.now }
    }

    /// In conversation, nothing said yet.
    pub(crate) fn active() -> Self {
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

    pub(crate) fn on(&mut self, event: Event) {
        self.effects.clear();
        let moment = Moment { now: self.now, ..MOMENT };
        for effect in self.conversation.handle(event, moment) {
            match effect {
                Effect::Start(turn, task) => {
                    self.turn = turn;
                    self.task = Some(task);
                }
                Effect::Stop => self.task = None,
                // Said at every turn; see `presence` for what it is good for.
                Effect::Spread(Told::Tab(_)) => {}
                Effect::Look(_) => self.looks += 1,
                other => self.effects.push(other),
            }
        }
    }

    pub(crate) fn reply(&mut self, reply: Reply) {
        let ends =
            !matches!(reply, Reply::Streamed(StreamEvent::Accepted(_) | StreamEvent::Delta(_)));
        if ends {
            self.task = None;
        }
        self.on(Event::Reply(self.turn, reply));
    }

    pub(crate) fn send(&mut self, id: &str) {
        self.on(Event::Send(id.into(), format!("text of {id}")));
    }

    pub(crate) fn accept(&mut self, id: &str, attempt: u32, offset: u32) {
        self.stream(StreamEvent::Accepted(Accepted {
            answer_id: answer_id(&id.into()),
            attempt,
            offset,
            created_at: 7,
        }));
    }

    pub(crate) fn stream(&mut self, event: StreamEvent) {
        self.reply(Reply::Streamed(event));
    }

    pub(crate) fn answer(&mut self, id: &str, text: &str) {
        self.accept(id, 1, 0);
        self.stream(StreamEvent::Delta(text.into()));
        self.stream(StreamEvent::Done(message(&format!("{id}.a"), Role::Assistant, "")));
    }

    pub(crate) fn fail(&mut self, status: u16, code: &str, retry_after: Option<u32>) {
        self.reply(Reply::Failed(Failure::of(status, retry_after, Some(error(code)))));
    }

    /// Id and state of every entry.
    pub(crate) fn shown(&self) -> Vec<String> {
        let entries = self.conversation.transcript().entries();
        entries.iter().map(|entry| format!("{} {}", entry.message.id, entry.state())).collect()
    }

    pub(crate) fn text(&self, id: &str) -> &str {
        self.conversation.transcript().get(&id.into()).map_or("", |entry| &entry.message.text)
    }

    /// Id, retry and cursor of the post under way.
    pub(crate) fn post(&self) -> Option<(&str, bool, Option<Cursor>)> {
        match self.task.as_ref()? {
            Task::Post(_, message, cursor) => Some((message.id.as_str(), message.retry, *cursor)),
            _ => None,
        }
    }

    pub(crate) fn rests(&self) -> Option<u32> {
        match self.task {
            Some(Task::Rest(pause)) => Some(pause),
            _ => None,
        }
    }
}

pub(crate) fn ticket() -> Ticket {
    Ticket { id: "s".into(), token: "t".into() }
}

pub(crate) fn error(code: &str) -> ErrorBody {
    ErrorBody {
        code: code.into(),
        message: "Sorry.".into(),
        field: None,
        retryable: true,
        request_id: String::new(),
    }
}

pub(crate) fn session(end_reason: Option<EndReason>) -> Session {
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

pub(crate) fn message(id: &str, role: Role, text: &str) -> Message {
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
