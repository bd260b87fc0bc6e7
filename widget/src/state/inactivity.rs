//! Counts down to the end by inactivity, from what the server said last.
//!
//! The server decides; this only shows how it will, and tells it of typing before it does. Time stands
//! still while an answer is on its way. Whatever is shown is never longer than what the server allows:
//! what was typed and not told yet is told soon after.

/// From how little time left on the countdown is shown, in milliseconds.
const SHOWN_FROM: u64 = 30_000;

/// How often the server is told of typing at most, in milliseconds.
const TELL_EVERY: u64 = 15_000;

/// What a tick brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing but another second gone.
    Nothing,
    /// The server has to be told that the visitor is there.
    Tell,
    /// No time is left: the server has to be asked.
    Ask,
}

/// The countdown. Instants are in Unix milliseconds of this browser's clock.
#[derive(Debug, Default)]
pub struct Inactivity {
    allowed: u64,
    ends_at: Option<u64>,
    held: bool,
    told_at: Option<u64>,
    tell_at: Option<u64>,
}

impl Inactivity {
    /// Nothing to count yet; `allowed` is how long nothing may happen, in milliseconds, 0 for ever.
    #[must_use]
    pub fn new(allowed: u64) -> Self {
        Self { allowed, ..Self::default() }
    }

    /// The server says how long from now on, in milliseconds; 0 is what one says that does not know.
    pub fn learn(&mut self, left: u64, now: u64) {
        let left = if left == 0 { self.allowed } else { left };
        self.ends_at = (left > 0).then_some(now.saturating_add(left));
    }

    /// There is no session.
    pub fn stop(&mut self) {
        *self = Self::new(self.allowed);
    }

    /// An answer is on its way, or none is any more. Its question tells the server more than typing does.
    pub fn hold(&mut self, held: bool, now: u64) {
        if held {
            self.tell_at = None;
        } else if self.held {
            self.learn(0, now);
        }
        self.held = held;
    }

    /// The visitor types.
    pub fn typed(&mut self, now: u64) {
        let soon = self.told_at.map_or(now, |told| now.max(told + TELL_EVERY));
        let at = if self.left(now).is_some() { now } else { soon };
        self.tell(at, now);
    }

    /// The visitor is there, as the server has to know at once.
    pub fn stay(&mut self, now: u64) {
        self.tell(now, now);
    }

    /// The server is being told.
    pub fn told(&mut self, now: u64) {
        self.told_at = Some(now);
        self.tell_at = None;
    }

    /// The server has to be told again: it did not hear it, or may have heard it in the wrong order.
    pub fn tell_in(&mut self, pause: u64, now: u64) {
        self.tell_at = Some(now + pause);
    }

    /// The server did not hear it.
    pub fn unheard(&mut self, now: u64) {
        self.tell_in(TELL_EVERY, now);
    }

    /// What is to be done now. Says so once.
    pub fn tick(&mut self, now: u64) -> Due {
        if self.tell_at.is_some_and(|at| at <= now) {
            self.told(now);
            return Due::Tell;
        }
        if !self.held && self.ends_at.is_some_and(|at| at <= now) {
            self.ends_at = None;
            return Due::Ask;
        }
        Due::Nothing
    }

    /// The seconds left, once they are few.
    #[must_use]
    pub fn left(&self, now: u64) -> Option<u32> {
        let left = self.ends_at.filter(|_| !self.held)?.saturating_sub(now);
        u32::try_from(left.div_ceil(1_000)).ok().filter(|_| left <= SHOWN_FROM)
    }

    /// When to tick next.
    #[must_use]
    pub fn alarm(&self, now: u64) -> Option<u64> {
        let counts = self.ends_at.filter(|_| !self.held).map(|end| match self.left(now) {
            None => end - SHOWN_FROM,
            Some(left) => end - u64::from(left.saturating_sub(1)) * 1_000,
        });
        [counts, self.tell_at].into_iter().flatten().min()
    }

    fn tell(&mut self, at: u64, now: u64) {
        if self.ends_at.is_some() && !self.held {
            self.learn(0, now);
            self.tell_at = Some(self.tell_at.map_or(at, |before| before.min(at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Inactivity};
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;

    fn counting() -> Inactivity {
        let mut inactivity = Inactivity::new(MINUTE);
        inactivity.learn(MINUTE, 0);
        inactivity
    }

    #[test]
    fn the_last_thirty_seconds_are_shown_one_by_one() {
        let mut inactivity = counting();
        assert_eq!((inactivity.left(29_999), inactivity.alarm(0)), (None, Some(30_000)));
        for (now, left, alarm) in
            [(30_000, 30, 31_000), (30_001, 30, 31_000), (31_000, 29, 32_000), (59_500, 1, 60_000)]
        {
            assert_eq!(inactivity.tick(now), Due::Nothing, "{now}");
            assert_eq!(
                (inactivity.left(now), inactivity.alarm(now)),
                (Some(left), Some(alarm)),
                "{now}"
            );
        }
        assert_eq!(inactivity.tick(MINUTE), Due::Ask);
        assert_eq!((inactivity.tick(MINUTE), inactivity.alarm(MINUTE)), (Due::Nothing, None));
        inactivity.learn(5_000, MINUTE);
        assert_eq!(inactivity.left(MINUTE), Some(5), "the server had more time than we thought");
    }

    #[test]
    fn typing_is_told_at_once_then_every_fifteen_seconds_and_at_last_when_it_stopped() {
        let mut inactivity = counting();
        inactivity.typed(1_000);
        assert_eq!(inactivity.tick(1_000), Due::Tell);
        for now in (2_000..16_000).step_by(500) {
            inactivity.typed(now);
            assert_eq!(inactivity.tick(now), Due::Nothing, "{now}");
        }
        assert_eq!(inactivity.alarm(15_500), Some(16_000));
        assert_eq!((inactivity.tick(16_000), inactivity.tick(31_000)), (Due::Tell, Due::Nothing));
    }

    #[test]
    fn what_is_done_while_the_countdown_shows_is_told_at_once() {
        for act in [Inactivity::typed, Inactivity::stay] {
            let mut inactivity = counting();
            inactivity.typed(20_000);
            assert_eq!(inactivity.tick(20_000), Due::Tell);
            inactivity.learn(11_000, 20_001);
            act(&mut inactivity, 25_000);
            assert_eq!((inactivity.tick(25_000), inactivity.left(25_000)), (Due::Tell, None));
        }
    }

    #[test]
    fn time_stands_still_while_an_answer_is_on_its_way() {
        let mut inactivity = counting();
        inactivity.typed(0);
        inactivity.hold(true, 0);
        inactivity.typed(50_000);
        assert_eq!((inactivity.tick(2 * MINUTE), inactivity.alarm(0)), (Due::Nothing, None));
        assert_eq!(inactivity.left(59_000), None);
        inactivity.hold(false, 3 * MINUTE);
        inactivity.hold(false, 3 * MINUTE + 1);
        assert_eq!(inactivity.alarm(3 * MINUTE), Some(3 * MINUTE + 30_000));
    }

    #[test]
    fn without_a_limit_or_a_session_nothing_is_counted() {
        let mut inactivity = Inactivity::new(0);
        inactivity.learn(0, 5);
        inactivity.typed(6);
        assert_eq!((inactivity.alarm(6), inactivity.tick(u64::MAX)), (None, Due::Nothing));
        let mut inactivity = counting();
        inactivity.typed(5);
        inactivity.stop();
        assert_eq!((inactivity.alarm(6), inactivity.tick(u64::MAX)), (None, Due::Nothing));
    }

    proptest! {
        /// A browser that acts on every alarm, and a server that counts by itself: while the visitor types
        /// at least every ten seconds, the server never runs out of time, and hears little.
        #[test]
        fn whoever_types_is_never_cut_off(pauses in prop::collection::vec(1_u64..10_000, 1..200)) {
            let mut inactivity = counting();
            let (mut now, mut server_ends, mut told) = (0, MINUTE, 0);
            for pause in pauses {
                let next = now + pause;
                while let Some(alarm) = inactivity.alarm(now).filter(|at| *at < next) {
                    now = alarm.max(now);
                    match inactivity.tick(now) {
                        Due::Tell => (server_ends, told) = (now + MINUTE, told + 1),
                        Due::Ask => prop_assert!(false, "ran out at {now}"),
                        Due::Nothing => {}
                    }
                }
                now = next;
                inactivity.typed(now);
                prop_assert!(server_ends > now);
            }
            prop_assert!(told <= 1 + now / 15_000);
        }
    }
}
