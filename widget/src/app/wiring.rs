//! Everything the widget listens to.

use super::{App, Parts};
use crate::dom::{Listener, document, find, set, window};
use crate::state::conversation::Event;
use crate::state::presence::Page;
use crate::view::composer::{is_composing, is_send};
use banter_shared::host::ToFrame;
use banter_shared::ids::MessageId;
use gloo_timers::callback::Timeout;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, EventTarget, KeyboardEvent};

/// How long a copy button says that it copied, in milliseconds.
const COPIED_FOR: u32 = 2_000;

/// Listens to everything, as long as the listeners are kept.
pub fn listen(app: &Rc<App>) -> Vec<Listener> {
    let mut listeners = Vec::new();
    if let Some(parts) = app.parts.get() {
        listeners.extend(composer(app, parts));
        listeners.extend(buttons_and_keys(app, parts));
    }
    listeners.extend(browser(app));
    listeners
}

/// Obeys the host page.
pub fn obey(app: &Rc<App>, command: ToFrame) {
    match command {
        ToFrame::Open => app.open(),
        ToFrame::Close => app.hidden(),
        ToFrame::Toggle => app.toggle(),
        ToFrame::Send(text) => app.send(&text),
        ToFrame::End => app.dispatch(Event::End),
    }
}

fn composer(app: &Rc<App>, parts: &Parts) -> [Listener; 4] {
    let composer = &parts.composer;
    let (on_submit, on_key, on_input) = (Rc::clone(app), Rc::clone(app), Rc::clone(app));
    [
        Listener::new(&composer.form, "submit", move |event| {
            event.prevent_default();
            on_submit.send_typed();
        }),
        Listener::new(&composer.area, "keydown", move |event| {
            if is_send(event.unchecked_ref()) {
                event.prevent_default();
                on_key.send_typed();
            }
        }),
        Listener::new(&composer.area, "input", move |_| {
            if let Some(parts) = on_input.parts.get() {
                parts.composer.refresh();
                on_input.save_draft();
                on_input.dispatch(Event::Typed);
            }
        }),
        // Pressing the button leaves the focus, and a phone's keyboard, where it is.
        Listener::new(&find(&composer.form, "button"), "mousedown", |event| {
            event.prevent_default();
        }),
    ]
}

fn buttons_and_keys(app: &Rc<App>, parts: &Parts) -> [Listener; 2] {
    let (on_key, on_click) = (Rc::clone(app), Rc::clone(app));
    [
        Listener::new(&parts.panel, "keydown", move |event| {
            let event: &KeyboardEvent = event.unchecked_ref();
            if event.key() == "Escape" && !is_composing(event) {
                on_key.close();
            }
        }),
        Listener::new(&parts.root, "click", move |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            if let Some(button) = target.and_then(|target| target.closest("button").ok().flatten())
            {
                pressed(&on_click, button);
            }
        }),
    ]
}

fn browser(app: &Rc<App>) -> Vec<Listener> {
    let window = window();
    let network = |online: bool| {
        let app = Rc::clone(app);
        let name = if online { "online" } else { "offline" };
        Listener::new(&window, name, move |_| app.dispatch(Event::Online(online)))
    };
    let page = |target: &EventTarget, name: &'static str| {
        let app = Rc::clone(app);
        Listener::new(target, name, move |event| {
            let gone = event.type_() == "pagehide";
            app.dispatch(Event::Page(if gone { Page::Gone } else { page_now() }));
        })
    };
    let on_stored = Rc::clone(app);
    let (on_command, on_told) = (Rc::clone(app), Rc::clone(app));
    let stored = Listener::new(&window, "storage", move |_| on_stored.find_ticket());
    let mut listeners = vec![network(true), network(false), stored];
    // All of these come to frames as well.
    listeners.push(page(&document(), "visibilitychange"));
    listeners.extend(["pagehide", "pageshow"].map(|name| page(&window, name)));
    listeners.extend(app.host.listen(move |command| obey(&on_command, command)));
    listeners.extend(app.channel.listen(move |told| on_told.dispatch(Event::Told(told))));
    listeners
}

/// Whether the page can be seen.
pub fn page_now() -> Page {
    if document().hidden() { Page::Hidden } else { Page::Shown }
}

/// A button was pressed: which one says its class. One listener for all of them also keeps Leptos' code
/// for events, and the thread bookkeeping it brings along, out of what a visitor loads.
fn pressed(app: &Rc<App>, button: Element) {
    match button.class_name().as_str() {
        "launcher" => app.launch(),
        "less" => app.shrink(true),
        "close" => app.close(),
        "end" => app.end(),
        "jump" => app.jump(),
        "restart" => app.restart(),
        "continue" => app.go_on(Event::Continue),
        "stay" => app.go_on(Event::Stay),
        "copy" => copy(app, button),
        "retry" => message_of(&button).into_iter().for_each(|id| app.dispatch(Event::Retry(id))),
        // The composer's button submits its form.
        _ => {}
    }
}

/// The message that a button belongs to.
fn message_of(button: &Element) -> Option<MessageId> {
    let message = button.closest("article").ok().flatten()?;
    message.get_attribute("data-id").map(MessageId)
}

/// Copies a message as it was written, and says so for a moment.
fn copy(app: &Rc<App>, button: Element) {
    let Some(id) = message_of(&button) else { return };
    let text =
        app.conversation.borrow().transcript().get(&id).map(|entry| entry.message.text.clone());
    let Some(text) = text else { return };
    let app = Rc::clone(app);
    let written = window().navigator().clipboard().write_text(&text);
    spawn_local(async move {
        let strings = &app.config.strings;
        if JsFuture::from(written).await.is_err() {
            // A frame that may not write to the clipboard never will.
            return button.remove();
        }
        set(&button, "aria-label", &strings.copied);
        set(&button, "data-copied", &strings.copied);
        app.announce(&strings.copied);
        let label = strings.copy.clone();
        Timeout::new(COPIED_FOR, move || {
            set(&button, "aria-label", &label);
            // It was set a moment ago.
            let _ = button.remove_attribute("data-copied");
        })
        .forget();
    });
}
