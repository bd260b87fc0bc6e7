//! One running widget: feeds the conversation machine with what happens ([`wiring`]), does what the
//! machine wants done ([`task`]), and keeps the document in step, at most once a frame.

use crate::channel::Channel;
use crate::dom::{Listener, document, find, media, now, property, random_id, window};
use crate::host::Host;
use crate::json;
use crate::net::api::Api;
use crate::state::conversation::{Conversation, Effect, Event, Manners, Moment};
use crate::state::draft::Draft;
use crate::state::presence::Page;
use crate::state::scroll::Scroll;
use crate::state::session::{Phase, Ticket};
use crate::storage::{self, Storage};
use crate::text::{block, joined, numbered};
use crate::time::Times;
use crate::view::Shown;
use crate::view::composer::Composer;
use crate::view::message::{Setting, note};
use crate::view::panel;
use crate::view::transcript::TranscriptView;
use crate::wire;
use banter_shared::host::ToLoader;
use banter_shared::ids::MessageId;
use banter_shared::session::EndReason;
use banter_shared::widget::{Layout, WidgetConfig};
use gloo_timers::callback::Timeout;
use leptos::prelude::{ArcRwSignal, GetUntracked, Set};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use task::Running;
use wasm_bindgen::prelude::{Closure, JsCast};
use web_sys::HtmlElement;

pub mod task;
pub mod wiring;

/// Where in storage the session's ticket is, and the draft.
const TICKET: &str = "";
const DRAFT: &str = ":draft";

/// One running widget.
#[derive(Debug)]
pub struct App {
    /// What it is drawn from.
    pub config: WidgetConfig,
    /// What the Leptos views follow.
    pub shown: ArcRwSignal<Shown>,
    host: Rc<Host>,
    api: Api,
    storage: Storage,
    channel: Channel,
    times: Times,
    can_copy: bool,
    conversation: RefCell<Conversation>,
    open: Cell<bool>,
    dot: Cell<bool>,
    unread: Cell<u32>,
    running: RefCell<Option<Running>>,
    saving: RefCell<Option<Timeout>>,
    /// When it rings, and what makes it ring.
    alarm: RefCell<Option<(u64, Timeout)>>,
    parts: OnceCell<Parts>,
    listeners: RefCell<Vec<Listener>>,
    frame: Closure<dyn FnMut()>,
    frame_wanted: Cell<bool>,
    gone: Cell<bool>,
}

/// The parts of the document that are written to by hand.
#[derive(Debug)]
pub struct Parts {
    /// Everything, with the launcher.
    pub root: HtmlElement,
    /// The dialog.
    pub panel: HtmlElement,
    /// What opens it, in page mode.
    pub launcher: Option<HtmlElement>,
    /// What screen readers listen to.
    pub announcer: HtmlElement,
    /// Where the visitor writes.
    pub composer: Composer,
    /// What was said.
    pub transcript: TranscriptView,
}

impl App {
    /// A widget that is not drawn yet.
    #[must_use]
    pub fn new(config: WidgetConfig, host: Host, api_base: &str) -> Rc<Self> {
        let manners = Manners {
            greeting: config.first_message.clone().filter(|text| !text.is_empty()),
            session_on_open: config.session_on_open,
            inactivity_ms: u64::from(config.inactivity_seconds) * 1_000,
            leave: config.leave,
            tab: random_id(),
        };
        let conversation = Conversation::new(manners, moment());
        let host = Rc::new(host);
        host.report_panics();
        let dot = storage::is_small(config.id.as_str());
        let clipboard = property(&window().navigator(), "clipboard");
        Rc::new_cyclic(|app: &Weak<Self>| {
            let app = app.clone();
            Self {
                shown: ArcRwSignal::new(Shown {
                    status: conversation.status(),
                    active: false,
                    ended: None,
                    can_continue: false,
                    seconds_left: None,
                    open: false,
                    dot,
                    unread: 0,
                    scroll: Scroll::default(),
                }),
                host,
                api: Api { base: api_base.trim_end_matches('/').to_owned() },
                storage: Storage::of(config.id.as_str()),
                channel: Channel::of(config.id.as_str()),
                times: Times::of(&config.language),
                can_copy: !clipboard.is_undefined(),
                conversation: RefCell::new(conversation),
                open: Cell::default(),
                dot: Cell::new(dot),
                unread: Cell::default(),
                running: RefCell::default(),
                saving: RefCell::default(),
                alarm: RefCell::default(),
                parts: OnceCell::new(),
                listeners: RefCell::default(),
                frame: Closure::new(move || app.upgrade().iter().for_each(|app| app.draw())),
                frame_wanted: Cell::default(),
                gone: Cell::default(),
                config,
            }
        })
    }

    /// Takes charge of what was drawn and begins. `early` when the visitor has sent something already.
    pub fn begin(self: &Rc<Self>, parts: Parts, early: bool) {
        if self.parts.set(parts).is_err() {
            return;
        }
        self.listeners.borrow_mut().extend(wiring::listen(self));
        if let (Some(parts), Some(draft)) = (self.parts.get(), self.storage.get(DRAFT))
            && parts.composer.area.value().is_empty()
        {
            parts.composer.put(&draft);
        }
        self.host.tell(&ToLoader::Ready);
        self.dispatch(Event::Online(window().navigator().on_line()));
        self.dispatch(Event::Page(wiring::page_now()));
        self.find_ticket();
        if early {
            self.send_typed();
        }
        self.draw();
    }

    /// Takes an event: the machine decides, we do.
    pub fn dispatch(self: &Rc<Self>, event: Event) {
        if self.gone.get() {
            return;
        }
        let effects = self.conversation.borrow_mut().handle(event, moment());
        for effect in effects {
            self.perform(effect);
        }
        self.set_alarm();
        self.refresh();
    }

    /// Shows the panel and puts the cursor where it belongs.
    pub fn open(self: &Rc<Self>) {
        if let Some(parts) = self.parts.get() {
            self.open.set(true);
            parts.panel.set_hidden(false);
            self.dispatch(Event::Open(true));
            // A panel among other things on a page waits to be chosen.
            if self.config.layout != Layout::Inline {
                self.focus();
            }
        }
    }

    /// Hides the panel, or has the loader hide it.
    pub fn close(self: &Rc<Self>) {
        if self.config.layout == Layout::Bubble {
            self.hidden();
            self.host.tell(&ToLoader::Close);
            if let Some(launcher) = self.parts.get().and_then(|parts| parts.launcher.as_ref()) {
                let _ = launcher.focus();
            }
        }
    }

    /// The other one of [`Self::open`] and [`Self::close`].
    pub fn toggle(self: &Rc<Self>) {
        if self.open.get() {
            self.close();
        } else {
            self.host.opened();
            self.open();
        }
    }

    /// The launcher was pressed.
    pub fn launch(self: &Rc<Self>) {
        if self.dot.get() && !self.open.get() {
            self.shrink(false);
        } else {
            self.toggle();
        }
    }

    /// Makes the launcher a dot, or itself again, for as long as the visitor's tab lives.
    pub fn shrink(&self, small: bool) {
        self.dot.set(small);
        storage::keep_small(self.config.id.as_str(), small);
        self.refresh();
        if let Some(launcher) = self.parts.get().and_then(|parts| parts.launcher.as_ref()) {
            let _ = launcher.focus();
        }
    }

    /// The panel is hidden, whoever did it.
    pub fn hidden(self: &Rc<Self>) {
        if let Some(parts) = self.parts.get() {
            self.open.set(false);
            // In a frame the loader hides the frame as a whole.
            parts.panel.set_hidden(parts.launcher.is_some());
            self.dispatch(Event::Open(false));
        }
    }

    /// Goes to the end of the transcript.
    pub fn jump(self: &Rc<Self>) {
        if let Some(parts) = self.parts.get() {
            parts.transcript.follow();
            // The pill is about to disappear; the focus shall not disappear with it.
            parts.transcript.focus();
            self.refresh();
        }
    }

    /// Begins anew, ready to type.
    pub fn restart(self: &Rc<Self>) {
        self.go_on(Event::Restart);
    }

    /// Ends the conversation, and leads on to what can be done next.
    pub fn end(self: &Rc<Self>) {
        self.go_on(Event::End);
    }

    /// Does what a button is for that is gone then, and leads on from there.
    pub fn go_on(self: &Rc<Self>, event: Event) {
        self.dispatch(event);
        self.focus();
    }

    /// Sends what stands in the composer.
    pub fn send_typed(self: &Rc<Self>) {
        if let Some(text) = self.parts.get().and_then(|parts| parts.composer.take()) {
            self.saving.take();
            self.storage.remove(DRAFT);
            self.dispatch(Event::Send(MessageId(random_id()), text));
        }
    }

    /// Sends what the host page wants said.
    pub fn send(self: &Rc<Self>, text: &str) {
        if Draft::of(text, self.config.max_message_chars).sendable {
            self.dispatch(Event::Send(MessageId(random_id()), text.trim().to_owned()));
        }
    }

    /// Stops everything and lets go of the document. To the conversation it is a tab that closes, as it
    /// is where a frame is taken away.
    pub fn destroy(self: &Rc<Self>) {
        self.dispatch(Event::Page(Page::Gone));
        self.gone.set(true);
        self.running.take();
        self.saving.take();
        self.alarm.take();
        self.listeners.take();
    }

    fn perform(self: &Rc<Self>, effect: Effect) {
        match effect {
            Effect::Start(turn, task) => {
                let running = task::start(self, turn, task);
                // Dropping what ran before stops it.
                *self.running.borrow_mut() = Some(running);
            }
            Effect::Stop => *self.running.borrow_mut() = None,
            Effect::PostEnd(ticket) => task::post_end(self, ticket, EndReason::VisitorEnded),
            Effect::PostLeave(ticket, reason) => {
                if !self.api.leave(&ticket, reason) {
                    task::post_end(self, ticket, reason);
                }
            }
            Effect::PostActivity(ticket) => task::post_activity(self, ticket),
            Effect::Look(ticket) => task::look(self, ticket),
            Effect::Keep(ticket) => self.storage.set(TICKET, &wire::write_ticket(&ticket)),
            Effect::Forget => self.storage.remove(TICKET),
            Effect::Tell(message) => {
                if let ToLoader::Unread(count) = message {
                    self.unread.set(count);
                }
                self.host.tell(&message);
            }
            Effect::Spread(told) => self.channel.spread(&told),
            Effect::Announce(id) => self.announce_entry(&id),
        }
    }

    /// Takes up the conversation that storage knows of, if it does.
    fn find_ticket(self: &Rc<Self>) {
        if let Some(ticket) = self.kept_ticket() {
            self.dispatch(Event::Found(ticket));
        }
    }

    fn kept_ticket(&self) -> Option<Ticket> {
        json::read(&self.storage.get(TICKET)?, wire::read_ticket)
    }

    /// Sees to it that the machine is woken when it wants to be.
    fn set_alarm(self: &Rc<Self>) {
        let now = now();
        let at = self.conversation.borrow().alarm(now);
        let mut alarm = self.alarm.borrow_mut();
        if alarm.as_ref().map(|(at, _)| *at) != at {
            *alarm = at.map(|at| {
                let app = Rc::clone(self);
                let pause = u32::try_from(at.saturating_sub(now)).unwrap_or(u32::MAX >> 1);
                let ring = move || {
                    app.alarm.take();
                    app.dispatch(Event::Tick);
                };
                (at, Timeout::new(pause, ring))
            });
        }
    }

    /// Keeps the draft, a moment after the last key press.
    fn save_draft(self: &Rc<Self>) {
        let app = Rc::clone(self);
        let timeout = Timeout::new(400, move || {
            let text = app.parts.get().map(|parts| parts.composer.area.value());
            match text.filter(|text| !text.trim().is_empty()) {
                Some(text) => app.storage.set(DRAFT, &text),
                None => app.storage.remove(DRAFT),
            }
        });
        *self.saving.borrow_mut() = Some(timeout);
    }

    /// Puts the cursor into the composer. Where that would raise a keyboard over half the screen,
    /// the panel as a whole is focused instead; after the end, what begins anew.
    fn focus(&self) {
        let Some(parts) = self.parts.get() else { return };
        let ended = matches!(self.conversation.borrow().phase(), Phase::Ended(_));
        // An element that cannot be focused leaves the focus where it is.
        let _ = if ended {
            // Leptos shows the button in the next microtask, so it has to be shown here already.
            let (notice, restart) = (find(&parts.panel, ".notice"), find(&parts.panel, ".restart"));
            notice.set_hidden(false);
            restart.set_hidden(false);
            restart.focus()
        } else if media("(pointer: fine)") {
            parts.composer.form.set_hidden(false);
            parts.composer.area.focus()
        } else {
            parts.panel.focus()
        };
    }

    fn announce_entry(&self, id: &MessageId) {
        let conversation = self.conversation.borrow();
        if let Some(entry) = conversation.transcript().get(id) {
            let strings = &self.config.strings;
            let text = note(entry, strings).unwrap_or_else(|| {
                joined(&[&strings.assistant, ": ", &block::plain(&entry.message.text)])
            });
            self.announce(&text);
        }
    }

    /// Has screen readers say `text`, once.
    fn announce(&self, text: &str) {
        if let Some(parts) = self.parts.get().filter(|_| self.open.get()) {
            parts.announcer.set_text_content(Some(text));
        }
    }

    /// After anything changed: tells the views at once, the transcript with the next frame.
    pub fn refresh(&self) {
        let conversation = self.conversation.borrow();
        let parts = self.parts.get();
        let shown = Shown {
            can_continue: conversation.can_continue(),
            seconds_left: conversation.seconds_left(now()),
            status: conversation.status(),
            active: conversation.phase().ticket().is_some(),
            ended: match conversation.phase() {
                Phase::Ended(reason) => Some(*reason),
                Phase::Fresh | Phase::Kept(_) | Phase::Active(_) => None,
            },
            open: self.open.get(),
            dot: self.dot.get(),
            unread: self.unread.get(),
            scroll: parts.map(|parts| parts.transcript.scroll()).unwrap_or_default(),
        };
        let before = self.shown.get_untracked();
        if before != shown {
            self.shown.set(shown);
            parts.iter().for_each(|parts| self.lead(parts, before, shown));
        }
        if !self.frame_wanted.replace(true) {
            // Refused only by a window that is gone.
            let _ = window().request_animation_frame(self.frame.as_ref().unchecked_ref());
        }
    }

    /// Says what a screen reader's user would miss, and leads the focus on where it would be lost.
    fn lead(&self, parts: &Parts, before: Shown, shown: Shown) {
        let strings = &self.config.strings;
        let has_focus = |selector: &str| {
            let found = parts.panel.query_selector(selector).ok().flatten();
            document().has_focus().unwrap_or(false) && found.is_some()
        };
        let lost = match (before.ended, shown.ended) {
            (None, Some(_)) => has_focus(":focus"),
            _ => shown.seconds_left.is_none() && has_focus(".stay:focus"),
        };
        parts.composer.form.set_hidden(shown.ended.is_some());
        if let (None, Some(reason)) = (before.ended, shown.ended) {
            // Who ended it knows.
            if reason != EndReason::VisitorEnded {
                self.announce(panel::reasons(strings)[reason as usize]);
            }
        } else if let (None, Some(left)) = (before.seconds_left, shown.seconds_left) {
            self.announce(&numbered(&strings.ending_in, left));
        }
        let by_others = shown.ended.is_some_and(|reason| reason != EndReason::VisitorEnded);
        if lost && by_others {
            // Whoever is in the middle of a word is about to press Enter, and shall not press a button.
            parts.transcript.focus();
        } else if lost {
            self.focus();
        }
    }

    /// Brings the transcript up to date.
    fn draw(&self) {
        self.frame_wanted.set(false);
        if let Some(parts) = self.parts.get().filter(|_| !self.gone.get()) {
            let before = parts.transcript.scroll();
            {
                let conversation = self.conversation.borrow();
                let setting = Setting {
                    strings: &self.config.strings,
                    times: &self.times,
                    closed: matches!(conversation.phase(), Phase::Ended(_)),
                    can_copy: self.can_copy,
                };
                parts.transcript.update(conversation.transcript(), now(), setting);
            }
            if parts.transcript.scroll() != before {
                self.refresh();
            }
        }
    }
}

fn moment() -> Moment {
    Moment { now: now(), jitter: js_sys::Math::random() }
}
