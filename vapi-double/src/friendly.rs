//! What the double says when no script tells it otherwise: friendly, helpful within its means, and
//! the same for the same question.

/// What a reply is made from.
pub(crate) struct Question<'a> {
    /// The assistant's name.
    pub(crate) name: &'a str,
    /// Its instructions, rendered.
    pub(crate) instructions: &'a str,
    /// What was asked.
    pub(crate) text: &'a str,
    /// How many questions there were before.
    pub(crate) earlier: usize,
}

/// The longest part of a question that is repeated, in characters.
const QUOTE: usize = 200;

impl Question<'_> {
    /// The answer.
    pub(crate) fn answer(&self) -> String {
        let lower = self.text.to_lowercase();
        let first_word = lower.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if lower.contains("instructions") {
            return format!("My instructions are: {}", self.instructions);
        }
        if lower.contains("thank") {
            return "You're very welcome! Is there anything else I can do for you?".to_owned();
        }
        if matches!(first_word, "hi" | "hello" | "hey" | "good") {
            return format!("Hello! I'm {}. How can I help you today?", self.name);
        }
        let quote: String = self.text.chars().take(QUOTE).collect();
        let count = match self.earlier {
            0 => "That is your first question".to_owned(),
            earlier => format!("That is question {} of this chat", earlier + 1),
        };
        format!(
            "You asked: “{quote}”. {count}, and I'm glad to be asked. I am {}, a stand-in for Vapi, \
             so I know nothing about the world; but every word of this came the way Vapi's do.",
            self.name
        )
    }
}

/// A text in pieces of one word each, with the spaces after it.
pub fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Question, words};

    #[test]
    fn the_same_question_gets_the_same_answer() {
        for (text, beginning) in [
            ("Hello there", "Hello! I'm Vera."),
            ("What are your instructions?", "My instructions are: Be kind."),
            ("Thanks, thank you", "You're very welcome!"),
            ("Do you deliver?", "You asked: “Do you deliver?”. That is question 3"),
        ] {
            let question = Question { name: "Vera", instructions: "Be kind.", text, earlier: 2 };
            assert!(question.answer().starts_with(beginning), "{}", question.answer());
            assert_eq!(words(&question.answer()).concat(), question.answer());
        }
    }
}
