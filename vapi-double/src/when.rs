//! Instants as Vapi writes them, and the variables it derives from the time.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// `2026-11-21T03:28:12.316Z`.
pub(crate) fn iso(now_ms: u64) -> String {
    let at = instant(now_ms);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// The variables every template has (Vapi docs, "Dynamic variables"; all in UTC).
pub(crate) fn default_variables(now_ms: u64) -> Map<String, Value> {
    let at = instant(now_ms);
    let month = at.month().to_string();
    let date = format!("{} {}, {}", month.get(..3).unwrap_or(&month), at.day(), at.year());
    let (hour, half) = match at.hour() {
        0 => (12, "AM"),
        hour @ 1..=11 => (hour, "AM"),
        12 => (12, "PM"),
        hour => (hour - 12, "PM"),
    };
    let time = format!("{hour:02}:{:02} {half}", at.minute());
    let variables = json!({
        "now": format!("{date} {time}"),
        "date": date,
        "time": time,
        "month": month,
        "day": at.day().to_string(),
        "year": at.year().to_string(),
        "transport": { "conversationType": "chat" },
    });
    variables.as_object().cloned().unwrap_or_default()
}

/// An instant beyond the calendar reads as 1970: wrong, and harmless in a double.
fn instant(now_ms: u64) -> OffsetDateTime {
    let nanoseconds = i128::from(now_ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{default_variables, iso};

    #[test]
    fn instants_and_what_follows_from_them() {
        assert_eq!(iso(1_795_231_692_316), "2026-11-21T03:28:12.316Z");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        for (now, time) in [(0, "12:00 AM"), (43_200_000, "12:00 PM"), (47_100_000, "01:05 PM")] {
            let variables = default_variables(now);
            assert_eq!(variables["now"], format!("Jan 1, 1970 {time}"));
            assert_eq!(variables["month"], "January");
        }
    }
}
