//! The conversation as a machine: what happens goes in as [`Event`]s, what is to be done comes out
//! as [`Effect`]s. It does one thing at a time towards the server (`Work`), so that messages keep
//! their order, and it names that thing by a `turn`, so that what comes too late is ignored. How long
//! it lasts while nothing is said, and what leaving does to it, is in `lifetime`.

use super::connection::{Failure, Status, Verdict, judge};
use super::inactivity::Inactivity;
use super::outbox::{Outbox, Outgoing};
use super::presence::{Page, Presence};
use super::session::{Phase, Ticket};
use super::tabs::{Question, Told};
use super::transcript::{Delivery, Transcript, question_id};
use super::unread::Unread;
use banter_shared::error::{ErrorBody, codes};
use banter_shared::host::{HostMessage, ToLoader};
use banter_shared::ids::{MessageId, SessionId};
use banter_shared::message::{Message, Role, answer_id};
use banter_shared::session::{
    EndReason, History, PostMessage, Session, SessionCreated, SessionStatus,
};
use banter_shared::stream::{Accepted, Cursor, StreamEvent};
use banter_shared::widget::Leave;

mod lifetime;

/// How long to leave a server alone that has no history for us and no reason why, in milliseconds.
const LOAD_PAUSE: u32 = 30_000;

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// A ticket was found in storage, when we began or because another tab put it there.
    Found(Ticket),
    /// The panel is shown (`true`) or hidden.
    Open(bool),
    /// The visitor says something; the id is made by the caller.
    Send(MessageId, String),
    /// The visitor asks for another try at this entry.
    Retry(MessageId),
    /// The visitor ends the conversation.
    End,
    /// The visitor wants a new one.
    Restart,
    /// The visitor wants to go on after the end.
    Continue,
    /// The visitor types.
    Typed,
    /// The visitor asks for more time.
    Stay,
    /// The moment of [`Conversation::alarm`] has come.
    Tick,
    /// What the server says of the session with this id, having been told that the visitor is there.
    Lived(SessionId, Result<Session, Failure>),
    /// The browser says whether there is a network.
    Online(bool),
    /// The page is shown, which is a good moment to try what waits, or hidden, or gone.
    Page(Page),
    /// Another tab did something.
    Told(Told),
    /// Something came of the task with this turn.
    Reply(u32, Reply),
}

/// What came of a task.
#[derive(Debug)]
pub enum Reply {
    /// The pause is over.
    Rested,
    /// A session exists.
    Created(SessionCreated),
    /// Another tab was faster: this is its session, and ours.
    Taken(Ticket),
    /// The history is here.
    Loaded(History),
    /// The next event of an answer.
    Streamed(StreamEvent),
    /// It failed, or an answer's stream broke off.
    Failed(Failure),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin this, instead of whatever is under way, and reply with this turn.
    Start(u32, Task),
    /// Stop what is under way.
    Stop,
    /// Tell the server that the visitor ended the session.
    PostEnd(Ticket),
    /// Tell the server that the visitor left, and how; must arrive even if the page is going away.
    PostLeave(Ticket, EndReason),
    /// Tell the server that the visitor is there.
    PostActivity(Ticket),
    /// Ask the server whether the session has ended meanwhile.
    Look(Ticket),
    /// Keep the ticket.
    Keep(Ticket),
    /// Forget the ticket.
    Forget,
    /// Tell the host page.
    Tell(ToLoader),
    /// Tell the other tabs.
    Spread(Told),
    /// Read this entry to those who listen.
    Announce(MessageId),
}

/// Something that takes time.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Wait so many milliseconds.
    Rest(u32),
    /// Create a session, one that carries on the one of this token.
    Create(Option<String>),
    /// Get the history.
    Load(Ticket),
    /// Post a message and read its answer.
    Post(Ticket, PostMessage, Option<Cursor>),
}

/// What the machine does towards the server.
#[derive(Debug)]
enum Work {
    Idle,
    /// Until the next try; `asked` by the server, which is not to be hurried.
    Resting {
        asked: bool,
    },
    Creating,
    Loading,
    Asking(Outgoing),
}

/// What the widget's configuration says about conversations.
#[derive(Debug, Default)]
pub struct Manners {
    /// What the assistant says before anybody else does.
    pub greeting: Option<String>,
    /// Whether a session begins when the panel opens.
    pub session_on_open: bool,
    /// How long nothing may be said before a session ends, in milliseconds; 0 when nobody knows.
    pub inactivity_ms: u64,
    /// Which ways of leaving the server is told.
    pub leave: Leave,
    /// What other tabs know this one by.
    pub tab: String,
}

/// When something happens, and a random number from 0 to 1 to go with it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Unix milliseconds.
    pub now: u64,
    /// Spreads retries.
    pub jitter: f64,
}

/// The machine.
#[derive(Debug)]
pub struct Conversation {
    manners: Manners,
    phase: Phase,
    work: Work,
    turn: u32,
    tries: u32,
    online: bool,
    wanted: bool,
    outbox: Outbox,
    transcript: Transcript,
    unread: Unread,
    inactivity: Inactivity,
    presence: Presence,
    /// When the server was told last that the visitor left.
    left_at: u64,
    /// When to look around next.
    round_at: Option<u64>,
    /// The session that ended last, while it can be carried on.
    past: Option<Ticket>,
    /// The token of the session that the next one carries on.
    continues: Option<String>,
    effects: Vec<Effect>,
}

impl Conversation {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(manners: Manners, moment: Moment) -> Self {
        let mut transcript = Transcript::default();
        transcript.begin(manners.greeting.as_deref(), moment.now);
        Self {
            inactivity: Inactivity::new(manners.inactivity_ms),
            presence: Presence::new(manners.leave),
            left_at: 0,
            round_at: None,
            past: None,
            continues: None,
            manners,
            phase: Phase::Fresh,
            work: Work::Idle,
            turn: 0,
            tries: 0,
            online: true,
            wanted: false,
            outbox: Outbox::default(),
            transcript,
            unread: Unread::default(),
            effects: Vec::new(),
        }
    }

    /// What was said.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Where the conversation stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What the header says.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.phase, &self.work) {
            (Phase::Ended(_), _) => Status::Ended,
            _ if !self.online => Status::Offline,
            (Phase::Kept(_), _) | (_, Work::Creating | Work::Resting { .. }) => Status::Connecting,
            _ if self.tries > 0 => Status::Connecting,
            (Phase::Fresh, _) => Status::Ready,
            (Phase::Active(_), _) => Status::Connected,
        }
    }

    /// Takes an event and says what is to be done about it.
    pub fn handle(&mut self, event: Event, moment: Moment) -> Vec<Effect> {
        match event {
            Event::Found(ticket) => self.found(ticket, moment),
            Event::Open(open) => self.opened(open, moment),
            Event::Send(id, text) => self.send(id, text, moment),
            Event::Retry(id) => self.retry(&id),
            Event::End => self.end_by_visitor(),
            Event::Restart => {
                self.effects.push(Effect::Spread(Told::Restarted));
                self.restart(moment);
                self.wanted = self.manners.session_on_open;
            }
            Event::Continue => self.carry_on(),
            Event::Typed => self.inactivity.typed(moment.now),
            Event::Stay => self.inactivity.stay(moment.now),
            Event::Tick => {}
            Event::Lived(id, outcome) => self.lived(&id, outcome, moment),
            Event::Online(online) => self.network_changed(online),
            Event::Page(page) => self.page_changed(page, moment),
            Event::Told(told) => self.told(told, moment),
            Event::Reply(turn, reply) if turn == self.turn => self.replied(reply, moment),
            Event::Reply(..) => {}
        }
        self.proceed();
        self.keep_time(moment);
        std::mem::take(&mut self.effects)
    }

    /// Takes up the next thing there is to do, if nothing is being done.
    fn proceed(&mut self) {
        if !matches!(self.work, Work::Idle) {
            return;
        }
        match self.phase.clone() {
            Phase::Ended(_) => {}
            Phase::Fresh if self.outbox.is_empty() && !self.wanted => {}
            Phase::Fresh => self.start(Work::Creating, Task::Create(self.continues.clone())),
            Phase::Kept(ticket) => self.start(Work::Loading, Task::Load(ticket)),
            Phase::Active(ticket) => self.ask_next(ticket),
        }
    }

    fn start(&mut self, work: Work, task: Task) {
        self.work = work;
        self.turn += 1;
        self.effects.push(Effect::Start(self.turn, task));
    }

    /// Posts the next message that still needs it.
    fn ask_next(&mut self, ticket: Ticket) {
        while let Some(outgoing) = self.outbox.take() {
            let Some(entry) = self.transcript.get(&outgoing.id) else { continue };
            if outgoing.accepted && self.transcript.is_answered(&outgoing.id) {
                continue;
            }
            let (id, text) = (outgoing.id.clone(), entry.message.text.clone());
            let cursor = if outgoing.retry { None } else { self.transcript.cursor(&id) };
            if !outgoing.accepted && self.tries == 0 {
                self.transcript.deliver(&id, Delivery::Sending, None);
            }
            let message = PostMessage { id, text, retry: outgoing.retry };
            return self.start(Work::Asking(outgoing), Task::Post(ticket, message, cursor));
        }
    }

    fn found(&mut self, ticket: Ticket, moment: Moment) {
        let busy = matches!(self.work, Work::Creating);
        let known = self.phase.ticket().is_some();
        if busy || known {
            return;
        }
        if matches!(self.phase, Phase::Ended(_)) {
            self.restart(moment);
        }
        self.phase = Phase::Kept(ticket);
    }

    fn opened(&mut self, open: bool, moment: Moment) {
        if let Some(count) = self.unread.set_open(open) {
            self.tell(ToLoader::Unread(count));
        }
        self.wanted |= open && self.manners.session_on_open;
        self.panel_changed(open, moment);
    }

    fn send(&mut self, id: MessageId, text: String, moment: Moment) {
        if matches!(self.phase, Phase::Ended(_)) {
            return;
        }
        let in_trouble = self.tries > 0 || !self.online;
        let delivery = if in_trouble { Delivery::Queued } else { Delivery::Sending };
        self.transcript.add(id.clone(), text, delivery, moment.now);
        self.outbox.add(Outgoing { id, retry: false, accepted: false });
        self.wake();
    }

    fn retry(&mut self, id: &MessageId) {
        let Some(entry) = self.transcript.get(id) else { return };
        if entry.is_own() {
            self.transcript.deliver(id, Delivery::Sending, None);
            self.outbox.add(Outgoing { id: id.clone(), retry: false, accepted: false });
        } else if let Some(question) = question_id(id) {
            self.transcript.reopen(id);
            self.outbox.add(Outgoing { id: question, retry: true, accepted: true });
        }
    }

    fn end_by_visitor(&mut self) {
        if let Some(ticket) = self.phase.ticket().cloned() {
            self.effects.push(Effect::PostEnd(ticket));
            self.end(EndReason::VisitorEnded);
            self.effects.push(Effect::Spread(Told::Ended(EndReason::VisitorEnded)));
        }
    }

    fn end(&mut self, reason: EndReason) {
        self.stop();
        self.outbox.drain().for_each(drop);
        self.transcript.close();
        self.past = self.phase.ticket().cloned();
        self.phase = Phase::Ended(reason);
        self.effects.push(Effect::Forget);
        self.tell(ToLoader::SessionEnd(reason));
    }

    fn restart(&mut self, moment: Moment) {
        self.stop();
        self.outbox.drain().for_each(drop);
        self.transcript.begin(self.manners.greeting.as_deref(), moment.now);
        self.phase = Phase::Fresh;
        self.wanted = false;
        self.past = None;
        self.continues = None;
    }

    /// Begins a session that carries on the one that ended. What was said stays.
    fn carry_on(&mut self) {
        if let Some(past) = self.past.take() {
            self.effects.push(Effect::Spread(Told::Restarted));
            self.transcript.carry_over();
            self.phase = Phase::Fresh;
            self.wanted = true;
            self.continues = Some(past.token);
        }
    }

    /// Drops whatever is under way; its replies come too late from now on.
    fn stop(&mut self) {
        self.work = Work::Idle;
        self.turn += 1;
        self.tries = 0;
        self.effects.push(Effect::Stop);
    }

    fn network_changed(&mut self, online: bool) {
        let back = online && !self.online;
        self.online = online;
        if back {
            // A connection from before may be dead without knowing it: take the answer up anew.
            if let Work::Asking(outgoing) = std::mem::replace(&mut self.work, Work::Idle) {
                self.outbox.put_back(outgoing);
            }
            self.stop();
        }
    }

    /// Ends a pause early.
    fn wake(&mut self) {
        if matches!(self.work, Work::Resting { asked: false }) && self.online {
            self.work = Work::Idle;
        }
    }

    fn told(&mut self, told: Told, moment: Moment) {
        match told {
            Told::Asked(Question { id, text, at }) if self.phase.ticket().is_some() => {
                let asking = matches!(&self.work, Work::Asking(outgoing) if outgoing.id == id);
                if !asking {
                    self.transcript.add_from_elsewhere(id.clone(), text, at);
                    self.outbox.add(Outgoing { id, retry: false, accepted: true });
                }
            }
            Told::Ended(reason) if self.phase.ticket().is_some() => self.end(reason),
            Told::Asked(_) | Told::Ended(_) => {}
            Told::Restarted => self.restart(moment),
            Told::Time(left) => self.inactivity.learn(left, moment.now),
            Told::Tab(tab) => self.heard_tab(&tab, moment),
        }
    }

    fn replied(&mut self, reply: Reply, moment: Moment) {
        match reply {
            Reply::Rested => self.work = Work::Idle,
            Reply::Created(created) => self.created(created, moment),
            Reply::Taken(ticket) => {
                self.settled();
                self.phase = Phase::Kept(ticket);
            }
            Reply::Loaded(history) => self.loaded(history, moment),
            Reply::Streamed(event) => self.streamed(event),
            Reply::Failed(failure) => self.failed(failure, moment),
        }
    }

    /// What was under way is done.
    fn settled(&mut self) {
        self.work = Work::Idle;
        self.tries = 0;
        self.wanted = false;
    }

    fn created(&mut self, created: SessionCreated, moment: Moment) {
        let ticket = Ticket { id: created.session.id, token: created.token };
        self.settled();
        self.continues = None;
        self.inactivity.learn(created.session.inactive_in_ms, moment.now);
        self.transcript.merge(created.messages);
        self.phase = Phase::Active(ticket.clone());
        self.tell(ToLoader::SessionStart(ticket.id.clone()));
        self.effects.push(Effect::Keep(ticket));
    }

    fn loaded(&mut self, history: History, moment: Moment) {
        self.settled();
        self.transcript.merge(history.messages);
        self.transcript.precede(history.earlier);
        if history.session.status == SessionStatus::Ended {
            return self.end(history.session.end_reason.unwrap_or(EndReason::Unknown));
        }
        if let Some(ticket) = self.phase.ticket().cloned() {
            self.phase = Phase::Active(ticket);
        }
        self.inactivity.learn(history.session.inactive_in_ms, moment.now);
        if let Some(id) = self.transcript.unanswered() {
            self.outbox.add(Outgoing { id, retry: false, accepted: true });
        }
    }

    fn streamed(&mut self, event: StreamEvent) {
        let Work::Asking(outgoing) = &mut self.work else { return };
        let question = outgoing.id.clone();
        match event {
            StreamEvent::Accepted(accepted) => {
                let followed = outgoing.accepted && !outgoing.retry;
                outgoing.accepted = true;
                outgoing.retry = false;
                self.accepted(&question, &accepted, followed);
            }
            StreamEvent::Delta(text) => {
                self.tries = 0;
                self.transcript.append(&answer_id(&question), &text);
            }
            StreamEvent::Done(message) => self.done(message),
            StreamEvent::Error(error) => {
                self.answered();
                let may_be_over = !error.retryable;
                if error.code != codes::SESSION_ENDED {
                    self.give_up(&question, error);
                }
                // What nobody can try again may have ended the session: its history knows, and why.
                if may_be_over {
                    self.ask();
                }
            }
        }
    }

    /// The server has the question. `followed` when it had it before.
    fn accepted(&mut self, question: &MessageId, accepted: &Accepted, followed: bool) {
        self.transcript.accept(question, accepted);
        if followed {
            return;
        }
        if let Some(entry) = self.transcript.get(question) {
            let text = entry.message.text.clone();
            let (id, at) = (question.clone(), accepted.created_at);
            self.effects.push(Effect::Spread(Told::Asked(Question { id, text, at })));
        }
        if accepted.attempt <= 1 {
            self.tell(ToLoader::Message(HostMessage { id: question.clone(), role: Role::Visitor }));
        }
    }

    fn done(&mut self, message: Message) {
        self.answered();
        let id = message.id.clone();
        self.transcript.complete(message);
        self.tell(ToLoader::Message(HostMessage { id: id.clone(), role: Role::Assistant }));
        if let Some(count) = self.unread.arrived() {
            self.tell(ToLoader::Unread(count));
        }
        self.effects.push(Effect::Announce(id));
    }

    /// An answer has come to its end; that its stream ends too is no news.
    fn answered(&mut self) {
        self.work = Work::Idle;
        self.turn += 1;
        self.tries = 0;
    }

    fn failed(&mut self, failure: Failure, moment: Moment) {
        let verdict = judge(&failure, self.tries, moment.jitter);
        let first = self.tries == 0;
        let asked = failure.status != 0;
        self.tries += 1;
        let work = std::mem::replace(&mut self.work, Work::Idle);
        match (work, verdict) {
            (Work::Asking(outgoing), Verdict::Again(pause)) => {
                // A stream that broke off is taken up again at once, the first time.
                let broke_off = failure.status == 0 && outgoing.accepted && first;
                if failure.status == 0 {
                    self.transcript.queue_unsent();
                }
                self.outbox.put_back(outgoing);
                self.rest(if broke_off { 0 } else { pause }, asked);
            }
            (Work::Asking(_), Verdict::SessionOver) => self.over(&failure),
            (Work::Asking(outgoing), Verdict::GiveUp) => {
                self.tries = 0;
                self.give_up(&outgoing.id, failure.body);
            }
            (Work::Creating | Work::Loading, Verdict::Again(pause)) => {
                if failure.status == 0 {
                    self.transcript.queue_unsent();
                }
                self.rest(pause, asked);
            }
            // The server will not carry the old session on: then a new one it is.
            (Work::Creating, _) if failure.is_refusal() && self.continues.take().is_some() => {
                self.tries = 0;
                self.transcript.drop_earlier(self.manners.greeting.as_deref(), moment.now);
            }
            (Work::Creating, _) => self.not_created(&failure.body),
            (Work::Loading, Verdict::SessionOver) => self.end_void(&failure),
            (Work::Loading, Verdict::GiveUp) => self.rest(LOAD_PAUSE, false),
            (Work::Idle | Work::Resting { .. }, _) => {}
        }
    }

    fn rest(&mut self, pause: u32, asked: bool) {
        self.start(Work::Resting { asked }, Task::Rest(pause));
    }

    /// The session takes nothing more. Its history knows why, unless the ticket is void too.
    fn over(&mut self, failure: &Failure) {
        self.tries = 0;
        match self.phase.ticket().cloned() {
            Some(ticket) if failure.body.code == codes::SESSION_ENDED => {
                self.phase = Phase::Kept(ticket);
            }
            _ => self.end_void(failure),
        }
    }

    /// The ticket opens nothing any more; one that is only too old can still be carried on.
    fn end_void(&mut self, failure: &Failure) {
        self.end(EndReason::Expired);
        if failure.body.code != codes::TOKEN_EXPIRED {
            self.past = None;
        }
    }

    /// No session, so nothing of what waits can be sent.
    fn not_created(&mut self, error: &ErrorBody) {
        self.tries = 0;
        self.wanted = false;
        let waiting: Vec<Outgoing> = self.outbox.drain().collect();
        if waiting.is_empty() {
            self.tell(ToLoader::Error(error.code.clone()));
        }
        for outgoing in waiting {
            self.give_up(&outgoing.id, error.clone());
        }
    }

    /// The visitor has to decide what becomes of this question.
    fn give_up(&mut self, question: &MessageId, error: ErrorBody) {
        self.tell(ToLoader::Error(error.code.clone()));
        let answer = answer_id(question);
        let unanswered = !self.transcript.fail(&answer, error.clone());
        if unanswered {
            self.transcript.deliver(question, Delivery::Failed, Some(error));
        }
        let failed = if unanswered { question.clone() } else { answer };
        self.effects.push(Effect::Announce(failed));
    }

    fn tell(&mut self, message: ToLoader) {
        self.effects.push(Effect::Tell(message));
    }
}
