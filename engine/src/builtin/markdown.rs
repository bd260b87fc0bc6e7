//! Cuts a Markdown file into sections: the text under each heading, with the path of headings above.

use pulldown_cmark::{Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

/// The text under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// The headings that lead here, the file's title first.
    pub(super) path: Vec<String>,
    /// What stands here, in order.
    pub(super) blocks: Vec<Block>,
}

/// A piece of text that is shown as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Running text on one line.
    Paragraph(String),
    /// Lines that belong together, each with its marker: a list, or the rows of a table.
    Lines(Vec<String>),
}

/// The sections of `text` that hold any text. `name` is the title of a file without one.
pub(super) fn sections(name: &str, text: &str) -> Vec<Section> {
    let mut reader = Reader::new(name);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        reader.take(event);
    }
    reader.finish()
}

struct Reader {
    path: Vec<(HeadingLevel, String)>,
    blocks: Vec<Block>,
    sections: Vec<Section>,
    /// The text of the block, item or cell being read.
    line: String,
    /// The lines of the outermost list or table being read.
    lines: Vec<String>,
    /// For each open list its next number; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// The head cells of the table being read, and the cells of its row.
    head: Vec<String>,
    row: Vec<String>,
    /// Where the open links lead, innermost last; `None` for those that are not shown.
    links: Vec<Option<String>>,
}

impl Reader {
    fn new(name: &str) -> Self {
        Self {
            path: vec![(HeadingLevel::H1, name.to_owned())],
            blocks: Vec::new(),
            sections: Vec::new(),
            line: String::new(),
            lines: Vec::new(),
            lists: Vec::new(),
            head: Vec::new(),
            row: Vec::new(),
            links: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => self.line.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.line.push(' '),
            // Markup and rules are not text.
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.end_section(),
            Tag::List(first) => {
                self.end_item();
                self.lists.push(first);
            }
            Tag::Item => self.end_item(),
            Tag::Link { link_type, dest_url, .. } => {
                let shown = link_type != LinkType::Email && is_safe(&dest_url);
                if shown {
                    self.line.push('[');
                }
                self.links.push(shown.then(|| dest_url.into_string()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.end_heading(level),
            TagEnd::Paragraph if !self.lists.is_empty() => self.line.push(' '),
            TagEnd::Paragraph | TagEnd::CodeBlock => {
                let text = self.take_line();
                if !text.is_empty() {
                    self.blocks.push(Block::Paragraph(text));
                }
            }
            TagEnd::Item => self.end_item(),
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.end_lines();
                }
            }
            TagEnd::TableCell => {
                let cell = self.take_line();
                self.row.push(cell);
            }
            TagEnd::TableHead => self.head = std::mem::take(&mut self.row),
            TagEnd::TableRow => self.end_row(),
            TagEnd::Table => self.end_lines(),
            TagEnd::Link => {
                if let Some(Some(url)) = self.links.pop() {
                    self.line.push_str("](");
                    self.line.push_str(&url);
                    self.line.push(')');
                }
            }
            _ => {}
        }
    }

    /// The text read so far, on one line with single spaces.
    fn take_line(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let title = self.take_line();
        // The file's own title replaces its name; any other heading ends its equals and inferiors.
        self.path.retain(|(other, _)| *other < level);
        self.path.push((level, title));
    }

    fn end_section(&mut self) {
        if !self.blocks.is_empty() {
            let path = self.path.iter().map(|(_, title)| title.clone()).collect();
            self.sections.push(Section { path, blocks: std::mem::take(&mut self.blocks) });
        }
    }

    /// Ends an item's own text; a nested list may follow it.
    fn end_item(&mut self) {
        let text = self.take_line();
        let depth = self.lists.len();
        let Some(number) = self.lists.last_mut().filter(|_| !text.is_empty()) else { return };
        let marker = match number {
            Some(number) => {
                *number += 1;
                format!("{}.", *number - 1)
            }
            None => "-".to_owned(),
        };
        self.lines.push(format!("{}{marker} {text}", "  ".repeat(depth - 1)));
    }

    /// A row becomes a line that can be read without its table: `- Head: cell; head: cell`.
    fn end_row(&mut self) {
        let cells: Vec<String> = std::mem::take(&mut self.row)
            .into_iter()
            .enumerate()
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(column, cell)| match self.head.get(column).filter(|head| !head.is_empty()) {
                Some(head) => format!("{head}: {cell}"),
                None => cell,
            })
            .collect();
        if !cells.is_empty() {
            self.lines.push(format!("- {}", cells.join("; ")));
        }
    }

    fn end_lines(&mut self) {
        if !self.lines.is_empty() {
            self.blocks.push(Block::Lines(std::mem::take(&mut self.lines)));
        }
    }

    fn finish(mut self) -> Vec<Section> {
        self.end_section();
        self.sections
    }
}

/// Whether a visitor may be led there.
fn is_safe(url: &str) -> bool {
    ["https://", "http://", "mailto:", "tel:"].iter().any(|scheme| url.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::{Block, Section, sections};
    use proptest::prelude::*;

    fn paragraph(text: &str) -> Block {
        Block::Paragraph(text.into())
    }

    fn lines(lines: &[&str]) -> Block {
        Block::Lines(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    fn section(path: &[&str], blocks: Vec<Block>) -> Section {
        Section { path: path.iter().map(|part| (*part).to_owned()).collect(), blocks }
    }

    #[test]
    fn headings_make_paths() {
        let text = "# Shop\nIntro.\n## Costs\nFive.\n### Abroad\nTen.\n## Times\n## Other\nX.\n";
        assert_eq!(
            sections("file", text),
            [
                section(&["Shop"], vec![paragraph("Intro.")]),
                section(&["Shop", "Costs"], vec![paragraph("Five.")]),
                section(&["Shop", "Costs", "Abroad"], vec![paragraph("Ten.")]),
                section(&["Shop", "Other"], vec![paragraph("X.")]),
            ]
        );
        assert_eq!(
            sections("file", "Text.\n## Part\nMore."),
            [
                section(&["file"], vec![paragraph("Text.")]),
                section(&["file", "Part"], vec![paragraph("More.")]),
            ]
        );
    }

    #[test]
    fn blocks_become_lines_that_can_be_read() {
        for (text, expected) in [
            ("one\ntwo  **three** `four`", vec![paragraph("one two three four")]),
            ("- a\n- b\n  - c\n- d", vec![lines(&["- a", "- b", "  - c", "- d"])]),
            ("3. a\n\n4. b", vec![lines(&["3. a", "4. b"])]),
            ("- a\n\n  still a", vec![lines(&["- a still a"])]),
            (
                "|Size|Price|\n|-|-|\n|12|€6|\n|16||",
                vec![lines(&["- Size: 12; Price: €6", "- Size: 16"])],
            ),
            ("> quoted", vec![paragraph("quoted")]),
            ("```\ncode\n```", vec![paragraph("code")]),
            (
                "see [here](https://a.example/b) now",
                vec![paragraph("see [here](https://a.example/b) now")],
            ),
            ("see [here](javascript:x) <b>now</b>", vec![paragraph("see here now")]),
            ("<me@a.example>", vec![paragraph("me@a.example")]),
        ] {
            let got = sections("file", text);
            assert_eq!(got, [section(&["file"], expected)], "{text:?}");
        }
        assert_eq!(sections("file", "# Only a title\n\n---\n"), []);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_section_is_empty(text in "([#>*|`\\-+ \n]|1\\.|\\[a\\]\\(b\\)|[a-z]{1,3}){0,60}") {
            for section in sections("file", &text) {
                prop_assert!(!section.blocks.is_empty());
                prop_assert!(!section.path.is_empty());
            }
        }
    }
}
