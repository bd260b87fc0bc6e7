//! The part of a section that answers a question: whole sentences and list items, in their order.

use super::markdown::Block;
use unicode_segmentation::UnicodeSegmentation;

/// A section of so few words is quoted whole.
const SHORT: usize = 45;
/// What is quoted is at least this part as relevant as the most relevant piece.
const RELEVANT: f32 = 0.5;

/// A sentence or a line.
struct Piece {
    block: usize,
    text: String,
    words: usize,
    relevance: f32,
    chosen: bool,
}

/// The most relevant pieces of `blocks`, at most `max_words` of them (but never nothing).
///
/// A line comes with the sentence that introduces its list; that sentence, when it is what fits
/// best, comes with the whole list; and so does a step of a numbered list, since one step helps nobody.
pub(super) fn choose(
    blocks: &[Block],
    max_words: usize,
    relevance: impl Fn(&str) -> f32,
) -> String {
    let mut pieces = pieces(blocks, relevance);
    let total: usize = pieces.iter().map(|piece| piece.words).sum();
    if total <= SHORT.min(max_words) {
        pieces.iter_mut().for_each(|piece| piece.chosen = true);
        return join(blocks, &pieces);
    }
    let highest = pieces.iter().map(|piece| piece.relevance).fold(0.0, f32::max);
    let mut order: Vec<usize> =
        (0..pieces.len()).filter(|&at| pieces[at].relevance >= highest * RELEVANT).collect();
    order.sort_by(|&a, &b| pieces[b].relevance.total_cmp(&pieces[a].relevance));
    let mut left = max_words;
    for at in order {
        for companion in companions(blocks, &pieces, at) {
            take(&mut pieces[companion], &mut left);
        }
    }
    if let Some(first) = pieces.first_mut().filter(|_| left == max_words) {
        // A single sentence beyond the limit is still better than silence.
        first.chosen = true;
    }
    join(blocks, &pieces)
}

fn pieces(blocks: &[Block], relevance: impl Fn(&str) -> f32) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (block, content) in blocks.iter().enumerate() {
        let texts: Vec<&str> = match content {
            Block::Paragraph(text) => text.unicode_sentences().map(str::trim_end).collect(),
            Block::Lines(lines) => lines.iter().map(String::as_str).collect(),
        };
        pieces.extend(texts.into_iter().map(|text| Piece {
            block,
            text: text.to_owned(),
            words: text.split_whitespace().count(),
            relevance: relevance(text),
            chosen: false,
        }));
    }
    pieces
}

fn take(piece: &mut Piece, left: &mut usize) {
    if !piece.chosen && piece.words <= *left {
        piece.chosen = true;
        *left -= piece.words;
    }
}

/// The pieces that are chosen when the one at `at` is, the most important first.
fn companions(blocks: &[Block], pieces: &[Piece], at: usize) -> Vec<usize> {
    let block = pieces[at].block;
    let of_block = |block: usize| (0..pieces.len()).filter(move |&at| pieces[at].block == block);
    if matches!(blocks[block], Block::Lines(_)) {
        let introduction = at
            .checked_sub(1)
            .and_then(|_| of_block(block).next())
            .and_then(|first| first.checked_sub(1))
            .filter(|&before| pieces[before].text.ends_with(':'));
        let lines: Vec<usize> =
            if is_numbered(&pieces[at].text) { of_block(block).collect() } else { vec![at] };
        return introduction.into_iter().chain(lines).collect();
    }
    let introduces = pieces[at].text.ends_with(':')
        && pieces.get(at + 1).is_some_and(|next| matches!(blocks[next.block], Block::Lines(_)));
    if !introduces {
        return vec![at];
    }
    let list = pieces[at + 1].block;
    let fits_best = of_block(list).all(|line| pieces[line].relevance <= pieces[at].relevance);
    if fits_best { std::iter::once(at).chain(of_block(list)).collect() } else { vec![at] }
}

fn is_numbered(line: &str) -> bool {
    line.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

/// The chosen pieces as Markdown.
fn join(blocks: &[Block], pieces: &[Piece]) -> String {
    let mut parts = Vec::new();
    for (block, content) in blocks.iter().enumerate() {
        let chosen: Vec<&str> = pieces
            .iter()
            .filter(|piece| piece.block == block && piece.chosen)
            .map(|piece| piece.text.as_str())
            .collect();
        if !chosen.is_empty() {
            let between = if matches!(content, Block::Lines(_)) { "\n" } else { " " };
            parts.push(chosen.join(between));
        }
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::{SHORT, choose};
    use crate::builtin::markdown::Block;
    use proptest::prelude::*;

    /// As relevant as the number of times that `word` stands in a text.
    fn about(word: &'static str) -> impl Fn(&str) -> f32 {
        move |text| text.matches(word).map(|_| 1.0).sum()
    }

    fn long_section() -> Vec<Block> {
        let filler =
            "This sentence is here to make the section long enough for a choice. ".repeat(4);
        vec![
            Block::Paragraph(format!("Roses are red. {filler}Violets are blue.")),
            Block::Paragraph("Delivery takes:".into()),
            Block::Lines(vec!["- France: two days".into(), "- Spain: five days".into()]),
            Block::Paragraph("How to return:".into()),
            Block::Lines(vec!["1. Write.".into(), "2. Pack the box.".into()]),
        ]
    }

    #[test]
    fn what_is_quoted_of_a_long_section() {
        for (word, expected) in [
            ("red", "Roses are red."),
            ("are", "Roses are red. Violets are blue."),
            ("Spain", "Delivery takes:\n\n- Spain: five days"),
            ("takes", "Delivery takes:\n\n- France: two days\n- Spain: five days"),
            ("box", "How to return:\n\n1. Write.\n2. Pack the box."),
        ] {
            assert_eq!(choose(&long_section(), 90, about(word)), expected, "{word}");
        }
    }

    #[test]
    fn a_short_section_is_quoted_whole_and_a_long_sentence_rather_than_nothing() {
        let short = [Block::Paragraph("One. Two.".into()), Block::Lines(vec!["- three".into()])];
        assert_eq!(choose(&short, 90, about("Two")), "One. Two.\n\n- three");
        let endless = [Block::Paragraph("word ".repeat(100))];
        assert!(!choose(&endless, 90, about("word")).is_empty());
    }

    proptest! {
        #[test]
        fn an_excerpt_is_short_and_made_of_the_section(
            sentences in prop::collection::vec("[a-z]{1,5}( [a-z]{1,5}){0,9}", 1..40), word in "[a-z]",
        ) {
            let text: Vec<String> = sentences.iter().map(|text| format!("X{text}.")).collect();
            let blocks = [Block::Paragraph(text.join(" "))];
            let got = choose(&blocks, 90, |text| {
                if text.contains(&word) { 1.0 } else { 0.0 }
            });
            prop_assert!(!got.is_empty());
            prop_assert!(got.split_whitespace().count() <= 90.max(SHORT));
            for sentence in got.split_inclusive('.') {
                prop_assert!(text.iter().any(|text| text == sentence.trim_start()));
            }
        }
    }
}
