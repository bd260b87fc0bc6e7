//! The line to the host page: `postMessage` to the loader's window from a frame, events on the host
//! element in page mode, nobody on the hosted page. What is said never crosses it.

use crate::dom::{Listener, window};
use crate::json::{self, object, quote};
use crate::text::joined;
use crate::wire::{read_command, write_to_loader};
use banter_shared::host::{PREFIX, ToFrame, ToLoader};
use js_sys::Object;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::{JsCast, JsValue};
use web_sys::{CustomEvent, CustomEventInit, HtmlElement, MessageEvent, Window};

/// Who listens to us outside.
#[derive(Debug)]
pub enum Host {
    /// The loader, in the window around our frame and on this origin only.
    Loader(Window, String),
    /// The page we live in, by events on this element.
    Page(HtmlElement),
    /// Nobody: the hosted page.
    Nobody,
}

thread_local! {
    /// Whom to tell when the code itself fails.
    static LAST: RefCell<Weak<Host>> = const { RefCell::new(Weak::new()) };
}

impl Host {
    /// The loader around our frame, or nobody when `origin` is empty.
    #[must_use]
    pub fn around(origin: &str) -> Self {
        match window().parent().ok().flatten() {
            Some(parent) if !origin.is_empty() => Self::Loader(parent, origin.to_owned()),
            _ => Self::Nobody,
        }
    }

    /// The origin of the host page, if it is another one than ours.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        match self {
            Self::Loader(_, origin) => Some(origin.clone()),
            Self::Page(_) | Self::Nobody => None,
        }
    }

    /// Tells the host page.
    pub fn tell(&self, message: &ToLoader) {
        let (name, content) = write_to_loader(message);
        match self {
            Self::Loader(parent, origin) => {
                // Refused when the page around us is not the one we were told of, and rightly so.
                let json =
                    if content.is_empty() { quote(name) } else { object(&[(name, &content)]) };
                let _ = parent.post_message(&joined(&[PREFIX, &json]).into(), origin);
            }
            Self::Page(element) => {
                let detail = js_sys::JSON::parse(&content).unwrap_or(JsValue::UNDEFINED);
                dispatch(element, &name.replace('_', "-"), &detail);
            }
            Self::Nobody => {}
        }
    }

    /// Tells the page that the visitor opened the panel. (A loader opens it itself.)
    pub fn opened(&self) {
        if let Self::Page(element) = self {
            dispatch(element, "open", &JsValue::UNDEFINED);
        }
    }

    /// Hears what the loader says: our parent window, its origin, our prefix, a known message.
    #[must_use]
    pub fn listen(&self, mut hear: impl FnMut(ToFrame) + 'static) -> Option<Listener> {
        let Self::Loader(parent, origin) = self else { return None };
        let (parent, origin) = (parent.clone(), origin.clone());
        Some(Listener::new(&window(), "message", move |event| {
            let event: MessageEvent = event.unchecked_into();
            let from_parent = event.source().is_some_and(|source| Object::is(&source, &parent));
            if !from_parent || event.origin() != origin {
                return;
            }
            let data = event.data().as_string();
            let message = data.as_deref().and_then(|data| data.strip_prefix(PREFIX));
            if let Some(message) = message.and_then(|json| json::read(json, read_command)) {
                hear(message);
            }
        }))
    }

    /// From now on a panic is told to this host (the last one to ask) besides the console.
    pub fn report_panics(self: &Rc<Self>) {
        LAST.with_borrow_mut(|last| *last = Rc::downgrade(self));
        std::panic::set_hook(Box::new(|info| {
            web_sys::console::error_1(&info.to_string().into());
            if let Some(host) = LAST.try_with(|last| last.borrow().upgrade()).ok().flatten() {
                host.tell(&ToLoader::Error("panic".to_owned()));
            }
        }));
    }
}

/// Dispatches an event that leaves the shadow root and bubbles.
fn dispatch(element: &HtmlElement, name: &str, detail: &JsValue) {
    let init = CustomEventInit::new();
    init.set_bubbles(true);
    init.set_composed(true);
    init.set_detail(detail);
    if let Ok(event) = CustomEvent::new_with_event_init_dict(&joined(&[PREFIX, name]), &init) {
        // Whether a listener called `preventDefault` changes nothing here.
        let _ = element.dispatch_event(&event);
    }
}
