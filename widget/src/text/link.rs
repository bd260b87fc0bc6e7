//! Which addresses may become links, and where one ends in running text.
//!
//! A model can be talked into writing any address, so the list says what is allowed, not what is not.

use super::Pieces;

/// The schemes that may be followed.
const ALLOWED: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// The longest address taken, in bytes.
const LONGEST: usize = 2_048;

/// Whether `address` may become a link: an allowed scheme at its very beginning, and nothing in it
/// that a browser would skip or stop at.
#[must_use]
pub fn is_safe(address: &str) -> bool {
    let scheme = ALLOWED.iter().find(|scheme| starts_with(address, scheme));
    scheme.is_some_and(|scheme| address.len() > scheme.len())
        && address.len() <= LONGEST
        && !address.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\')
}

/// The length of the web address that `text` begins with, or `None`. Punctuation that ends the
/// sentence is not part of it; a closing bracket is, if the address holds the opening one.
#[must_use]
pub fn at_start(text: &str) -> Option<usize> {
    let scheme = ALLOWED.iter().take(2).find(|scheme| starts_with(text, scheme))?;
    let ends = |c: char| {
        let excluded = matches!(c, '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '{' | '}');
        excluded || c.is_whitespace() || c.is_control()
    };
    // One byte more than is taken, so that a longer one is seen to be too long.
    let within = text.head(text.floor_char_boundary(LONGEST + 1));
    let mut address = within.head(within.find(ends).unwrap_or(within.len()));
    let mut unopened = address.matches(')').count().saturating_sub(address.matches('(').count());
    while let Some(last) = address.chars().next_back() {
        if last == ')' && unopened > 0 {
            unopened -= 1;
        } else if !is_punctuation(last) {
            break;
        }
        address = address.head(address.len() - last.len_utf8());
    }
    (address.len() > scheme.len() && is_safe(address)).then_some(address.len())
}

/// What ends a sentence rather than an address.
fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | ']')
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::{at_start, is_safe};

    #[test]
    fn only_web_mail_and_telephone_addresses_are_followed() {
        for (address, safe) in [
            ("https://example.com/a?b#c", true),
            ("HTTP://EXAMPLE.COM", true),
            ("mailto:a@b.ch", true),
            ("tel:+41441234567", true),
            ("https://", false),
            ("javascript:alert(1)", false),
            ("JaVaScRiPt:alert(1)", false),
            ("java\tscript:alert(1)", false),
            (" javascript:alert(1)", false),
            ("\u{1}javascript:alert(1)", false),
            ("https://a\nb", false),
            ("https:\\\\evil", false),
            ("data:text/html,<script>", false),
            ("vbscript:x", false),
            ("blob:https://a", false),
            ("file:///etc/passwd", false),
            ("//evil.example", false),
            ("/relative", false),
            ("#top", false),
            ("", false),
            ("é", false),
            (&format!("https://{}", "a".repeat(2_048)), false),
        ] {
            assert_eq!(is_safe(address), safe, "{address:?}");
        }
    }

    #[test]
    fn an_address_ends_where_a_reader_thinks_it_ends() {
        for (text, address) in [
            ("https://a.ch/b, and", Some("https://a.ch/b")),
            ("https://a.ch/b.", Some("https://a.ch/b")),
            ("https://a.ch/b_(c))", Some("https://a.ch/b_(c)")),
            ("https://a.ch/b?c=d&e!", Some("https://a.ch/b?c=d&e")),
            ("https://a.ch\u{a0}b", Some("https://a.ch")),
            ("https://a.ch/ü/€", Some("https://a.ch/ü/€")),
            ("https://a.ch**", Some("https://a.ch")),
            ("https://", None),
            ("http://...", None),
            ("ftp://a.ch", None),
            ("mailto:a@b.ch", None),
        ] {
            assert_eq!(at_start(text).map(|length| &text[..length]), address, "{text:?}");
        }
    }
}
