//! Use cases: the only room that combines store and providers. Each says what it refuses with a
//! [`Refusal`]; how that looks on the wire is the API's business.

pub mod answer;
pub mod configure;
pub mod converse;
mod cursor;
pub mod deliver;
pub mod exports;
pub mod keys;
pub mod lifecycle;
pub mod logs;
pub mod open_session;
pub mod provider_events;
pub mod reconcile;
pub mod retention;
pub mod secrets;
pub mod signing_key;
pub mod tokens;
pub mod webhooks;
pub mod widgets;

use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

/// Why a request is not granted. Cheap to clone: fifty requests may share one reason.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// A field is not what it should be.
    #[error("{sentence}")]
    Invalid {
        /// The field at fault, if it is one.
        field: Option<String>,
        /// What is wrong with it.
        sentence: String,
    },
    /// Nothing has that name.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The route has no such method.
    #[error("this address does not take that method")]
    MethodNotAllowed,
    /// The widget is switched off.
    #[error("this chat is switched off")]
    WidgetDisabled,
    /// The page is not on the widget's list.
    #[error("this page may not use this chat")]
    OriginNotAllowed,
    /// No token, or a bad one.
    #[error("a valid session token is needed")]
    Unauthorized,
    /// A webhook that does not show that it comes from the provider.
    #[error("this delivery does not prove where it comes from")]
    Unproven,
    /// The token's time is over.
    #[error("the session token has expired")]
    TokenExpired,
    /// The token belongs to another session.
    #[error("the token belongs to another session")]
    Forbidden,
    /// No API key, or one that opens nothing.
    #[error("a valid API key is needed")]
    KeyNeeded,
    /// The key may not do that; says what it lacks.
    #[error("{0}")]
    NotPermitted(String),
    /// The log's session is not over yet, or not settled.
    #[error("the session is not over, or its cost is not settled yet")]
    LogInUse,
    /// The export's file is not there.
    #[error("the export is not finished")]
    ExportNotReady,
    /// As many as there may be at once; says of what.
    #[error("{0}")]
    Busy(String),
    /// A search that took longer than it may.
    #[error("this search takes too long; narrow it, with `from` and `to` for example")]
    SearchTooLong,
    /// The conversation is over.
    #[error("this chat has ended; start a new one")]
    SessionEnded,
    /// The same id came with another text.
    #[error("this message id was used for another text")]
    MessageIdConflict,
    /// An answer is being written.
    #[error("the last question is still being answered")]
    AnswerInProgress,
    /// The session has all the messages it may have.
    #[error("this chat has reached its limit; start a new one")]
    SessionFull,
    /// Too long.
    #[error("{0}")]
    TooLarge(String),
    /// Not JSON by its own account.
    #[error("send application/json")]
    UnsupportedMediaType,
    /// Too many.
    #[error("too many requests; wait a moment")]
    RateLimited {
        /// When to come back.
        retry_after: Duration,
    },
    /// Not now.
    #[error("the chat is not available right now")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
    },
    /// The database failed, and may not the next time; the cause is for the log.
    #[error("the chat is not available right now")]
    Unstored(#[source] Arc<StoreError>),
    /// Our fault; the cause is for the log.
    #[error("something went wrong on our side")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::Unavailable { retry_after: Duration::from_secs(1) },
            StoreError::TooLong => Self::SearchTooLong,
            StoreError::Crowded => {
                Self::Busy("other searches are under way; wait for them to end".into())
            }
            failed if failed.may_pass() => Self::Unstored(Arc::new(failed)),
            other => Self::Internal(Arc::new(other)),
        }
    }
}
