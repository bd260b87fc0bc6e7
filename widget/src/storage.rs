//! What the widget keeps in the browser: the session's ticket and the draft.
//!
//! Nothing is written before the visitor did something. Where storage is forbidden (private modes,
//! blocked third parties), what would be kept lives as long as the page.

use crate::dom::window;
use crate::text::joined;
use std::cell::RefCell;

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
