//! Secrets that are known, found in whatever form somebody quotes them: as they are, in
//! hexadecimal, in base64 wherever in its bytes they begin, and percent-encoded.
//!
//! All forms are looked for at once, however many secrets there are. Base64 that is broken into
//! lines, and hexadecimal or base64 of another encoding, are not seen through.

use aho_corasick::{AhoCorasick, BuildError};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The shortest secret that is looked for, in bytes: the empty one would be found between any two
/// letters, and short ones are words. In base64 it still has ten characters of its own.
const MIN_SECRET: usize = 8;

/// Finds known secrets.
#[derive(Clone)]
pub struct Known {
    /// Holds them readable for as long as the server runs, as its settings do. Never printed.
    forms: AhoCorasick,
    /// Forms from this one on are base64.
    first_base64: usize,
}

impl Known {
    /// Knows each of `secrets` but for those of less than eight bytes, which are words.
    ///
    /// # Errors
    /// When they are too much to be searched for.
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Result<Self, BuildError> {
        let (mut forms, mut base64) = (Vec::new(), Vec::new());
        for secret in secrets {
            let secret = secret.expose_secret().trim();
            if secret.len() < MIN_SECRET {
                continue;
            }
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            // A space as a page's form encodes it; what it writes as `%41` is decoded.
            forms.extend([secret.replace(' ', "+"), secret.to_owned(), hex.to_uppercase(), hex]);
            base64.extend(in_base64(secret.as_bytes()));
        }
        let first_base64 = forms.len();
        Ok(Self { forms: AhoCorasick::new(forms.into_iter().chain(base64))?, first_base64 })
    }

    /// `text` with `mask` in place of each known secret.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str, mask: &str) -> Cow<'a, str> {
        let mut found = self.found(text.as_bytes());
        if text.contains('%') {
            let (bytes, starts) = percent_decoded(text);
            let within = self.found(&bytes).into_iter();
            found.extend(within.map(|range| starts[range.start]..starts[range.end]));
        }
        if found.is_empty() {
            return text.into();
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut clean = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            if range.start >= end {
                clean.push_str(&text[end..range.start]);
                clean.push_str(mask);
            }
            end = end.max(range.end);
        }
        clean.push_str(&text[end..]);
        clean.into()
    }

    /// Where secrets stand, also those that stand across each other.
    fn found(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for form in self.forms.find_overlapping_iter(text) {
            let is_seen =
                |last: &Range<usize>| last.start <= form.start() && form.end() <= last.end;
            if !found.last().is_some_and(is_seen) {
                let is_base64 = form.pattern().as_usize() >= self.first_base64;
                found.push(if is_base64 { run(text, form.range()) } else { form.range() });
            }
        }
        found
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it searches with spells out what it searches for.
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

/// A secret in base64 with nothing, one byte and two bytes before it, each in both alphabets;
/// without the characters at its ends that say something of its neighbours too.
fn in_base64(secret: &[u8]) -> impl Iterator<Item = String> {
    (0..3).flat_map(move |before| {
        let bytes = [&[0; 2][..before], secret].concat();
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        let (standard, url_safe) = (STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes));
        let url_safe = (url_safe != standard).then_some(url_safe);
        std::iter::once(standard)
            .chain(url_safe)
            .map(move |encoded| encoded[own.clone()].to_owned())
    })
}

/// The whole base64 around a part of it: the characters beside the part tell of its ends.
fn run(text: &[u8], part: Range<usize>) -> Range<usize> {
    let is_other = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte);
    let start = text[..part.start].iter().rposition(is_other).map_or(0, |at| at + 1);
    let length = text[part.end..].iter().position(is_other);
    let end = length.map_or(text.len(), |length| part.end + length);
    let padding = text[end..].iter().take_while(|byte| **byte == b'=').count();
    start..end + padding
}

/// `text` with every `%41` decoded, and where in `text` each byte begins; last, where it ends.
fn percent_decoded(text: &str) -> (Vec<u8>, Vec<usize>) {
    let digit = |at: usize| char::from(*text.as_bytes().get(at)?).to_digit(16);
    let (mut bytes, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        starts.push(at);
        let encoded = (*byte == b'%').then(|| digit(at + 1).zip(digit(at + 2))).flatten();
        let encoded = encoded.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(encoded.unwrap_or(*byte));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    starts.push(at);
    (bytes, starts)
}

#[cfg(test)]
mod tests {
    use super::Known;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    const MASK: &str = "***";

    fn known(secrets: &[&str]) -> Known {
        Known::new(secrets.iter().map(|secret| (*secret).into())).unwrap()
    }

    #[test]
    fn secrets_go_and_what_is_around_them_stays() {
        let known = known(&["open?sesame>please", "sesame>please, now", "short", " pad dead \n"]);
        for (text, expected) in [
            ("say open?sesame>please twice", "say # twice"),
            ("open?sesame>please open?sesame>please", "# #"),
            // One that ends in another one's beginning.
            ("open?sesame>please, now!", "#!"),
            ("open?sesame", "open?sesame"),
            ("short", "short"),
            ("paddead pad dead pad+dead", "paddead # #"),
            ("6f70656e3f736573616d653e706c65617365", "#"),
            ("x6F70656E3F736573616D653E706C65617365x", "x#x"),
            ("?q=open%3Fsesame%3eplease&r=%41", "?q=#&r=%41"),
            ("%6f%70%65%6e%3f%73%65%73%61%6d%65%3e%70%6c%65%61%73%65", "#"),
            ("100 % of pad%20dead%", "100 % of #%"),
            ("key=b3Blbj9zZXNhbWU+cGxlYXNl, ok", "key=#, ok"),
            // "me:open?sesame>please!!" in base64 and URL-safe base64.
            ("basic bWU6b3Blbj9zZXNhbWU+cGxlYXNlISE=.", "basic #."),
            ("basic bWU6b3Blbj9zZXNhbWU-cGxlYXNlISE.", "basic #."),
            ("?b=b3Blbj9zZXNhbWU%2bcGxlYXNl%3D%3D&", "?b=#&"),
            ("Ünïcödé and %zz and %", "Ünïcödé and %zz and %"),
        ] {
            assert_eq!(known.mask(text, MASK), expected.replace('#', MASK), "{text}");
        }
        assert_eq!(Known::new([]).unwrap().mask("anything %41", MASK), "anything %41");
    }

    /// Some bytes around a secret that are encoded with it.
    fn neighbours() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..7)
    }

    /// `secret` as somebody quotes it, and the part of that which is the secret's alone.
    fn quoted(secret: &str, form: usize, before: &[u8], after: &[u8]) -> (String, String) {
        let bytes = [before, secret.as_bytes(), after].concat();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let percent = |is_kept: fn(char) -> bool| -> String {
            let one = |c: char| match is_kept(c) {
                true => c.to_string(),
                false => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
            };
            secret.chars().map(one).collect()
        };
        let base64 = match form {
            0 => STANDARD.encode(&bytes),
            1 => STANDARD_NO_PAD.encode(&bytes),
            2 => URL_SAFE.encode(&bytes),
            3 => URL_SAFE_NO_PAD.encode(&bytes),
            _ => {
                let own = match form {
                    4 => hex(secret.as_bytes()),
                    5 => hex(secret.as_bytes()).to_uppercase(),
                    6 => percent(|_| false),
                    7 => percent(|c| c.is_ascii_alphanumeric()).to_lowercase(),
                    8 => percent(|c| c.is_ascii_alphanumeric() || "/-._~!'()*".contains(c)),
                    9 => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
                    _ => secret.to_owned(),
                };
                return match form {
                    4 => (hex(&bytes), own),
                    5 => (hex(&bytes).to_uppercase(), own),
                    _ => (own.clone(), own),
                };
            }
        };
        let (start, end) = (before.len(), before.len() + secret.len());
        let own = base64[(start * 8).div_ceil(6)..end * 8 / 6].to_owned();
        (base64, own)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(500)))]

        #[test]
        fn no_form_of_a_secret_survives(
            secret in "[!-~]([ -~]|\\PC){8,30}[a-z]",
            form in 0_usize..11,
            before in neighbours(),
            after in neighbours(),
            // A percent sign before it would make another text of what follows.
            text_before in "[^%]{0,20}|[a-zA-Z0-9+/_-]{0,20}",
            text_after in "\\PC{0,20}|[a-zA-Z0-9+/_=-]{0,20}",
        ) {
            let secret = if form == 7 { secret.to_lowercase() } else { secret };
            let (quote, own) = quoted(&secret, form, &before, &after);
            let text = format!("{text_before}{quote}{text_after}");
            prop_assert!(text.contains(&own), "{text} has no {own}");
            let clean = known(&["another-secret-0", &secret]).mask(&text, MASK).into_owned();
            prop_assert!(clean.contains(MASK) && !clean.contains(&own), "{text} became {clean}");
        }

        #[test]
        fn other_texts_stay(text in "\\PC{0,200}|[a-zA-Z0-9+/=%]{0,400}") {
            static KNOWN: LazyLock<Known> = LazyLock::new(|| known(&["not-in-here-0815", "nor+this?"]));
            prop_assert_eq!(KNOWN.mask(&text, MASK), text.as_str());
        }
    }
}
