//! Logs: the owner's view of sessions.

use crate::ids::{SessionId, WidgetId};
#[cfg(feature = "schema")]
use crate::message::Message;
use crate::session::EndReason;
use serde::{Deserialize, Serialize};

/// Where a session stands, as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum LogStatus {
    /// Opened; nobody has said anything yet.
    Pending,
    /// Takes messages.
    Active,
    /// Being closed at the provider.
    Ending,
    /// Over.
    Ended,
    /// A status from a newer server.
    #[serde(other)]
    Unknown,
}

impl LogStatus {
    /// Every status by the name it has on the wire and in the store.
    pub const NAMES: [(&str, Self); 4] = [
        ("pending", Self::Pending),
        ("active", Self::Active),
        ("ending", Self::Ending),
        ("ended", Self::Ended),
    ];

    /// The name on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("unknown", |(name, _)| name)
    }

    /// The status of that name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::NAMES.iter().find(|(known, _)| *known == name).map_or(Self::Unknown, |(_, s)| *s)
    }
}

/// One session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Log {
    /// The session's id.
    pub id: SessionId,
    /// Where it stands.
    pub status: LogStatus,
    /// Why it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    /// `chat`, `voice` or `sms`.
    pub channel: String,
    /// Who ran the assistant: `engine` or `vapi`.
    pub provider: String,
    /// The id the provider gave the session; the last one of several, where it lost some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_session: Option<String>,
    /// The account the campaign belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The campaign it is read with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// The campaign's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The widget it took place in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widget_id: Option<WidgetId>,
    /// The origin of the page it took place on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_origin: Option<String>,
    /// The visitor's language, a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The session whose context this one carried on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<SessionId>,
    /// When it was opened, in Unix milliseconds.
    pub created_at: u64,
    /// When it became active, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_at: Option<u64>,
    /// When it ended, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// From the beginning to the end, in milliseconds; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Messages of the visitor.
    pub visitor_messages: u64,
    /// Messages of the assistant.
    pub assistant_messages: u64,
    /// What it cost at the provider, all its sessions there together: a decimal number of US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Where the cost comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_source: Option<String>,
    /// When the provider's last word was written down, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized_at: Option<u64>,
    /// Its line of the billing ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The provider never told us of its end: its webhook seems not to be configured.
    pub webhook_missing: bool,
}

/// A line of the billing ledger: every number needed to compute the minutes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Usage {
    /// How many units were used: a decimal number.
    pub units: String,
    /// What a unit is.
    pub unit: String,
    /// What a unit counts for: a decimal number.
    pub rate: String,
    /// How the product was rounded.
    pub rounding: String,
    /// The equivalent minutes: a decimal number.
    pub minutes: String,
    /// What is billed for it: a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Whether it is on a bill.
    pub billed: bool,
    /// When it was written, in Unix milliseconds.
    pub created_at: u64,
}

impl Usage {
    /// How the minutes came about, for a person: `12 message × 0.5 = 6 minutes (rounding: up)`.
    #[must_use]
    pub fn formula(&self) -> String {
        let Self { units, unit, rate, rounding, minutes, .. } = self;
        format!("{units} {unit} × {rate} = {minutes} minutes (rounding: {rounding})")
    }
}

/// `GET /api/v1/logs`: one page, in the order asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogPage {
    /// The logs of this page.
    pub items: Vec<Log>,
    /// Give it as `cursor` to read on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `GET /api/v1/logs/{log}`: everything about one session.
#[cfg(feature = "schema")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogDetail {
    /// The session.
    pub log: Log,
    /// How its minutes came about, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes_formula: Option<String>,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// The latest 500 of what happened, oldest first.
    pub timeline: Vec<TimelineEvent>,
    /// Whether more happened before that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timeline_cut: bool,
}

/// Something that happened to a session.
#[cfg(feature = "schema")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEvent {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// What: `created`, `message`, `ended` …
    pub kind: String,
    /// More about it; its fields depend on the kind.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}
