//! Events that are alike. The chunks of an answer differ only in the word they carry: what stands
//! before and behind it is the same, byte by byte, hundreds of times. Once such a chunk has been
//! understood, the next one is compared instead of parsed. It is the same
//! JSON with another string in it, so nothing else can come of it; what differs anywhere else is
//! parsed as always.

/// The event that was understood last, without its words.
#[derive(Debug, Default)]
pub(super) struct Alike {
    before: String,
    behind: String,
}

impl Alike {
    /// The words of `event`, when it is the learned one with other words in it.
    pub(super) fn words<'a>(&self, event: &'a str) -> Option<&'a str> {
        if self.before.is_empty() {
            return None;
        }
        let words = event.strip_prefix(&self.before)?.strip_suffix(&self.behind)?;
        // What is not itself in a JSON string, or ends it.
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        (!words.is_empty() && words.bytes().all(is_plain)).then_some(words)
    }

    /// Remembers `event`, which said `words` and nothing else that counts. Only where these are a
    /// string of it as it stands, without escapes.
    pub(super) fn learn(&mut self, event: &str, words: &str) {
        self.before.clear();
        self.behind.clear();
        let start = (words.as_ptr() as usize).checked_sub(event.as_ptr() as usize);
        let parts = start.and_then(|start| {
            let (before, rest) = event.split_at_checked(start)?;
            Some((before, rest.strip_prefix(words)?))
        });
        if let Some((before, behind)) = parts
            && before.ends_with('"')
            && behind.starts_with('"')
        {
            self.before.push_str(before);
            self.behind.push_str(behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Alike;
    use proptest::prelude::*;

    /// What an event says, to a parser that knows nothing of others.
    fn parsed(event: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(event).ok()?;
        value["a"]["say"].as_str().map(str::to_owned)
    }

    fn learned() -> (Alike, String) {
        let event = r#"{"id":"say","a":{"n":1,"say":"one"},"z":"one"}"#.to_owned();
        let start = event.find("one").unwrap();
        let mut alike = Alike::default();
        alike.learn(&event, &event[start..start + 3]);
        (alike, event)
    }

    #[test]
    fn only_the_words_may_differ() {
        let (alike, event) = learned();
        assert_eq!(alike.words(&event), Some("one"));
        assert_eq!(alike.words(&event.replacen("one", " zwei é", 1)), Some(" zwei é"));
        for other in [
            event.replacen("one", "", 1),
            event.replacen("one", r"\n", 1),
            event.replacen("one", r#"","say":"#, 1),
            event.replacen("one", "\u{1}", 1),
            event.replacen("1", "2", 1),
            format!("{event} "),
            event[1..].to_owned(),
            String::new(),
        ] {
            assert_eq!(alike.words(&other), None, "{other}");
        }
        assert_eq!(Alike::default().words(""), None);
    }

    #[test]
    fn what_is_no_string_of_the_event_is_not_learned() {
        let (mut alike, event) = learned();
        for words in ["one".to_owned().as_str(), &event[1..3], &event[..0]] {
            alike.learn(&event, words);
            assert_eq!(alike.words(&event), None, "{words:?}");
        }
    }

    proptest! {
        /// Whatever stands where the word stood: what is taken without parsing is what parsing gives.
        #[test]
        fn what_is_compared_is_what_is_parsed(words in "[\\PC\"\\\\\u{0}-\u{1f}n]{0,12}") {
            let (alike, event) = learned();
            let event = event.replacen("one", &words, 1);
            if let Some(words) = alike.words(&event) {
                prop_assert_eq!(parsed(&event), Some(words.to_owned()));
            }
        }
    }
}
