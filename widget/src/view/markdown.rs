//! Draws an answer's text while it grows.
//!
//! Blocks that are closed are drawn once. The open one is drawn again only when something came that
//! may change its shape; any other text is appended to its last text node. So a frame costs about
//! what appending plain text costs, however long the answer is.

use crate::dom::{append, document, element, set};
use crate::text::Pieces;
use crate::text::block::{self, Block};
use crate::text::inline::Inline;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, Node, Text};

/// From this length on, in bytes, an open block is no longer redrawn until it closes.
const LARGE: usize = 4_096;

/// Within so many bytes of its beginning a line may still become a heading, a list item or a fence.
const LINE_START: usize = 8;

/// One answer's text in the document.
#[derive(Debug)]
pub struct Markdown {
    root: HtmlElement,
    /// Bytes that belong to closed blocks.
    closed: usize,
    /// Bytes that are shown, closed or open, without white space at the end.
    shown: usize,
    /// What the open block added.
    open: Vec<Node>,
    /// Where more text can simply be appended.
    end: Option<Text>,
}

impl Markdown {
    /// Draws into `root`.
    #[must_use]
    pub fn new(root: HtmlElement) -> Self {
        Self { root, closed: 0, shown: 0, open: Vec::new(), end: None }
    }

    /// Shows `text`, which begins with what was shown before; `complete` when nothing will follow.
    pub fn grow(&mut self, text: &str, complete: bool) {
        if !complete && self.append(text) {
            return;
        }
        self.erase_open();
        while let Some((block, used)) = block::next(text.tail(self.closed), complete) {
            draw(&self.root, &block);
            self.closed += used;
        }
        let mut at = self.closed;
        while let Some((block, used)) = block::next(text.tail(at), true) {
            let (node, end) = draw(&self.root, &block);
            self.open.push(node);
            self.end = end;
            at += used;
        }
        self.shown = text.trim_end().len();
    }

    /// Forgets everything, to show another text.
    pub fn clear(&mut self) {
        self.root.set_text_content(None);
        *self = Self::new(self.root.clone());
    }

    /// Appends what is new, if it cannot change the shape of the open block.
    fn append(&mut self, text: &str) -> bool {
        let Some(end) = &self.end else { return false };
        let new = text.tail(self.shown);
        let line = text.head(self.shown).tail(self.closed).rfind('\n').map_or(0, |at| at + 1);
        let in_line = self.shown - self.closed - line;
        let word = text.tail(self.closed).rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let shapes = new.contains(['*', '_', '`', ')', '\\', '\n'])
            || in_line < LINE_START
            || text.tail(self.closed + word).contains([':']);
        let large = self.shown - self.closed > LARGE && !new.contains(['\n']);
        if shapes && !large {
            return false;
        }
        let new = new.trim_end();
        if !new.is_empty() {
            // Appending to a text node of ours cannot fail.
            let _ = end.append_data(new);
            self.shown += new.len();
        }
        true
    }

    fn erase_open(&mut self) {
        for node in self.open.drain(..) {
            node.unchecked_into::<Element>().remove();
        }
        self.end = None;
    }
}

/// Draws one block at the end of `root`. Says which node that added, and where more of the same text
/// could be appended.
fn draw(root: &Element, block: &Block) -> (Node, Option<Text>) {
    match block {
        Block::Paragraph(content) => draw_in(root, "p", "", content),
        Block::Heading(content) => draw_in(root, "p", "heading", content),
        Block::Rule => (add(root, "hr", "").into(), None),
        Block::Code(code) => {
            let pre = add(root, "pre", "");
            let end = add_text(&add(&pre, "code", ""), code);
            (pre.into(), Some(end))
        }
        Block::Item { number, level, content } => {
            let (list, new_list) = list_at_end(root, *number, *level);
            let (item, end) = draw_in(&list, "li", "", content);
            (new_list.unwrap_or(item), end)
        }
    }
}

fn draw_in(parent: &Element, tag: &str, class: &str, content: &[Inline]) -> (Node, Option<Text>) {
    let element = add(parent, tag, class);
    let end = draw_inlines(&element, content);
    (element.into(), end)
}

/// The list at the end of `parent` that an item of this kind and level belongs to, and the list
/// that had to be added for it, if one had.
fn list_at_end(parent: &Element, number: Option<u32>, level: u8) -> (Element, Option<Node>) {
    let tag = if number.is_some() { "ol" } else { "ul" };
    if let Some(last) = parent.last_element_child() {
        let name = last.local_name();
        if level > 0 && (name == "ol" || name == "ul") {
            if let Some(item) = last.last_element_child() {
                return list_at_end(&item, number, level - 1);
            }
        } else if name == tag {
            return (last, None);
        }
    }
    let list = add(parent, tag, "");
    if let Some(number) = number.filter(|number| *number != 1) {
        set(&list, "start", &number.to_string());
    }
    (list.clone(), Some(list.into()))
}

/// Draws the inside of a block. Says where text can be appended: only if it ends with plain text.
fn draw_inlines(parent: &Element, content: &[Inline]) -> Option<Text> {
    let mut end = None;
    for inline in content {
        end = None;
        match inline {
            Inline::Text(text) => end = Some(add_text(parent, text)),
            Inline::Code(text) => {
                add_text(&add(parent, "code", ""), text);
            }
            Inline::Strong(inner) => {
                draw_inlines(&add(parent, "strong", ""), inner);
            }
            Inline::Emphasis(inner) => {
                draw_inlines(&add(parent, "em", ""), inner);
            }
            Inline::Link(address, inner) => {
                draw_inlines(&link(parent, address), inner);
            }
        }
    }
    end
}

/// Adds a link that tells the other side nothing and cannot reach back. `address` is a safe one.
pub(super) fn link(parent: &Element, address: &str) -> Element {
    let link = add(parent, "a", "");
    set(&link, "href", address);
    set(&link, "target", "_blank");
    set(&link, "rel", "noopener noreferrer nofollow");
    link
}

fn add(parent: &Element, tag: &str, class: &str) -> Element {
    let child = element(tag, class);
    append(parent, &child);
    child.into()
}

fn add_text(parent: &Element, text: &str) -> Text {
    let text = document().create_text_node(text);
    append(parent, &text);
    text
}
