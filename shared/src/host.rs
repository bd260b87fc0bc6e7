//! The one list of what loader and frame may say to each other.
//!
//! Each goes through `postMessage` as a string: [`PREFIX`] followed by the JSON below, to and from
//! exactly one origin and one window; anything else is ignored. The loader's half is
//! `assets/loader.js`. What the visitor and the assistant *say* is not on this list: scripts of the
//! host page must not be able to read a conversation.

use crate::ids::{MessageId, SessionId};
use crate::message::Role;
use crate::session::EndReason;
use serde::{Deserialize, Serialize};

/// What every message of ours begins with.
pub const PREFIX: &str = "banter:";

/// The loader tells the frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToFrame {
    /// The panel is on screen; take the focus.
    Open,
    /// The panel is hidden.
    Close,
    /// `Banter.toggle()`, in page mode: there the panel opens and closes itself.
    Toggle,
    /// `Banter.send(text)`: send this as the visitor. Counts as the visitor's act.
    Send(String),
    /// `Banter.end()`: end the conversation.
    End,
}

/// The frame tells the loader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToLoader {
    /// The frame's document is here and its input can be typed in; the app may still be loading.
    Hello,
    /// The app runs.
    Ready,
    /// Hide the panel and give the focus back to the launcher.
    Close,
    /// How many messages the visitor has not seen.
    Unread(u32),
    /// A message is in the transcript: whose and which, never what it says.
    Message(HostMessage),
    /// A conversation began.
    SessionStart(SessionId),
    /// The conversation ended.
    SessionEnd(EndReason),
    /// Something failed; the code of [`crate::error::codes`].
    Error(String),
}

/// What a host page may know of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMessage {
    /// Its id.
    pub id: MessageId,
    /// Who said it.
    pub role: Role,
}
