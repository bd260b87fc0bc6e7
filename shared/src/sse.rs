//! Server-sent events: an incremental decoder and an encoder.
//!
//! Source: WHATWG HTML, "Server-sent events", sections 9.2.5 (parsing) and 9.2.6 (interpretation).
//! The widget reads our streams with it, the engine reads those of OpenAI-compatible models.
//! Beyond the standard: an event that ends with the connection instead of a blank line is kept by
//! [`Decoder::finish`], because some model servers forget the last newline; and a line is bounded,
//! because what comes in from the network is.

use std::borrow::Cow;

/// One decoded event; it lives as long as the call that hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The last `id` seen on the stream up to this event; empty when there was none.
    pub id: &'a str,
    /// The `event` field; empty means `message`.
    pub event: &'a str,
    /// All `data` lines, joined by newlines.
    pub data: &'a str,
}

/// An event was longer than the decoder's bound; the stream cannot be trusted any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Turns bytes, in pieces of any size, into events.
///
/// A model's stream is thousands of small events, so a line is read where it lies, only one that a
/// piece cuts is kept, and what an event is made of is used again for the next.
#[derive(Debug)]
pub struct Decoder {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    id: String,
    event: String,
    data: String,
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
            id: String::new(),
            event: String::new(),
            data: String::new(),
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
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Event<'_>)) -> Result<(), TooLong> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.event(rest, &mut sink)?;
        }
        Ok(())
    }

    /// Takes the bytes up to the end of the next event, or all, and hands that event to `sink`; gives
    /// the rest.
    ///
    /// # Errors
    /// [`TooLong`] when the event exceeds the limit; nothing more can be read then.
    pub fn event<'a>(
        &mut self,
        bytes: &'a [u8],
        sink: impl FnMut(Event<'_>),
    ) -> Result<&'a [u8], TooLong> {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            // CR LF is one line end; the CR has ended the line already.
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = after;
                continue;
            }
            let (part, end) = rest.split_at(line_length(rest));
            let length = self.line.len() + part.len();
            if length > 0 && length + self.data.len() > self.limit {
                return Err(TooLong);
            }
            if end.is_empty() || !self.line.is_empty() {
                self.line.extend_from_slice(part);
            }
            let Some((end, after)) = end.split_first() else { return Ok(&[]) };
            self.after_cr = *end == b'\r';
            rest = after;
            let mut kept = std::mem::take(&mut self.line);
            let is_over = self.end_line(if kept.is_empty() { part } else { &kept });
            // Keep the line's buffer: a stream has thousands of lines.
            kept.clear();
            self.line = kept;
            if is_over {
                self.end_event(sink);
                break;
            }
        }
        // All of a line end, so that the next event begins the rest.
        match rest.split_first() {
            Some((b'\n', after)) if std::mem::take(&mut self.after_cr) => Ok(after),
            _ => Ok(rest),
        }
    }

    /// Whether what comes next begins an event, or is what is left of a line end.
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && !self.has_data && self.event.is_empty()
    }

    /// The connection is closed: hands over the event that was waiting for its blank line, if any.
    pub fn finish(mut self, sink: impl FnMut(Event<'_>)) {
        let line = std::mem::take(&mut self.line);
        self.end_line(&line);
        self.end_event(sink);
    }

    /// Takes a line; whether it is blank and so ends the event.
    fn end_line(&mut self, line: &[u8]) -> bool {
        let line = text(line);
        let mut line = line.as_ref();
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return true;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            _ => {}
        }
        false
    }

    fn end_event(&mut self, mut sink: impl FnMut(Event<'_>)) {
        if std::mem::take(&mut self.has_data) {
            sink(Event { id: &self.id, event: &self.event, data: &self.data });
        }
        self.event.clear();
        self.data.clear();
    }
}

/// How many bytes stand before the next line end, or all.
fn line_length(bytes: &[u8]) -> usize {
    let is_end = |byte: u8| byte == b'\n' || byte == b'\r';
    // Without a way out in its middle, a block is compared in a few steps and not byte by byte.
    let is_clear = |block: &&[u8; 32]| !block.iter().fold(false, |any, &byte| any | is_end(byte));
    let clear = bytes.as_chunks().0.iter().take_while(is_clear).count() * 32;
    clear + bytes.iter().skip(clear).take_while(|&&byte| !is_end(byte)).count()
}

/// What is not UTF-8 becomes replacement characters, as the standard wants.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Looks at eight bytes at a time where `from_utf8_lossy` looks at one.
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Appends one event to `out`: the `id` that one function appends, unless there is none, and the data
/// that the other does.
///
/// Neither may hold a line end or NUL; JSON does not.
pub fn encode(
    out: &mut Vec<u8>,
    id: Option<impl FnOnce(&mut Vec<u8>)>,
    data: impl FnOnce(&mut Vec<u8>),
) {
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        id(out);
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    let begin = out.len();
    data(out);
    debug_assert!(!out.iter().skip(begin).any(|byte| matches!(byte, b'\n' | b'\r' | b'\0')));
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Event, TooLong, encode};
    use proptest::prelude::*;

    /// Id, name and data of an event, kept.
    type Kept = (String, String, String);

    /// The events of all pieces, or those before the one that was too long.
    fn decode_within(limit: usize, pieces: &[&[u8]]) -> (Vec<Kept>, Result<(), TooLong>) {
        let mut decoder = Decoder::new(limit);
        let mut events = Vec::new();
        let mut keep = |got: Event<'_>| events.push(event(got.id, got.event, got.data));
        let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut keep));
        if pushed.is_ok() {
            decoder.finish(keep);
        }
        (events, pushed)
    }

    fn decode(pieces: &[&[u8]]) -> Vec<Kept> {
        let (events, pushed) = decode_within(1 << 20, pieces);
        assert_eq!(pushed, Ok(()));
        events
    }

    fn event(id: &str, name: &str, data: &str) -> Kept {
        (id.into(), name.into(), data.into())
    }

    fn cut(bytes: &[u8], lengths: impl IntoIterator<Item = usize>) -> Vec<&[u8]> {
        let mut rest = bytes;
        let mut pieces = Vec::new();
        for length in lengths {
            let (head, tail) = rest.split_at(length.min(rest.len()));
            pieces.push(head);
            rest = tail;
        }
        pieces.push(rest);
        pieces
    }

    /// Bytes of which many mean something to a decoder.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let word = prop::sample::select(vec![
            "data",
            "event",
            "id",
            ":",
            ": ",
            "\n",
            "\r",
            "\r\n",
            "\n\n",
            "\0",
            "\u{feff}",
            "ä",
            "data: longer than a block of bytes that is compared at once\n",
        ]);
        let piece = prop_oneof![
            4 => word.prop_map(|word| word.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn the_standards_own_examples() {
        let cases: &[(&str, Vec<Kept>)] = &[
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
        let cases: &[(&str, Vec<Kept>)] = &[
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

    /// A few lines and parts of lines, as one read might give them.
    fn lines() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "data: one\n",
            "data: two\n\n",
            "data: \n\n",
            "da",
            "event: e\n",
            "id: 1\n",
            "\n",
            "\r",
            "\u{feff}",
        ]);
        prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn events_survive_the_wire_however_it_is_cut(
            events in prop::collection::vec(("[0-9-]{0,8}", "[^\r\n\0]{0,40}"), 1..6),
            cuts in prop::collection::vec(1_usize..9, 0..200),
        ) {
            let mut wire = Vec::new();
            let mut expected = Vec::new();
            let mut last_id = String::new();
            for (id, data) in events {
                let append = |text: &str| {
                    let bytes = text.as_bytes().to_vec();
                    move |wire: &mut Vec<u8>| wire.extend(bytes)
                };
                encode(&mut wire, (!id.is_empty()).then(|| append(&id)), append(&data));
                if !id.is_empty() {
                    last_id = id;
                }
                expected.push(event(&last_id, "", &data));
            }
            prop_assert_eq!(decode(&cut(&wire, cuts)), expected);
        }

        #[test]
        fn where_bytes_are_cut_changes_nothing(
            bytes in stream(),
            cuts in prop::collection::vec(0_usize..9, 0..200),
            limit in 0_usize..120,
        ) {
            let pieces = cut(&bytes, cuts);
            for limit in [limit, 1 << 20] {
                prop_assert_eq!(decode_within(limit, &pieces), decode_within(limit, &[&bytes]));
            }
        }

        #[test]
        fn events_come_one_by_one_and_between_them_nothing_is_kept(
            pieces in prop::collection::vec(lines(), 0..8),
            limit in 1_usize..40,
        ) {
            let pieces: Vec<_> = pieces.iter().map(String::as_bytes).collect();
            let mut decoder = Decoder::new(limit);
            let mut events = Vec::new();
            let mut one_by_one = |decoder: &mut Decoder, piece| -> Result<(), TooLong> {
                let mut rest = piece;
                while !<[u8]>::is_empty(rest) {
                    let known = events.len();
                    rest = decoder.event(rest, |got| {
                        events.push(event(got.id, got.event, got.data));
                    })?;
                    assert!(events.len() <= known + 1);
                    assert!(rest.is_empty() || decoder.is_between_events());
                }
                Ok(())
            };
            let pushed = pieces.iter().try_for_each(|piece| one_by_one(&mut decoder, piece));
            if pushed.is_ok() {
                decoder.finish(|got| events.push(event(got.id, got.event, got.data)));
            }
            prop_assert_eq!((events, pushed), decode_within(limit, &pieces));
        }

        #[test]
        fn no_bytes_panic_the_decoder(bytes: Vec<u8>) {
            let mut decoder = Decoder::new(64);
            let _ = decoder.push(&bytes, |_| {});
            decoder.finish(|_| {});
        }
    }
}
