//! Courtesies: what is said besides questions, and what to say to it.

use super::words::words;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a visitor says that is no question to the knowledge base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Courtesy {
    /// A greeting; holds how to greet back.
    Greeting(&'static str),
    /// Thanks, or that all is well.
    Thanks,
    /// The end of the conversation.
    Goodbye,
    /// Who are you, what can you do.
    Introduction,
}

/// What each courtesy looks like, and how to greet back.
const GREETINGS: &[(&str, &str)] = &[
    ("hi", "Hi!"),
    ("hii", "Hi!"),
    ("hey", "Hey!"),
    ("hello", "Hello!"),
    ("helo", "Hello!"),
    ("howdy", "Howdy!"),
    ("yo", "Hi!"),
    ("greetings", "Hello!"),
    ("good morning", "Good morning!"),
    ("good afternoon", "Good afternoon!"),
    ("good evening", "Good evening!"),
    ("good day", "Good day!"),
    ("morning", "Good morning!"),
    ("how are you", "Hello!"),
    ("how are you doing", "Hello!"),
    ("how is it going", "Hello!"),
    ("what's up", "Hello!"),
    ("hola", "¡Hola!"),
    ("buenos días", "¡Buenos días!"),
    ("bonjour", "Bonjour !"),
    ("salut", "Salut !"),
    ("hallo", "Hallo!"),
    ("guten tag", "Guten Tag!"),
    ("guten morgen", "Guten Morgen!"),
    ("grüezi", "Grüezi!"),
    ("moin", "Moin!"),
    ("servus", "Servus!"),
    ("goedemorgen", "Goedemorgen!"),
    ("goedemiddag", "Goedemiddag!"),
    ("ciao", "Ciao!"),
    ("buongiorno", "Buongiorno!"),
    ("olá", "Olá!"),
    ("ola", "Olá!"),
    ("hej", "Hej!"),
    ("cześć", "Cześć!"),
    ("merhaba", "Merhaba!"),
    ("привет", "Привет!"),
    ("здравствуйте", "Здравствуйте!"),
    ("مرحبا", "مرحبا!"),
    ("שלום", "שלום!"),
    ("नमस्ते", "नमस्ते!"),
    ("こんにちは", "こんにちは！"),
    ("你好", "你好！"),
    ("안녕하세요", "안녕하세요!"),
];

const THANKS: &[&str] = &[
    "thanks",
    "thank you",
    "thank u",
    "thx",
    "ty",
    "cheers",
    "much appreciated",
    "appreciate it",
    "great",
    "perfect",
    "awesome",
    "cool",
    "nice",
    "good",
    "ok",
    "okay",
    "alright",
    "got it",
    "understood",
    "gracias",
    "merci",
    "danke",
    "dank je",
    "bedankt",
    "grazie",
    "obrigado",
    "obrigada",
    "tack",
    "спасибо",
    "谢谢",
    "ありがとう",
];

const GOODBYES: &[&str] = &[
    "bye",
    "bye bye",
    "goodbye",
    "good bye",
    "good night",
    "see you",
    "see ya",
    "cu",
    "farewell",
    "have a nice day",
    "have a good day",
    "take care",
    "that is all",
    "that's all",
    "that was all",
    "adiós",
    "adios",
    "au revoir",
    "tschüss",
    "auf wiedersehen",
    "tot ziens",
    "doei",
    "arrivederci",
    "tchau",
    "до свидания",
];

const INTRODUCTIONS: &[&str] = &[
    "help",
    "help me",
    "can you help me",
    "can you help",
    "i need help",
    "who are you",
    "what are you",
    "what can you do",
    "what do you do",
    "what can i ask",
    "what can i ask you",
    "what do you know",
    "how can you help",
    "how can you help me",
    "what can you help me with",
    "are you a bot",
    "are you a robot",
    "are you an ai",
    "are you human",
    "are you a human",
    "are you real",
    "start",
    "menu",
];

/// Words that may stand beside a courtesy without making a question of it.
const COMPANIONS: &[&str] = &[
    "a",
    "again",
    "all",
    "and",
    "everyone",
    "folks",
    "for",
    "guys",
    "lot",
    "much",
    "now",
    "please",
    "so",
    "team",
    "that",
    "the",
    "there",
    "today",
    "very",
    "you",
    "your",
    "help",
    "info",
    "information",
    "answer",
];

impl Courtesy {
    /// What to say to it; `topics` is a Markdown list.
    pub(super) fn reply(self, topics: &str) -> String {
        match self {
            Self::Greeting(greeting) => {
                format!("{greeting} What would you like to know? You can ask me about:\n{topics}")
            }
            Self::Thanks => {
                "You are welcome! Is there anything else you would like to know?".into()
            }
            Self::Goodbye => "Goodbye, and thank you for dropping by!".into(),
            Self::Introduction => {
                format!("I am an automatic assistant. You can ask me about:\n{topics}")
            }
        }
    }
}

/// What to say to a question that the knowledge base does not answer.
pub(super) fn unknown(topics: &str) -> String {
    format!(
        "Sorry, I do not know the answer to that. Maybe you can put it in other words. \
         You can ask me about:\n{topics}"
    )
}

/// The courtesy that `text` is, when it is nothing but that. Of several the last one counts, so that
/// "thanks, bye" says goodbye.
pub(super) fn recognise(text: &str) -> Option<Courtesy> {
    let words = words(text);
    let mut rest = words.as_slice();
    let mut found = None;
    while !rest.is_empty() {
        if found.is_some() && COMPANIONS.contains(&rest[0].as_str()) {
            rest = &rest[1..];
        } else if let Some((courtesy, length)) = leading(rest) {
            found = Some(courtesy);
            rest = &rest[length..];
        } else {
            return None;
        }
    }
    found
}

/// How many words at the beginning of `words` are a greeting that a question may follow.
pub(super) fn greeting_length(words: &[String]) -> usize {
    let mut length = 0;
    while let Some((Courtesy::Greeting(_), more)) = leading(&words[length..]) {
        length += more;
    }
    length
}

/// The words of a courtesy, and which it is.
type Phrase = (Vec<String>, Courtesy);

/// Every courtesy by its first word, cut into words like the visitor's text (scripts without spaces fall
/// into letters), longer ones first.
static BY_FIRST_WORD: LazyLock<HashMap<String, Vec<Phrase>>> = LazyLock::new(|| {
    let greetings =
        GREETINGS.iter().map(|(phrase, greeting)| (*phrase, Courtesy::Greeting(greeting)));
    let others = [
        (THANKS, Courtesy::Thanks),
        (GOODBYES, Courtesy::Goodbye),
        (INTRODUCTIONS, Courtesy::Introduction),
    ];
    let others = others
        .into_iter()
        .flat_map(|(phrases, courtesy)| phrases.iter().map(move |phrase| (*phrase, courtesy)));
    let mut by_first: HashMap<String, Vec<Phrase>> = HashMap::new();
    for (phrase, courtesy) in greetings.chain(others) {
        let phrase = words(phrase);
        if let Some(first) = phrase.first() {
            by_first.entry(first.clone()).or_default().push((phrase, courtesy));
        }
    }
    for phrases in by_first.values_mut() {
        phrases.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
    }
    by_first
});

/// The longest courtesy that `said` begins with, and its length in words.
fn leading(said: &[String]) -> Option<(Courtesy, usize)> {
    let phrases = BY_FIRST_WORD.get(said.first()?)?;
    let (phrase, courtesy) = phrases.iter().find(|(phrase, _)| said.starts_with(phrase))?;
    Some((*courtesy, phrase.len()))
}

#[cfg(test)]
mod tests {
    use super::{Courtesy, greeting_length, recognise};
    use crate::builtin::words::words;

    #[test]
    fn courtesies_are_recognised_when_they_stand_alone() {
        use Courtesy::{Goodbye, Greeting, Introduction, Thanks};
        for (text, expected) in [
            ("hi", Some(Greeting("Hi!"))),
            ("Hello there!!", Some(Greeting("Hello!"))),
            ("Good morning :)", Some(Greeting("Good morning!"))),
            ("hey, how are you?", Some(Greeting("Hello!"))),
            ("Bonjour", Some(Greeting("Bonjour !"))),
            ("こんにちは", Some(Greeting("こんにちは！"))),
            ("你好", Some(Greeting("你好！"))),
            ("Thank you so much", Some(Thanks)),
            ("ok, great, thanks for your help", Some(Thanks)),
            ("thanks, bye!", Some(Goodbye)),
            ("What can you do?", Some(Introduction)),
            ("help", Some(Introduction)),
            ("hello, how much is the fern?", None),
            ("good soil", None),
            ("ok but when?", None),
            ("help with a return", None),
            ("thanks for the fish", None),
            ("", None),
            ("🙂", None),
        ] {
            assert_eq!(recognise(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_greeting_before_a_question_is_not_part_of_it() {
        assert_eq!(greeting_length(&words("Good morning, hello! Do you ship?")), 3);
        assert_eq!(greeting_length(&words("Do you ship?")), 0);
    }
}
