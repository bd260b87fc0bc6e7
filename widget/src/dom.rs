//! The few things we do to the document by hand, in one place: making elements, and listening in a
//! way that stops when the listener is dropped.
//!
//! Nothing here takes markup. Text becomes text nodes and attributes are set one by one, so what a
//! model or a visitor wrote can never become an element.

pub use leptos::prelude::{document, window};
use wasm_bindgen::prelude::{Closure, JsCast, JsValue, UnwrapThrowExt};
use web_sys::{Element, Event, EventTarget, HtmlElement, Node};

/// The namespace of icons.
const SVG: &str = "http://www.w3.org/2000/svg";

/// A new element.
#[must_use]
pub fn element(tag: &str, class: &str) -> HtmlElement {
    let element = document().create_element(tag).unwrap_throw();
    if !class.is_empty() {
        element.set_class_name(class);
    }
    element.unchecked_into()
}

/// A new element with text in it.
#[must_use]
pub fn text_element(tag: &str, class: &str, text: &str) -> HtmlElement {
    let element = element(tag, class);
    element.set_text_content(Some(text));
    element
}

/// A new button that submits nothing; `action` is what a delegated listener finds it by.
#[must_use]
pub fn button(action: &str, label: &str) -> HtmlElement {
    let button = element("button", action);
    set(&button, "type", "button");
    set(&button, "aria-label", label);
    button
}

/// Draws an icon of 24 by 24 units into `parent`, from a path.
pub fn icon(parent: &Element, path: &str) {
    let make = |tag: &str| document().create_element_ns(Some(SVG), tag).unwrap_throw();
    let (svg, shape) = (make("svg"), make("path"));
    set(&svg, "viewBox", "0 0 24 24");
    set(&svg, "aria-hidden", "true");
    set(&shape, "d", path);
    append(&svg, &shape);
    append(parent, &svg);
}

/// Sets an attribute.
pub fn set(element: &Element, name: &str, value: &str) {
    element.set_attribute(name, value).unwrap_throw();
}

/// Adds `child` at the end of `parent`.
pub fn append(parent: &Node, child: &Node) {
    parent.append_child(child).unwrap_throw();
}

/// Adds `child` to `parent`, before `next` or at the end.
pub fn insert(parent: &Node, child: &Node, next: Option<&Node>) {
    parent.insert_before(child, next).unwrap_throw();
}

/// The element in `root` that is known to be there.
#[must_use]
pub fn find(root: &Element, selector: &str) -> HtmlElement {
    root.query_selector(selector).unwrap_throw().unwrap_throw().unchecked_into()
}

/// Whether a media query holds.
#[must_use]
pub fn media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listener {
    target: EventTarget,
    name: &'static str,
    handler: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Listens to `name` on `target`.
    #[must_use]
    pub fn new(
        target: &EventTarget,
        name: &'static str,
        handler: impl FnMut(Event) + 'static,
    ) -> Self {
        let handler: Closure<dyn FnMut(Event)> = Closure::new(handler);
        let callback = handler.as_ref().unchecked_ref();
        target.add_event_listener_with_callback(name, callback).unwrap_throw();
        Self { target: target.clone(), name, handler }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let callback = self.handler.as_ref().unchecked_ref();
        // A target that is gone has nothing to remove.
        let _ = self.target.remove_event_listener_with_callback(self.name, callback);
    }
}

/// Unix milliseconds.
#[must_use]
pub fn now() -> u64 {
    // A date of this era is a positive whole number far below 2^53.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a date")]
    let now = js_sys::Date::now() as u64;
    now
}

/// A random id that nobody can guess: 128 bits in hexadecimal.
#[must_use]
pub fn random_id() -> String {
    // `crypto.randomUUID` would be shorter but does not exist on pages served without TLS.
    let mut bytes = [0; 16];
    if let Ok(crypto) = window().crypto() {
        let _ = crypto.get_random_values_with_u8_array(&mut bytes);
    }
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads a property by name; `undefined` when there is none.
#[must_use]
pub fn property(object: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}
