//! What a chat costs, by a price list that is made up but never changes: the same texts cost the
//! same in every run.

use serde_json::{Value, json};

/// Dollars for a million words of the prompt.
const PROMPT: f64 = 2.5;
/// Dollars for a million words of the answer.
const COMPLETION: f64 = 10.0;
/// Vapi's own fee for a chat, in dollars.
const CHAT_FEE: f64 = 0.005;

/// What one chat cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    prompt: u32,
    completion: u32,
    chats: u32,
}

impl Cost {
    /// The cost of answering `prompt` with `answer`.
    pub(crate) fn of(prompt: &str, answer: &str) -> Self {
        let words = |text: &str| u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
        Self { prompt: words(prompt), completion: words(answer), chats: 1 }
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
            chats: self.chats.saturating_add(other.chats),
        }
    }

    /// All of it, in dollars.
    pub(crate) fn total(self) -> f64 {
        round(self.model() + self.fee())
    }

    /// Its parts; `fee` is `chat` for a chat and `session` for a session.
    pub(crate) fn parts(self, fee: &str) -> Value {
        json!([
            {
                "type": "model",
                "model": { "provider": "openai", "model": "gpt-4o" },
                "promptTokens": self.prompt,
                "completionTokens": self.completion,
                "cost": round(self.model()),
            },
            { "type": fee, "cost": round(self.fee()) },
        ])
    }

    fn model(self) -> f64 {
        (f64::from(self.prompt) * PROMPT + f64::from(self.completion) * COMPLETION) / 1e6
    }

    fn fee(self) -> f64 {
        f64::from(self.chats) * CHAT_FEE
    }
}

/// To a millionth of a dollar.
fn round(dollars: f64) -> f64 {
    (dollars * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::Cost;

    #[test]
    fn costs_add_up() {
        let one = Cost::of("two words", "and four more words");
        assert!((one.total() - 0.005_045).abs() < 1e-9, "{}", one.total());
        let both = one.plus(one);
        assert!((both.total() - 0.010_09).abs() < 1e-9);
        let parts: f64 = both
            .parts("session")
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["cost"].as_f64().unwrap())
            .sum();
        assert!((parts - both.total()).abs() < 1e-9);
    }
}
