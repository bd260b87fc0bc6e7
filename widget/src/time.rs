//! When something was said, in the visitor's own way of writing times and days.
//!
//! `Intl` is bound here by hand because its constructor throws at a language tag it does not know,
//! which must not take the widget down.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[derive(Debug)]
    #[wasm_bindgen(js_name = "DateTimeFormat", js_namespace = Intl)]
    type Format;

    #[wasm_bindgen(constructor, catch, js_class = "DateTimeFormat", js_namespace = Intl)]
    fn new(language: JsValue, options: &JsValue) -> Result<Format, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn format(this: &Format, milliseconds: f64) -> Result<String, JsValue>;
}

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;

/// Writes times and days in one language.
#[derive(Debug)]
pub struct Times {
    time: Option<Format>,
    day: Option<Format>,
}

impl Times {
    /// `language` is a BCP 47 tag; an empty or unknown one means the browser's own.
    #[must_use]
    pub fn of(language: &str) -> Self {
        let make = |options: &str| {
            let options = js_sys::JSON::parse(options).ok()?;
            let known = Format::new(language.into(), &options).ok();
            known.or_else(|| Format::new(JsValue::UNDEFINED, &options).ok())
        };
        Self {
            time: make(r#"{"hour":"numeric","minute":"2-digit"}"#),
            day: make(r#"{"weekday":"long","day":"numeric","month":"long"}"#),
        }
    }

    /// The time of day.
    #[must_use]
    pub fn time(&self, at: u64) -> String {
        write(self.time.as_ref(), at)
    }

    /// The day.
    #[must_use]
    pub fn day(&self, at: u64) -> String {
        write(self.day.as_ref(), at)
    }
}

/// The number of the day in the visitor's time zone.
#[must_use]
pub fn local_day(at: u64) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "a date is far below 2^53")]
    let date = js_sys::Date::new(&JsValue::from_f64(at as f64));
    // What JavaScript calls the offset is what has to be taken away to get local time.
    #[expect(clippy::cast_possible_truncation, reason = "minutes of a day")]
    let offset = date.get_timezone_offset() as i64;
    day_number(at, offset)
}

/// The number of the day in a zone that is `offset` minutes behind UTC.
fn day_number(at: u64, offset: i64) -> i64 {
    i64::try_from(at).unwrap_or(0).saturating_sub(offset * 60_000).div_euclid(DAY)
}

fn write(format: Option<&Format>, at: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a date is far below 2^53")]
    let at = at as f64;
    format.and_then(|format| format.format(at).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{DAY, day_number};

    #[test]
    fn days_change_at_local_midnight() {
        let midnight = 20_000 * DAY as u64;
        for (at, offset, day) in [
            (midnight, 0, 20_000),
            (midnight - 1, 0, 19_999),
            (midnight - 1, -60, 20_000),
            (midnight, 300, 19_999),
            (0, 300, -1),
        ] {
            assert_eq!(day_number(at, offset), day, "{at} {offset}");
        }
    }
}
