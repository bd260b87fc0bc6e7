//! A conversation's rules: when it is over, and what sending a message means to it.

use banter_shared::ids::{SessionId, WidgetId};
use banter_shared::message::{Message, MessageStatus};
use banter_shared::session::{EndReason, Session, SessionStatus};

/// A conversation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The widget it belongs to; the organization follows from it.
    pub widget_id: WidgetId,
    /// When it began, in Unix milliseconds.
    pub created_at: u64,
    /// When it ends whatever happens, in Unix milliseconds.
    pub expires_at: u64,
    /// When and why it ended, if somebody ended it.
    pub ended: Option<(u64, EndReason)>,
}

impl SessionRecord {
    /// When and why this conversation is over at `now` (Unix milliseconds), if it is. Expiry needs
    /// nobody to write it down: the clock is enough.
    #[must_use]
    pub fn end_at(&self, now: u64) -> Option<(u64, EndReason)> {
        self.ended.or((now >= self.expires_at).then_some((self.expires_at, EndReason::Expired)))
    }

    /// The conversation as its visitor sees it at `now`, in Unix milliseconds.
    #[must_use]
    pub fn seen_at(&self, now: u64) -> Session {
        let end = self.end_at(now);
        Session {
            id: self.id.clone(),
            widget_id: self.widget_id.clone(),
            status: if end.is_some() { SessionStatus::Ended } else { SessionStatus::Active },
            created_at: self.created_at,
            expires_at: self.expires_at,
            inactive_in_ms: 0,
            ended_at: end.map(|(at, _)| at),
            end_reason: end.map(|(_, reason)| reason),
        }
    }
}

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
/// good answer. A stored `Streaming` answer that nobody writes was orphaned.
#[must_use]
pub fn repeat(stored_text: &str, answer: &Message, text: &str, wants_retry: bool) -> Repeat {
    if stored_text != text {
        return Repeat::Conflict;
    }
    use MessageStatus::{Failed, Interrupted, Streaming};
    let unfinished = matches!(answer.status, Interrupted | Failed | Streaming);
    if wants_retry && unfinished { Repeat::Retry } else { Repeat::Resume }
}

#[cfg(test)]
mod tests {
    use super::{Repeat, SessionRecord, repeat};
    use banter_shared::message::{Message, MessageStatus, Role};
    use banter_shared::session::{EndReason, SessionStatus};

    #[test]
    fn a_conversation_ends_once_by_hand_or_by_the_clock() {
        let mut record = SessionRecord {
            id: "s".into(),
            widget_id: "w".into(),
            created_at: 100,
            expires_at: 200,
            ended: None,
        };
        assert_eq!(record.seen_at(199).status, SessionStatus::Active);
        let expired = record.seen_at(500);
        assert_eq!((expired.ended_at, expired.end_reason), (Some(200), Some(EndReason::Expired)));
        record.ended = Some((150, EndReason::VisitorEnded));
        let ended = record.seen_at(500);
        assert_eq!((ended.ended_at, ended.end_reason), (Some(150), Some(EndReason::VisitorEnded)));
    }

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
