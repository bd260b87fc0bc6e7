//! Logs as files. A renderer is given sessions and messages one at a time and writes each at once,
//! so its memory does not grow with the file. No I/O but the writer it is given, no store, no clock.
//!
//! | format | for | rows | guarded against formulas |
//! |---|---|---|---|
//! | `csv` | spreadsheets | sessions | yes |
//! | `csv_messages` | spreadsheets | messages | yes |
//! | `xlsx` | spreadsheets | a sheet of each | yes, and written as text |
//! | `json`, `jsonl` | programs | sessions with their messages | no: they are exact |
//! | `html`, `txt` | people | sessions with their messages | nothing computes there |

mod csv;
mod guard;
mod html;
mod instant;
mod json;
mod table;
#[cfg(test)]
mod tests;
mod txt;
mod xlsx;

pub use guard::guard;
pub use instant::{Local, time_zone};

use banter_shared::message::Message;
use banter_shared::owner::export::ExportFormat;
use banter_shared::owner::log::Log;
use jiff::tz::TimeZone;
use std::io::{Result, Write};

/// The byte order mark that tells old spreadsheet programs that a file is UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How instants and text are written.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the reader's clock hangs.
    pub time_zone: TimeZone,
    /// Whether a text file begins with a byte order mark. XLSX needs none, and JSON must not have one
    /// (RFC 8259, 8.1), so they ignore it.
    pub bom: bool,
}

/// Writes one file. After [`Render::log`] come that session's messages; [`Render::finish`] comes last.
pub trait Render: Send {
    /// Begins the next session.
    ///
    /// # Errors
    /// The writer's failure, as from every function here.
    fn log(&mut self, log: &Log) -> Result<()>;
    /// Writes a message of the session begun last.
    ///
    /// # Errors
    /// The writer's failure.
    fn message(&mut self, message: &Message) -> Result<()>;
    /// Writes what stands at the end, and everything that was held back.
    ///
    /// # Errors
    /// The writer's failure.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// A renderer that writes to `out`.
///
/// # Errors
/// The writer's failure, or, for XLSX, that of the temporary files its sheets are kept in.
pub fn renderer<'out>(
    format: ExportFormat,
    options: Options,
    out: impl Write + Send + 'out,
) -> Result<Box<dyn Render + 'out>> {
    Ok(match format {
        ExportFormat::Csv => Box::new(csv::Sessions::new(options, out)?),
        ExportFormat::CsvMessages => Box::new(csv::Messages::new(options, out)?),
        ExportFormat::Json => Box::new(json::Array::new(options, out)?),
        ExportFormat::Jsonl => Box::new(json::Lines::new(options, out)),
        ExportFormat::Xlsx => Box::new(xlsx::Book::new(options, out)?),
        ExportFormat::Html => Box::new(html::Page::new(options, out)?),
        ExportFormat::Txt => Box::new(txt::Text::new(options, out)?),
    })
}

/// Whether the file says anything about single messages. If not, none need be read.
#[must_use]
pub fn wants_messages(format: ExportFormat) -> bool {
    format != ExportFormat::Csv
}

/// The media type of a file of this format.
#[must_use]
pub fn content_type(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv | ExportFormat::CsvMessages => "text/csv; charset=utf-8; header=present",
        ExportFormat::Json => "application/json",
        ExportFormat::Jsonl => "application/x-ndjson",
        ExportFormat::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ExportFormat::Html => "text/html; charset=utf-8",
        ExportFormat::Txt => "text/plain; charset=utf-8",
    }
}

/// What to call a file that was asked for at `now` (Unix milliseconds): plain ASCII, so that it can
/// stand in any header and any file system.
#[must_use]
pub fn file_name(format: ExportFormat, now: u64) -> String {
    let (what, extension) = match format {
        ExportFormat::CsvMessages => ("messages", "csv"),
        ExportFormat::Csv => ("logs", "csv"),
        other => ("logs", other.name()),
    };
    let stamp = Local::new(TimeZone::UTC).compact(now);
    format!("banter-{what}-{stamp}.{extension}")
}
