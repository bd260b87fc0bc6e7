//! What stands inside a paragraph: bold, italic, code, links, and text.
//!
//! The parser never fails and never looks at a character more than a bounded number of times: a
//! search that found nothing is not repeated, and nesting is bounded.

use super::{Pieces, link};

/// How deep bold and italic may be nested; deeper down their marks stay text.
const DEEPEST: u8 = 4;

/// The longest text or address of a link, in bytes: what bounds looking for its end.
const LONGEST_PART: usize = 2_048;

/// One piece of a paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inline {
    /// Text, literally.
    Text(String),
    /// Bold.
    Strong(Vec<Inline>),
    /// Italic.
    Emphasis(Vec<Inline>),
    /// Code, literally.
    Code(String),
    /// A link to a safe address.
    Link(String, Vec<Inline>),
}

/// Parses the inside of a paragraph.
#[must_use]
pub fn parse(text: &str) -> Vec<Inline> {
    parse_at(text, Place::default())
}

/// What a screen reader is to say: the text without its marks.
pub fn plain(inlines: &[Inline], out: &mut String) {
    for inline in inlines {
        match inline {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Link(_, inner) => {
                plain(inner, out);
            }
        }
    }
}

/// Which searches have found nothing in what is left of the text.
#[derive(Default)]
struct Absent {
    code: bool,
    emphasis: [bool; 4],
}

/// What a piece of text stands in.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: u8,
    /// A link's own text holds no links.
    in_link: bool,
}

fn parse_at(text: &str, place: Place) -> Vec<Inline> {
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut absent = Absent::default();
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let found = match c {
            '\\' => escape(rest),
            '`' => code(rest, &mut absent),
            '*' | '_' if place.depth < DEEPEST => emphasis(rest, before, place, &mut absent),
            '[' | '!' if !place.in_link => named_link(rest, place),
            'h' | 'H' if !place.in_link && !is_word(before) => bare_link(rest),
            _ => None,
        };
        let used = match found {
            Some((Inline::Text(text), used)) => {
                literal.push_str(&text);
                used
            }
            Some((inline, used)) => {
                if !literal.is_empty() {
                    out.push(Inline::Text(std::mem::take(&mut literal)));
                }
                out.push(inline);
                used
            }
            None => {
                // A run of marks that opens nothing is text as a whole: `****` is not looked at again.
                let used = if matches!(c, '*' | '_' | '`') { run(rest, c) } else { c.len_utf8() };
                literal.push_str(rest.head(used));
                used
            }
        };
        before = rest.head(used).chars().next_back().unwrap_or(' ');
        rest = rest.tail(used);
    }
    if !literal.is_empty() {
        out.push(Inline::Text(literal));
    }
    out
}

type Found = Option<(Inline, usize)>;

fn escape(rest: &str) -> Found {
    let escaped = rest.tail(1).chars().next().filter(char::is_ascii_punctuation)?;
    Some((Inline::Text(escaped.to_string()), 2))
}

fn code(rest: &str, absent: &mut Absent) -> Found {
    if absent.code {
        return None;
    }
    let ticks = run(rest, '`');
    let Some(length) = closing_ticks(rest.tail(ticks), ticks) else {
        absent.code = ticks == 1;
        return None;
    };
    let inside = rest.tail(ticks).head(length);
    // One space on each side is there to separate ticks, as CommonMark has it.
    let trimmed = inside.strip_prefix(' ').and_then(|text| text.strip_suffix(' '));
    let shown = trimmed.filter(|text| !text.trim().is_empty()).unwrap_or(inside);
    Some((Inline::Code(shown.to_owned()), length + 2 * ticks))
}

/// Where in `inner` a run of exactly so many ticks begins.
fn closing_ticks(inner: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        at += inner.tail(at).find('`')?;
        let found = run(inner.tail(at), '`');
        if found == ticks {
            return Some(at);
        }
        at += found;
    }
}

fn emphasis(rest: &str, before: char, place: Place, absent: &mut Absent) -> Found {
    let mark = rest.chars().next()?;
    let length = match run(rest, mark) {
        1 => 1,
        2 | 3 => 2,
        _ => return None,
    };
    let kind = length - 1 + if mark == '_' { 2 } else { 0 };
    let inner = rest.tail(length);
    let opens = inner.chars().next().is_some_and(|c| !c.is_whitespace());
    // snake_case is not italic.
    if absent.emphasis[kind] || !opens || (mark == '_' && is_word(before)) {
        return None;
    }
    let Some(end) = closing(inner, mark, length) else {
        absent.emphasis[kind] = true;
        return None;
    };
    let content = parse_at(inner.head(end), Place { depth: place.depth + 1, ..place });
    let inline = if length == 2 { Inline::Strong(content) } else { Inline::Emphasis(content) };
    Some((inline, end + 2 * length))
}

/// Where in `inner` the marks stand that close a run of `length` of them.
fn closing(inner: &str, mark: char, length: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = inner.tail(at).find(mark) {
        let start = at + next;
        let marks = run(inner.tail(start), mark);
        let before = inner.head(start).chars().next_back().unwrap_or(' ');
        let after = inner.tail(start + marks).chars().next();
        let inside_word = mark == '_' && after.is_some_and(is_word);
        // Three in a row close the inner one first, so the outer one takes the last of them.
        if !before.is_whitespace() && !inside_word && (marks == length || marks == 3) {
            return Some(start + marks - length);
        }
        at = start + marks;
    }
    None
}

fn named_link(rest: &str, place: Place) -> Found {
    // An image becomes a link to it: nothing is loaded from anywhere.
    let bang = usize::from(rest.starts_with('!'));
    let label = rest.tail(bang).strip_prefix('[')?;
    let label = label.head(label.floor_char_boundary(LONGEST_PART));
    let label = label.head(label.find(']')?);
    let after = rest.tail(bang + label.len() + 2);
    let target = after.strip_prefix('(')?;
    let address = target.head(closing_bracket(target)?);
    // `(address "title")`: the title is not shown.
    let link = address.split_whitespace().next().unwrap_or("").trim_matches(['<', '>']);
    if !link::is_safe(link) {
        return None;
    }
    let used = bang + label.len() + 2 + address.len() + 2;
    let shown = if label.trim().is_empty() { link } else { label };
    let inner = Place { depth: place.depth + 1, in_link: true };
    Some((Inline::Link(link.to_owned(), parse_at(shown, inner)), used))
}

/// Where the bracket closes that was opened just before `target`.
fn closing_bracket(target: &str) -> Option<usize> {
    let mut open = 0_u32;
    for (index, c) in target.char_indices().take_while(|(index, _)| *index < LONGEST_PART) {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return Some(index),
            ')' => open -= 1,
            '\n' => return None,
            _ => {}
        }
    }
    None
}

fn bare_link(rest: &str) -> Found {
    let length = link::at_start(rest)?;
    let address = rest.head(length).to_owned();
    Some((Inline::Link(address.clone(), vec![Inline::Text(address)]), length))
}

/// Whether a character may stand in a word. All that are not ASCII may: the tables that know better
/// would be a part of what every visitor loads.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii()
}

/// How many of `mark` (an ASCII character) `text` begins with.
fn run(text: &str, mark: char) -> usize {
    text.len() - text.trim_start_matches(mark).len()
}

#[cfg(test)]
mod tests {
    use super::{Inline, parse, plain};
    use proptest::prelude::*;

    /// A short way to write a tree: `b(…)`, `i(…)`, `c(…)`, `a<address>(…)`.
    fn show(inlines: &[Inline]) -> String {
        inlines
            .iter()
            .map(|inline| match inline {
                Inline::Text(text) => text.clone(),
                Inline::Strong(inner) => format!("b({})", show(inner)),
                Inline::Emphasis(inner) => format!("i({})", show(inner)),
                Inline::Code(text) => format!("c({text})"),
                Inline::Link(address, inner) => format!("a<{address}>({})", show(inner)),
            })
            .collect()
    }

    #[test]
    fn the_subset() {
        for (text, tree) in [
            ("plain", "plain"),
            ("a **b** c", "a b(b) c"),
            ("a *b* c _d_ __e__", "a i(b) c i(d) b(e)"),
            ("**a *b* c**", "b(a i(b) c)"),
            ("***a***", "b(i(a))"),
            ("`a*b*`", "c(a*b*)"),
            ("`` a`b ``", "c(a`b)"),
            ("[a **b**](https://c.ch)", "a<https://c.ch>(a b(b))"),
            ("[a](https://c.ch \"title\")", "a<https://c.ch>(a)"),
            ("[a](https://c.ch/b_(c))", "a<https://c.ch/b_(c)>(a)"),
            ("![a](https://c.ch/d.png)", "a<https://c.ch/d.png>(a)"),
            ("see https://c.ch/d.", "see a<https://c.ch/d>(https://c.ch/d)."),
            ("(https://c.ch)", "(a<https://c.ch>(https://c.ch))"),
            ("[https://a.ch](https://b.ch)", "a<https://b.ch>(https://a.ch)"),
            ("[mail](mailto:a@b.ch) [call](tel:+41)", "a<mailto:a@b.ch>(mail) a<tel:+41>(call)"),
            (r"\*a\* \a", r"*a* \a"),
        ] {
            assert_eq!(show(&parse(text)), tree, "{text}");
        }
    }

    #[test]
    fn what_is_not_markup_stays_text() {
        for text in [
            "2 * 3 * 4",
            "a*b",
            "**a",
            "snake_case_name",
            "`a",
            "[a]",
            "[a](b",
            "[a](/b)",
            "* a *",
            "xhttps://a.ch",
            "!",
            "[",
            "\\",
            "****",
            "a ** b ** c",
            "😀*",
        ] {
            assert_eq!(show(&parse(text)), text, "{text}");
        }
    }

    /// None of these may yield a link; as there is no other active element, that is all there is.
    #[test]
    fn no_script_gets_through() {
        for text in [
            "[x](javascript:alert(1))",
            "[x](JAVASCRIPT:alert(1))",
            "[x]( javascript:alert(1))",
            "[x](java\tscript:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:msgbox)",
            "[x](//evil.example)",
            "![x](javascript:alert(1))",
            "[x](<javascript:alert(1)>)",
            "[x](https:\\\\evil)",
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](\u{1}javascript:alert(1))",
        ] {
            assert!(!show(&parse(text)).contains("a<"), "{text} gave {:?}", parse(text));
        }
    }

    #[test]
    fn a_quote_in_an_address_is_only_a_character_of_it() {
        // It is set through the DOM, never written as markup, so it cannot end the attribute.
        let tree = parse("[x](https://a.ch/\"onmouseover=alert(1))");
        assert_eq!(show(&tree), "a<https://a.ch/\"onmouseover=alert(1)>(x)");
    }

    #[test]
    fn hostile_text_takes_no_long_time() {
        for piece in
            ["**a ", "[", "[a](", "`", "``a", "_a ", "*a_b", "![", "[a]", "\\*", "https://)"]
        {
            let text = piece.repeat(40_000 / piece.len());
            let start = std::time::Instant::now();
            let _ = parse(&text);
            assert!(start.elapsed().as_millis() < 2_000, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_marks_are_all_that_is_lost(text in "[a-c *_`\\[\\]()!\\\\h:/é😀-]{0,60}") {
            let mut said = String::new();
            plain(&parse(&text), &mut said);
            let letters = |text: &str| text.chars().filter(|c| "abcé😀".contains(*c)).count();
            // Only the address of a link may go, and none of these letters make one.
            prop_assert_eq!(letters(&said), letters(&text));
        }

        #[test]
        fn any_text_at_all(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
