//! The built-in model: answers from a folder of Markdown, without a network and without an account.
//!
//! It finds the section that fits the question ([`search`]), quotes the sentences that fit it best
//! ([`excerpt`]), names the section, and says plainly when nothing fits. It makes nothing up: every
//! fact it gives stands in the knowledge base. The same conversation always gets the same answer.

mod excerpt;
mod index;
mod knowledge;
mod markdown;
mod question;
mod search;
mod smalltalk;
mod speech;
mod thesaurus;
mod words;

use crate::model::{Delta, Model, Prompt, ReplyStream};
use crate::turn::{Speaker, Turn};
use banter_shared::message::Source;
use index::Index;
use std::sync::Arc;

pub(crate) use knowledge::Knowledge;

/// The longest excerpt, in words.
const MAX_WORDS: usize = 90;
/// The most topics to suggest; more would not be read.
const MAX_TOPICS: usize = 8;

/// A knowledge base, ready to answer.
pub(crate) struct Builtin {
    library: Arc<Library>,
    words_per_second: u32,
}

/// A knowledge base and the index over it.
struct Library {
    knowledge: Knowledge,
    index: Index,
}

impl Builtin {
    /// Indexes `knowledge`. `words_per_second` paces the answers; 0 gives them all at once.
    pub(crate) fn new(knowledge: Knowledge, words_per_second: u32) -> Self {
        let index = Index::new(&knowledge);
        Self { library: Arc::new(Library { knowledge, index }), words_per_second }
    }
}

impl Model for Builtin {
    fn reply(&self, prompt: Prompt) -> ReplyStream {
        let library = Arc::clone(&self.library);
        let words_per_second = self.words_per_second;
        Box::pin(async_stream::stream! {
            let (text, sources) = library.answer(&prompt.turns);
            for await piece in speech::pieces(text, words_per_second) {
                yield Ok(Delta::Text(piece));
            }
            if !sources.is_empty() {
                yield Ok(Delta::Sources(sources));
            }
        })
    }
}

impl Library {
    /// What to say to the last visitor turn, and what it rests on.
    fn answer(&self, turns: &[Turn]) -> (String, Vec<Source>) {
        let said: Vec<&str> = turns
            .iter()
            .filter(|turn| turn.speaker == Speaker::Visitor)
            .map(|turn| &*turn.text)
            .collect();
        let last = said.last().copied().unwrap_or_default();
        if let Some(courtesy) = smalltalk::recognise(last) {
            return (courtesy.reply(&self.topics()), Vec::new());
        }
        match search::find(&self.index, &said) {
            Some(found) => {
                let section = &self.knowledge.sections()[found.section];
                let title = section.path.join(" › ");
                let excerpt =
                    excerpt::choose(&section.blocks, MAX_WORDS, |text| found.query.relevance(text));
                (excerpt, vec![Source { title, url: None }])
            }
            None => (smalltalk::unknown(&self.topics()), Vec::new()),
        }
    }

    /// The topics as a Markdown list.
    fn topics(&self) -> String {
        let topics = self.knowledge.topics();
        topics.iter().take(MAX_TOPICS).map(|topic| format!("\n- {topic}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Builtin, Knowledge};
    use crate::settings::KnowledgeSource;
    use crate::turn::Turn;

    fn answer(turns: &[Turn]) -> (String, Vec<String>) {
        let shop = "# Delivery\n\n## Costs\n\nDelivery costs 5 euros.\n\n## Times\n\nParcels take two days.\n";
        let care = "# Care\n\n## Watering\n\nWater the fern every week.\n";
        let files = [("a.md", shop), ("b.md", care)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .to_vec();
        let knowledge = Knowledge::load(&KnowledgeSource::Files(files)).unwrap();
        let (text, sources) = Builtin::new(knowledge, 0).library.answer(turns);
        (text, sources.into_iter().map(|source| source.title).collect())
    }

    #[test]
    fn an_answer_quotes_and_names_its_section() {
        let (text, sources) = answer(&[Turn::visitor("what does delivery cost?")]);
        assert_eq!(text, "Delivery costs 5 euros.");
        assert_eq!(sources, ["Delivery › Costs"]);
    }

    #[test]
    fn courtesies_and_the_unknown_have_no_source() {
        for said in ["hello", "thanks", "who won the world cup?", "", "???", "asdf qwer"] {
            let (text, sources) = answer(&[Turn::visitor(said)]);
            assert!(!text.is_empty(), "{said:?}");
            assert!(sources.is_empty(), "{said:?}");
        }
        assert!(answer(&[Turn::visitor("hi")]).0.ends_with("\n- Delivery\n- Care"));
    }
}
