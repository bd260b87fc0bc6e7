//! One entry of the transcript: who, what, where from, and what can be done about it.

use super::markdown::{self, Markdown};
use crate::dom::{append, button, element, icon, set, text_element};
use crate::state::transcript::{Delivery, Entry};
use crate::text::{joined, link};
use crate::time::Times;
use banter_shared::ids::MessageId;
use banter_shared::message::{MessageStatus, Source};
use banter_shared::widget::Strings;
use web_sys::HtmlElement;

/// Two sheets, one on the other.
const COPY_ICON: &str = "M9 9h11v11H9zM5 15H4V4h11v1";

/// A text of more bytes takes all the width it may. A shorter one's width is measured by the browser,
/// which costs a second layout of the whole text with every word.
const LONG: usize = 160;

/// What the document shows of an entry.
#[derive(Debug)]
pub struct MessageView {
    /// Whose entry.
    pub id: MessageId,
    /// The `article`.
    pub root: HtmlElement,
    revision: u32,
    rewrites: u32,
    length: usize,
    text: HtmlElement,
    /// For answers; what the visitor says is shown as it was typed.
    markdown: Option<Markdown>,
    foot: HtmlElement,
    closed: bool,
}

/// What a message needs to know besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The panel's texts.
    pub strings: &'a Strings,
    /// How times are written.
    pub times: &'a Times,
    /// Whether the conversation is over, so that nothing can be tried again.
    pub closed: bool,
    /// Whether messages can be copied here.
    pub can_copy: bool,
}

impl MessageView {
    /// Draws `entry`.
    #[must_use]
    pub fn new(entry: &Entry, setting: Setting<'_>) -> Self {
        let root = element("article", "message");
        let (role, name) = match entry.is_own() {
            true => ("visitor", &setting.strings.you),
            false => ("assistant", &setting.strings.assistant),
        };
        set(&root, "data-role", role);
        set(&root, "data-id", entry.message.id.as_str());
        append(&root, &text_element("span", "unseen", name));
        let text = element("div", "text");
        set(&text, "dir", "auto");
        append(&root, &text);
        let foot = element("div", "foot");
        append(&root, &foot);
        let markdown = (!entry.is_own()).then(|| Markdown::new(text.clone()));
        let mut view = Self {
            id: entry.message.id.clone(),
            root,
            revision: entry.revision,
            rewrites: entry.rewrites,
            length: 0,
            text,
            markdown,
            foot,
            closed: setting.closed,
        };
        view.draw_text(entry);
        view.draw_rest(entry, setting);
        view
    }

    /// Brings the document up to date with `entry`.
    pub fn update(&mut self, entry: &Entry, setting: Setting<'_>) {
        let rewritten = self.rewrites != entry.rewrites;
        let revised = self.revision != entry.revision || self.closed != setting.closed;
        let begun = self.length == 0 && !entry.message.text.is_empty();
        if rewritten {
            self.length = 0;
            self.markdown.iter_mut().for_each(Markdown::clear);
        }
        if rewritten || revised || self.length != entry.message.text.len() {
            self.draw_text(entry);
        }
        self.rewrites = entry.rewrites;
        self.revision = entry.revision;
        self.closed = setting.closed;
        if rewritten || revised || begun {
            self.draw_rest(entry, setting);
        }
    }

    fn draw_text(&mut self, entry: &Entry) {
        let text = &entry.message.text;
        let complete = entry.message.status != MessageStatus::Streaming;
        match &mut self.markdown {
            Some(markdown) => markdown.grow(text, complete),
            None => self.text.set_text_content(Some(text)),
        }
        if text.len() > LONG && self.length <= LONG {
            self.root.set_class_name("message long");
        }
        self.length = text.len();
    }

    /// Everything but the text: drawn anew, as it changes a few times in a message's life.
    fn draw_rest(&self, entry: &Entry, setting: Setting<'_>) {
        let strings = setting.strings;
        let (state, has_text) = (entry.state(), !entry.message.text.is_empty());
        set(&self.root, "data-status", state);
        self.foot.set_text_content(None);
        // An empty bubble says nothing; the dots stand in for it.
        self.text.set_hidden(!has_text);
        if state == "streaming" {
            if !has_text {
                append(&self.foot, &typing(&strings.typing));
            }
            return;
        }
        if !entry.message.sources.is_empty() {
            append(&self.foot, &sources(&entry.message.sources, &strings.sources));
        }
        if let Some(note) = note(entry, strings) {
            let line = text_element("p", "note", &note);
            if entry.can_retry() && !setting.closed {
                let retry = button("retry", &strings.retry);
                retry.set_text_content(Some(&strings.retry));
                append(&line, &retry);
            }
            append(&self.foot, &line);
        }
        append(&self.foot, &meta(entry, setting));
    }
}

/// What went wrong with an entry, in words, or `None` if nothing did.
#[must_use]
pub fn note(entry: &Entry, strings: &Strings) -> Option<String> {
    let said = entry.message.error.as_ref().map(|error| error.message.as_str());
    let said = said.filter(|message| !message.is_empty());
    match entry.state() {
        "interrupted" => Some(strings.interrupted.clone()),
        "failed" if entry.is_own() => Some(match said {
            Some(said) => joined(&[&strings.not_sent, " · ", said]),
            None => strings.not_sent.clone(),
        }),
        "failed" => Some(said.unwrap_or(&strings.failed).to_owned()),
        _ => None,
    }
}

/// The time, how far it has come, and the copy button.
fn meta(entry: &Entry, setting: Setting<'_>) -> HtmlElement {
    let strings = setting.strings;
    let meta = element("div", "meta");
    append(&meta, &text_element("time", "", &setting.times.time(entry.message.created_at)));
    let progress = match entry.delivery {
        Delivery::Sending => &strings.sending,
        Delivery::Queued => &strings.queued,
        Delivery::Accepted | Delivery::Failed => "",
    };
    if !progress.is_empty() {
        append(&meta, &text_element("span", "delivery", progress));
    }
    if setting.can_copy && !entry.message.text.is_empty() {
        let copy = button("copy", &strings.copy);
        icon(&copy, COPY_ICON);
        append(&meta, &copy);
    }
    meta
}

fn typing(label: &str) -> HtmlElement {
    let typing = element("div", "typing");
    set(&typing, "role", "img");
    set(&typing, "aria-label", label);
    for _ in 0..3 {
        append(&typing, &element("i", ""));
    }
    typing
}

fn sources(sources: &[Source], heading: &str) -> HtmlElement {
    let list = element("ul", "sources");
    set(&list, "aria-label", heading);
    for source in sources {
        let item = element("li", "");
        match source.url.as_deref().filter(|url| link::is_safe(url)) {
            Some(url) => markdown::link(&item, url).set_text_content(Some(&source.title)),
            None => item.set_text_content(Some(&source.title)),
        }
        append(&list, &item);
    }
    list
}
