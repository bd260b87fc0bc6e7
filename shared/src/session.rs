//! Requests and answers of the visitor API (`/visitor/v1`) that are not streams.

use crate::ids::{MessageId, SessionId, WidgetId};
use crate::message::Message;
use serde::{Deserialize, Serialize};

/// `POST /visitor/v1/widgets/{widget}/sessions`: begin a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateSession {
    /// The origin of the host page, told by the frame after the handshake with its loader. Required
    /// when the request comes from our own frame; a page-mode request carries it in `Origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_origin: Option<String>,
    /// BCP 47 tag of the visitor's language, e.g. `de-CH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The token of an ended session of the same widget whose context the new one carries on; good
    /// for this until an hour after that session's longest time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

/// The answer to [`CreateSession`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionCreated {
    /// The new conversation.
    pub session: Session,
    /// Opens this one session and nothing else. Goes into `Authorization: Bearer`, never into a URL.
    pub token: String,
    /// What to show at once, e.g. the assistant's first message.
    #[serde(default)]
    pub messages: Vec<Message>,
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SessionStatus {
    /// Takes messages.
    Active,
    /// Over; can be read, takes nothing more.
    Ended,
    /// A status from a newer server: treated as active, the server has the last word.
    #[serde(other)]
    Unknown,
}

/// Why a conversation is over. The server decides; the browser only tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum EndReason {
    /// The visitor pressed End, or restarted.
    VisitorEnded,
    /// Nothing was said or typed for as long as the widget allows.
    Inactive,
    /// The page was closed or left.
    TabClosed,
    /// The page was hidden: another tab, another app, a locked screen.
    Hidden,
    /// The panel was collapsed.
    Collapsed,
    /// Its time was up.
    Expired,
    /// The owner ended it.
    OwnerEnded,
    /// Whoever runs the assistant ended it.
    ProviderEnded,
    /// Whoever runs the assistant refused for good before anything was answered.
    Failed,
    /// A reason from a newer server.
    #[serde(other)]
    Unknown,
}

impl EndReason {
    /// Every reason by the name it has on the wire and in the store.
    pub const NAMES: [(&str, Self); 10] = [
        ("visitor_ended", Self::VisitorEnded),
        ("inactive", Self::Inactive),
        ("tab_closed", Self::TabClosed),
        ("hidden", Self::Hidden),
        ("collapsed", Self::Collapsed),
        ("expired", Self::Expired),
        ("owner_ended", Self::OwnerEnded),
        ("provider_ended", Self::ProviderEnded),
        ("failed", Self::Failed),
        ("unknown", Self::Unknown),
    ];

    /// Its name on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("unknown", |(name, _)| name)
    }

    /// The reason of that name; `None` for one from a newer server.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "visitor_ended" => Self::VisitorEnded,
            "inactive" => Self::Inactive,
            "tab_closed" => Self::TabClosed,
            "hidden" => Self::Hidden,
            "collapsed" => Self::Collapsed,
            "expired" => Self::Expired,
            "owner_ended" => Self::OwnerEnded,
            "provider_ended" => Self::ProviderEnded,
            "failed" => Self::Failed,
            "unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// Whether a visitor's browser may tell this reason; all others are the server's to know.
    #[must_use]
    pub fn is_visitors(self) -> bool {
        matches!(self, Self::VisitorEnded | Self::TabClosed | Self::Hidden | Self::Collapsed)
    }
}

/// `POST /visitor/v1/sessions/{session}/end`: the visitor ends the conversation, or left.
///
/// A reason with a grace period of its own (the widget's owner sets it) ends the session only
/// when that has passed without a sign of life: a message, the history read anew, or
/// `POST …/activity`. Sent by `sendBeacon`, which can set no header, the body carries the token and
/// its type is `text/plain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EndSession {
    /// One of the reasons for which [`EndReason::is_visitors`] holds.
    #[serde(default = "EndSession::by_hand")]
    pub reason: EndReason,
    /// The session's token, for senders that can set no header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl EndSession {
    fn by_hand() -> EndReason {
        EndReason::VisitorEnded
    }
}

impl Default for EndSession {
    fn default() -> Self {
        Self { reason: Self::by_hand(), token: None }
    }
}

/// One visitor's conversation, as the visitor may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The widget it belongs to.
    pub widget_id: WidgetId,
    /// Where it stands.
    pub status: SessionStatus,
    /// When it began, in Unix milliseconds.
    pub created_at: u64,
    /// When it ends whatever happens, in Unix milliseconds.
    pub expires_at: u64,
    /// How long from this answer on until inactivity ends it, in milliseconds; 0 when it is over.
    /// A span and not an instant, because the browser's clock is its own.
    #[serde(default)]
    pub inactive_in_ms: u64,
    /// When it ended, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
}

/// `GET /visitor/v1/sessions/{session}`: the whole conversation, oldest message first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct History {
    /// The conversation.
    pub session: Session,
    /// Every message, oldest first. An answer being written has the text there is so far.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// What was said in the sessions that this one carries on, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Message>,
}

/// `POST /visitor/v1/sessions/{session}/messages`: say something; the answer is an event stream.
///
/// The same id sent again resumes the same answer from `Last-Event-ID`; the assistant is never
/// asked twice. With `retry`, an answer that was interrupted or failed is asked for anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PostMessage {
    /// Made by the client, unique within the session; see [`crate::ids::is_valid_id`].
    pub id: MessageId,
    /// What the visitor says: 1 to 4,000 characters unless the server is configured otherwise.
    pub text: String,
    /// Ask again for an answer that was interrupted or failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}
