//! Keeps a connection's key out of what we write down. Servers like to quote it: "Incorrect API key
//! provided: sk-ab*****yz". What finds the key in other forms too, [`Known`], finds any secret, and
//! serves whoever has more of them.

mod known;

pub use aho_corasick::BuildError;
pub use known::Known;

use crate::model::ModelError;
use secrecy::{ExposeSecret, SecretString};

/// What stands in place of a key.
const MASK: &str = "***";
/// The longest cause kept, in characters.
const MAX_CAUSE: usize = 300;
/// A word that shares this many characters with the key's beginning or end is taken to quote it.
const QUOTED_PART: usize = 4;

/// Knows one key and removes it.
pub struct Redactor {
    key: Option<SecretString>,
    known: Known,
}

impl Redactor {
    /// A redactor for `key`; without one it only shortens.
    ///
    /// # Errors
    /// When the key is too long to be searched for.
    pub fn new(key: Option<SecretString>) -> Result<Self, BuildError> {
        Ok(Self { known: Known::new(key.clone())?, key })
    }

    /// The same error with a cause that is safe to log.
    #[must_use]
    pub fn error(&self, error: ModelError) -> ModelError {
        error.map_cause(|cause| self.text(cause))
    }

    /// `text` on one line, bounded, without the key in any form and without words that quote a part
    /// of it.
    fn text(&self, text: &str) -> String {
        let key = self.key.as_ref().map_or("", |key| key.expose_secret().trim());
        let text = self.known.mask(text, MASK);
        let mut clean = String::new();
        for word in text.split_whitespace() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(if quotes(word, key) { MASK } else { word });
        }
        match clean.char_indices().nth(MAX_CAUSE) {
            Some((end, _)) => format!("{}…", &clean[..end]),
            None => clean,
        }
    }
}

/// Whether `word` holds the beginning or the end of `key`, or all of a short one.
fn quotes(word: &str, key: &str) -> bool {
    // A key this short has no part that would not be a common word, and is none that is searched for.
    if key.chars().count() < 2 * QUOTED_PART {
        return !key.is_empty() && word.contains(key);
    }
    let head_end = key.char_indices().nth(QUOTED_PART).map_or(key.len(), |(at, _)| at);
    let tail_start = key.char_indices().rev().nth(QUOTED_PART - 1).map_or(0, |(at, _)| at);
    word.contains(&key[..head_end]) || word.contains(&key[tail_start..])
}

#[cfg(test)]
mod tests {
    use super::{MAX_CAUSE, Redactor};
    use proptest::prelude::*;

    fn redact(key: &str, text: &str) -> String {
        Redactor::new(Some(key.into())).unwrap().text(text)
    }

    #[test]
    fn keys_and_their_quoted_parts_go() {
        for (text, expected) in [
            ("no such model: small", "no such model: small"),
            ("bad key sk-12345678wxyz.", "bad key ***."),
            ("bad key (sk-12345678wxyz)", "bad key (***)"),
            ("bad key: sk-12****wxyz.", "bad key: ***"),
            ("bad key: basic OnNrLTEyMzQ1Njc4d3h5eg==", "bad key: basic ***"),
            ("ends in ...wxyz", "ends in ***"),
            ("two\n lines", "two lines"),
        ] {
            assert_eq!(redact("sk-12345678wxyz", text), expected);
        }
        assert_eq!(redact("ab12", "bad key 'ab12', not AB12"), "bad key *** not AB12");
        assert_eq!(Redactor::new(None).unwrap().text("nothing  to hide"), "nothing to hide");
    }

    proptest! {
        #[test]
        fn no_key_survives(
            key in "[a-zA-Z0-9_-]{8,60}", before in "\\PC{0,40}", after in "\\PC{0,400}",
        ) {
            let got = redact(&key, &format!("{before}{key}{after}"));
            prop_assert!(!got.contains(&key), "{got}");
            prop_assert!(got.chars().count() <= MAX_CAUSE + 1);
        }
    }
}
