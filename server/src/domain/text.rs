//! What may be said: the bounds of a visitor's message, and what of an assistant's can be kept.

/// Why a text is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// Nothing, or nothing but white space.
    Empty,
    /// More characters than allowed.
    TooLong,
    /// A NUL, which no keyboard makes and not every store takes.
    Nul,
}

/// Checks a message's text against the longest length allowed, in characters.
///
/// # Errors
/// The first [`TextFault`] found.
pub fn check(text: &str, max_chars: usize) -> Result<(), TextFault> {
    if text.trim().is_empty() {
        return Err(TextFault::Empty);
    }
    if text.contains('\0') {
        return Err(TextFault::Nul);
    }
    // A character is at least a byte, so most texts are accepted without being counted.
    if text.len() > max_chars && text.chars().count() > max_chars {
        return Err(TextFault::TooLong);
    }
    Ok(())
}

/// An assistant's words without what not every store takes: a NUL is shown as unknown.
#[must_use]
pub fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{TextFault, check, without_nul};

    #[test]
    fn an_assistants_nul_is_shown_as_unknown() {
        assert_eq!(without_nul("a\0b".into()), "a\u{fffd}b");
        assert_eq!(without_nul("ab".into()), "ab");
    }

    #[test]
    fn the_bounds_of_a_message() {
        for (text, verdict) in [
            ("Hi", Ok(())),
            ("ééééé", Ok(())),
            ("éééééé", Err(TextFault::TooLong)),
            ("", Err(TextFault::Empty)),
            (" \n\t", Err(TextFault::Empty)),
            ("a\0b", Err(TextFault::Nul)),
        ] {
            assert_eq!(check(text, 5), verdict, "{text:?}");
        }
    }
}
