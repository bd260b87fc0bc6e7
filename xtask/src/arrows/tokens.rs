//! A small reader of Rust: the words and signs of a source file, without comments and literals.
//!
//! A full parser would be the longest thing that a cold machine compiles first; all the rules need
//! is which paths are written down.

/// A word or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'source> {
    /// An identifier, `::`, or one character.
    pub(super) text: &'source str,
    /// From 1.
    pub(super) line: usize,
}

/// Reads a source file.
pub(super) fn read(source: &str) -> Vec<Token<'_>> {
    let mut reader = Reader { source, at: 0, line: 1, tokens: Vec::new() };
    while reader.next() {}
    reader.tokens
}

struct Reader<'source> {
    source: &'source str,
    at: usize,
    line: usize,
    tokens: Vec<Token<'source>>,
}

impl<'source> Reader<'source> {
    fn rest(&self) -> &'source str {
        &self.source[self.at..]
    }

    /// Moves over `length` bytes, counting lines.
    fn skip(&mut self, length: usize) {
        let end = (self.at + length).min(self.source.len());
        self.line += self.source[self.at..end].matches('\n').count();
        self.at = end;
    }

    fn take(&mut self, length: usize) {
        self.tokens.push(Token { text: &self.rest()[..length], line: self.line });
        self.skip(length);
    }

    fn next(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return false };
        if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest));
        } else if let Some(length) = raw_string(rest) {
            self.skip(length);
        } else if first == '"' || rest.starts_with("b\"") || rest.starts_with("c\"") {
            let prefix = usize::from(first != '"');
            self.skip(prefix + quoted(&rest[prefix..], '"'));
        } else if first == '\'' {
            self.skip(character_or_lifetime(rest));
        } else if first.is_alphanumeric() || first == '_' {
            self.take(rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()));
        } else if rest.starts_with("::") {
            self.take(2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            self.take(first.len_utf8());
        }
        true
    }
}

/// Block comments nest in Rust.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"`, if one begins here.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let body = &text[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    let close = format!("\"{}", "#".repeat(hashes));
    let open = prefix.len() + hashes + 1;
    let length = text[open..].find(&close).map_or(text.len(), |end| open + end + close.len());
    Some(length)
}

/// The length of a literal in quotes, escapes respected.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'` is a literal, `'a` is a lifetime: only the first has a quote after one character.
fn character_or_lifetime(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    let first = characters.next().map(|(_, character)| character);
    let second = characters.next();
    match (first, second) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(_), Some((index, '\''))) => index + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn words_and_signs_are_read_and_literals_are_not() {
        for (source, expected) in [
            ("use crate::store;", vec!["use", "crate", "::", "store", ";"]),
            ("// crate::a\nb", vec!["b"]),
            ("/* a /* b */ c */ d", vec!["d"]),
            (r#"f("crate::a \" b") g"#, vec!["f", "(", ")", "g"]),
            ("r#\"a \"quoted\" b\"# c", vec!["c"]),
            ("b\"x\" 'y' '\\'' '\"' z", vec!["z"]),
            ("&'a str", vec!["&", "a", "str"]),
            ("\"never ended", vec![]),
            ("größe", vec!["größe"]),
        ] {
            let words: Vec<_> = read(source).into_iter().map(|token| token.text).collect();
            assert_eq!(words, expected, "{source}");
        }
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let tokens = read("a\n\"\n\n\"\nb");
        assert_eq!(tokens.iter().map(|token| token.line).collect::<Vec<_>>(), [1, 5]);
    }
}
