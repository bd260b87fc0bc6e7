//! The transcript in the document: mirrors [`Transcript`], keeps the reader's place, and does both at
//! most once a frame.
//!
//! Nothing here reads the layout while an answer is written: whether the reader is at the end is
//! learnt from scroll events, which come when the layout is known anyway, and the end is reached by
//! asking for a position beyond it.

use super::message::{MessageView, Setting};
use crate::dom::{Listener, append, element, find, insert, text_element};
use crate::state::scroll::Scroll;
use crate::state::transcript::{Entry, Transcript};
use crate::time::local_day;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsCast};
use web_sys::{Element, HtmlElement, Node, ResizeObserver};

/// Beyond the end of any transcript, in CSS pixels.
const BEYOND: i32 = 1 << 24;

/// The transcript in the document.
#[derive(Debug)]
pub struct TranscriptView {
    log: HtmlElement,
    entries: HtmlElement,
    rows: RefCell<Vec<Row>>,
    /// Below what was said in earlier sessions.
    divider: RefCell<Option<HtmlElement>>,
    scroll: Rc<Cell<Scroll>>,
    _on_scroll: Listener,
    _on_resize: Resizing,
}

/// A message and the day break above it.
#[derive(Debug)]
struct Row {
    message: MessageView,
    day: i64,
    day_break: Option<HtmlElement>,
}

impl Row {
    /// Where the row begins in the document.
    fn first_node(&self) -> &Node {
        self.day_break.as_ref().unwrap_or(&self.message.root)
    }

    fn remove(&self) {
        self.day_break.iter().for_each(|day| day.remove());
        self.message.root.remove();
    }
}

/// Observes a size until it is dropped.
#[derive(Debug)]
struct Resizing {
    observer: Option<ResizeObserver>,
    _handler: Closure<dyn FnMut()>,
}

impl Drop for Resizing {
    fn drop(&mut self) {
        self.observer.iter().for_each(ResizeObserver::disconnect);
    }
}

impl TranscriptView {
    /// Takes charge of the log in `root`; `moved` is called when the reader's place changed.
    #[must_use]
    pub fn new(root: &Element, moved: impl Fn() + 'static) -> Self {
        let log = find(root, ".log");
        let entries = element("div", "entries");
        append(&log, &entries);
        let scroll: Rc<Cell<Scroll>> = Rc::default();
        let (seen, place) = (log.clone(), Rc::clone(&scroll));
        let on_scroll = Listener::new(&log, "scroll", move |_| {
            let mut scroll = place.get();
            scroll.moved(seen.scroll_height() - seen.scroll_top() - seen.client_height());
            if place.replace(scroll) != scroll {
                moved();
            }
        });
        let (resized, place) = (log.clone(), Rc::clone(&scroll));
        // A keyboard that slides in or a growing composer must not hide what was in view.
        let handler: Closure<dyn FnMut()> = Closure::new(move || {
            if place.get().following {
                resized.set_scroll_top(BEYOND);
            }
        });
        let observer = ResizeObserver::new(handler.as_ref().unchecked_ref()).ok();
        observer.iter().for_each(|observer| observer.observe(&log));
        Self {
            entries,
            log,
            rows: RefCell::default(),
            divider: RefCell::default(),
            scroll,
            _on_scroll: on_scroll,
            _on_resize: Resizing { observer, _handler: handler },
        }
    }

    /// Where the reader is.
    #[must_use]
    pub fn scroll(&self) -> Scroll {
        self.scroll.get()
    }

    /// Goes to the end and stays there.
    pub fn follow(&self) {
        self.scroll.set(Scroll::default());
        self.log.set_scroll_top(BEYOND);
    }

    /// Puts the focus on the log, for reading on by keyboard.
    pub fn focus(&self) {
        let _ = self.log.focus();
    }

    /// Brings the document up to date.
    pub fn update(&self, transcript: &Transcript, now: u64, setting: Setting<'_>) {
        let entries = transcript.entries();
        let mut rows = self.rows.borrow_mut();
        let first_drawing = rows.is_empty();
        let mut moved = false;
        for (index, entry) in entries.iter().enumerate() {
            let is_next = |row: &Row| row.message.id == entry.message.id;
            // What is in the document and no longer in the list stands in the way.
            while rows.get(index).is_some_and(|row| !is_next(row) && !is_listed(entries, row)) {
                rows.remove(index).remove();
                moved = true;
            }
            if rows.get(index).is_some_and(is_next) {
                rows[index].message.update(entry, setting);
                continue;
            }
            // What moved is taken from its old place and drawn at the new one.
            if let Some(old) = rows.iter().position(is_next) {
                rows.remove(old).remove();
            } else if !first_drawing {
                self.added(entry);
            }
            let next = rows.get(index).map(Row::first_node).cloned();
            let row = self.insert(entry, next.as_ref(), setting);
            rows.insert(index, row);
            moved = true;
        }
        if moved || rows.len() > entries.len() {
            rows.drain(entries.len()..).for_each(|row| row.remove());
            self.break_days(&mut rows, entries, local_day(now), setting);
            self.divide(&rows, entries, setting);
        }
        if self.scroll.get().following {
            self.log.set_scroll_top(BEYOND);
        }
    }

    fn added(&self, entry: &Entry) {
        let mut scroll = self.scroll.get();
        scroll.added(entry.is_own());
        self.scroll.set(scroll);
    }

    fn insert(&self, entry: &Entry, next: Option<&Node>, setting: Setting<'_>) -> Row {
        let message = MessageView::new(entry, setting);
        insert(&self.entries, &message.root, next);
        Row { message, day: local_day(entry.message.created_at), day_break: None }
    }

    /// Sees to it that a line stands between what was said in earlier sessions and in this one.
    fn divide(&self, rows: &[Row], entries: &[Entry], setting: Setting<'_>) {
        let first = entries.iter().take_while(|entry| entry.earlier).count();
        let mut divider = self.divider.borrow_mut();
        if first == 0 {
            divider.take().iter().for_each(|divider| divider.remove());
        } else {
            let make = || text_element("p", "earlier", &setting.strings.earlier);
            let divider = divider.get_or_insert_with(make);
            insert(&self.entries, divider, rows.get(first).map(Row::first_node));
        }
    }

    /// Sees to it that every message that is the first of its day, and none other, has a day break.
    fn break_days(&self, rows: &mut [Row], entries: &[Entry], today: i64, setting: Setting<'_>) {
        let mut before = None;
        for (row, entry) in rows.iter_mut().zip(entries) {
            let is_first = before.replace(row.day) != Some(row.day);
            if is_first && row.day_break.is_none() {
                let label = match today - row.day {
                    0 => setting.strings.today.clone(),
                    1 => setting.strings.yesterday.clone(),
                    _ => setting.times.day(entry.message.created_at),
                };
                let day_break = text_element("p", "day", &label);
                insert(&self.entries, &day_break, Some(&row.message.root));
                row.day_break = Some(day_break);
            } else if !is_first && let Some(day_break) = row.day_break.take() {
                day_break.remove();
            }
        }
    }
}

fn is_listed(entries: &[Entry], row: &Row) -> bool {
    entries.iter().any(|entry| entry.message.id == row.message.id)
}
