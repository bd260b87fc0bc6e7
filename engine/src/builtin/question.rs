//! What a visitor's message asks about, before any knowledge base is consulted.

use super::smalltalk::greeting_length;
use super::thesaurus::{is_weak, phrases};
use super::words::{is_filler, stem, words};

/// What a term that belongs to almost any question weighs.
const WEAK: f32 = 0.3;
/// What the meaning of a phrase weighs: "how much" may ask for light.
const PHRASE: f32 = 0.7;
/// A message of so few terms leans on what was said before.
const SHORT: usize = 1;

/// Words that point back to what was said before.
const POINTERS: &[&str] = &[
    "it", "its", "it's", "that", "they", "them", "their", "these", "those", "this", "one", "ones",
    "same", "there", "he", "she",
];
/// How a message begins that goes on from the one before.
const CONTINUATIONS: &[&str] =
    &["and", "also", "but", "or", "then", "so", "what about", "how about"];
/// What stands before a common noun, but seldom before a name.
const DETERMINERS: &[&str] =
    &["a", "an", "the", "my", "your", "our", "this", "that", "some", "any"];

/// How questions of a kind begin, longer ones before those that they begin with.
const KINDS: &[&str] = &[
    "how long",
    "how often",
    "how much",
    "how many",
    "how big",
    "how",
    "where",
    "when",
    "why",
    "which",
    "who",
    "can you",
    "can i",
];

/// A term of a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    /// As it was written, lower-cased.
    pub(super) word: String,
    /// What it has in common with its other forms.
    pub(super) stem: String,
    /// How much it says about the topic, up to 1.
    pub(super) weight: f32,
}

/// What a message asks about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    /// Its terms, each once.
    pub(super) terms: Vec<Term>,
    /// What kind of question it is.
    pub(super) kind: Option<&'static str>,
    /// Whether it leans on what was said before.
    pub(super) follows: bool,
    /// Whether it points at what was said before: "is it safe?".
    pub(super) points: bool,
    /// Whether its only strong term may be a name: "and to Canada?", but not "and the weather?".
    pub(super) names_one_thing: bool,
}

/// Reads a message.
pub(super) fn read(text: &str) -> Question {
    let words = words(text);
    let words = &words[greeting_length(&words)..];
    let phrases = phrases(words);
    let mut terms: Vec<Term> = Vec::new();
    let mut add = |word: &str, weight: f32| {
        let stem = stem(word);
        if !terms.iter().any(|term| term.stem == stem) {
            terms.push(Term { word: word.to_owned(), stem, weight });
        }
    };
    let mut last_strong = None;
    for (at, word) in words.iter().enumerate() {
        if is_filler(word) || phrases.iter().any(|(range, _)| range.contains(&at)) {
            continue;
        }
        let weight = if is_weak(word) { WEAK } else { 1.0 };
        if weight == 1.0 {
            last_strong = Some(at);
        }
        add(word, weight);
    }
    for (_, meaning) in &phrases {
        for word in meaning.split(' ') {
            add(word, PHRASE);
        }
    }
    let strong = terms.iter().filter(|term| term.weight > WEAK).count();
    let determined = last_strong
        .and_then(|at| words[..at].last())
        .is_some_and(|before| DETERMINERS.contains(&before.as_str()));
    let points = words.iter().any(|word| POINTERS.contains(&word.as_str()));
    let follows = strong <= SHORT || begins_with_one_of(words, CONTINUATIONS) || points;
    Question {
        terms,
        kind: kind(words),
        follows,
        points,
        names_one_thing: strong == 1 && !determined,
    }
}

/// What kind of question `words` ask, when they begin like one.
pub(super) fn kind(words: &[String]) -> Option<&'static str> {
    KINDS.iter().copied().find(|kind| {
        let kind: Vec<&str> = kind.split(' ').collect();
        words.len() > kind.len() && words.iter().zip(&kind).all(|(word, part)| word == part)
    })
}

fn begins_with_one_of(words: &[String], beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| {
        let mut parts = beginning.split(' ');
        let length = parts.clone().count();
        words.len() > length && words.iter().take(length).all(|word| parts.next() == Some(word))
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_a_message_asks_about() {
        for (text, expected) in [
            ("How do I return a pot?", &["return", "pot"][..]),
            ("Hello! How much is the fern?", &["fern", "cost"]),
            ("Can I send it back?", &["return"]),
            ("do you ship to the UK", &["ship", "unit", "kingdom"]),
            ("returns, return, returning", &["return"]),
            ("what is it?", &[]),
        ] {
            let stems: Vec<String> = read(text).terms.into_iter().map(|term| term.stem).collect();
            assert_eq!(stems, expected, "{text:?}");
        }
    }

    #[test]
    fn the_kind_of_a_question() {
        for (text, expected) in [
            ("How long does it take?", Some("how long")),
            ("How do I pay?", Some("how")),
            ("where is it", Some("where")),
            ("Delivery", None),
            ("why", None),
        ] {
            assert_eq!(read(text).kind, expected, "{text:?}");
        }
    }

    #[test]
    fn what_leans_on_what_was_said_before() {
        for (text, follows, names_one_thing) in [
            ("And how much does it cost?", true, true),
            ("what about to Canada?", true, true),
            ("and the weather?", true, false),
            ("Is it safe for cats and dogs?", true, false),
            ("why?", true, false),
            ("Which payment methods do you accept?", false, false),
        ] {
            let question = read(text);
            assert_eq!(
                (question.follows, question.names_one_thing),
                (follows, names_one_thing),
                "{text:?}"
            );
        }
    }
}
