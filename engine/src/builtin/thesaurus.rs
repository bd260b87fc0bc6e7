//! What customers call things: everyday words that mean about the same in any shop or office, and turns of
//! phrase that stand for one word. Nothing here is about a particular business.

use super::words::stem;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Words of one subject, in any form; they are compared stemmed. Opposites belong together: who asks
/// whether something is safe is answered by where it says that it is toxic.
const SYNONYMS: &[&[&str]] = &[
    &["delivery", "deliver", "ship", "shipping", "shipment", "send", "arrive", "courier"],
    &["parcel", "package", "shipment"],
    &["track", "tracking", "status", "whereabouts"],
    &["cost", "price", "fee", "charge", "expensive", "pricing", "rate"],
    &["return", "back"],
    &["refund", "reimburse", "reimbursement"],
    &["exchange", "swap", "replace", "replacement"],
    &["guarantee", "warranty"],
    &["broken", "damaged", "defective", "faulty", "cracked", "smashed"],
    &["die", "died", "dead", "dying"],
    &["cancel", "cancellation", "revoke"],
    &["change", "modify", "edit", "amend"],
    &["buy", "purchase", "order"],
    &["pay", "payment", "checkout"],
    &["instalments", "installments", "later"],
    &["discount", "coupon", "promo", "promotion", "sale", "cheaper", "rebate"],
    &["voucher", "gift", "present"],
    &["open", "opening", "hours", "closed", "closing"],
    &["holiday", "holidays", "vacation"],
    &["christmas", "december"],
    &["phone", "telephone", "call", "ring"],
    &["email", "mail", "write"],
    &["contact", "reach", "support", "service"],
    &["human", "person", "agent", "representative", "staff"],
    &["address", "location", "located", "directions"],
    &["pick", "pickup", "collect", "collection"],
    &["job", "jobs", "career", "vacancy", "hiring", "recruiting"],
    &["company", "business", "corporate", "firm"],
    &["sustainability", "sustainable", "environment", "eco", "green", "recycled"],
    &["packaging", "packed", "packing"],
    &["owner", "founder", "opened", "founded"],
    &["pet", "pets", "cat", "dog", "kitten", "puppy", "animal"],
    &["toxic", "poisonous", "harmful", "dangerous", "safe"],
    &["freeze", "frozen", "frost", "cold", "ice"],
    &["kid", "kids", "child", "children"],
    &["big", "large", "tall", "size", "height"],
    &["dark", "low", "dim", "shade"],
    &["sun", "sunlight", "sunny"],
    &["fertiliser", "fertilizer", "fertilise", "fertilize", "feed", "food", "nutrients"],
    &["colour", "color"],
    &["bug", "bugs", "insect", "pest", "flies", "fly"],
    &["disabled", "wheelchair", "accessible", "accessibility", "step"],
    &["book", "booking", "reserve", "reservation"],
    &["workshop", "class", "course", "event"],
    &["tax", "vat"],
    &["invoice", "bill", "receipt"],
    &["language", "speak"],
    &["fast", "quick", "express", "urgent", "rush"],
    &["stock", "restock", "availability", "available"],
    &["beginner", "easy", "novice"],
    &["sick", "sad", "ill", "unhealthy", "droop", "wilting"],
    &["double", "twice"],
];

/// Names of countries, and words for all of them: who asks about one asks about a country, also where its
/// name is never written.
const COUNTRIES: &[&str] = &[
    "abroad",
    "america",
    "argentina",
    "australia",
    "austria",
    "belgium",
    "brazil",
    "bulgaria",
    "canada",
    "chile",
    "china",
    "colombia",
    "croatia",
    "cyprus",
    "czechia",
    "denmark",
    "egypt",
    "estonia",
    "finland",
    "france",
    "germany",
    "greece",
    "hungary",
    "iceland",
    "india",
    "indonesia",
    "international",
    "internationally",
    "ireland",
    "israel",
    "italy",
    "japan",
    "latvia",
    "lithuania",
    "luxembourg",
    "malta",
    "mexico",
    "netherlands",
    "norway",
    "overseas",
    "poland",
    "portugal",
    "romania",
    "russia",
    "scotland",
    "singapore",
    "slovakia",
    "slovenia",
    "spain",
    "sweden",
    "switzerland",
    "turkey",
    "ukraine",
    "wales",
    "worldwide",
];

/// Turns of phrase and the words they stand for. A phrase is a run of whole words.
const PHRASES: &[(&str, &str)] = &[
    ("how much", "cost"),
    ("how expensive", "cost"),
    ("what time", "hours"),
    ("how big", "size"),
    ("how tall", "tall"),
    ("how high", "tall"),
    ("how fast", "long"),
    ("how quickly", "long"),
    ("how soon", "long"),
    ("how many days", "long"),
    ("money back", "refund"),
    ("send back", "return"),
    ("send it back", "return"),
    ("send something back", "return"),
    ("give back", "return"),
    ("bring back", "return"),
    ("take back", "return"),
    ("next day", "express"),
    ("where are you", "address"),
    ("find you", "address"),
    ("get to you", "address"),
    ("out of stock", "sold restock"),
    ("hasn't arrived", "tracking"),
    ("not arrived", "tracking"),
    ("didn't arrive", "tracking"),
    ("where is my order", "tracking order"),
    ("where is my package", "tracking parcel"),
    ("where is my parcel", "tracking parcel"),
    ("can not", "cannot"),
    ("can't", "cannot"),
    ("email address", "email contact"),
    ("mail address", "email contact"),
    ("phone number", "phone contact"),
    ("telephone number", "phone contact"),
    ("real person", "human"),
    ("real human", "human"),
    ("pick up", "pickup"),
    ("uk", "united kingdom"),
    ("great britain", "united kingdom"),
    ("england", "united kingdom"),
    ("usa", "united states america"),
    ("holland", "netherlands"),
];

/// Verbs and nouns that belong to almost any question to a shop: they count, but little.
const WEAK: &[&str] = &[
    "answer",
    "ask",
    "best",
    "bring",
    "come",
    "find",
    "give",
    "good",
    "happen",
    "help",
    "info",
    "information",
    "keep",
    "kind",
    "long",
    "look",
    "make",
    "mean",
    "need",
    "new",
    "number",
    "offer",
    "often",
    "put",
    "question",
    "sell",
    "shop",
    "show",
    "store",
    "take",
    "talk",
    "time",
    "try",
    "use",
    "way",
    "work",
];

/// For each stem those of the other words in its groups, made once.
static BY_STEM: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut by_stem: HashMap<String, Vec<String>> = HashMap::new();
    for group in SYNONYMS {
        let stems: Vec<String> = group.iter().map(|word| stem(word)).collect();
        for own in &stems {
            let others = by_stem.entry(own.clone()).or_default();
            others.extend(stems.iter().filter(|other| *other != own).cloned());
            others.sort_unstable();
            others.dedup();
        }
    }
    by_stem
});

/// The stems of all words that are about the same as the one with this stem.
pub(super) fn synonyms(stem: &str) -> &'static [String] {
    BY_STEM.get(stem).map_or(&[], Vec::as_slice)
}

/// What the phrases in `words` stand for, each with the range of words it replaces.
pub(super) fn phrases(words: &[String]) -> Vec<(std::ops::Range<usize>, &'static str)> {
    let mut found = Vec::new();
    for (phrase, meaning) in PHRASES {
        let parts: Vec<&str> = phrase.split(' ').collect();
        for (start, run) in words.windows(parts.len()).enumerate() {
            if run.iter().eq(parts.iter()) {
                found.push((start..start + parts.len(), *meaning));
            }
        }
    }
    found
}

/// The more general word for `word`, when it is a name of something of a known kind.
pub(super) fn kind_of(word: &str) -> Option<&'static str> {
    COUNTRIES.binary_search(&word).is_ok().then_some("country")
}

/// Whether `word` says little about a topic.
pub(super) fn is_weak(word: &str) -> bool {
    WEAK.binary_search(&word).is_ok() || word.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{COUNTRIES, WEAK, is_weak, kind_of, phrases, synonyms};
    use crate::builtin::words::{stem, words};

    #[test]
    fn words_of_one_meaning_meet_in_any_form() {
        assert!(synonyms(&stem("shipping")).contains(&stem("delivered")));
        assert!(!synonyms(&stem("shipping")).contains(&stem("shipping")));
        assert!(synonyms(&stem("quantum")).is_empty());
    }

    #[test]
    fn phrases_stand_for_words() {
        let found = phrases(&words("And how much is it to the UK?"));
        assert_eq!(found, [(1..3, "cost"), (7..8, "united kingdom")]);
    }

    #[test]
    fn lists_are_sorted_for_the_binary_search() {
        assert!(WEAK.is_sorted());
        assert!(COUNTRIES.is_sorted());
        assert_eq!((kind_of("canada"), kind_of("fern")), (Some("country"), None));
        assert!(is_weak("sell") && is_weak("2nd") && !is_weak("fern"));
    }
}
