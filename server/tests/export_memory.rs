//! A million messages through every format: the process must not grow with the file. A test of
//! memory, not of time. Its own binary, because it looks at the memory of the whole process.

#![cfg(target_os = "linux")]

use banter_server::export::{Options, renderer, time_zone, wants_messages};
use banter_shared::message::{Message, MessageStatus, Role};
use banter_shared::owner::export::ExportFormat;
use banter_shared::owner::log::{Log, LogStatus};
use std::io::Write;

/// In all, for each format.
const MESSAGES: u32 = 1_000_000;
/// One of the conversations is this long; the others share the rest.
const LONGEST: u32 = 100_000;
/// What a format may need at its worst, in KiB: buffers, compression, nothing that grows.
const ROOM: u64 = 12 * 1024;

/// Takes everything and keeps nothing but the count.
struct Nowhere<'a>(&'a mut u64);

impl Write for Nowhere<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The most memory this process ever held, in KiB.
#[cfg(test)]
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(test)]
fn log(n: u32) -> Log {
    Log {
        id: format!("log-{n}").into(),
        status: LogStatus::Active,
        end_reason: None,
        channel: "chat".into(),
        provider: "engine".into(),
        provider_session: None,
        account_id: None,
        campaign_id: None,
        campaign: None,
        widget_id: Some("demo".into()),
        page_origin: None,
        language: None,
        continues: None,
        created_at: 1_795_000_000_000 + u64::from(n),
        active_at: None,
        ended_at: None,
        duration_ms: None,
        visitor_messages: 5,
        assistant_messages: 5,
        cost: None,
        cost_source: None,
        finalized_at: None,
        usage: None,
        webhook_missing: false,
    }
}

/// Renders `messages` messages and returns how many bytes that made.
#[cfg(test)]
fn render(format: ExportFormat, messages: u32) -> u64 {
    let mut bytes = 0;
    let options = Options { time_zone: time_zone("Europe/Berlin").unwrap(), bom: true };
    let mut renderer = renderer(format, options, Nowhere(&mut bytes)).unwrap();
    // All different, as they would be: nothing may be remembered to be written once.
    let mut message = Message {
        id: "m".into(),
        role: Role::Visitor,
        text: String::new(),
        status: MessageStatus::Complete,
        created_at: 1_795_000_000_000,
        attempt: 0,
        sources: Vec::new(),
        error: None,
    };
    for n in 0..messages {
        if n == 0 || (n >= LONGEST && n % 10 == 0) {
            renderer.log(&log(n)).unwrap();
        }
        if wants_messages(format) {
            message.id.0 = format!("m-{n}");
            message.text =
                format!("=Where is my order number {n}? I have been waiting, & <b>so</b> on.");
            renderer.message(&message).unwrap();
        }
    }
    renderer.finish().unwrap();
    bytes
}

#[test]
fn a_million_messages_need_no_more_memory_than_a_thousand() {
    for (name, format) in ExportFormat::NAMES {
        // Whatever is made once and kept, such as the rules of the time zone.
        render(format, 1_000);
        let before = high_water();
        let begun = std::time::Instant::now();
        let bytes = render(format, MESSAGES);
        let grown = high_water() - before;
        println!("{name}: {bytes} bytes, {grown} KiB more, {:.1?}", begun.elapsed());
        // The file itself is larger than the room, or the test would show nothing.
        assert!(bytes / 1024 > ROOM || format == ExportFormat::Csv, "{name}: {bytes} bytes");
        assert!(grown < ROOM, "{name} grew by {grown} KiB for {bytes} bytes");
    }
}
