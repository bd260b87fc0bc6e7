//! What an answer's event stream says, and how a reader finds its place again.
//!
//! A stream is `accepted`, then any number of `delta`, then exactly one of `done` or `error`:
//! never silence. A second `accepted` in mid-stream says that the answer is written anew (another
//! server took it over): what came of the earlier try is void. Every `delta` carries the SSE id `{attempt}-{offset}`, where `offset` is the
//! length of the answer in UTF-8 bytes *after* that delta. Sent back as `Last-Event-ID` it
//! makes the server go on from exactly there, also after a restart.

use crate::error::ErrorBody;
use crate::ids::MessageId;
use crate::message::Message;
use serde::{Deserialize, Serialize};

/// One event of an answer's stream; its JSON is the `data` of a server-sent event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum StreamEvent {
    /// The visitor's message is stored and on its way to the disk; here is which answer follows and
    /// from where.
    Accepted(Accepted),
    /// More text.
    Delta(String),
    /// The answer is complete; it and the message are on the disk. `text` is left empty, the reader has
    /// it.
    Done(Message),
    /// The answer ends here without being complete.
    Error(ErrorBody),
}

/// The first event of every answer stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// The answer's id.
    pub answer_id: MessageId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How many bytes of the answer's text the reader is taken to have: it cuts what it shows
    /// back to this length and appends from there.
    pub offset: u32,
    /// When the visitor's message was stored, in Unix milliseconds.
    pub created_at: u64,
}

/// A reader's place in an answer: the parsed `Last-Event-ID`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Which try at the answer.
    pub attempt: u32,
    /// Bytes of it that the reader has.
    pub offset: u32,
}

impl Cursor {
    /// Parses `{attempt}-{offset}`; anything else is nobody's place, so `None`.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let (attempt, offset) = id.split_once('-')?;
        Some(Self { attempt: attempt.parse().ok()?, offset: offset.parse().ok()? })
    }

    /// Appends what it displays as to `out`. The server does that for every word, and the standard
    /// library's formatting would be half of what a word costs; to the widget, which does it once in a
    /// lost connection, that costs no bytes.
    pub fn encode(self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(self.attempt).as_bytes());
        out.push(b'-');
        out.extend_from_slice(digits.format(self.offset).as_bytes());
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.attempt, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_survives_the_wire(attempt: u32, offset: u32) {
            let cursor = Cursor { attempt, offset };
            let mut id = Vec::new();
            cursor.encode(&mut id);
            let id = String::from_utf8(id).unwrap();
            prop_assert_eq!(&id, &cursor.to_string());
            prop_assert_eq!(Cursor::parse(&id), Some(cursor));
        }

        #[test]
        fn no_text_panics_the_parser(text in ".*") {
            let _ = Cursor::parse(&text);
        }
    }
}
