//! How much of a conversation a model is shown: the newest turns that fit a token budget.
//!
//! Tokens are estimated, because every model counts in its own way: a quarter of the characters,
//! rounded up, plus [`TURN_OVERHEAD`] for a turn's role markers. For English that is a little above
//! what common tokenizers count; for other scripts it can be below, so budgets need headroom.

use crate::turn::{Speaker, Turn};

/// Estimated tokens of a turn besides its text.
const TURN_OVERHEAD: u32 = 4;
/// English text has about this many characters per token.
const CHARS_PER_TOKEN: u32 = 4;
/// The last visitor turn keeps at least this many tokens of its text, whatever the budget.
const MIN_LAST_TOKENS: u32 = 16;

/// What `text` costs as a turn, in estimated tokens.
fn estimate(text: &str) -> u32 {
    let chars = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    chars.div_ceil(CHARS_PER_TOKEN).saturating_add(TURN_OVERHEAD)
}

/// The newest turns of `history` that fit `budget`, oldest first.
///
/// It ends with the last visitor turn, which is always kept: cut from the front when it alone exceeds the
/// budget. The turns before it are kept whole or not at all, without gaps. It starts on a visitor
/// turn, because an answer without its question misleads. Empty when no visitor said anything.
pub(crate) fn window(history: &[Turn], budget: u32) -> Vec<Turn> {
    let Some(last) = history.iter().rposition(|turn| turn.speaker == Speaker::Visitor) else {
        return Vec::new();
    };
    let (earlier, question) = (&history[..last], &history[last]);
    let question = Turn::visitor(cut_front(&question.text, budget));
    let mut left = budget.saturating_sub(estimate(&question.text));
    let mut start = last;
    for (index, turn) in earlier.iter().enumerate().rev() {
        match left.checked_sub(estimate(&turn.text)) {
            Some(rest) => left = rest,
            None => break,
        }
        if turn.speaker == Speaker::Visitor {
            start = index;
        }
    }
    let mut kept = history[start..last].to_vec();
    kept.push(question);
    kept
}

/// The end of `text` that fits `budget` as a turn.
fn cut_front(text: &str, budget: u32) -> &str {
    let tokens = budget.saturating_sub(TURN_OVERHEAD).max(MIN_LAST_TOKENS);
    let chars = usize::try_from(tokens.saturating_mul(CHARS_PER_TOKEN)).unwrap_or(usize::MAX);
    let surplus = text.chars().count().saturating_sub(chars);
    text.char_indices().nth(surplus).map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use super::{MIN_LAST_TOKENS, TURN_OVERHEAD, estimate, window};
    use crate::turn::{Speaker, Turn};
    use proptest::prelude::*;

    #[test]
    fn the_estimate_is_a_quarter_of_the_characters_and_four() {
        for (text, tokens) in [("", 4), ("a", 5), ("four", 5), ("fives", 6), ("äöüß", 5)] {
            assert_eq!(estimate(text), tokens, "{text:?}");
        }
    }

    #[test]
    fn the_newest_whole_turns_that_fit() {
        let history = [
            Turn::visitor("one."),
            Turn::assistant("two."),
            Turn::visitor("3333"),
            Turn::assistant("4444"),
            Turn::visitor("5555"),
        ];
        // Every turn costs 5; an answer whose question does not fit goes too.
        for (budget, kept) in [(25, 5), (24, 3), (15, 3), (14, 1), (10, 1), (5, 1), (0, 1)] {
            let got = window(&history, budget);
            assert_eq!(got, history[history.len() - kept..], "budget {budget}");
        }
    }

    #[test]
    fn a_long_question_keeps_its_end_and_an_unanswered_one_is_last() {
        let long = format!("{}the end", "x".repeat(1_000));
        let got = window(&[Turn::visitor(long)], 30);
        assert_eq!(got.len(), 1);
        assert!(got[0].text.ends_with("xthe end"));
        assert_eq!(estimate(&got[0].text), 30);

        let got = window(&[Turn::visitor("q"), Turn::assistant("half an ans")], 100);
        assert_eq!(got, [Turn::visitor("q")]);
        assert_eq!(window(&[Turn::assistant("hello")], 100), []);
    }

    fn history() -> impl Strategy<Value = Vec<Turn>> {
        prop::collection::vec(
            (any::<bool>(), "\\PC{0,60}").prop_map(|(visitor, text)| {
                if visitor { Turn::visitor(text) } else { Turn::assistant(text) }
            }),
            0..12,
        )
    }

    proptest! {
        #[test]
        fn a_window_keeps_its_promises(history in history(), budget in 0_u32..200) {
            let got = window(&history, budget);
            let last = history.iter().rposition(|turn| turn.speaker == Speaker::Visitor);
            let Some(last) = last else {
                prop_assert!(got.is_empty());
                return Ok(());
            };
            prop_assert_eq!(got[0].speaker, Speaker::Visitor);
            let (question, earlier) = got.split_last().unwrap();
            prop_assert!(history[last].text.ends_with(&*question.text));
            prop_assert_eq!(earlier, &history[last - earlier.len()..last], "without gaps");
            let cost: u32 = got.iter().map(|turn| estimate(&turn.text)).sum();
            prop_assert!(cost <= budget.max(MIN_LAST_TOKENS + TURN_OVERHEAD));
        }

        #[test]
        fn a_larger_budget_never_shows_less(history in history(), budget in 0_u32..200) {
            prop_assert!(window(&history, budget).len() <= window(&history, budget + 7).len());
        }
    }
}
