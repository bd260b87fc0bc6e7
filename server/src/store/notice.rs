//! What servers that share a database tell one another, so that nobody has to look all the time.

use banter_shared::ids::SessionId;

/// What one server tells the others that share the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// More of an answer is stored.
    Wrote(SessionId),
    /// Somebody on another server reads an answer along: store it more often.
    Follow(SessionId),
    /// A session is over: stop writing its answer.
    Ended(SessionId),
    /// A webhook waits to be sent.
    Outbox,
    /// An export waits to be made.
    Export,
}

impl Notice {
    /// Reads what [`std::fmt::Display`] writes; `None` for what a newer server tells.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, session) = text.split_once(' ').unwrap_or((text, ""));
        let session = || SessionId(session.to_owned());
        Some(match kind {
            "wrote" => Self::Wrote(session()),
            "follow" => Self::Follow(session()),
            "ended" => Self::Ended(session()),
            "outbox" => Self::Outbox,
            "export" => Self::Export,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrote(session) => write!(f, "wrote {session}"),
            Self::Follow(session) => write!(f, "follow {session}"),
            Self::Ended(session) => write!(f, "ended {session}"),
            Self::Outbox => f.write_str("outbox"),
            Self::Export => f.write_str("export"),
        }
    }
}

/// How many notices a slow listener may lag behind before it misses some; each is only a hint.
pub(super) const NOTICES: usize = 1024;
