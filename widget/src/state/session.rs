//! Where this browser stands with its conversation, and what it keeps of it between two pages.

use banter_shared::ids::SessionId;
use banter_shared::session::EndReason;

/// What opens a conversation again: kept in the browser's storage from creation to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Which conversation.
    pub id: SessionId,
    /// Opens it and nothing else.
    pub token: String,
}

/// Where the conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Fresh,
    /// One was kept from before; what was said is not here yet.
    Kept(Ticket),
    /// It takes messages.
    Active(Ticket),
    /// It is over.
    Ended(EndReason),
}

impl Phase {
    /// The ticket, while there is one.
    #[must_use]
    pub fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Kept(ticket) | Self::Active(ticket) => Some(ticket),
            Self::Fresh | Self::Ended(_) => None,
        }
    }
}
