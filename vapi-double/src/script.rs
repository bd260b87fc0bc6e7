//! What a test tells the double to do with what comes: with chats down to the bytes, with the other
//! routes a server needs by how they fail.

mod bytes;

pub(crate) use bytes::{Event, Step, steps};

use serde::Deserialize;
use std::time::Duration;

/// A route that has a script of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `POST /chat`.
    #[default]
    Chat,
    /// `POST /session`.
    Open,
    /// `GET /session/{id}`.
    LookUp,
    /// `PATCH /session/{id}`.
    Close,
}

/// How the next requests of a route are answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// What is done.
    pub act: Act,
    /// Wait this long before the first byte and before each piece, in milliseconds.
    pub delay_ms: u64,
    /// How the bytes look.
    pub quirks: Vec<Quirk>,
}

/// What is done with a request. Where there is no stream, pieces do not matter: `Friendly`, `Say` and
/// `Error` are the truth, `Hold` is the truth once `Double::release` allows one more, and `Stall` and
/// `Cut` come after the first byte of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A friendly answer, word by word.
    #[default]
    Friendly,
    /// These pieces, then a proper end.
    Say(Vec<String>),
    /// These pieces, each only when `Double::release` allows one more, then a proper end.
    Hold(Vec<String>),
    /// These pieces, then nothing, ever.
    Stall(Vec<String>),
    /// These pieces, then the connection breaks.
    Cut(Vec<String>),
    /// These pieces, then an event that tells of an error, then a proper end.
    Error(Vec<String>),
    /// 200 and something that is no answer.
    Junk,
    /// 200, the head of an event stream, and an end without any event.
    Empty,
    /// This status and body.
    Fail(u16, String),
    /// Not even a status, ever.
    Silence,
}

/// How the bytes of a stream differ from the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// Every read ends in the middle of a character.
    SplitUtf8,
    /// Every byte by itself.
    ByteByByte,
    /// Lines end in CR LF.
    Crlf,
    /// `data: [DONE]` at the end, as OpenAI does.
    Done,
    /// The last event has no line end.
    NoFinalNewline,
    /// `delta` is a list of parts instead of a string.
    ContentParts,
    /// `output` instead of `delta` and `path`.
    Output,
    /// The text is not the chat's first output: tools ran before.
    LaterIndex,
    /// Keys nobody has heard of, and an event that has only those.
    UnknownKeys,
    /// Comments between the events.
    Comments,
    /// An event of this many bytes before the first.
    HugeLine(usize),
}

impl Script {
    /// Only this.
    #[must_use]
    pub fn of(act: Act) -> Self {
        Self { act, ..Self::default() }
    }

    /// This text word by word, then a proper end.
    #[must_use]
    pub fn say(text: &str) -> Self {
        Self::of(Act::Say(crate::friendly::words(text)))
    }

    /// The same with one more quirk.
    #[must_use]
    pub fn with(mut self, quirk: Quirk) -> Self {
        self.quirks.push(quirk);
        self
    }

    /// The same, slower.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }
}

impl From<Act> for Script {
    fn from(act: Act) -> Self {
        Self::of(act)
    }
}
