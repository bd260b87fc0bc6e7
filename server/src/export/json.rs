//! JSON and JSON Lines: exact, for programs. A log is the owner API's own, with its messages and with
//! its instants once more in the time zone asked for.

use super::{Local, Options, Render};
use banter_shared::message::Message;
use banter_shared::owner::log::Log;
use serde::Serialize;
use std::io::{Result, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LocalLog<'a> {
    #[serde(flatten)]
    log: &'a Log,
    time_zone: &'a str,
    created_at_local: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_local: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LocalMessage<'a> {
    #[serde(flatten)]
    message: &'a Message,
    created_at_local: String,
}

/// Objects with a list of messages that is written as it comes.
struct Objects<W> {
    out: W,
    local: Local,
    /// Reused for every object, so that none allocates anew.
    buffer: Vec<u8>,
    open: bool,
    first_message: bool,
}

impl<W: Write> Objects<W> {
    fn new(options: Options, out: W) -> Self {
        Self {
            out,
            local: Local::new(options.time_zone),
            buffer: Vec::new(),
            open: false,
            first_message: true,
        }
    }

    fn begin(&mut self, log: &Log) -> Result<()> {
        self.buffer.clear();
        serde_json::to_writer(
            &mut self.buffer,
            &LocalLog {
                log,
                time_zone: self.local.zone(),
                created_at_local: self.local.exact(log.created_at),
                ended_at_local: log.ended_at.map(|at| self.local.exact(at)),
            },
        )?;
        // The object stays open: its messages are still to come.
        self.buffer.pop();
        self.buffer.extend_from_slice(b",\"messages\":[");
        self.open = true;
        self.first_message = true;
        self.out.write_all(&self.buffer)
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        self.buffer.clear();
        if !std::mem::take(&mut self.first_message) {
            self.buffer.push(b',');
        }
        let created_at_local = self.local.exact(message.created_at);
        serde_json::to_writer(&mut self.buffer, &LocalMessage { message, created_at_local })?;
        self.out.write_all(&self.buffer)
    }

    /// Ends the object that is open, if one is.
    fn end(&mut self) -> Result<bool> {
        let was_open = std::mem::take(&mut self.open);
        if was_open {
            self.out.write_all(b"]}")?;
        }
        Ok(was_open)
    }
}

/// One array of all logs.
pub(super) struct Array<W>(Objects<W>);

impl<W: Write> Array<W> {
    pub(super) fn new(options: Options, mut out: W) -> Result<Self> {
        out.write_all(b"[")?;
        Ok(Self(Objects::new(options, out)))
    }
}

impl<W: Write + Send> Render for Array<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        let follows = self.0.end()?;
        self.0.out.write_all(if follows { b",\n" } else { b"\n" })?;
        self.0.begin(log)
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        self.0.message(message)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.0.end()?;
        self.0.out.write_all(b"\n]\n")?;
        self.0.out.flush()
    }
}

/// One log per line.
pub(super) struct Lines<W>(Objects<W>);

impl<W: Write> Lines<W> {
    pub(super) fn new(options: Options, out: W) -> Self {
        Self(Objects::new(options, out))
    }
}

impl<W: Write + Send> Render for Lines<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        if self.0.end()? {
            self.0.out.write_all(b"\n")?;
        }
        self.0.begin(log)
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        self.0.message(message)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.0.end()? {
            self.0.out.write_all(b"\n")?;
        }
        self.0.out.flush()
    }
}
