//! Rate limits: token buckets by address, widget, session and key.

use crate::services::Refusal;
use crate::settings::Limits;
use banter_shared::ids::{SessionId, WidgetId};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// Every limit that is counted per minute.
#[derive(Debug)]
pub struct RateLimits {
    sessions_by_address: PerMinute<IpAddr>,
    sessions_by_widget: PerMinute<WidgetId>,
    messages_by_session: PerMinute<SessionId>,
    messages_by_address: PerMinute<IpAddr>,
    activity_by_address: PerMinute<IpAddr>,
    loads_by_address: PerMinute<IpAddr>,
    leaves_by_address: PerMinute<IpAddr>,
    owner_by_key: PerMinute<String>,
}

impl RateLimits {
    /// The limits that are configured.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            sessions_by_address: PerMinute::new(limits.sessions_per_minute_per_address),
            sessions_by_widget: PerMinute::new(limits.sessions_per_minute_per_widget),
            messages_by_session: PerMinute::new(limits.messages_per_minute_per_session),
            messages_by_address: PerMinute::new(limits.messages_per_minute_per_address),
            activity_by_address: PerMinute::new(limits.activity_per_minute_per_address),
            loads_by_address: PerMinute::new(limits.loads_per_minute_per_address),
            leaves_by_address: PerMinute::new(limits.leaves_per_minute_per_address),
            owner_by_key: PerMinute::new(limits.owner_requests_per_minute_per_key),
        }
    }

    /// One more session.
    pub(super) fn session(&self, address: IpAddr, widget: &WidgetId) -> Result<(), Refusal> {
        self.sessions_by_address.take(&address)?;
        self.sessions_by_widget.take(widget)
    }

    /// One more sign of life; a browser sends a few per minute.
    pub(super) fn activity(&self, address: IpAddr) -> Result<(), Refusal> {
        self.activity_by_address.take(&address)
    }

    /// One more conversation is loaded.
    pub(super) fn load(&self, address: IpAddr) -> Result<(), Refusal> {
        self.loads_by_address.take(&address)
    }

    /// One more end or leaving. Counted apart from everything else: a page says it once and is gone,
    /// so nothing else that it did may have used it up.
    pub(super) fn leave(&self, address: IpAddr) -> Result<(), Refusal> {
        self.leaves_by_address.take(&address)
    }

    /// One more message, sent anew or again.
    pub(super) fn message(&self, address: IpAddr, session: &SessionId) -> Result<(), Refusal> {
        self.messages_by_session.take(session)?;
        self.messages_by_address.take(&address)
    }

    /// One more request with this key (its id, so that made-up secrets fill no memory).
    pub(super) fn owner(&self, key: &str) -> Result<(), Refusal> {
        self.owner_by_key.take(&key.to_owned())
    }
}

/// How many checks pass between two clean-ups of buckets that are full again.
const CLEAN_EVERY: u32 = 4096;

#[derive(Debug)]
struct PerMinute<K: Hash + Eq + Clone> {
    buckets: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> PerMinute<K> {
    fn new(limit: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN));
        let clock = DefaultClock::default();
        Self {
            buckets: RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone()),
            clock,
            checks: AtomicU32::new(1),
        }
    }

    fn take(&self, key: &K) -> Result<(), Refusal> {
        // Memory stays bounded by those who are active, without a task that does nothing else.
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(CLEAN_EVERY) {
            self.buckets.retain_recent();
        }
        self.buckets.check_key(key).map_err(|until| Refusal::RateLimited {
            // Rounded up: whoever comes back a moment early is refused again.
            retry_after: until.wait_time_from(self.clock.now())
                + std::time::Duration::from_millis(999),
        })
    }
}
