//! The Markdown subset that answers are written in, as plain trees without any markup: paragraphs,
//! headings, rules, lists, code blocks ([`block`]); bold, italic, code and links ([`inline`]).
//! Which links may be followed is decided in [`link`].
//!
//! Anything else stays the text it is. Richer content comes from the server already parsed.

pub mod block;
pub mod inline;
pub mod link;

/// Parts of a text, by bytes.
///
/// Slicing with `[..]` would do, and would carry along what it takes to report a wrong index in words,
/// as does looking for a character with `contains`: 5 KB brotli for every visitor, for a report nobody
/// reads. These answer with an empty text instead.
pub trait Pieces {
    /// The first `end` bytes.
    fn head(&self, end: usize) -> &str;
    /// What stands behind the first `start` bytes.
    fn tail(&self, start: usize) -> &str;
}

impl Pieces for str {
    fn head(&self, end: usize) -> &str {
        self.get(..end).unwrap_or_default()
    }

    fn tail(&self, start: usize) -> &str {
        self.get(start..).unwrap_or_default()
    }
}

/// `template` with `number` in the place of its `{n}`.
#[must_use]
pub fn numbered(template: &str, number: u32) -> String {
    // Looking for "{n}" as a whole would cost 2 KB of search.
    let (before, after) = template.split_once('{').unwrap_or((template, ""));
    match after.strip_prefix("n}") {
        Some(after) => joined(&[before, &number.to_string(), after]),
        None => template.to_owned(),
    }
}

/// Texts, one after the other.
#[must_use]
pub fn joined(texts: &[&str]) -> String {
    let mut out = String::new();
    texts.iter().for_each(|text| out.push_str(text));
    out
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_number_takes_its_place() {
        for (template, text) in
            [("{n} left", "7 left"), ("in {n} s", "in 7 s"), ("soon", "soon"), ("{x}", "{x}")]
        {
            assert_eq!(numbered(template, 7), text);
        }
    }
}
