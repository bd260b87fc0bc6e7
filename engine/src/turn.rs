//! What was said so far, as a model needs to see it.

use std::sync::Arc;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The person who asks.
    Visitor,
    /// What answers.
    Assistant,
}

/// One entry of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who said it.
    pub speaker: Speaker,
    /// What was said; never a template. Shared, because a conversation is cut to fit each question.
    pub text: Arc<str>,
}

impl Turn {
    /// What a visitor said.
    pub fn visitor(text: impl Into<Arc<str>>) -> Self {
        Self { speaker: Speaker::Visitor, text: text.into() }
    }

    /// What the assistant said.
    pub fn assistant(text: impl Into<Arc<str>>) -> Self {
        Self { speaker: Speaker::Assistant, text: text.into() }
    }
}
