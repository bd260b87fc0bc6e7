//! Where time, ids and randomness come from, so that tests can say what they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The source of the current time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
}

/// The source of unguessable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with randomness fit for keys.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody is given")]
        let now = std::time::SystemTime::now();
        // A clock set before 1970 reads as 1970: wrong, and harmless.
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // Going on with predictable keys would be worse than stopping.
            tracing::error!(%error, "the operating system gives no randomness: stopping");
            std::process::abort();
        }
    }
}

/// A clock that stands still until it is told to move. For tests.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands at `now_ms`, in Unix milliseconds.
    #[must_use]
    pub fn at(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Moves the clock forward by `ms` milliseconds.
    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Makes ids: UUID v7, which sort by the time they were made.
#[derive(Clone)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl IdSource {
    /// Ids from this time and this randomness.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// A new id: lower-case hyphenated UUID v7 (RFC 9562), 74 random bits.
    #[must_use]
    pub fn next(&self) -> String {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(self.clock.now_ms(), &random)
            .into_uuid()
            .to_string()
    }

    /// A new secret of 192 random bits, base64url, with a prefix that says what it opens.
    #[must_use]
    pub fn secret(&self, prefix: &str) -> String {
        use base64::Engine as _;
        let mut random = [0; 24];
        self.entropy.fill(&mut random);
        format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random))
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, IdSource, ManualClock, SystemEntropy};
    use std::sync::Arc;

    #[test]
    fn ids_sort_by_time_and_differ_within_a_millisecond() {
        let clock = Arc::new(ManualClock::at(1_795_000_000_000));
        let ids = IdSource::new(clock.clone(), Arc::new(SystemEntropy));
        let (a, b) = (ids.next(), ids.next());
        clock.advance(1);
        let c = ids.next();
        assert_ne!(a, b);
        assert!(c > a && c > b, "{a} {b} {c}");
        assert_eq!(clock.now_ms(), 1_795_000_000_001);
    }
}
