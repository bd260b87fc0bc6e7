//! XLSX: a sheet of sessions and a sheet of messages. Rows go to temporary files as they come, so
//! memory stays constant; the book is put together from those at the end. Every text is written as
//! text, never as a formula, and is guarded as well: a copy saved as CSV must stay harmless.

use super::table::{self, Cell};
use super::{Local, Options, Render, guard};
use banter_shared::message::Message;
use banter_shared::owner::log::Log;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use std::borrow::Cow;
use std::io::{Error, Result, Write};

/// Rows of a sheet, header included (the format's own limit).
const MAX_ROWS: u32 = 1_048_576;
/// UTF-16 units in a cell (the format's own limit).
const MAX_CELL: usize = 32_767;
/// Stands where a text was cut because a cell cannot hold more.
const CUT: &str = " … [cut]";

/// The book.
pub(super) struct Book<W> {
    out: W,
    local: Local,
    book: Workbook,
    sessions: Sheets,
    messages: Sheets,
    log: Option<Log>,
}

impl<W: Write> Book<W> {
    pub(super) fn new(options: Options, out: W) -> Result<Self> {
        let mut book = Workbook::new();
        let sessions = Sheets::new(&mut book, "Logs", &table::SESSION_COLUMNS, MAX_ROWS)?;
        let messages = Sheets::new(&mut book, "Messages", &table::MESSAGE_COLUMNS, MAX_ROWS)?;
        Ok(Self { out, local: Local::new(options.time_zone), book, sessions, messages, log: None })
    }
}

impl<W: Write + Send> Render for Book<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        self.sessions.row(&mut self.book, &table::session(log, &self.local), &self.local)?;
        self.log = Some(log.clone());
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let cells = table::message(log, message, &self.local);
        self.messages.row(&mut self.book, &cells, &self.local)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        for sheet in self.sessions.sheets.into_iter().chain(self.messages.sheets) {
            self.book.push_worksheet(sheet);
        }
        self.book.save_to_writer(&mut self.out).map_err(failure)?;
        self.out.flush()
    }
}

/// A table that goes on in another sheet when one is full.
struct Sheets {
    name: &'static str,
    columns: &'static [&'static str],
    max_rows: u32,
    instant: Format,
    /// The next row of the last sheet.
    row: u32,
    /// The sheets, in order; the last one is being written.
    sheets: Vec<Worksheet>,
}

impl Sheets {
    fn new(
        book: &mut Workbook,
        name: &'static str,
        columns: &'static [&'static str],
        max_rows: u32,
    ) -> Result<Self> {
        let instant = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        let mut sheets = Self { name, columns, max_rows, instant, row: 0, sheets: Vec::new() };
        sheets.begin(book)?;
        Ok(sheets)
    }

    /// Begins another sheet, with its header.
    fn begin(&mut self, book: &mut Workbook) -> Result<()> {
        let mut sheet = book.new_worksheet_with_constant_memory().map_err(failure)?;
        let name = match self.sheets.len() {
            0 => self.name.to_owned(),
            before => format!("{} {}", self.name, before + 1),
        };
        sheet.set_name(name).map_err(failure)?;
        sheet.set_freeze_panes(1, 0).map_err(failure)?;
        for (column, title) in (0..).zip(self.columns) {
            sheet.write_string(0, column, *title).map_err(failure)?;
        }
        self.row = 1;
        self.sheets.push(sheet);
        Ok(())
    }

    fn row(&mut self, book: &mut Workbook, cells: &[Cell<'_>], local: &Local) -> Result<()> {
        if self.row == self.max_rows {
            self.begin(book)?;
        }
        let row = self.row;
        self.row += 1;
        let Some(sheet) = self.sheets.last_mut() else { return Ok(()) };
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Empty => continue,
                Cell::Text(text) => sheet.write_string(row, column, fitting(text)),
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                Cell::Count(count) => sheet.write_number(row, column, *count as f64),
                // A spreadsheet computes with doubles whatever is written; it shows 15 digits.
                Cell::Decimal(number) => match number.parse::<f64>() {
                    Ok(value) if value.is_finite() => sheet.write_number(row, column, value),
                    _ => sheet.write_string(row, column, fitting(number)),
                },
                Cell::Instant(at) => {
                    sheet.write_number_with_format(row, column, local.serial(*at), &self.instant)
                }
                // Not a truth value of the format: LibreOffice makes a formula of those.
                Cell::Flag(flag) => sheet.write_string(row, column, table::flag(*flag)),
            }
            .map_err(failure)?;
        }
        Ok(())
    }
}

/// A text, guarded, as far as a cell can hold it.
fn fitting(text: &str) -> Cow<'_, str> {
    let guarded = guard(text);
    if guarded.len() <= MAX_CELL || guarded.encode_utf16().count() <= MAX_CELL {
        return guarded;
    }
    let room = MAX_CELL - CUT.encode_utf16().count();
    let mut units = 0;
    let mut kept: String = guarded
        .chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= room
        })
        .collect();
    kept.push_str(CUT);
    Cow::Owned(kept)
}

fn failure(error: XlsxError) -> Error {
    match error {
        XlsxError::IoError(error) => error,
        other => Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CELL, Sheets, fitting};
    use crate::export::Local;
    use crate::export::table::Cell;
    use calamine::{Reader as _, Xlsx};
    use jiff::tz::TimeZone;
    use rust_xlsxwriter::Workbook;

    #[test]
    fn a_text_is_cut_at_what_a_cell_holds() {
        for (text, units) in [
            ("x".repeat(MAX_CELL), MAX_CELL),
            ("x".repeat(MAX_CELL + 1), MAX_CELL),
            ("=".repeat(MAX_CELL), MAX_CELL),
            ("é".repeat(MAX_CELL), MAX_CELL),
            ("😀".repeat(20_000), MAX_CELL - 1),
        ] {
            assert_eq!(fitting(&text).encode_utf16().count(), units);
        }
    }

    #[test]
    fn a_full_sheet_is_followed_by_another() {
        let mut book = Workbook::new();
        let mut sheets = Sheets::new(&mut book, "Logs", &["n"], 3).unwrap();
        let local = Local::new(TimeZone::UTC);
        for n in 0..5 {
            sheets.row(&mut book, &[Cell::Count(n)], &local).unwrap();
        }
        for sheet in sheets.sheets {
            book.push_worksheet(sheet);
        }
        let file = std::io::Cursor::new(book.save_to_buffer().unwrap());
        let mut read = Xlsx::new(file).unwrap();
        assert_eq!(read.sheet_names(), ["Logs", "Logs 2", "Logs 3"]);
        let rows = |read: &mut Xlsx<_>, name| read.worksheet_range(name).unwrap().height();
        assert_eq!(rows(&mut read, "Logs"), 3);
        assert_eq!(rows(&mut read, "Logs 2"), 3);
        assert_eq!(rows(&mut read, "Logs 3"), 2);
    }
}
