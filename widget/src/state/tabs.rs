//! What the tabs of one browser tell each other, so that they show one conversation in step.
//!
//! Goes through a `BroadcastChannel` as JSON. That a conversation began is not among it: its ticket is in
//! storage, and the browser itself tells the other tabs when it has arrived there, which may be later
//! than a message on the channel.

use super::presence::Standing;
use banter_shared::ids::MessageId;
use banter_shared::session::EndReason;

/// One tab tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The server has this message of the visitor's; its answer can be picked up.
    Asked(Question),
    /// The conversation ended.
    Ended(EndReason),
    /// The visitor began anew.
    Restarted,
    /// The server was told that the visitor is there, and said how long the session lasts without
    /// another word, in milliseconds.
    Time(u64),
    /// How this tab stands.
    Tab(Tab),
}

/// How a tab stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Which tab: a name of its own.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// A message of the visitor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub text: String,
    /// When the server stored it, in Unix milliseconds.
    pub at: u64,
}
