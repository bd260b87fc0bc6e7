//! Plain text, for people. Whatever was said is indented, so that no message can look like the
//! heading of another, and control characters are shown as signs, so that none can command a terminal.

use super::table::{author, seconds, sources, status};
use super::{BOM, Local, Options, Render};
use banter_shared::message::{Message, MessageStatus};
use banter_shared::owner::log::Log;
use std::io::{Result, Write};

/// Transcripts, one below the other.
pub(super) struct Text<W> {
    out: W,
    local: Local,
    first: bool,
}

impl<W: Write> Text<W> {
    pub(super) fn new(options: Options, mut out: W) -> Result<Self> {
        if options.bom {
            out.write_all(BOM)?;
        }
        Ok(Self { out, local: Local::new(options.time_zone), first: true })
    }
}

impl<W: Write + Send> Render for Text<W> {
    fn log(&mut self, log: &Log) -> Result<()> {
        if !std::mem::take(&mut self.first) {
            writeln!(self.out, "\n{}\n", "=".repeat(72))?;
        }
        writeln!(self.out, "Log {}", harmless(log.id.as_str()))?;
        for (name, value) in facts(log, &self.local) {
            writeln!(self.out, "  {name}: {}", harmless(&value).replace('\n', " "))?;
        }
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        let at = self.local.plain(message.created_at);
        write!(self.out, "\n[{at}] {}", author(message.role))?;
        if message.status != MessageStatus::Complete {
            write!(self.out, " ({})", status(message.status))?;
        }
        writeln!(self.out)?;
        for line in harmless(&message.text).lines() {
            writeln!(self.out, "    {line}")?;
        }
        // Less than what was said, so that nothing said can look like it.
        for line in harmless(&sources(message).unwrap_or_default()).lines() {
            writeln!(self.out, "  Source: {line}")?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush()
    }
}

/// What stands at the head of a transcript, here and in HTML.
pub(super) fn facts(log: &Log, local: &Local) -> Vec<(&'static str, String)> {
    let usage = log.usage.as_ref();
    let zoned = |at: u64| format!("{} ({})", local.plain(at), local.zone());
    [
        ("Started", Some(zoned(log.created_at))),
        ("Ended", log.ended_at.map(zoned)),
        ("Duration", log.duration_ms.map(|ms| format!("{} s", seconds(ms)))),
        ("Status", Some(log.status.name().to_owned())),
        ("End reason", log.end_reason.map(|reason| reason.name().to_owned())),
        ("Campaign", log.campaign.clone().or_else(|| log.campaign_id.clone())),
        ("Widget", log.widget_id.as_ref().map(ToString::to_string)),
        ("Page", log.page_origin.clone()),
        ("Channel", Some(log.channel.clone())),
        ("Provider", Some(log.provider.clone())),
        ("Cost", log.cost.as_ref().map(|cost| format!("{cost} USD"))),
        ("Equivalent minutes", usage.map(|usage| usage.formula())),
        ("Billed", usage.map(|usage| if usage.billed { "yes" } else { "no" }.to_owned())),
        (
            "Note",
            log.webhook_missing
                .then(|| "the provider's webhook seems not to be configured".to_owned()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// Control characters become their pictures (U+2400…); line breaks of every kind become `\n`.
pub(super) fn harmless(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            '\u{7f}' => '\u{2421}',
            '\u{80}'..='\u{9f}' => '\u{fffd}',
            c if u32::from(c) < 0x20 => {
                char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            c => c,
        })
        .collect()
}
