//! What sending a message means to a conversation, and what of one a model is told. When one is over
//! is [`super::session`]'s.

use banter_engine::turn::{Speaker, Turn};
use banter_shared::message::{Message, MessageStatus, Role};

/// What a message with a known id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The same id with another text: a client's mistake.
    Conflict,
    /// Show the answer there is.
    Resume,
    /// Ask for the answer anew.
    Retry,
}

/// Decides what sending a message again means, given what is stored and that nobody is writing its
/// answer: asking the assistant twice happens only when the visitor asks for it *and* there is no
/// good answer. A stored `Streaming` answer that no server writes was orphaned.
#[must_use]
pub fn repeat(stored_text: &str, answer: &Message, text: &str, wants_retry: bool) -> Repeat {
    if stored_text != text {
        return Repeat::Conflict;
    }
    use MessageStatus::{Failed, Interrupted, Streaming};
    let unfinished = matches!(answer.status, Interrupted | Failed | Streaming);
    if wants_retry && unfinished { Repeat::Retry } else { Repeat::Resume }
}

/// What a model is told of something said: what was interrupted is what was said, and nothing said is
/// nothing told.
#[must_use]
pub fn turn(role: Role, text: &str) -> Option<Turn> {
    let speaker = match role {
        Role::Visitor => Speaker::Visitor,
        Role::Assistant | Role::Unknown => Speaker::Assistant,
    };
    (!text.is_empty()).then(|| Turn { speaker, text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::{Repeat, repeat};
    use banter_shared::message::{Message, MessageStatus, Role};

    #[test]
    fn sending_again_resumes_unless_a_retry_makes_sense() {
        use MessageStatus::{Complete, Failed, Interrupted, Streaming};
        for (status, text, wants_retry, meaning) in [
            (Complete, "Hi", false, Repeat::Resume),
            (Complete, "Hi", true, Repeat::Resume),
            (Streaming, "Hi", false, Repeat::Resume),
            (Streaming, "Hi", true, Repeat::Retry),
            (Interrupted, "Hi", false, Repeat::Resume),
            (Interrupted, "Hi", true, Repeat::Retry),
            (Failed, "Hi", true, Repeat::Retry),
            (Complete, "Ho", false, Repeat::Conflict),
            (Failed, "Ho", true, Repeat::Conflict),
        ] {
            let answer = Message {
                id: "m.a".into(),
                role: Role::Assistant,
                text: String::new(),
                status,
                created_at: 0,
                attempt: 1,
                sources: Vec::new(),
                error: None,
            };
            assert_eq!(repeat("Hi", &answer, text, wants_retry), meaning, "{status:?} {text}");
        }
    }
}
