//! When a webhook is sent again, and when we stop: the schedule that Standard Webhooks recommends,
//! what an answer means, and how long an endpoint may fail.

use std::time::UNIX_EPOCH;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// How long after the first, second, … failed attempt the next one is due, in milliseconds. The last
/// one also stands for every later attempt.
const WAITS: [u64; 9] = [
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];

/// The longest wait that a receiver can ask for with `Retry-After`, in milliseconds.
pub const LONGEST_WAIT: u64 = 24 * HOUR;

/// After how long without a failure an endpoint that fails has begun anew, in milliseconds: longer than
/// the longest wait between two attempts, which is `LONGEST_WAIT` and a fifth of it.
pub const FORGIVEN_AFTER: u64 = 30 * HOUR;

/// How persistent we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Attempts for one delivery, the first included.
    pub max_attempts: u32,
    /// How long an endpoint may do nothing but fail before it is disabled, in milliseconds.
    pub disable_after: u64,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// The endpoint wants nothing more, ever.
    Gone,
    /// It was not taken; a later attempt may be.
    Failed,
}

/// What an HTTP status means. A redirect is a failure: where it points was not checked, and whoever
/// moves an endpoint can tell us.
#[must_use]
pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        410 => Verdict::Gone,
        _ => Verdict::Failed,
    }
}

/// When the next attempt is due after `attempts` failed ones, in Unix milliseconds; `None` when that
/// was the last.
///
/// `retry_after` is the earliest the receiver wants it, as [`retry_after`] reads it. `random` spreads
/// what failed together over a fifth of the wait; it never makes the wait shorter.
#[must_use]
pub fn next_attempt(
    rules: Rules,
    attempts: u32,
    now: u64,
    retry_after: Option<u64>,
    random: u64,
) -> Option<u64> {
    if attempts >= rules.max_attempts {
        return None;
    }
    let index = (attempts.max(1) as usize - 1).min(WAITS.len() - 1);
    let wait = WAITS[index].max(retry_after.unwrap_or(0).min(LONGEST_WAIT));
    Some(now.saturating_add(wait).saturating_add(random % (wait / 5 + 1)))
}

/// How long `Retry-After` asks to wait from `now` (Unix milliseconds), in milliseconds: a number of
/// seconds or a date (RFC 9110, section 10.2.3). `None` when it is neither.
#[must_use]
pub fn retry_after(value: &str, now: u64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long wait, too.
        let seconds = value.parse::<u64>().unwrap_or(u64::MAX);
        return Some(seconds.saturating_mul(SECOND).min(LONGEST_WAIT));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let at = u64::try_from(date.as_millis()).unwrap_or(u64::MAX);
    Some(at.saturating_sub(now).min(LONGEST_WAIT))
}

/// Whether an endpoint that has done nothing but fail since `failing_since` is given up at `now`.
#[must_use]
pub fn is_hopeless(rules: Rules, failing_since: u64, now: u64) -> bool {
    now.saturating_sub(failing_since) >= rules.disable_after
}

#[cfg(test)]
mod tests {
    use super::{
        HOUR, LONGEST_WAIT, MINUTE, Rules, SECOND, Verdict, is_hopeless, next_attempt, retry_after,
        verdict,
    };
    use proptest::prelude::{any, prop_assert, proptest};

    const RULES: Rules = Rules { max_attempts: 10, disable_after: 120 * HOUR };
    const NOW: u64 = 1_795_000_000_000;

    #[test]
    fn the_schedule_is_the_recommended_one() {
        let waits: Vec<_> = (1..=10)
            .map(|attempts| next_attempt(RULES, attempts, NOW, None, 0).map(|at| at - NOW))
            .collect();
        assert_eq!(
            waits,
            [
                Some(5 * SECOND),
                Some(5 * MINUTE),
                Some(30 * MINUTE),
                Some(2 * HOUR),
                Some(5 * HOUR),
                Some(10 * HOUR),
                Some(14 * HOUR),
                Some(20 * HOUR),
                Some(24 * HOUR),
                None
            ]
        );
        // More attempts than the table has lines go on daily; one attempt is one.
        let patient = Rules { max_attempts: 20, ..RULES };
        assert_eq!(next_attempt(patient, 15, NOW, None, 0), Some(NOW + 24 * HOUR));
        assert_eq!(next_attempt(patient, 20, NOW, None, 0), None);
        assert_eq!(next_attempt(Rules { max_attempts: 1, ..RULES }, 1, NOW, None, 0), None);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_less_or_forever() {
        for (asked, wait) in [
            (Some(1), 5 * SECOND),
            (Some(5 * SECOND), 5 * SECOND),
            (Some(90 * SECOND), 90 * SECOND),
            (Some(u64::MAX), LONGEST_WAIT),
            (None, 5 * SECOND),
        ] {
            assert_eq!(next_attempt(RULES, 1, NOW, asked, 0), Some(NOW + wait), "{asked:?}");
        }
        assert_eq!(next_attempt(RULES, 10, NOW, Some(1), 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 2026-11-18 11:06:40 UTC.
        for (value, wait) in [
            ("0", Some(0)),
            ("120", Some(120 * SECOND)),
            (" 7 ", Some(7 * SECOND)),
            ("86401", Some(LONGEST_WAIT)),
            ("99999999999999999999999999", Some(LONGEST_WAIT)),
            ("Wed, 18 Nov 2026 11:08:40 GMT", Some(120 * SECOND)),
            ("Wednesday, 18-Nov-26 11:08:40 GMT", Some(120 * SECOND)),
            ("Wed Nov 18 11:08:40 2026", Some(120 * SECOND)),
            ("Wed, 18 Nov 2026 11:00:00 GMT", Some(0)),
            ("Fri, 01 Jan 2100 00:00:00 GMT", Some(LONGEST_WAIT)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("Wed, 18 Nov 2026 11:08:40 CET", None),
        ] {
            assert_eq!(retry_after(value, NOW), wait, "{value}");
        }
    }

    #[test]
    fn only_2xx_is_success_and_only_410_is_goodbye() {
        for status in 100..600 {
            let expected = match status {
                200..=299 => Verdict::Taken,
                410 => Verdict::Gone,
                _ => Verdict::Failed,
            };
            assert_eq!(verdict(status), expected, "{status}");
        }
        for redirect in [300, 301, 302, 303, 304, 307, 308] {
            assert_eq!(verdict(redirect), Verdict::Failed);
        }
    }

    #[test]
    fn hopeless_after_five_days_of_nothing_but_failure() {
        for (failing_for, hopeless) in
            [(0, false), (120 * HOUR - 1, false), (120 * HOUR, true), (1000 * HOUR, true)]
        {
            assert_eq!(is_hopeless(RULES, NOW - failing_for, NOW), hopeless, "{failing_for}");
        }
        // A clock that was set back is no reason.
        assert!(!is_hopeless(RULES, NOW + HOUR, NOW));
    }

    proptest! {
        #[test]
        fn never_early_never_much_later(
            attempts in 0_u32..40,
            max_attempts in 1_u32..40,
            asked in any::<Option<u64>>(),
            random in any::<u64>(),
            now in 0_u64..4_000_000_000_000,
        ) {
            let rules = Rules { max_attempts, ..RULES };
            let plain = next_attempt(rules, attempts, now, asked, 0);
            let spread = next_attempt(rules, attempts, now, asked, random);
            prop_assert!(plain.is_some() == (attempts < max_attempts));
            if let (Some(plain), Some(spread)) = (plain, spread) {
                prop_assert!(plain >= now + 5 * SECOND && plain <= now + LONGEST_WAIT);
                prop_assert!(spread >= plain && spread - plain <= (plain - now) / 5);
            }
        }
    }
}
