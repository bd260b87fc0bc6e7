//! Which section answers a question, given the conversation before it; or that none does.

use super::index::{Index, Sought};
use super::question::{self, Question};
use super::smalltalk;
use super::words::terms;

/// How many messages back a question can lean.
const MEMORY: usize = 4;
/// What a term of the question before weighs in one that leans on it.
const CARRIED: f32 = 0.5;
/// The same for a question that points back with a pronoun.
const POINTED_AT: f32 = 1.0;
/// What the section of the answer before gains for a question that leans on it.
const STAY: f32 = 1.5;
/// What a section gains whose own heading holds nothing but what is asked.
const FOCUSED: f32 = 0.5;
/// What a section gains whose own heading asks the same kind of question.
const SAME_KIND: f32 = 1.3;
/// A section that holds this part of a question answers it.
const COVERED: f32 = 0.6;
/// So does one that holds this part when its own heading is about it.
const COVERED_BY_HEADING: f32 = 0.42;
/// The least evidence for an answer, as the weight of what is found compared to that of the rarest
/// term: common words prove nothing.
const EVIDENCE: f32 = 0.25;

/// What is sought: the question's own terms, and those it takes over from the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    own: Vec<Sought>,
    carried: Vec<Sought>,
}

/// The section that answers.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its place in the knowledge base.
    pub(super) section: usize,
    /// What was sought.
    pub(super) query: Query,
}

/// The section that answers the last of `said`, all of one visitor.
pub(super) fn find(index: &Index, said: &[&str]) -> Option<Found> {
    let recent = &said[said.len().saturating_sub(MEMORY)..];
    let mut before: Option<Found> = None;
    let mut found = None;
    for text in recent {
        if smalltalk::recognise(text).is_some() {
            continue;
        }
        let question = question::read(text);
        let context = before.take().filter(|_| question.follows);
        let query = Query::new(index, &question, context.as_ref());
        let stay = context.map(|context| context.section);
        let section = best(index, &question, &query, stay);
        found = section.map(|section| Found { section, query });
        before.clone_from(&found);
    }
    found
}

/// The section with the highest score among those that answer `question` at all.
fn best(index: &Index, question: &Question, query: &Query, stay: Option<usize>) -> Option<usize> {
    // What a pronoun points at is what was just talked about, if only that has an answer.
    if let Some(section) = stay.filter(|_| question.points)
        && Evidence::new(index, query, section).own >= COVERED
    {
        return Some(section);
    }
    let mut best: Option<(usize, f32)> = None;
    for section in 0..index.len() {
        let evidence = Evidence::new(index, query, section);
        let stays = stay == Some(section);
        let all = query.own.iter().chain(&query.carried);
        let same_kind = question.kind.is_some() && question.kind == index.kind(section);
        let score = evidence.score
            * (1.0 + FOCUSED * index.focus(all, section))
            * if stays { STAY } else { 1.0 }
            * if same_kind { SAME_KIND } else { 1.0 };
        let first = best.is_none_or(|(_, highest)| score > highest);
        if first && evidence.suffices(question, stay.is_some(), stays) {
            best = Some((section, score));
        }
    }
    best.map(|(section, _)| section)
}

impl Query {
    fn new(index: &Index, question: &Question, context: Option<&Found>) -> Self {
        let factor = if question.points { POINTED_AT } else { CARRIED };
        let own = question.terms.iter().flat_map(|term| index.seek(term)).collect();
        let carried = context
            .into_iter()
            .flat_map(|context| context.query.own.iter().chain(&context.query.carried))
            .map(|sought| sought.scaled(factor))
            .collect();
        Self { own, carried }
    }

    /// How much of what is sought stands in `text`.
    pub(super) fn relevance(&self, text: &str) -> f32 {
        let terms: Vec<String> = terms(text).collect();
        let all = self.own.iter().chain(&self.carried);
        all.map(|sought| sought.weight * sought.quality_in(&terms)).sum()
    }
}

/// What speaks for a section.
struct Evidence {
    score: f32,
    /// The part of the question's own terms that it holds, by weight.
    own: f32,
    /// The same, with the terms taken over.
    all: f32,
    /// The weight of all that it holds, in rarest terms.
    weight: f32,
    in_heading: bool,
    has_own: bool,
}

impl Evidence {
    fn new(index: &Index, query: &Query, section: usize) -> Self {
        let (mut score, mut in_heading) = (0.0, false);
        let mut sum = |terms: &[Sought]| {
            let (mut held, mut total) = (0.0, 0.0);
            for sought in terms {
                let found = index.find(sought, section);
                score += found.score;
                in_heading |= found.in_heading;
                held += sought.weight * found.quality;
                total += sought.weight;
            }
            (held, total)
        };
        let (held_own, total_own) = sum(&query.own);
        let (held_carried, total_carried) = sum(&query.carried);
        let (held, total) = (held_own + held_carried, total_own + total_carried);
        let part = |held: f32, total: f32| if total > 0.0 { held / total } else { 0.0 };
        Self {
            score,
            own: part(held_own, total_own),
            all: part(held, total),
            weight: held / index.rarest(),
            in_heading,
            has_own: !query.own.is_empty(),
        }
    }

    /// Whether it is enough to answer. `leans` tells that there is an answer before to lean on,
    /// `stays` that this is its section.
    fn suffices(&self, question: &Question, leans: bool, stays: bool) -> bool {
        if self.weight < EVIDENCE {
            return false;
        }
        let by_itself = self.own >= COVERED || (self.in_heading && self.own >= COVERED_BY_HEADING);
        let together = leans && self.own > 0.0 && self.all >= COVERED_BY_HEADING;
        // "And to Canada?" stays with what was said about countries; "why?" with anything.
        let nothing_new = leans && stays && (!self.has_own || question.names_one_thing);
        by_itself || together || nothing_new
    }
}
