//! Says a text word by word, at a steady pace.

use async_stream::stream;
use futures_util::Stream;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// `text` in pieces of one word each with the white space behind it, `words_per_second` of them; 0 gives
/// the whole at once. The first word does not wait. A reader that falls behind gets the words it has
/// missed at once, so the pace holds over the whole text.
pub(super) fn pieces(text: String, words_per_second: u32) -> impl Stream<Item = String> + Send {
    stream! {
        if words_per_second == 0 {
            yield text;
            return;
        }
        let mut ticks = interval(period(words_per_second));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (word, after) = rest.split_at(word_end(rest));
            rest = after;
            ticks.tick().await;
            yield word.to_owned();
        }
    }
}

/// The time between two words; a timer takes no zero.
fn period(words_per_second: u32) -> Duration {
    (Duration::from_secs(1) / words_per_second.max(1)).max(Duration::from_nanos(1))
}

/// Where the first word of `text` ends, the white space behind it included.
fn word_end(text: &str) -> usize {
    let word = text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len());
    let space = text[word..].find(char::is_whitespace).map_or(text.len(), |at| word + at);
    text[space..].find(|c: char| !c.is_whitespace()).map_or(text.len(), |at| space + at)
}

#[cfg(test)]
mod tests {
    use super::{pieces, word_end};
    use futures_util::StreamExt as _;
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn words_keep_the_space_behind_them() {
        for (text, end) in [("a b", 2), ("a\n\n- b", 3), ("word", 4), (" a b", 3), ("  ", 2)] {
            assert_eq!(word_end(text), end, "{text:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept_and_the_first_word_does_not_wait() {
        let begin = Instant::now();
        let said: Vec<(String, Duration)> = pieces("one two\n\nthree".into(), 10)
            .map(|word| (word, begin.elapsed()))
            .collect()
            .await;
        let words: Vec<&str> = said.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["one ", "two\n\n", "three"]);
        for (index, (word, at)) in said.iter().enumerate() {
            let expected = 100.0 * f64::from(u32::try_from(index).unwrap());
            assert!((at.as_secs_f64() * 1_000.0 - expected).abs() < 5.0, "{word:?} at {at:?}");
        }
    }

    #[tokio::test]
    async fn the_fastest_pace_is_still_one() {
        let said: Vec<String> = pieces("one two".into(), u32::MAX).collect().await;
        assert_eq!(said, ["one ", "two"]);
    }

    #[tokio::test]
    async fn no_pace_is_one_piece() {
        let said: Vec<String> = pieces("one two three".into(), 0).collect().await;
        assert_eq!(said, ["one two three"]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost(text in "\\PC{0,40}[ \n]{0,3}\\PC{0,40}") {
            let mut rest = text.as_str();
            let mut joined = String::new();
            while !rest.is_empty() {
                let end = word_end(rest);
                prop_assert!(end > 0);
                joined.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            prop_assert_eq!(joined, text);
        }
    }
}
