//! The one shape of every failure, whether it answers a request or ends a stream.

use serde::{Deserialize, Serialize};

/// What went wrong, for a program (`code`), for a person (`message`) and for support (`request_id`).
///
/// Codes are stable: they are listed in [`codes`] and never change their meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// Stable, machine-readable, `snake_case`; see [`codes`].
    pub code: String,
    /// One sentence that is safe to show to a visitor.
    #[serde(default)]
    pub message: String,
    /// The field of the request that is at fault, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Whether the same request may succeed later without being changed.
    #[serde(default)]
    pub retryable: bool,
    /// What to quote to support; also in the `x-request-id` header.
    #[serde(default)]
    pub request_id: String,
}

/// Every code the server sends.
pub mod codes {
    /// 400: the body is not what the route takes; `field` names the culprit when one is known.
    pub const INVALID_REQUEST: &str = "invalid_request";
    /// 401: no token, or one that does not verify.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// 401: the token was good once.
    pub const TOKEN_EXPIRED: &str = "token_expired";
    /// 403: the token belongs to another session, or the key may not do that.
    pub const FORBIDDEN: &str = "forbidden";
    /// 403: the page's origin is not on the widget's list.
    pub const ORIGIN_NOT_ALLOWED: &str = "origin_not_allowed";
    /// 404: no such route, widget, session or message.
    pub const NOT_FOUND: &str = "not_found";
    /// 405: the route exists, the method does not.
    pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
    /// 409: the widget exists and is switched off.
    pub const WIDGET_DISABLED: &str = "widget_disabled";
    /// 409, or in a stream whose session ended meanwhile: the conversation is over; start a new one.
    pub const SESSION_ENDED: &str = "session_ended";
    /// 409: the log's session is not over yet, or its cost is not settled.
    pub const SESSION_ACTIVE: &str = "session_active";
    /// 409: the export's file is not finished.
    pub const EXPORT_NOT_READY: &str = "export_not_ready";
    /// 409: the same message id came with another text.
    pub const MESSAGE_ID_CONFLICT: &str = "message_id_conflict";
    /// 409: an answer is still being written in this session.
    pub const ANSWER_IN_PROGRESS: &str = "answer_in_progress";
    /// 413: the body or the message is too long.
    pub const TOO_LARGE: &str = "too_large";
    /// 415: not `application/json`.
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
    /// 429: slow down; `Retry-After` says for how long.
    pub const RATE_LIMITED: &str = "rate_limited";
    /// 429: the session has had all the messages it may have.
    pub const SESSION_FULL: &str = "session_full";
    /// In a stream: the answer stopped before its end (visitor left, server restarted).
    pub const ANSWER_INTERRUPTED: &str = "answer_interrupted";
    /// In a stream: the assistant cannot be reached.
    pub const ASSISTANT_UNAVAILABLE: &str = "assistant_unavailable";
    /// In a stream: the assistant took too long.
    pub const ASSISTANT_TIMEOUT: &str = "assistant_timeout";
    /// In a stream: the assistant said something that is not an answer.
    pub const ASSISTANT_FAILED: &str = "assistant_failed";
    /// Told to the host page only: the panel could not be loaded.
    pub const LOAD_FAILED: &str = "load_failed";
    /// Told to the host page only: the panel's code failed and has to be loaded anew.
    pub const PANIC: &str = "panic";
    /// 500: our fault.
    pub const INTERNAL: &str = "internal";
    /// 503: the search took longer than it may; narrow it, or come back when less is going on.
    pub const SEARCH_TIMEOUT: &str = "search_timeout";
    /// 503: the server is stopping or its store cannot take writes.
    pub const UNAVAILABLE: &str = "unavailable";
}
