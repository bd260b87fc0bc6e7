//! Logs as tables: which columns there are and what stands in them. CSV and XLSX write the same.

use super::Local;
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::owner::log::Log;
use std::borrow::Cow;

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Nothing.
    Empty,
    /// Text from anywhere: it is guarded.
    Text(Cow<'a, str>),
    /// A number of ours.
    Count(u64),
    /// A decimal number, exact.
    Decimal(Cow<'a, str>),
    /// An instant in Unix milliseconds.
    Instant(u64),
    /// Yes or no.
    Flag(bool),
}

impl<'a> Cell<'a> {
    fn text(text: impl Into<Option<&'a str>>) -> Self {
        text.into().map_or(Self::Empty, |text| Self::Text(Cow::Borrowed(text)))
    }

    fn instant(at: Option<u64>) -> Self {
        at.map_or(Self::Empty, Self::Instant)
    }

    /// A number, if it is one: what the store holds came from a provider once.
    fn decimal(text: Option<&'a str>) -> Self {
        match text {
            None => Self::Empty,
            Some(text) if is_decimal(text) => Self::Decimal(Cow::Borrowed(text)),
            Some(text) => Self::text(text),
        }
    }
}

/// `12`, `0.5`; no sign, so that it needs no guard.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The header of the table of sessions.
pub(super) const SESSION_COLUMNS: [&str; 28] = [
    "log_id",
    "started_at",
    "ended_at",
    "time_zone",
    "duration_seconds",
    "status",
    "end_reason",
    "channel",
    "provider",
    "provider_session",
    "account_id",
    "campaign_id",
    "campaign",
    "widget_id",
    "page_origin",
    "language",
    "continues",
    "visitor_messages",
    "assistant_messages",
    "cost_usd",
    "cost_source",
    "equivalent_minutes",
    "usage_units",
    "usage_unit",
    "usage_rate",
    "usage_rounding",
    "billed",
    "webhook_missing",
];

/// A session's row.
pub(super) fn session<'a>(log: &'a Log, local: &'a Local) -> [Cell<'a>; 28] {
    let usage = log.usage.as_ref();
    [
        Cell::text(log.id.as_str()),
        Cell::Instant(log.created_at),
        Cell::instant(log.ended_at),
        Cell::text(local.zone()),
        log.duration_ms.map_or(Cell::Empty, |ms| Cell::Decimal(Cow::Owned(seconds(ms)))),
        Cell::text(log.status.name()),
        Cell::text(log.end_reason.map(|reason| reason.name())),
        Cell::text(log.channel.as_str()),
        Cell::text(log.provider.as_str()),
        Cell::text(log.provider_session.as_deref()),
        Cell::text(log.account_id.as_deref()),
        Cell::text(log.campaign_id.as_deref()),
        Cell::text(log.campaign.as_deref()),
        Cell::text(log.widget_id.as_ref().map(|id| id.as_str())),
        Cell::text(log.page_origin.as_deref()),
        Cell::text(log.language.as_deref()),
        Cell::text(log.continues.as_ref().map(|id| id.as_str())),
        Cell::Count(log.visitor_messages),
        Cell::Count(log.assistant_messages),
        Cell::decimal(log.cost.as_deref()),
        Cell::text(log.cost_source.as_deref()),
        Cell::decimal(usage.map(|usage| usage.minutes.as_str())),
        Cell::decimal(usage.map(|usage| usage.units.as_str())),
        Cell::text(usage.map(|usage| usage.unit.as_str())),
        Cell::decimal(usage.map(|usage| usage.rate.as_str())),
        Cell::text(usage.map(|usage| usage.rounding.as_str())),
        Cell::Flag(usage.is_some_and(|usage| usage.billed)),
        Cell::Flag(log.webhook_missing),
    ]
}

/// The header of the table of messages.
pub(super) const MESSAGE_COLUMNS: [&str; 14] = [
    "log_id",
    "message_id",
    "sent_at",
    "time_zone",
    "author",
    "status",
    "attempt",
    "text",
    "sources",
    "error_code",
    "campaign_id",
    "widget_id",
    "log_started_at",
    "log_status",
];

/// A message's row.
pub(super) fn message<'a>(log: &'a Log, message: &'a Message, local: &'a Local) -> [Cell<'a>; 14] {
    [
        Cell::text(log.id.as_str()),
        Cell::text(message.id.as_str()),
        Cell::Instant(message.created_at),
        Cell::text(local.zone()),
        Cell::text(author(message.role)),
        Cell::text(status(message.status)),
        Cell::Count(message.attempt.into()),
        Cell::text(message.text.as_str()),
        sources(message).map_or(Cell::Empty, |sources| Cell::Text(sources.into())),
        Cell::text(message.error.as_ref().map(|error| error.code.as_str())),
        Cell::text(log.campaign_id.as_deref()),
        Cell::text(log.widget_id.as_ref().map(|id| id.as_str())),
        Cell::Instant(log.created_at),
        Cell::text(log.status.name()),
    ]
}

/// What an answer rests on, one source per line, each with its address if it has one.
pub(super) fn sources(message: &Message) -> Option<String> {
    let named = |source: &Source| match &source.url {
        Some(url) => format!("{} ({url})", source.title),
        None => source.title.clone(),
    };
    let lines: Vec<String> = message.sources.iter().map(named).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What a role is called in a table and above a message.
pub(super) fn author(role: Role) -> &'static str {
    match role {
        Role::Visitor => "visitor",
        Role::Assistant | Role::Unknown => "assistant",
    }
}

/// How a table says yes and no.
pub(super) fn flag(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

/// What a message's status is called.
pub(super) fn status(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Streaming => "streaming",
        MessageStatus::Complete | MessageStatus::Unknown => "complete",
        MessageStatus::Interrupted => "interrupted",
        MessageStatus::Failed => "failed",
    }
}

/// `12.345` for 12,345 ms.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn only_plain_numbers_are_numbers() {
        for (text, number) in [
            ("12", true),
            ("0.5", true),
            ("", false),
            (".5", false),
            ("5.", false),
            ("-5", false),
            ("1e9", false),
            ("=1", false),
            ("1.2.3", false),
        ] {
            assert_eq!(matches!(Cell::decimal(Some(text)), Cell::Decimal(_)), number, "{text:?}");
        }
    }
}
