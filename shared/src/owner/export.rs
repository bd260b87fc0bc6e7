//! Exports: logs as a file.

use super::log::LogStatus;
use crate::session::EndReason;
use serde::{Deserialize, Serialize};

/// What a file of logs looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ExportFormat {
    /// A table with one row per session.
    Csv,
    /// A table with one row per message.
    CsvMessages,
    /// One array of logs with their transcripts.
    Json,
    /// One log with its transcript per line.
    Jsonl,
    /// A workbook: a sheet of sessions and a sheet of messages.
    Xlsx,
    /// Transcripts to read and to print.
    Html,
    /// Transcripts as plain text.
    Txt,
}

impl ExportFormat {
    /// Every format by its name on the wire.
    pub const NAMES: [(&str, Self); 7] = [
        ("csv", Self::Csv),
        ("csv_messages", Self::CsvMessages),
        ("json", Self::Json),
        ("jsonl", Self::Jsonl),
        ("xlsx", Self::Xlsx),
        ("html", Self::Html),
        ("txt", Self::Txt),
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}

/// An instant as people and programs give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Instant {
    /// Unix milliseconds.
    Ms(u64),
    /// RFC 3339 such as `2026-03-01T00:00:00Z`, or Unix milliseconds as text.
    Text(String),
}

/// Which logs: every filter that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogFilters {
    /// Of this campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Of this widget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widget: Option<String>,
    /// Opened at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Instant>,
    /// Opened before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Instant>,
    /// With this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<LogStatus>,
    /// Ended for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    /// Run by this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Whether it is on a bill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed: Option<bool>,
    /// Some message contains this text, whatever the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

/// `POST /api/v1/exports`: have a file made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreateExport {
    /// What it looks like.
    pub format: ExportFormat,
    /// Which logs it holds.
    #[serde(default)]
    pub filters: LogFilters,
    /// The IANA name of the time zone that instants are written in; UTC if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether a text file begins with a byte order mark, which old spreadsheet programs need.
    #[serde(default)]
    pub bom: bool,
}

/// How far an export has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ExportState {
    /// Waits for a server to make it.
    Queued,
    /// Being made.
    Running,
    /// Ready to be fetched.
    Done,
    /// Could not be made; `error` says why.
    Failed,
    /// Called off.
    Cancelled,
    /// A state from a newer server.
    #[serde(other)]
    Unknown,
}

impl ExportState {
    /// Every state by the name it has on the wire and in the store.
    pub const NAMES: [(&str, Self); 5] = [
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("done", Self::Done),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
    ];

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::NAMES.iter().find(|(known, _)| *known == name).map_or(Self::Unknown, |(_, s)| *s)
    }
}

/// A file of logs, made or being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Export {
    /// Its id.
    pub id: String,
    /// What was asked for.
    pub request: CreateExport,
    /// How far it has come.
    pub state: ExportState,
    /// How many logs it will hold, as counted when it began; as many as are written if counting took too
    /// long.
    pub total: u64,
    /// How many of them are written.
    pub done: u64,
    /// The file's size so far, in bytes.
    pub bytes: u64,
    /// What to call the file.
    pub file_name: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was asked for, in Unix milliseconds.
    pub created_at: u64,
    /// When it was done, failed or called off, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<u64>,
}

/// `GET /api/v1/exports`: the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExportList {
    /// The exports.
    pub items: Vec<Export>,
}
