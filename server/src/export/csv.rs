//! CSV (RFC 4180): every field quoted, lines end with CRLF, cells guarded against formulas.

use super::table::{self, Cell};
use super::{BOM, Local, Options, Render, guard};
use ::csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use banter_shared::message::Message;
use banter_shared::owner::log::Log;
use std::io::{Result, Write};

/// A table with one row per session.
pub(super) struct Sessions<W: Write> {
    rows: Writer<W>,
    local: Local,
}

impl<W: Write> Sessions<W> {
    pub(super) fn new(options: Options, out: W) -> Result<Self> {
        let rows = begin(&table::SESSION_COLUMNS, options.bom, out)?;
        Ok(Self { rows, local: Local::new(options.time_zone) })
    }
}

impl<W: Write + Send> Render for Sessions<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        row(&mut self.rows, &table::session(log, &self.local), &self.local)
    }

    fn message(&mut self, _: &Message) -> Result<()> {
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.rows.flush()
    }
}

/// A table with one row per message.
pub(super) struct Messages<W: Write> {
    rows: Writer<W>,
    local: Local,
    log: Option<Log>,
}

impl<W: Write> Messages<W> {
    pub(super) fn new(options: Options, out: W) -> Result<Self> {
        let rows = begin(&table::MESSAGE_COLUMNS, options.bom, out)?;
        Ok(Self { rows, local: Local::new(options.time_zone), log: None })
    }
}

impl<W: Write + Send> Render for Messages<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        self.log = Some(log.clone());
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        row(&mut self.rows, &table::message(log, message, &self.local), &self.local)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.rows.flush()
    }
}

/// Writes what stands before the first row.
fn begin<W: Write>(columns: &[&str], bom: bool, mut out: W) -> Result<Writer<W>> {
    if bom {
        out.write_all(BOM)?;
    }
    let mut rows = WriterBuilder::new()
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(out);
    rows.write_record(columns)?;
    Ok(rows)
}

fn row<W: Write>(rows: &mut Writer<W>, cells: &[Cell<'_>], local: &Local) -> Result<()> {
    for cell in cells {
        match cell {
            Cell::Empty => rows.write_field(""),
            Cell::Text(text) => rows.write_field(guard(text).as_ref()),
            Cell::Count(count) => rows.write_field(count.to_string()),
            Cell::Decimal(number) => rows.write_field(number.as_ref()),
            Cell::Instant(at) => rows.write_field(local.plain(*at)),
            Cell::Flag(flag) => rows.write_field(table::flag(*flag)),
        }?;
    }
    Ok(rows.write_record(None::<&[u8]>)?)
}
