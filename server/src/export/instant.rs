//! Instants, as the clock on the reader's wall shows them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time zone of an IANA name such as `Europe/Berlin`. The names and rules are the machine's own
/// if it has them, else those this server was built with.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    // Without the check, jiff would also take what is not a name of a place.
    let named = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b));
    named.then(|| TimeZone::get(name).ok()).flatten()
}

/// Writes instants as they are called in one time zone.
#[derive(Clone, Debug)]
pub struct Local(TimeZone);

impl Local {
    /// Instants in this time zone.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// The zone's name, or `UTC`.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// `2026-03-29 03:00:00`: what spreadsheet programs take for a time.
    #[must_use]
    pub fn plain(&self, at: u64) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// `2026-03-29T03:00:00.000+02:00`: RFC 3339, exact.
    #[must_use]
    pub fn exact(&self, at: u64) -> String {
        self.format(at, "%Y-%m-%dT%H:%M:%S.%3f%:z")
    }

    /// `20260329-030000`, for file names.
    #[must_use]
    pub fn compact(&self, at: u64) -> String {
        self.format(at, "%Y%m%d-%H%M%S")
    }

    /// Days since the last day of 1899, as spreadsheets count local time.
    #[must_use]
    pub fn serial(&self, at: u64) -> f64 {
        /// From the last day of 1899 to the Unix epoch.
        const EPOCH: f64 = 25_569.0;
        let stamp = timestamp(at);
        let local = stamp.as_second() + i64::from(self.0.to_offset(stamp).seconds());
        #[expect(clippy::cast_precision_loss, reason = "seconds until the year 9999 fit exactly")]
        let days = local as f64 / 86_400.0;
        EPOCH + days
    }

    fn format(&self, at: u64, pattern: &str) -> String {
        timestamp(at).to_zoned(self.0.clone()).strftime(pattern).to_string()
    }
}

/// Instants beyond the year 9999 read as its end: no stored instant lies there.
fn timestamp(at: u64) -> Timestamp {
    i64::try_from(at)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Local, time_zone};

    #[test]
    fn instants_are_called_what_the_zone_calls_them() {
        // The night in which Central Europe's clocks go forward from 02:00 to 03:00.
        for (zone, at, plain, exact) in [
            ("UTC", 1_774_746_000_000, "2026-03-29 01:00:00", "2026-03-29T01:00:00.000+00:00"),
            (
                "Europe/Berlin",
                1_774_745_999_999,
                "2026-03-29 01:59:59",
                "2026-03-29T01:59:59.999+01:00",
            ),
            (
                "Europe/Berlin",
                1_774_746_000_000,
                "2026-03-29 03:00:00",
                "2026-03-29T03:00:00.000+02:00",
            ),
            (
                "Asia/Kathmandu",
                1_774_746_000_000,
                "2026-03-29 06:45:00",
                "2026-03-29T06:45:00.000+05:45",
            ),
        ] {
            let local = Local::new(time_zone(zone).unwrap());
            assert_eq!((local.plain(at), local.exact(at)), (plain.into(), exact.into()), "{zone}");
            assert_eq!(local.zone(), zone);
        }
        assert_eq!(Local::new(time_zone("UTC").unwrap()).serial(86_400_000 / 2), 25_569.5);
        let berlin = Local::new(time_zone("Europe/Berlin").unwrap());
        assert!((berlin.serial(0) - (25_569.0 + 1.0 / 24.0)).abs() < 1e-9);
        assert!(berlin.plain(u64::MAX).starts_with("9999-12-3"));
    }

    #[test]
    fn what_is_not_a_zone_is_none() {
        for name in ["", "Mars/Olympus", "../../etc/passwd", "CET-1CEST,M3.5.0", "Europe/Berlin\0"]
        {
            assert!(time_zone(name).is_none(), "{name:?}");
        }
    }
}
