//! When to ask a model again, and after how long.

use crate::model::{ModelError, Wait};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The pause after the first failure; it doubles with every further one.
const BASE: Duration = Duration::from_millis(250);
/// The longest pause of our own choosing.
const MAX_BACKOFF: Duration = Duration::from_secs(4);
/// The longest `Retry-After` that a visitor is made to sit through.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long to wait before asking again after `attempt` earlier retries; `None` when asking again
/// makes no sense. `spread`, from 0 to 1, keeps callers that failed together from coming back together.
pub(super) fn pause(error: &ModelError, attempt: u32, spread: f32) -> Option<Duration> {
    match error {
        ModelError::RateLimited { retry_after: Some(wanted) } => {
            (*wanted <= MAX_RETRY_AFTER).then_some(*wanted)
        }
        ModelError::Unavailable { .. }
        | ModelError::RateLimited { retry_after: None }
        | ModelError::Timeout { what: Wait::Connect } => Some(backoff(attempt, spread)),
        // It may be at work on the question: asking again would only add to its load.
        ModelError::Timeout { what: Wait::FirstByte | Wait::NextByte }
        | ModelError::Refused { .. }
        | ModelError::Payment { .. }
        | ModelError::Forbidden { .. }
        | ModelError::Missing { .. }
        | ModelError::SessionGone { .. }
        | ModelError::Cut
        | ModelError::Garbled { .. }
        | ModelError::TooLong
        | ModelError::Prompt { .. }
        | ModelError::UnknownModel => None,
    }
}

/// Between a half and the whole of the doubled pause.
fn backoff(attempt: u32, spread: f32) -> Duration {
    let whole = BASE.saturating_mul(1 << attempt.min(16)).min(MAX_BACKOFF);
    whole.mul_f32(0.5 + 0.5 * spread.clamp(0.0, 1.0))
}

/// A sequence that fills 0 to 1 evenly. It does what randomness would do here, but a test can know it.
#[derive(Debug, Default)]
pub(super) struct Spread(AtomicU32);

impl Spread {
    /// 2^32 divided by the golden ratio: its multiples stay as far apart as possible.
    const STEP: u32 = 2_654_435_769;

    /// The next value.
    pub(super) fn next(&self) -> f32 {
        let value = self.0.fetch_add(Self::STEP, Ordering::Relaxed);
        // The high 16 bits are exact in a float and more than enough for milliseconds.
        f32::from(u16::try_from(value >> 16).unwrap_or(u16::MAX)) / f32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BACKOFF, Spread, pause};
    use crate::model::{ModelError, Wait};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn what_is_asked_again_and_when() {
        let limited =
            |seconds| ModelError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
        let down = || ModelError::Unavailable { cause: String::new() };
        for (error, attempt, milliseconds) in [
            (down(), 0, Some(250)),
            (down(), 1, Some(500)),
            (down(), 30, Some(4_000)),
            (ModelError::RateLimited { retry_after: None }, 0, Some(250)),
            (limited(2), 3, Some(2_000)),
            (limited(0), 0, Some(0)),
            (limited(6), 0, None),
            (ModelError::Timeout { what: Wait::Connect }, 0, Some(250)),
            (ModelError::Timeout { what: Wait::FirstByte }, 0, None),
            (ModelError::Refused { status: 401, cause: String::new() }, 0, None),
            (ModelError::Cut, 0, None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(pause(&error, attempt, 1.0), expected, "{error:?}, attempt {attempt}");
        }
    }

    #[test]
    fn a_hundred_callers_come_back_at_a_hundred_times() {
        let spread = Spread::default();
        let mut values: Vec<f32> = (0..100).map(|_| spread.next()).collect();
        values.sort_by(f32::total_cmp);
        let closest = values.windows(2).map(|pair| pair[1] - pair[0]).fold(1.0, f32::min);
        assert!(closest > 0.001, "{closest}");
    }

    proptest! {
        #[test]
        fn a_pause_is_bounded(attempt: u32, spread: f32) {
            let error = ModelError::Unavailable { cause: String::new() };
            let pause = pause(&error, attempt, spread).unwrap();
            prop_assert!(pause <= MAX_BACKOFF);
            prop_assert!(pause >= Duration::from_millis(125) || spread.is_nan());
        }
    }
}
