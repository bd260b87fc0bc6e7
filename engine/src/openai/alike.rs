//! Events that are alike. The chunks of an answer differ only in the word they carry: what stands
//! before and behind it is the same, byte by byte, hundreds of times. Once such a chunk has been
//! understood, the next one is compared where it lies instead of decoded and parsed. It is the same
//! JSON in the same lines with another string in it, so nothing else can come of it; what differs
//! anywhere else is read as always.

/// What begins an event that is compared.
const FIELD: &str = "data: ";

/// What ends it.
const ENDS: [&str; 2] = ["\n\n", "\r\n\r\n"];

/// The event that was understood last, without its words.
#[derive(Debug, Default)]
pub(super) struct Alike {
    before: String,
    behind: String,
}

impl Alike {
    /// The words of the event at the front of `bytes`, and what follows it, when it is the learned one
    /// with other words in it.
    pub(super) fn take<'a>(&self, bytes: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
        if self.before.is_empty() {
            return None;
        }
        let rest = bytes.strip_prefix(self.before.as_bytes())?;
        // Where the JSON string ends, or is not what it says; `behind` begins with a quotation mark.
        let (words, rest) = rest.split_at(memchr::memchr2(b'"', b'\\', rest)?);
        let after = rest.strip_prefix(self.behind.as_bytes())?;
        // Control characters have no place in JSON. All are looked at, because that goes in blocks.
        let is_json = !words.iter().fold(false, |any, &byte| any | (byte < b' '));
        let words = Some(words).filter(|words| is_json && !words.is_empty())?;
        Some((std::str::from_utf8(words).ok()?, after))
    }

    /// Remembers the event at the front of `bytes`, whose data said `words` and nothing else that
    /// counts. Only where these are a string of it as it stands, without escapes, and the data is one
    /// line and all of it.
    pub(super) fn learn(&mut self, bytes: &[u8], data: &str, words: &str) {
        self.before.clear();
        self.behind.clear();
        let start = (words.as_ptr() as usize).checked_sub(data.as_ptr() as usize);
        let parts = start.and_then(|start| {
            let (before, rest) = data.split_at_checked(start)?;
            Some((before, rest.strip_prefix(words)?))
        });
        let lines = bytes.strip_prefix(FIELD.as_bytes());
        let end = lines
            .and_then(|lines| lines.strip_prefix(data.as_bytes()))
            .and_then(|after| ENDS.into_iter().find(|end| after.starts_with(end.as_bytes())));
        if let (Some((before, behind)), Some(end)) = (parts, end)
            && before.ends_with('"')
            && behind.starts_with('"')
        {
            self.before.extend([FIELD, before]);
            self.behind.extend([behind, end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Alike;
    use proptest::prelude::*;

    const EVENT: &str = r#"{"id":"say","a":{"n":1,"say":"one"},"z":"one"}"#;

    /// What an event says, to a parser that knows nothing of others.
    fn parsed(event: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(event).ok()?;
        value["a"]["say"].as_str().map(str::to_owned)
    }

    /// Having learned the event, ended like this.
    fn learned(end: &str) -> Alike {
        let start = EVENT.find("one").unwrap();
        let mut alike = Alike::default();
        alike.learn(format!("data: {EVENT}{end}").as_bytes(), EVENT, &EVENT[start..start + 3]);
        alike
    }

    /// The event, ended like this, with `words` in it.
    fn saying(words: &str, end: &str) -> String {
        format!("data: {}{end}", EVENT.replacen("one", words, 1))
    }

    #[test]
    fn only_the_words_may_differ() {
        for end in ["\n\n", "\r\n\r\n"] {
            let alike = learned(end);
            for words in ["one", " zwei é"] {
                let event = saying(words, end) + "data: x";
                assert_eq!(alike.take(event.as_bytes()), Some((words, &b"data: x"[..])));
            }
            for other in [
                saying("", end),
                saying(r"\n", end),
                saying(r#"","say":"#, end),
                saying("\u{1}", end),
                saying("one", "\n"),
                saying("one", " \n\n"),
                saying("one", end).replacen('1', "2", 1),
                saying("one", end).replacen("data: ", "data:", 1),
                saying("one", end)[1..].to_owned(),
                String::new(),
            ] {
                assert_eq!(alike.take(other.as_bytes()), None, "{other}");
            }
            let mut broken = saying("?", end).into_bytes();
            broken.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
            assert_eq!(alike.take(&broken), None);
        }
        assert_eq!(Alike::default().take(b"\n"), None);
    }

    #[test]
    fn what_is_no_string_of_one_whole_line_is_not_learned() {
        let start = EVENT.find("one").unwrap();
        let words = &EVENT[start..start + 3];
        let event = saying("one", "\n\n");
        for (bytes, words) in [
            (&*event, "one".to_owned().as_str()),
            (&*event, &EVENT[1..3]),
            (&*event, &EVENT[..0]),
            ("", words),
            (&event[1..], words),
            (&event[..event.len() - 1], words),
            (&*saying("one", "\ndata: x\n\n"), words),
            (&*saying("two", "\n\n"), words),
        ] {
            let mut alike = learned("\n\n");
            alike.learn(bytes.as_bytes(), EVENT, words);
            assert_eq!(alike.take(event.as_bytes()), None, "{bytes:?} {words:?}");
        }
    }

    proptest! {
        /// Whatever stands where the word stood: what is taken without parsing is what parsing gives.
        #[test]
        fn what_is_compared_is_what_is_parsed(words in "[\\PC\"\\\\\u{0}-\u{1f}n]{0,12}") {
            let event = saying(&words, "\n\n");
            if let Some((words, after)) = learned("\n\n").take(event.as_bytes()) {
                let data = event.strip_prefix("data: ").unwrap().trim_end();
                prop_assert_eq!(parsed(data), Some(words.to_owned()));
                prop_assert!(after.is_empty());
            }
        }
    }
}
