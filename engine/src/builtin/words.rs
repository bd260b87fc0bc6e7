//! From text to the terms that are compared: words, lower-cased, without filler, stemmed.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

/// English words that say nothing about a topic.
const STOP_WORDS: &[&str] = &[
    "a",
    "about",
    "actually",
    "after",
    "again",
    "ain't",
    "all",
    "also",
    "although",
    "always",
    "am",
    "an",
    "and",
    "another",
    "any",
    "anyone",
    "anything",
    "are",
    "aren't",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "but",
    "by",
    "can",
    "cant",
    "could",
    "couldn't",
    "d",
    "did",
    "didn't",
    "didnt",
    "do",
    "does",
    "doesn't",
    "doesnt",
    "doing",
    "don't",
    "done",
    "dont",
    "each",
    "either",
    "else",
    "etc",
    "even",
    "ever",
    "every",
    "exactly",
    "few",
    "for",
    "from",
    "get",
    "getting",
    "go",
    "going",
    "gonna",
    "got",
    "had",
    "hadn't",
    "has",
    "hasn't",
    "hasnt",
    "have",
    "haven't",
    "havent",
    "having",
    "he",
    "her",
    "here",
    "him",
    "his",
    "how",
    "however",
    "hows",
    "i",
    "i'd",
    "i'll",
    "i'm",
    "i've",
    "id",
    "if",
    "ill",
    "im",
    "in",
    "into",
    "is",
    "isn't",
    "isnt",
    "it",
    "its",
    "ive",
    "just",
    "know",
    "let",
    "like",
    "ll",
    "may",
    "maybe",
    "me",
    "might",
    "mind",
    "more",
    "most",
    "much",
    "must",
    "my",
    "no",
    "not",
    "now",
    "of",
    "off",
    "ok",
    "okay",
    "on",
    "once",
    "one",
    "ones",
    "only",
    "or",
    "other",
    "our",
    "out",
    "over",
    "own",
    "please",
    "possible",
    "possibly",
    "quite",
    "re",
    "really",
    "s",
    "same",
    "say",
    "shall",
    "she",
    "should",
    "shouldn't",
    "so",
    "some",
    "somebody",
    "someone",
    "something",
    "still",
    "such",
    "sure",
    "t",
    "tell",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "theres",
    "these",
    "they",
    "thing",
    "things",
    "this",
    "those",
    "to",
    "today",
    "tomorrow",
    "tonight",
    "too",
    "under",
    "until",
    "up",
    "us",
    "ve",
    "very",
    "via",
    "wanna",
    "want",
    "was",
    "wasn't",
    "we",
    "we're",
    "were",
    "weren't",
    "what",
    "what're",
    "whats",
    "when",
    "where",
    "wheres",
    "whether",
    "which",
    "while",
    "who",
    "whose",
    "why",
    "will",
    "with",
    "within",
    "without",
    "won't",
    "wondering",
    "would",
    "wouldn't",
    "yes",
    "yesterday",
    "you",
    "you're",
    "your",
    "yours",
];

/// The words of `text`, lower-cased, in order. `'s` goes, because a possessive is no other word.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = text.replace('’', "'").to_lowercase();
    text.unicode_words()
        .map(|word| word.strip_suffix("'s").unwrap_or(word))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether `word`, lower-cased, says nothing about a topic.
pub(super) fn is_filler(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// What `word`, lower-cased, has in common with its other forms.
pub(super) fn stem(word: &str) -> String {
    Stemmer::create(Algorithm::English).stem(word).into_owned()
}

/// The terms of `text`: its words without filler, stemmed.
pub(super) fn terms(text: &str) -> impl Iterator<Item = String> {
    words(text).into_iter().filter(|word| !is_filler(word)).map(|word| stem(&word))
}

/// Whether `a` and `b` are probably the same word, one of them mistyped: both begin alike, and one
/// letter (two in long words) is wrong, missing, extra or swapped with its neighbour.
pub(super) fn is_typo(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let allowed = match a.len().min(b.len()) {
        0..=4 => return false,
        5..=7 => 1,
        _ => 2,
    };
    a.first() == b.first()
        && a.len().abs_diff(b.len()) <= allowed
        && a.iter().all(|letter| letter.is_alphabetic())
        && distance(&a, &b) <= allowed
}

/// Optimal string alignment: edits and swaps of neighbours that lead from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{STOP_WORDS, distance, is_typo, terms, words};
    use proptest::prelude::*;

    #[test]
    fn the_stop_words_are_sorted_for_the_binary_search() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn what_counts_as_a_word() {
        for (text, expected) in [
            ("King's Day, 27 April", &["king", "day", "27", "april"][..]),
            ("30-day €4.95", &["30", "day", "4.95"]),
            ("don’t", &["don't"]),
            ("Über ÉTÉ", &["über", "été"]),
            ("?! …", &[]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn forms_of_a_word_meet_and_filler_goes() {
        for (a, b) in [
            ("the leaves", "leaf leave"),
            ("How do I return something?", "returning"),
            ("your deliveries", "delivery"),
        ] {
            let (a_terms, b_terms): (Vec<_>, Vec<_>) = (terms(a).collect(), terms(b).collect());
            assert_eq!(a_terms.len(), 1, "{a}");
            assert!(b_terms.contains(&a_terms[0]), "{a:?} {b:?}");
        }
    }

    #[test]
    fn typos_are_near_and_begin_alike() {
        for (a, b, expected) in [
            ("shiping", "shipping", true),
            ("delivrey", "delivery", true),
            ("retrun", "return", true),
            ("mostera", "monstera", true),
            ("cup", "cut", false),
            ("tire", "time", false),
            ("bark", "park", false),
            ("2016", "2017", false),
        ] {
            assert_eq!(is_typo(a, b), expected, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn distance_is_a_distance(a in "[ab]{0,6}", b in "[ab]{0,6}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert!(distance(&a, &b) <= a.len().max(b.len()));
        }
    }
}
