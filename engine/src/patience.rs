//! Waiting with a bound, hundreds of times in an answer, with one timer: it is wound up again only
//! when it rings too early, and looked at only when it may have rung, not for each word.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that costs next to nothing to be asked whether it rings.
pub struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes when it rings.
    wakes: Option<Waker>,
}

impl Alarm {
    /// Rings at `at`.
    #[must_use]
    pub fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(at)), wakes: None }
    }

    /// When it rings.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Rings at `at` instead, also when it has rung.
    pub fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.wakes = None;
    }

    /// Whether it has rung; the task is woken when it does.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_known = self.wakes.as_ref().is_some_and(|known| known.will_wake(context.waker()));
        // It wakes whom it was told of after it has elapsed, never before.
        if is_known && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        let rung = self.sleep.as_mut().poll(context);
        self.wakes = rung.is_pending().then(|| context.waker().clone());
        rung
    }
}

/// How long somebody waits, from one wait to the next.
pub struct Patience {
    alarm: Alarm,
}

impl Patience {
    /// Rings first at `alarm`: best the end of the first wait.
    #[must_use]
    pub fn until(alarm: Instant) -> Self {
        Self { alarm: Alarm::new(alarm) }
    }

    /// What comes of `work`, or `None` when that takes until `deadline`.
    pub async fn wait<T>(&mut self, deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if deadline < self.alarm.at() {
                self.alarm.set(deadline);
            }
            while self.alarm.poll(context).is_ready() {
                if self.alarm.at() >= deadline {
                    return Poll::Ready(None);
                }
                self.alarm.set(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::Patience;
    use std::future::{pending, ready};
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_deadline() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::until(at(10));
        assert_eq!(patience.wait(at(10), ready(1)).await, Some(1));
        // Later than the alarm was set for, earlier, later again, and one that has passed.
        assert_eq!(patience.wait(at(30), sleep(Duration::from_secs(20))).await, Some(()));
        for (deadline, ends) in [(25, 25), (40, 40), (39, 40), (50, 50)] {
            assert_eq!(patience.wait(at(deadline), pending::<()>()).await, None);
            assert_eq!(start.elapsed(), Duration::from_secs(ends), "{deadline}");
        }
        assert_eq!(
            patience.wait(at(1), ready(2)).await,
            Some(2),
            "what is there needs no patience"
        );
    }
}
