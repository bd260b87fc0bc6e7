//! Server-sent events: an incremental decoder and an encoder.
//!
//! Source: WHATWG HTML, "Server-sent events", sections 9.2.5 (parsing) and 9.2.6 (interpretation).
//! The widget reads our streams with it, the engine reads those of OpenAI-compatible models.
//! Beyond the standard: an event that ends with the connection instead of a blank line is kept by
//! [`Decoder::finish`], because some model servers forget the last newline; and a line is bounded,
//! because what comes in from the network is.

/// One decoded event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The last `id` seen on the stream up to this event; empty when there was none.
    pub id: String,
    /// The `event` field; empty means `message`.
    pub event: String,
    /// All `data` lines, joined by newlines.
    pub data: String,
}

/// An event was longer than the decoder's bound; the stream cannot be trusted any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Turns bytes, in pieces of any size, into events.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    current: Event,
    has_data: bool,
    after_cr: bool,
    started: bool,
    limit: usize,
}

impl Decoder {
    /// A decoder that refuses events of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            current: Event::default(),
            has_data: false,
            after_cr: false,
            started: false,
            limit,
        }
    }

    /// Takes the next bytes and hands every event they complete to `sink`.
    ///
    /// # Errors
    /// [`TooLong`] when one event exceeds the limit; nothing more can be read then.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Event)) -> Result<(), TooLong> {
        for &byte in bytes {
            let follows_cr = std::mem::take(&mut self.after_cr);
            match byte {
                // CR LF is one line end; the CR has ended the line already.
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    if let Some(event) = self.end_line() {
                        sink(event);
                    }
                }
                _ => {
                    if self.line.len() + self.current.data.len() >= self.limit {
                        return Err(TooLong);
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(())
    }

    /// The connection is closed: the event that was waiting for its blank line, if any.
    #[must_use]
    pub fn finish(mut self) -> Option<Event> {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.end_event()
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut text = String::from_utf8_lossy(&line);
        if !self.started {
            self.started = true;
            if let Some(rest) = text.strip_prefix('\u{feff}') {
                text = rest.to_owned().into();
            }
        }
        if text.is_empty() {
            return self.end_event();
        }
        let (field, value) = match text.split_once(':') {
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (text.as_ref(), ""),
        };
        match field {
            "data" => {
                if self.has_data {
                    self.current.data.push('\n');
                }
                self.has_data = true;
                self.current.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.current.event),
            "id" if !value.contains('\0') => value.clone_into(&mut self.current.id),
            _ => {}
        }
        // Keep the line's buffer: a stream has thousands of lines.
        let mut line = line;
        line.clear();
        self.line = line;
        None
    }

    fn end_event(&mut self) -> Option<Event> {
        let event = Event {
            id: self.current.id.clone(),
            event: std::mem::take(&mut self.current.event),
            data: std::mem::take(&mut self.current.data),
        };
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

/// Appends one event to `out`. `id` and `event` are left out when empty.
///
/// `data` may hold newlines; each becomes a `data` line of its own, as the standard wants.
pub fn encode(out: &mut String, id: &str, event: &str, data: &str) {
    for (field, value) in [("id", id), ("event", event)] {
        if !value.is_empty() {
            out.push_str(field);
            out.push_str(": ");
            out.extend(value.chars().filter(|c| !matches!(c, '\n' | '\r' | '\0')));
            out.push('\n');
        }
    }
    for line in data.split('\n') {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Event, TooLong, encode};
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Vec<Event> {
        let mut decoder = Decoder::new(1 << 20);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, |event| events.push(event)).unwrap();
        }
        events.extend(decoder.finish());
        events
    }

    fn event(id: &str, name: &str, data: &str) -> Event {
        Event { id: id.into(), event: name.into(), data: data.into() }
    }

    #[test]
    fn the_standards_own_examples() {
        let cases: &[(&str, Vec<Event>)] = &[
            ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![event("", "", "YHOO\n+2\n10")]),
            (
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
                vec![
                    event("1", "", "first event"),
                    event("", "", "second event"),
                    event("", "", " third event"),
                ],
            ),
            (
                "data\n\ndata\ndata\n\ndata:",
                vec![event("", "", ""), event("", "", "\n"), event("", "", "")],
            ),
            ("data:test\n\ndata: test\n\n", vec![event("", "", "test"), event("", "", "test")]),
        ];
        for (text, expected) in cases {
            assert_eq!(&decode(&[text.as_bytes()]), expected, "{text:?}");
        }
    }

    #[test]
    fn line_ends_bom_comments_unknown_fields_and_a_missing_last_newline() {
        let cases: &[(&str, Vec<Event>)] = &[
            (
                "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
                vec![event("", "", "a"), event("", "", "b"), event("", "", "c")],
            ),
            ("\u{feff}data: a\n\n", vec![event("", "", "a")]),
            (": ping\n\nretry: 5\nfoo: bar\n\n", vec![]),
            ("event: done\ndata: [DONE]", vec![event("", "done", "[DONE]")]),
            ("id: 1\ndata: a\n\ndata: b\n\n", vec![event("1", "", "a"), event("1", "", "b")]),
            ("id: a\0b\ndata: x\n\n", vec![event("", "", "x")]),
        ];
        for (text, expected) in cases {
            assert_eq!(&decode(&[text.as_bytes()]), expected, "{text:?}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut decoder = Decoder::new(100);
        assert_eq!(decoder.push(&[b'a'; 101], |_| {}), Err(TooLong));
        let mut decoder = Decoder::new(100);
        let lines = "data: 0123456789\n".repeat(20);
        assert_eq!(decoder.push(lines.as_bytes(), |_| {}), Err(TooLong));
    }

    proptest! {
        #[test]
        fn events_survive_the_wire_however_it_is_cut(
            // CR cannot stand inside a data line; JSON never holds a raw one.
            events in prop::collection::vec(("[0-9-]{0,8}", "[a-z]{0,6}", "[^\r]{0,40}"), 1..6),
            cuts in prop::collection::vec(1_usize..9, 0..200),
        ) {
            let mut wire = String::new();
            let mut expected = Vec::new();
            let mut last_id = String::new();
            for (id, name, data) in events {
                encode(&mut wire, &id, &name, &data);
                if !id.is_empty() {
                    last_id = id;
                }
                expected.push(Event { id: last_id.clone(), event: name, data });
            }
            let mut rest = wire.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            pieces.push(rest);
            prop_assert_eq!(decode(&pieces), expected);
        }

        #[test]
        fn no_bytes_panic_the_decoder(bytes: Vec<u8>) {
            let mut decoder = Decoder::new(64);
            let _ = decoder.push(&bytes, |_| {});
            let _ = decoder.finish();
        }
    }
}
