//! Blocks, one at a time from the front of a text that may still be growing.
//!
//! A block that can no longer change is *closed*: the view draws it once and never looks at its text
//! again, which is what keeps a long answer as cheap per word as a short one.

use super::Pieces;
use super::inline::{self, Inline};

/// The deepest list level; what is indented further stands there too.
const DEEPEST: u8 = 3;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph; line breaks in it count.
    Paragraph(Vec<Inline>),
    /// A heading of whatever rank.
    Heading(Vec<Inline>),
    /// A line between two parts.
    Rule,
    /// One item of a list.
    Item {
        /// Its number, if the list is numbered.
        number: Option<u32>,
        /// How deep it stands, from 0.
        level: u8,
        /// What it says.
        content: Vec<Inline>,
    },
    /// Code, literally.
    Code(String),
}

/// The block that `text` begins with and how many bytes it takes, or `None` if there is none, or,
/// unless the text is `complete`, if more text could still change it.
#[must_use]
pub fn next(text: &str, complete: bool) -> Option<(Block, usize)> {
    let blank: usize = lines(text).take_while(|line| line.trim().is_empty()).map(str::len).sum();
    let body = text.tail(blank);
    let first = lines(body).next()?;
    if !complete && !first.ends_with('\n') {
        return None;
    }
    let (block, used) = if let Some(fence) = fence(first) {
        code(body, fence, complete)?
    } else if let Some(heading) = heading(first) {
        (Block::Heading(inline::parse(heading)), first.len())
    } else if is_rule(first) {
        (Block::Rule, first.len())
    } else if let Some(marker) = marker(first) {
        item(body, &marker, complete)?
    } else {
        paragraph(body, complete)?
    };
    Some((block, blank + used))
}

/// What a screen reader is to say of a whole text.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((block, used)) = next(rest, true) {
        match block {
            Block::Paragraph(content) | Block::Heading(content) | Block::Item { content, .. } => {
                inline::plain(&content, &mut out);
            }
            Block::Code(code) => out.push_str(&code),
            Block::Rule => {}
        }
        out.push('\n');
        rest = rest.tail(used);
    }
    out
}

/// Every line with its line end.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// Three ticks or more, or tildes, that open (or close) code.
fn fence(line: &str) -> Option<&str> {
    let trimmed = line.trim();
    let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = trimmed.len() - trimmed.trim_start_matches(mark).len();
    (length >= 3 && !trimmed.tail(length).contains(['`'])).then(|| trimmed.head(length))
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let rank = line.len() - text.len();
    ((1..=6).contains(&rank) && text.starts_with(' '))
        .then(|| text.trim().trim_end_matches('#').trim_end())
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && ['-', '*', '_'].iter().any(|mark| line.chars().all(|c| c == *mark))
}

/// What makes a line a list item.
struct Marker {
    number: Option<u32>,
    level: u8,
    /// Bytes up to the item's text.
    length: usize,
}

fn marker(line: &str) -> Option<Marker> {
    let trimmed = line.trim_start_matches([' ', '\t']);
    let indent = line.len() - trimmed.len();
    let columns: usize = line.head(indent).chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, mark) = match digits {
        0 => (None, trimmed.starts_with(['-', '*', '+', '•'])),
        1..=4 => (trimmed.head(digits).parse().ok(), trimmed.tail(digits).starts_with(['.', ')'])),
        _ => return None,
    };
    let after = trimmed.tail(digits).chars().next().map_or(0, char::len_utf8) + digits;
    if !mark || !trimmed.tail(after).starts_with(' ') {
        return None;
    }
    let level = u8::try_from(columns / 2).map_or(DEEPEST, |level| level.min(DEEPEST));
    Some(Marker { number, level, length: indent + after })
}

fn code(body: &str, fence_marks: &str, complete: bool) -> Option<(Block, usize)> {
    let opening = lines(body).next().map_or(0, str::len);
    let mut used = opening;
    for line in lines(body.tail(opening)) {
        let ended = complete || line.ends_with('\n');
        let trimmed = line.trim();
        if ended && trimmed.starts_with(fence_marks) && fence(line) == Some(trimmed) {
            let text = body.head(used).tail(opening).trim_end_matches('\n').to_owned();
            return Some((Block::Code(text), used + line.len()));
        }
        used += line.len();
    }
    complete.then(|| (Block::Code(body.tail(opening).trim_end().to_owned()), body.len()))
}

fn item(body: &str, marker: &Marker, complete: bool) -> Option<(Block, usize)> {
    let goes_on = |line: &str| line.starts_with([' ', '\t']);
    let used = extent(body, complete, goes_on)?;
    let text = body.head(used).tail(marker.length).trim();
    let content = inline::parse(&unindented(text));
    Some((Block::Item { number: marker.number, level: marker.level, content }, used))
}

fn paragraph(body: &str, complete: bool) -> Option<(Block, usize)> {
    let used = extent(body, complete, |_| true)?;
    Some((Block::Paragraph(inline::parse(body.head(used).trim())), used))
}

/// How far the block reaches that begins with the first line of `body`: up to a blank line, a line
/// that begins another block, or one that does not `go_on`. `None` if that cannot be known yet.
fn extent(body: &str, complete: bool, goes_on: impl Fn(&str) -> bool) -> Option<usize> {
    let mut used = 0;
    for line in lines(body) {
        let whole = complete || line.ends_with('\n');
        let starts_anew = used > 0 && (!goes_on(line) || (whole && starts_block(line)));
        if starts_anew || (whole && line.trim().is_empty()) {
            return Some(used);
        }
        used += line.len();
    }
    complete.then_some(used)
}

fn starts_block(line: &str) -> bool {
    fence(line).is_some() || heading(line).is_some() || is_rule(line) || marker(line).is_some()
}

/// Continuation lines of an item, without the indentation that made them so.
fn unindented(text: &str) -> String {
    let mut out = String::new();
    for line in lines(text) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(line.trim());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Block, next, plain};
    use crate::text::inline::{self, Inline};
    use proptest::prelude::*;

    fn all(text: &str) -> Vec<Block> {
        let mut rest = text;
        let mut blocks = Vec::new();
        while let Some((block, used)) = next(rest, true) {
            assert!(used > 0);
            blocks.push(block);
            rest = &rest[used..];
        }
        assert_eq!(rest.trim(), "");
        blocks
    }

    fn text(text: &str) -> Vec<Inline> {
        vec![Inline::Text(text.to_owned())]
    }

    fn item(number: Option<u32>, level: u8, content: &str) -> Block {
        Block::Item { number, level, content: text(content) }
    }

    #[test]
    fn the_subset() {
        let cases: &[(&str, Vec<Block>)] = &[
            ("", vec![]),
            ("a\nb\n\n\nc", vec![Block::Paragraph(text("a\nb")), Block::Paragraph(text("c"))]),
            ("## A ##\nb", vec![Block::Heading(text("A")), Block::Paragraph(text("b"))]),
            (
                "a\n---\n#b",
                vec![Block::Paragraph(text("a")), Block::Rule, Block::Paragraph(text("#b"))],
            ),
            (
                "a:\n- b\n  c\n  * d\n\n2) e\n",
                vec![
                    Block::Paragraph(text("a:")),
                    item(None, 0, "b\nc"),
                    item(None, 1, "d"),
                    item(Some(2), 0, "e"),
                ],
            ),
            (
                "```js\nlet a = '*';\n\n- b\n```\nc",
                vec![Block::Code("let a = '*';\n\n- b".into()), Block::Paragraph(text("c"))],
            ),
            ("~~~\n```\n~~~", vec![Block::Code("```".into())]),
            ("```\nopen", vec![Block::Code("open".into())]),
            ("-a\n1985 was\n*b", vec![Block::Paragraph(text("-a\n1985 was\n*b"))]),
        ];
        for (text, blocks) in cases {
            assert_eq!(&all(text), blocks, "{text:?}");
        }
    }

    #[test]
    fn a_block_is_open_until_nothing_can_change_it() {
        for (text, closed) in [
            ("a", false),
            ("a\n", false),
            ("a\n\n", true),
            ("a\n-", false),
            ("a\n- ", false),
            ("a\n- b\n", true),
            ("# a", false),
            ("# a\n", true),
            ("- a\n", false),
            ("- a\n- ", true),
            ("- a\n  ", false),
            ("- a\n  b\nc", true),
            ("```\na\n", false),
            ("```\na\n```", false),
            ("```\na\n```\n", true),
        ] {
            assert_eq!(next(text, false).is_some(), closed, "{text:?}");
        }
    }

    #[test]
    fn what_is_read_aloud_has_no_marks() {
        assert_eq!(plain("**A** `b`\n- [c](https://d.ch)\n***"), "A b\nc\n\n");
    }

    proptest! {
        /// What was drawn when it closed is what would be drawn from the whole text.
        #[test]
        fn growing_and_whole_texts_give_the_same_blocks(
            whole in "([ab*`_\n -]|- |1\\. |\n\n|```\n|# |  ){0,40}",
            cuts in prop::collection::vec(0_usize..80, 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| whole.is_char_boundary(*cut)).collect();
            cuts.sort_unstable();
            let mut closed = 0;
            let mut grown = Vec::new();
            for (end, complete) in cuts.into_iter().map(|cut| (cut, false)).chain([(whole.len(), true)]) {
                while let Some((block, used)) = next(&whole[closed.min(end)..end], complete) {
                    grown.push(block);
                    closed += used;
                }
            }
            prop_assert_eq!(grown, all(&whole));
        }

        #[test]
        fn any_text_at_all(text in ".{0,120}") {
            for block in all(&text) {
                if let Block::Paragraph(content) = block {
                    let mut said = String::new();
                    inline::plain(&content, &mut said);
                }
            }
        }
    }
}
