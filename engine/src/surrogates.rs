//! Characters that were cut in half: a program whose strings are UTF-16 may cut between the two
//! halves of an emoji, and JSON then holds `\ud83d` in one place and `\ude00` in another, or nowhere.
//! Such an escape is no character, and JSON readers refuse all that it stands in.
//!
//! Source: RFC 8259, section 8.2, which allows such texts and leaves open what they mean.

use std::mem;

/// What a half that belongs to nothing becomes (U+FFFD).
const UNKNOWN: &str = "\\ufffd";

/// Joins halves within and between the JSON texts it is shown, in their order.
#[derive(Debug, Default)]
pub struct Surrogates {
    /// The first half, with which an earlier text ended.
    high: Option<[u8; 4]>,
}

impl Surrogates {
    /// `json` with only whole characters; `None` if it has no others. A second half completes the
    /// first one that an earlier text had; a first half is held back for the next text.
    pub fn mend(&mut self, json: &str) -> Option<String> {
        let mut mended = String::new();
        let (mut seen, mut done) = (0, 0);
        while let Some(at) = json[seen..].find('\\') {
            let here = seen + at;
            let (kind, len) = kind(&json[here..]);
            seen = here + len;
            if matches!(kind, Kind::High(_) | Kind::Low(_)) {
                mended.push_str(&json[done..here]);
                done = seen;
            }
            match kind {
                Kind::High(digits) => {
                    if self.high.replace(digits).is_some() {
                        mended.push_str(UNKNOWN);
                    }
                }
                Kind::Low(digits) => match mem::take(&mut self.high) {
                    Some(high) => {
                        for half in [high, digits] {
                            mended.push_str("\\u");
                            mended.extend(half.map(char::from));
                        }
                    }
                    None => mended.push_str(UNKNOWN),
                },
                Kind::Whole => {}
            }
        }
        (done > 0).then(|| mended + &json[done..])
    }
}

enum Kind {
    /// A first half without its second.
    High([u8; 4]),
    /// A second half without its first.
    Low([u8; 4]),
    /// Anything else.
    Whole,
}

/// What the escape is that `text` begins with, and how long.
fn kind(text: &str) -> (Kind, usize) {
    let bytes = text.as_bytes();
    let whole = |len| (Kind::Whole, text.floor_char_boundary(len));
    let Some((digits, unit)) = unit(bytes) else { return whole(2) };
    match unit {
        0xd800..=0xdbff => match unit_after(bytes) {
            Some(0xdc00..=0xdfff) => whole(12),
            _ => (Kind::High(digits), 6),
        },
        0xdc00..=0xdfff => (Kind::Low(digits), 6),
        _ => whole(6),
    }
}

/// The digits and the value of the `\uXXXX` that `bytes` begin with.
fn unit(bytes: &[u8]) -> Option<([u8; 4], u16)> {
    let digits: [u8; 4] = bytes.strip_prefix(b"\\u")?.get(..4)?.try_into().ok()?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let value = u16::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
    Some((digits, value))
}

/// The value of the escape behind the first.
fn unit_after(bytes: &[u8]) -> Option<u16> {
    unit(bytes.get(6..)?).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::Surrogates;
    use proptest::prelude::*;

    fn mend(texts: &[&str]) -> Vec<Option<String>> {
        let mut surrogates = Surrogates::default();
        texts.iter().map(|text| surrogates.mend(text)).collect()
    }

    #[test]
    fn halves_are_joined_or_replaced() {
        for (texts, mended) in [
            (&[r#"{"a":"\ud83d\ude00\n"}"#][..], &[None][..]),
            (&[r#""\\ud83d""#], &[None]),
            (
                &[r#""Hi \ud83d""#, r#""\uDE00 you""#],
                &[Some(r#""Hi ""#), Some(r#""\ud83d\uDE00 you""#)],
            ),
            (
                &[r#""\ud83d""#, r#""x""#, r#""\ude00""#],
                &[Some(r#""""#), None, Some(r#""\ud83d\ude00""#)],
            ),
            (&[r#""\ude00""#], &[Some(r#""\ufffd""#)]),
            (
                &[r#""\ud83d a \ud83d""#, r#""\ude00""#],
                &[Some(r#"" a \ufffd""#), Some(r#""\ud83d\ude00""#)],
            ),
            (&[r#""\ud83dé\"""#], &[Some(r#""é\"""#)]),
            (&[r#""\ud83"#, r#""\u"#, r#"\"#, r#""\é""#], &[None, None, None, None]),
        ] {
            let expected: Vec<_> = mended.iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(mend(texts), expected, "{texts:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_texts_are_left_alone(text in "\\PC{0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Surrogates::default().mend(&json), None);
        }

        #[test]
        fn what_was_mended_can_be_read(text in r#"([a-zé😀]|\\ud8[0-9a-f]{2}|\\udc[0-9a-f]{2}|\\n|\\\\){0,12}"#) {
            let json = format!("\"{text}\"");
            let mended = Surrogates::default().mend(&json).unwrap_or(json);
            prop_assert!(serde_json::from_str::<String>(&mended).is_ok(), "{}", mended);
        }
    }
}
