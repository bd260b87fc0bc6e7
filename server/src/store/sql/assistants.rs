//! Definitions of assistants as they are read: every question needs its assistant's, and it hardly
//! ever changes.

use super::super::Result;
use super::rows::from_json;
use crate::domain::assistant::Assistant;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept: those of all widgets in use, and a bound for those that were in use once.
const MAX_KEPT: usize = 1024;

/// What was read, by the text it was read from. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Assistants(Arc<Mutex<HashMap<String, Arc<Assistant>>>>);

impl Assistants {
    /// What a definition says.
    pub(super) fn read(&self, definition: &str) -> Result<Arc<Assistant>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(assistant) = known.get(definition) {
            return Ok(assistant.clone());
        }
        let assistant: Arc<Assistant> = Arc::new(from_json("assistant", definition)?);
        if known.len() >= MAX_KEPT {
            known.clear();
        }
        known.insert(definition.to_owned(), assistant.clone());
        Ok(assistant)
    }
}

#[cfg(test)]
mod tests {
    use super::{Assistants, MAX_KEPT};
    use std::sync::Arc;

    #[test]
    fn a_definition_is_read_once_and_another_text_is_another_assistant() {
        let assistants = Assistants::default();
        let read = |connection: &str| {
            let definition = format!(r#"{{"provider":"vapi","connection":"{connection}"}}"#);
            assistants.read(&definition).unwrap()
        };
        let first = read("a");
        assert!(Arc::ptr_eq(&first, &read("a")));
        assert_ne!(first, read("b"));
        assistants.read("{").unwrap_err();
        for number in 0..2 * MAX_KEPT {
            read(&number.to_string());
            assert!(assistants.0.lock().unwrap().len() <= MAX_KEPT);
        }
        assert_eq!(first, read("a"));
    }
}
