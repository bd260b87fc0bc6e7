//! BM25 over the sections of a knowledge base.
//!
//! Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009);
//! headings count as a weighted field of the section, as in its BM25F.

use super::knowledge::Knowledge;
use super::markdown::{Block, Section};
use super::question::{self, Term};
use super::thesaurus::{kind_of, synonyms};
use super::words::{is_filler, is_typo, stem, terms, words};
use std::collections::{BTreeSet, HashMap, HashSet};

/// How soon repeating a term stops to matter.
const K1: f32 = 1.2;
/// How much a long section is discounted.
const B: f32 = 0.75;
/// What a term in a section's own heading counts, in occurrences.
const HEADING: f32 = 3.0;
/// What a term in the headings above counts.
const ANCESTOR: f32 = 1.0;
/// How well a synonym stands for a word.
const SYNONYM: f32 = 0.6;
/// How well a word stands for its mistyped form.
const TYPO: f32 = 0.8;
/// What a word that stands nowhere weighs, compared to the rarest one that does: it is a sign that
/// the question is about something else.
const UNKNOWN: f32 = 1.5;
/// The shortest half of a compound: "giftcard".
const MIN_HALF: usize = 4;

/// The index over one knowledge base.
pub(super) struct Index {
    entries: Vec<Entry>,
    /// How rare each term is.
    rarity: HashMap<String, f32>,
    /// Every word as it is written, for typos.
    written: BTreeSet<String>,
    /// What a term weighs that stands in one section only.
    rarest: f32,
    average_length: f32,
}

/// One section.
struct Entry {
    /// Weighted occurrences of each term.
    frequency: HashMap<String, f32>,
    /// The terms of its own heading.
    heading: HashSet<String>,
    kind: Option<&'static str>,
    length: f32,
}

/// A term of a question, as the knowledge base knows it.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    /// The known terms that stand for it, and how well each does.
    forms: Vec<(String, f32)>,
    /// How much it matters: the weight of the question's term times its rarity.
    pub(super) weight: f32,
}

/// How a sought term stands in a section.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Match {
    /// Its part of the section's BM25 score.
    pub(super) score: f32,
    /// How well it is found, from 0 to 1.
    pub(super) quality: f32,
    /// Whether the section's own heading holds it.
    pub(super) in_heading: bool,
}

impl Index {
    /// Indexes all sections of `knowledge`.
    pub(super) fn new(knowledge: &Knowledge) -> Self {
        let entries: Vec<Entry> = knowledge.sections().iter().map(Entry::new).collect();
        let mut holders: HashMap<&str, f32> = HashMap::new();
        for entry in &entries {
            for term in entry.frequency.keys() {
                *holders.entry(term).or_default() += 1.0;
            }
        }
        let count = float(entries.len());
        let rarity_of = |holders: f32| (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln();
        let rarity =
            holders.iter().map(|(term, held)| ((*term).to_owned(), rarity_of(*held))).collect();
        let written = knowledge
            .sections()
            .iter()
            .flat_map(|section| words(&text_of(section)))
            .filter(|word| !is_filler(word))
            .collect();
        let average_length = entries.iter().map(|entry| entry.length).sum::<f32>() / count.max(1.0);
        Self { rarity, written, rarest: rarity_of(1.0), average_length, entries }
    }

    /// How many sections there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The highest weight that a found term can have.
    pub(super) fn rarest(&self) -> f32 {
        self.rarest
    }

    /// How `term` can be found here. A compound of two known words is sought as both of them.
    pub(super) fn seek(&self, term: &Term) -> Vec<Sought> {
        let mut forms = Vec::new();
        if self.rarity.contains_key(&term.stem) {
            forms.push((term.stem.clone(), 1.0));
        }
        let others = synonyms(&term.stem).iter().cloned().chain(kind_of(&term.word).map(stem));
        let known = others.filter(|form| self.rarity.contains_key(form));
        forms.extend(known.map(|form| (form, SYNONYM)));
        if forms.is_empty() {
            if let Some(halves) = self.halves(&term.word) {
                return halves
                    .into_iter()
                    .map(|half| self.sought(vec![(half, 1.0)], term.weight))
                    .collect();
            }
            forms = self.typos(&term.word);
        }
        vec![self.sought(forms, term.weight)]
    }

    /// How `sought` stands in the section at `index`.
    pub(super) fn find(&self, sought: &Sought, index: usize) -> Match {
        let entry = &self.entries[index];
        let norm = K1 * (1.0 - B + B * entry.length / self.average_length);
        let mut best = Match::default();
        for (form, quality) in &sought.forms {
            let Some(frequency) = entry.frequency.get(form) else { continue };
            let score = sought.weight * quality * frequency * (K1 + 1.0) / (frequency + norm);
            best.score = best.score.max(score);
            best.quality = best.quality.max(*quality);
            best.in_heading |= entry.heading.contains(form);
        }
        best
    }

    /// The part of the section's own heading that `sought` holds, from 0 to 1: a heading that asks
    /// just what is asked fits better than one that asks for more.
    pub(super) fn focus<'a>(
        &self,
        sought: impl Iterator<Item = &'a Sought> + Clone,
        index: usize,
    ) -> f32 {
        let heading = &self.entries[index].heading;
        let held = heading.iter().filter(|term| {
            sought.clone().any(|sought| sought.forms.iter().any(|(form, _)| form == *term))
        });
        float(held.count()) / float(heading.len().max(1))
    }

    /// What kind of question the section's own heading asks.
    pub(super) fn kind(&self, index: usize) -> Option<&'static str> {
        self.entries[index].kind
    }

    fn sought(&self, forms: Vec<(String, f32)>, weight: f32) -> Sought {
        let rarest =
            forms.iter().filter_map(|(form, _)| self.rarity.get(form)).copied().reduce(f32::max);
        // The word itself tells how rare it is; a synonym only where the word is unknown.
        let rarity = match forms.first() {
            Some((form, 1.0)) => self.rarity.get(form).copied(),
            _ => rarest,
        };
        Sought { forms, weight: weight * rarity.unwrap_or(UNKNOWN * self.rarest) }
    }

    /// The known words that `word` may be a mistyped form of.
    fn typos(&self, word: &str) -> Vec<(String, f32)> {
        let mut forms: Vec<String> = self
            .written
            .iter()
            .filter(|known| is_typo(word, known))
            .map(|known| stem(known))
            .collect();
        forms.dedup();
        forms.into_iter().map(|form| (form, TYPO)).collect()
    }

    /// The two known words that `word` is made of.
    fn halves(&self, word: &str) -> Option<[String; 2]> {
        word.char_indices()
            .map(|(at, _)| word.split_at(at))
            .filter(|(head, tail)| head.len() >= MIN_HALF && tail.len() >= MIN_HALF)
            .map(|(head, tail)| [stem(head), stem(tail)])
            .find(|halves| halves.iter().all(|half| self.rarity.contains_key(half)))
    }
}

impl Sought {
    /// The same, mattering `factor` as much.
    pub(super) fn scaled(&self, factor: f32) -> Self {
        Self { forms: self.forms.clone(), weight: self.weight * factor }
    }

    /// How well the terms of a text hold it, from 0 to 1.
    pub(super) fn quality_in(&self, terms: &[String]) -> f32 {
        let held = self.forms.iter().filter(|(form, _)| terms.contains(form));
        held.map(|(_, quality)| *quality).fold(0.0, f32::max)
    }
}

impl Entry {
    fn new(section: &Section) -> Self {
        let mut frequency: HashMap<String, f32> = HashMap::new();
        let mut length = 0.0;
        let mut add = |text: &str, weight: f32| {
            for term in terms(text) {
                *frequency.entry(term).or_default() += weight;
                length += 1.0;
            }
        };
        for block in &section.blocks {
            match block {
                Block::Paragraph(text) => add(text, 1.0),
                Block::Lines(lines) => lines.iter().for_each(|line| add(line, 1.0)),
            }
        }
        let (mut heading, mut kind) = (HashSet::new(), None);
        if let Some((own, above)) = section.path.split_last() {
            add(own, HEADING);
            above.iter().for_each(|title| add(title, ANCESTOR));
            heading.extend(terms(own));
            kind = question::kind(&words(own));
        }
        Self { frequency, heading, kind, length }
    }
}

/// All text of a section, headings included.
fn text_of(section: &Section) -> String {
    let mut text = section.path.join("\n");
    for block in &section.blocks {
        text.push('\n');
        match block {
            Block::Paragraph(paragraph) => text.push_str(paragraph),
            Block::Lines(lines) => text.push_str(&lines.join("\n")),
        }
    }
    text
}

/// `count` as a float; exact for every knowledge base that fits a memory.
fn float(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::Index;
    use crate::builtin::knowledge::Knowledge;
    use crate::builtin::question::read;
    use crate::settings::KnowledgeSource;

    /// The score of each of three sections for a question of one term.
    fn scores(question: &str) -> Vec<f32> {
        let text = "# Shop\n## Gift cards\nA gift card is a present.\n\
                    ## Shipping\nWe ship a parcel, any parcel.\n\
                    ## Parcels\nSomething long about boxes, tape, cardboard and a parcel.\n";
        let knowledge =
            Knowledge::load(&KnowledgeSource::Files(vec![("a".into(), text.into())])).unwrap();
        let index = Index::new(&knowledge);
        let sought: Vec<_> =
            read(question).terms.iter().flat_map(|term| index.seek(term)).collect();
        (0..index.len())
            .map(|section| sought.iter().map(|term| index.find(term, section).score).sum())
            .collect()
    }

    #[test]
    fn the_best_section_for_a_term() {
        for (question, best) in [
            ("gift", 0),
            ("giftcards", 0),
            ("deliver", 1),
            ("shiping", 1),
            ("parcel", 2),
            ("cardbord", 2),
        ] {
            let scores = scores(question);
            let winner = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
            assert_eq!(winner.0, best, "{question}: {scores:?}");
            assert!(*winner.1 > 0.0, "{question}");
        }
        assert_eq!(scores("quantum"), [0.0, 0.0, 0.0]);
    }
}
