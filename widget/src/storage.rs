//! What the widget keeps in the browser: the session's ticket and the draft, and in page mode whether the
//! launcher is small.
//!
//! Nothing is written before the visitor did something. Where storage is forbidden (private modes,
//! blocked third parties), what would be kept lives as long as the page.

use crate::dom::window;
use crate::text::joined;
use std::cell::RefCell;

/// Whether the visitor made the launcher small in this tab. The loader keeps the same for the launcher it
/// draws.
#[must_use]
pub fn is_small(widget: &str) -> bool {
    let session = window().session_storage().ok().flatten();
    let kept = session.and_then(|session| session.get_item(&small(widget)).ok().flatten());
    kept.is_some_and(|kept| !kept.is_empty())
}

/// Keeps that the visitor made the launcher small, or large again.
pub fn keep_small(widget: &str, is_small: bool) {
    if let Ok(Some(session)) = window().session_storage() {
        // What cannot be kept holds for this page.
        let _ = session.set_item(&small(widget), if is_small { "1" } else { "" });
    }
}

fn small(widget: &str) -> String {
    joined(&["banter:", widget])
}

/// Keeps texts by name, for one widget.
#[derive(Debug)]
pub struct Storage {
    prefix: String,
    local: Option<web_sys::Storage>,
    memory: RefCell<Vec<(String, String)>>,
}

impl Storage {
    /// The storage of the widget with this id.
    #[must_use]
    pub fn of(widget: &str) -> Self {
        let local = window().local_storage().ok().flatten();
        Self { prefix: joined(&["banter:", widget]), local, memory: RefCell::default() }
    }

    /// What is kept under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let key = self.key(name);
        let kept = self.local.as_ref().and_then(|local| local.get_item(&key).ok().flatten());
        kept.or_else(|| {
            let memory = self.memory.borrow();
            memory.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())
        })
    }

    /// Keeps `value` under `name`.
    pub fn set(&self, name: &str, value: &str) {
        self.remove(name);
        let key = self.key(name);
        let kept = self.local.as_ref().is_some_and(|local| local.set_item(&key, value).is_ok());
        if !kept {
            self.memory.borrow_mut().push((key, value.to_owned()));
        }
    }

    /// Forgets what is kept under `name`.
    pub fn remove(&self, name: &str) {
        let key = self.key(name);
        if let Some(local) = &self.local {
            // Forbidden storage holds nothing to remove.
            let _ = local.remove_item(&key);
        }
        self.memory.borrow_mut().retain(|(name, _)| *name != key);
    }

    fn key(&self, name: &str) -> String {
        joined(&[&self.prefix, name])
    }
}
