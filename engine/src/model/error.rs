//! Every way an answer can fail, and what each means to the visitor, the server and the operator.

use banter_shared::error::codes;
use std::fmt;
use std::time::Duration;

/// What a model made us wait for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The connection.
    Connect,
    /// The first byte of the answer.
    FirstByte,
    /// The next byte of an answer that had begun.
    NextByte,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the connection",
            Self::FirstByte => "the first byte",
            Self::NextByte => "the next byte",
        })
    }
}

/// Why there is no answer, or no more of it.
///
/// `Display` and every `cause` are for the operator's log; keys are redacted from them. A visitor
/// gets [`ModelError::visitor_message`] only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The model cannot be reached, or says that it is in trouble.
    #[error("the model is unavailable: {cause}")]
    Unavailable {
        /// What was seen of it.
        cause: String,
    },
    /// The model has had too many requests.
    #[error("the model limits our rate")]
    RateLimited {
        /// How long it wants to be left alone, when it says so.
        retry_after: Option<Duration>,
    },
    /// The model does not take the request as configured: wrong key, model name or parameter.
    #[error("the model refused the request ({status}): {cause}")]
    Refused {
        /// The HTTP status of the refusal.
        status: u16,
        /// What the model said about it.
        cause: String,
    },
    /// The provider wants money before it answers.
    #[error("the provider asks for payment: {cause}")]
    Payment {
        /// What the provider said about it, and what to do.
        cause: String,
    },
    /// The provider does not let us in, although the key may be right.
    #[error("the provider keeps us out: {cause}")]
    Forbidden {
        /// What the provider said about it, and what to do.
        cause: String,
    },
    /// The provider knows nothing by the name we use: an assistant, or an address.
    #[error("the provider does not find what we ask for: {cause}")]
    Missing {
        /// What the provider said about it, and what to do.
        cause: String,
    },
    /// The provider has forgotten the session, or closed it. A new one may be opened.
    #[error("the provider no longer has the session: {cause}")]
    SessionGone {
        /// What the provider said about it.
        cause: String,
    },
    /// The model took too long.
    #[error("timed out waiting for {what}")]
    Timeout {
        /// What was waited for.
        what: Wait,
    },
    /// The answer stopped without an end marker: there may be more of it that nobody will see.
    #[error("the answer was cut off")]
    Cut,
    /// What came is not an answer.
    #[error("the model's answer makes no sense: {cause}")]
    Garbled {
        /// What is wrong with it.
        cause: String,
    },
    /// The answer is longer than the connection's bound.
    #[error("the answer exceeds its bound")]
    TooLong,
    /// The assistant's template does not render.
    #[error("the prompt cannot be rendered: {cause}")]
    Prompt {
        /// What the template engine said.
        cause: String,
    },
    /// The assistant names a knowledge base or a connection that is not configured.
    #[error("the assistant names a model that is not configured")]
    UnknownModel,
}

impl ModelError {
    /// The stable code to put on the wire; one of [`banter_shared::error::codes`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::Payment { .. }
            | Self::Forbidden { .. }
            | Self::Missing { .. }
            | Self::UnknownModel => codes::ASSISTANT_UNAVAILABLE,
            Self::Timeout { .. } => codes::ASSISTANT_TIMEOUT,
            Self::SessionGone { .. }
            | Self::Cut
            | Self::Garbled { .. }
            | Self::TooLong
            | Self::Prompt { .. } => codes::ASSISTANT_FAILED,
        }
    }

    /// Whether the same question may be answered later without anybody changing the configuration.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::SessionGone { .. }
            | Self::Timeout { .. }
            | Self::Cut
            | Self::Garbled { .. }
            | Self::TooLong => true,
            Self::Refused { .. }
            | Self::Payment { .. }
            | Self::Forbidden { .. }
            | Self::Missing { .. }
            | Self::Prompt { .. }
            | Self::UnknownModel => false,
        }
    }

    /// The same error with what `change` makes of its cause, where it has one.
    #[must_use]
    pub fn map_cause(self, change: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Unavailable { cause } => Self::Unavailable { cause: change(&cause) },
            Self::Refused { status, cause } => Self::Refused { status, cause: change(&cause) },
            Self::Payment { cause } => Self::Payment { cause: change(&cause) },
            Self::Forbidden { cause } => Self::Forbidden { cause: change(&cause) },
            Self::Missing { cause } => Self::Missing { cause: change(&cause) },
            Self::SessionGone { cause } => Self::SessionGone { cause: change(&cause) },
            Self::Garbled { cause } => Self::Garbled { cause: change(&cause) },
            Self::Prompt { cause } => Self::Prompt { cause: change(&cause) },
            bare @ (Self::RateLimited { .. }
            | Self::Timeout { .. }
            | Self::Cut
            | Self::TooLong
            | Self::UnknownModel) => bare,
        }
    }

    /// One sentence for the visitor. It says nothing of what the model or the network said.
    #[must_use]
    pub fn visitor_message(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "The assistant cannot be reached right now.",
            Self::RateLimited { .. } => "The assistant is very busy right now.",
            Self::Timeout { .. } => "The assistant took too long to answer.",
            Self::Cut => "The answer stopped before its end.",
            Self::Garbled { .. } | Self::TooLong => "The assistant could not give an answer.",
            Self::SessionGone { .. } => "The assistant has lost the thread. Please try again.",
            Self::Refused { .. }
            | Self::Payment { .. }
            | Self::Forbidden { .. }
            | Self::Missing { .. }
            | Self::Prompt { .. }
            | Self::UnknownModel => "The assistant is not available at the moment.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ModelError, Wait};
    use banter_shared::error::codes;

    #[test]
    fn what_each_error_means_to_others() {
        let cause = || "secret-cause".to_owned();
        let cases = [
            (ModelError::Unavailable { cause: cause() }, codes::ASSISTANT_UNAVAILABLE, true),
            (ModelError::RateLimited { retry_after: None }, codes::ASSISTANT_UNAVAILABLE, true),
            (
                ModelError::Refused { status: 401, cause: cause() },
                codes::ASSISTANT_UNAVAILABLE,
                false,
            ),
            (ModelError::Payment { cause: cause() }, codes::ASSISTANT_UNAVAILABLE, false),
            (ModelError::Forbidden { cause: cause() }, codes::ASSISTANT_UNAVAILABLE, false),
            (ModelError::Missing { cause: cause() }, codes::ASSISTANT_UNAVAILABLE, false),
            (ModelError::SessionGone { cause: cause() }, codes::ASSISTANT_FAILED, true),
            (ModelError::UnknownModel, codes::ASSISTANT_UNAVAILABLE, false),
            (ModelError::Timeout { what: Wait::NextByte }, codes::ASSISTANT_TIMEOUT, true),
            (ModelError::Cut, codes::ASSISTANT_FAILED, true),
            (ModelError::Garbled { cause: cause() }, codes::ASSISTANT_FAILED, true),
            (ModelError::TooLong, codes::ASSISTANT_FAILED, true),
            (ModelError::Prompt { cause: cause() }, codes::ASSISTANT_FAILED, false),
        ];
        for (error, code, retryable) in cases {
            assert_eq!(error.code(), code, "{error}");
            assert_eq!(error.retryable(), retryable, "{error}");
            assert!(!error.visitor_message().contains("secret-cause"), "{error}");
        }
    }
}
