//! Which logs are meant, in which order, and where reading goes on: the rules of the list.

use super::provider::ProviderName;
use banter_shared::owner::export::{Instant, LogFilters};
use banter_shared::owner::log::{Log, LogStatus};
use banter_shared::session::EndReason;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

/// The longest text that is searched for, in characters.
const MAX_QUERY: usize = 200;
/// The longest name in a filter, in bytes.
const MAX_NAME: usize = 200;

/// Which logs: every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this campaign.
    pub campaign: Option<String>,
    /// Of this widget.
    pub widget: Option<String>,
    /// Opened at this instant or later, in Unix milliseconds.
    pub from: Option<u64>,
    /// Opened before this instant, in Unix milliseconds.
    pub to: Option<u64>,
    /// With this status.
    pub status: Option<LogStatus>,
    /// Ended for this reason.
    pub end_reason: Option<EndReason>,
    /// Run by this provider.
    pub provider: Option<String>,
    /// Whether it is on a bill.
    pub billed: Option<bool>,
    /// Some message contains this text, whatever the case.
    pub q: Option<String>,
}

/// Which filter is not what it should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterFault {
    /// The filter.
    pub field: &'static str,
    /// What is wrong with it.
    pub sentence: &'static str,
}

impl LogFilter {
    /// Reads filters from the wire.
    ///
    /// # Errors
    /// The first [`FilterFault`].
    pub fn read(filters: &LogFilters) -> Result<Self, FilterFault> {
        let fault = |field, sentence| Err(FilterFault { field, sentence });
        if filters.status == Some(LogStatus::Unknown) {
            return fault("status", "a status is pending, active, ending or ended");
        }
        if filters.end_reason == Some(EndReason::Unknown) {
            return fault("endReason", "there is no such end reason");
        }
        if filters.provider.as_deref().is_some_and(|name| ProviderName::parse(name).is_none()) {
            return fault("provider", "a provider is engine or vapi");
        }
        for (field, name) in [("campaign", &filters.campaign), ("widget", &filters.widget)] {
            if name
                .as_ref()
                .is_some_and(|name| name.is_empty() || name.len() > MAX_NAME || name.contains('\0'))
            {
                return fault(field, "a name has 1 to 200 bytes, none of them NUL");
            }
        }
        if let Some(q) = &filters.q
            && (q.trim().is_empty() || q.chars().count() > MAX_QUERY || q.contains('\0'))
        {
            return fault("q", "a text to search for has 1 to 200 characters");
        }
        let (from, to) = (instant("from", &filters.from)?, instant("to", &filters.to)?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return fault("to", "`to` must be later than `from`");
        }
        Ok(Self {
            campaign: filters.campaign.clone(),
            widget: filters.widget.clone(),
            from,
            to,
            status: filters.status,
            end_reason: filters.end_reason,
            provider: filters.provider.clone(),
            billed: filters.billed,
            q: filters.q.clone(),
        })
    }
}

fn instant(field: &'static str, given: &Option<Instant>) -> Result<Option<u64>, FilterFault> {
    let Some(given) = given else { return Ok(None) };
    let ms = match given {
        Instant::Ms(ms) => Some(*ms),
        Instant::Text(text) => read_instant(text),
    };
    // The store counts in 63 bits.
    let ms = ms.filter(|ms| i64::try_from(*ms).is_ok());
    let sentence = "an instant is Unix milliseconds or RFC 3339, such as 2026-03-01T00:00:00Z";
    ms.map(Some).ok_or(FilterFault { field, sentence })
}

/// Unix milliseconds, from a number or from RFC 3339 with an offset; not before 1970.
fn read_instant(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    u64::try_from(text.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

impl Order {
    /// Every order by its name on the wire.
    pub const NAMES: [(&str, Self); 2] = [("newest", Self::Newest), ("oldest", Self::Oldest)];

    /// The order of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, order)| *order)
    }
}

/// Where reading goes on: after this log. A place in the order and not a number of logs, so that
/// logs that come or go meanwhile neither repeat nor hide others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCursor {
    /// When that log was opened, in Unix milliseconds.
    pub created_at: u64,
    /// Its id.
    pub id: String,
}

impl LogCursor {
    /// After this log.
    #[must_use]
    pub fn after(log: &Log) -> Self {
        Self { created_at: log.created_at, id: log.id.0.clone() }
    }

    /// What goes over the wire: opaque to others.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("1.{}.{}", self.created_at, self.id))
    }

    /// Reads what [`LogCursor::encode`] made.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (created_at, id) = text.strip_prefix("1.")?.split_once('.')?;
        let created_at = created_at.parse().ok().filter(|at| i64::try_from(*at).is_ok())?;
        Some(Self { created_at, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{LogCursor, LogFilter};
    use banter_shared::owner::export::LogFilters;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn filters_are_read_or_refused_by_name() {
        for (json, verdict) in [
            (json!({}), Ok(())),
            (json!({"from": 5, "to": "6"}), Ok(())),
            (json!({"from": "2026-03-01T00:00:00+01:00", "to": "2026-03-01T00:00:00Z"}), Ok(())),
            (json!({"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T00:00:00+01:00"}), Err("to")),
            (json!({"from": 5, "to": 5}), Err("to")),
            (json!({"from": "yesterday"}), Err("from")),
            (json!({"from": "2026-03-01"}), Err("from")),
            (json!({"from": "1969-03-01T00:00:00Z"}), Err("from")),
            (json!({"to": u64::MAX}), Err("to")),
            (json!({"to": ""}), Err("to")),
            (json!({"status": "dreaming"}), Err("status")),
            (json!({"endReason": "boredom"}), Err("endReason")),
            (json!({"campaign": ""}), Err("campaign")),
            (json!({"campaign": "x".repeat(201)}), Err("campaign")),
            (json!({"provider": "engine"}), Ok(())),
            (json!({"provider": "somebody"}), Err("provider")),
            (json!({"widget": "a\0"}), Err("widget")),
            (json!({"q": " "}), Err("q")),
            (json!({"q": "é".repeat(200)}), Ok(())),
            (json!({"q": "é".repeat(201)}), Err("q")),
        ] {
            let filters: LogFilters = serde_json::from_value(json.clone()).unwrap();
            let read = LogFilter::read(&filters).map(drop).map_err(|fault| fault.field);
            assert_eq!(read, verdict, "{json}");
        }
        let filters: LogFilters =
            serde_json::from_value(json!({"from": "2026-03-01T00:00:00.5+01:00"})).unwrap();
        assert_eq!(LogFilter::read(&filters).unwrap().from, Some(1_772_319_600_500));
    }

    proptest! {
        #[test]
        fn cursors_survive_the_wire(created_at in 0..=i64::MAX as u64, id in "\\PC{0,40}") {
            let cursor = LogCursor { created_at, id };
            prop_assert_eq!(LogCursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn junk_is_no_cursor(junk in "[A-Za-z0-9_-]{0,30}") {
            // Whatever it is, it is refused or read, and reading it again gives the same.
            if let Some(cursor) = LogCursor::decode(&junk) {
                prop_assert_eq!(LogCursor::decode(&cursor.encode()), Some(cursor));
            }
        }
    }
}
