//! Where the visitor writes.
//!
//! Built by hand because in a frame it exists before we do: the page comes with a form that can be
//! typed in at once. That form is not replaced but taken over, so that text, selection, focus and a
//! running composition of an input method are simply still there.

use crate::dom::{append, button, element, icon, set};
use crate::state::draft::Draft;
use crate::text::joined;
use banter_shared::widget::WidgetConfig;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlButtonElement, HtmlElement, HtmlTextAreaElement, KeyboardEvent};

/// A paper plane.
const SEND_ICON: &str = "M3 20 21 12 3 4l2 6 8 2-8 2z";

/// The key code of a key press that belongs to an input method (UI Events, "legacy key attributes").
const COMPOSING: u32 = 229;

/// The form, the text area and the button.
#[derive(Debug)]
pub struct Composer {
    /// The form.
    pub form: HtmlElement,
    /// What is typed in.
    pub area: HtmlTextAreaElement,
    send: HtmlButtonElement,
    counter: HtmlElement,
    limit: u32,
    grows_by_itself: bool,
}

impl Composer {
    /// Takes over the form in `root`, or builds one at its end. Says whether the visitor has pressed
    /// Enter in it already.
    #[must_use]
    pub fn at(root: &Element, config: &WidgetConfig) -> (Self, bool) {
        let early = root.query_selector("#early").ok().flatten();
        let form = match early {
            Some(form) => form.unchecked_into(),
            None => build(root, config),
        };
        let submitted = form.has_attribute("data-submitted");
        for mark in ["id", "data-submitted"] {
            // Nothing early about it any more.
            let _ = form.remove_attribute(mark);
        }
        let counter = element("p", "left");
        append(&form, &counter);
        let composer = Self {
            area: crate::dom::find(&form, "textarea").unchecked_into(),
            send: crate::dom::find(&form, "button").unchecked_into(),
            form,
            counter,
            limit: config.max_message_chars,
            grows_by_itself: web_sys::css::supports("(field-sizing: content)").unwrap_or(false),
        };
        if composer.send.child_element_count() == 0 {
            composer.send.set_text_content(None);
            icon(&composer.send, SEND_ICON);
        }
        composer.refresh();
        (composer, submitted)
    }

    /// What can be sent, taken out of the text area.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        let text = self.area.value();
        if !Draft::of(&text, self.limit).sendable {
            return None;
        }
        self.put("");
        Some(text.trim().to_owned())
    }

    /// Puts `text` in place of what is there.
    pub fn put(&self, text: &str) {
        self.area.set_value(text);
        self.refresh();
    }

    /// After the text changed: the button, the counter, the height.
    pub fn refresh(&self) {
        let draft = Draft::of(&self.area.value(), self.limit);
        self.send.set_disabled(!draft.sendable);
        let left = draft.left.map(|left| left.to_string()).unwrap_or_default();
        self.counter.set_text_content(Some(&left));
        let too_long = draft.left.is_some_and(|left| left < 0);
        set(&self.area, "aria-invalid", if too_long { "true" } else { "false" });
        if !self.grows_by_itself {
            let style = self.area.style();
            // The stylesheet bounds it; these cannot fail.
            let _ = style.set_property("height", "auto");
            let _ = style
                .set_property("height", &joined(&[&self.area.scroll_height().to_string(), "px"]));
        }
    }
}

/// Whether a key press means "send": Enter alone, and not as a part of writing a character.
#[must_use]
pub fn is_send(event: &KeyboardEvent) -> bool {
    event.key() == "Enter" && !event.shift_key() && !is_composing(event)
}

/// Whether a key press belongs to an input method. Safari ends the composition before the key that
/// ended it, which is why the key code is asked too.
#[must_use]
pub fn is_composing(event: &KeyboardEvent) -> bool {
    event.is_composing() || event.key_code() == COMPOSING
}

fn build(root: &Element, config: &WidgetConfig) -> HtmlElement {
    let strings = &config.strings;
    let form = element("form", "composer");
    let area = element("textarea", "");
    set(&area, "rows", "1");
    set(&area, "aria-label", &strings.message);
    set(&area, "placeholder", &strings.placeholder);
    let send = button("send", &strings.send);
    set(&send, "type", "submit");
    append(&form, &area);
    append(&form, &send);
    append(root, &form);
    form
}
