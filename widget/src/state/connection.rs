//! What a failed request means: try again, when, or not at all.
//!
//! The network being gone is nobody's fault and is retried for ever; a server that says "later" is
//! believed a bounded number of times; everything else is an answer and is shown.

use banter_shared::error::{ErrorBody, codes};

/// What the header says about the line to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No conversation yet.
    Ready,
    /// Trying to reach the server.
    Connecting,
    /// In conversation.
    Connected,
    /// The browser has no network.
    Offline,
    /// The conversation is over.
    Ended,
}

/// Why a request or a stream did not bring what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status; 0 when the network failed or a stream broke off.
    pub status: u16,
    /// Seconds the server asked to wait (`Retry-After`).
    pub retry_after: Option<u32>,
    /// What the server said; empty when it could not be read.
    pub body: ErrorBody,
}

impl Failure {
    /// No answer came, or it broke off.
    #[must_use]
    pub fn network() -> Self {
        Self::of(0, None, None)
    }

    /// A response that is not a success.
    #[must_use]
    pub fn of(status: u16, retry_after: Option<u32>, body: Option<ErrorBody>) -> Self {
        let body = body.unwrap_or_else(|| ErrorBody {
            code: codes::INTERNAL.to_owned(),
            message: String::new(),
            field: None,
            retryable: true,
            request_id: String::new(),
        });
        Self { status, retry_after, body }
    }

    /// Whether the server understood and will not, now or later.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, 400..=499) && !matches!(self.status, 408 | 425 | 429)
    }
}

/// What to do about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same request again after so many milliseconds.
    Again(u32),
    /// The session is over or unknown.
    SessionOver,
    /// The visitor has to decide.
    GiveUp,
}

/// The longest pause between two tries, in milliseconds.
const LONGEST_PAUSE: u32 = 30_000;

/// How often a server that answers "later" is asked again before the visitor is.
const PATIENCE: u32 = 6;

/// The pause before the next try, in milliseconds: 1, 2, 4 … 30 seconds, give or take a quarter so
/// that the visitors of a server that went away do not come back all at once.
/// `jitter` is between 0 and 1.
#[must_use]
pub fn backoff(tries: u32, jitter: f64) -> u32 {
    let pause = 1_000_u32.saturating_mul(1 << tries.min(5)).min(LONGEST_PAUSE);
    spread(pause, jitter)
}

/// Judges `failure`, the one after `tries` others in a row.
#[must_use]
pub fn judge(failure: &Failure, tries: u32, jitter: f64) -> Verdict {
    match failure.status {
        0 => Verdict::Again(backoff(tries, jitter)),
        401 | 403 | 404 => Verdict::SessionOver,
        409 if failure.body.code == codes::SESSION_ENDED => Verdict::SessionOver,
        409 if failure.body.code == codes::ANSWER_IN_PROGRESS && tries < 2 * PATIENCE => {
            Verdict::Again(backoff(tries.min(2), jitter))
        }
        429 if failure.body.code == codes::SESSION_FULL => Verdict::GiveUp,
        408 | 425 | 429 | 500 | 502..=504 if tries < PATIENCE => {
            // Never sooner than the server asked for.
            let asked = failure.retry_after.unwrap_or(0).saturating_mul(1_000);
            Verdict::Again(asked.max(backoff(tries, jitter)))
        }
        _ => Verdict::GiveUp,
    }
}

/// `pause` ± 25 %.
fn spread(pause: u32, jitter: f64) -> u32 {
    // A factor of 0.75 to 1.25 of at most 30,000 fits easily.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 37,500")]
    let spread = (f64::from(pause) * (0.75 + jitter.clamp(0.0, 1.0) / 2.0)) as u32;
    spread
}

#[cfg(test)]
mod tests {
    use super::{Failure, Verdict, backoff, judge};
    use banter_shared::error::{ErrorBody, codes};
    use proptest::prelude::*;

    fn failure(status: u16, code: &str, retry_after: Option<u32>) -> Failure {
        let body = ErrorBody {
            code: code.into(),
            message: String::new(),
            field: None,
            retryable: false,
            request_id: String::new(),
        };
        Failure::of(status, retry_after, Some(body))
    }

    #[test]
    fn pauses_double_up_to_thirty_seconds() {
        let pauses: Vec<u32> = (0..8).map(|tries| backoff(tries, 0.5)).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn each_failure_gets_its_verdict() {
        for (status, code, retry_after, tries, verdict) in [
            (0, "", None, 0, Verdict::Again(1_000)),
            (0, "", None, 100, Verdict::Again(30_000)),
            (429, codes::RATE_LIMITED, Some(7), 0, Verdict::Again(7_000)),
            (503, codes::UNAVAILABLE, Some(1), 2, Verdict::Again(4_000)),
            (503, codes::UNAVAILABLE, None, 6, Verdict::GiveUp),
            (429, codes::SESSION_FULL, Some(1), 0, Verdict::GiveUp),
            (500, codes::INTERNAL, None, 0, Verdict::Again(1_000)),
            (409, codes::ANSWER_IN_PROGRESS, None, 8, Verdict::Again(4_000)),
            (409, codes::ANSWER_IN_PROGRESS, None, 12, Verdict::GiveUp),
            (409, codes::SESSION_ENDED, None, 0, Verdict::SessionOver),
            (409, codes::MESSAGE_ID_CONFLICT, None, 0, Verdict::GiveUp),
            (401, codes::TOKEN_EXPIRED, None, 0, Verdict::SessionOver),
            (404, codes::NOT_FOUND, None, 0, Verdict::SessionOver),
            (413, codes::TOO_LARGE, None, 0, Verdict::GiveUp),
            (400, codes::INVALID_REQUEST, None, 0, Verdict::GiveUp),
        ] {
            assert_eq!(
                judge(&failure(status, code, retry_after), tries, 0.5),
                verdict,
                "{status} {code} after {tries}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_pause_is_ever_absurd(tries: u32, jitter in -1.0..2.0_f64) {
            prop_assert!((750..=37_500).contains(&backoff(tries, jitter)));
        }
    }
}
