//! Leaving Vapi alone after a 429. Its refusals carry no `Retry-After`, and asking on keeps the door
//! shut for about 20 seconds, so every question waits out half a minute.

use crate::clock::Clock;
use crate::providers::ModelError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one 429 keeps a connection quiet.
const QUIET_MS: u64 = 30_000;

/// When a connection may be used again.
pub(super) struct Cooldown {
    clock: Arc<dyn Clock>,
    /// Unix milliseconds; in the past while nothing is wrong.
    until: AtomicU64,
}

impl Cooldown {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until: AtomicU64::new(0) }
    }

    /// Nothing, while the connection may be used.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let left = self.until.load(Ordering::Relaxed).saturating_sub(self.clock.now_ms());
        if left == 0 { Ok(()) } else { Err(limited(left)) }
    }

    /// A 429 came. Gives what to tell whoever asked.
    pub(super) fn begin(&self) -> ModelError {
        let until = self.clock.now_ms().saturating_add(QUIET_MS);
        self.until.fetch_max(until, Ordering::Relaxed);
        limited(QUIET_MS)
    }
}

fn limited(ms: u64) -> ModelError {
    ModelError::RateLimited { retry_after: Some(Duration::from_millis(ms)) }
}

#[cfg(test)]
mod tests {
    use super::Cooldown;
    use crate::clock::ManualClock;
    use crate::providers::ModelError;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn one_429_keeps_everybody_away_for_half_a_minute() {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let cooldown = Cooldown::new(clock.clone());
        assert_eq!(cooldown.check(), Ok(()));
        let limited = |ms| ModelError::RateLimited { retry_after: Some(Duration::from_millis(ms)) };
        assert_eq!(cooldown.begin(), limited(30_000));
        for (passed, left) in [(0, 30_000), (10_000, 20_000), (19_999, 1)] {
            clock.advance(passed);
            assert_eq!(cooldown.check(), Err(limited(left)));
        }
        clock.advance(1);
        assert_eq!(cooldown.check(), Ok(()));
    }
}
