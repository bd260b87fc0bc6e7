//! What the provider's sessions mean for ours and what they come to, by table and in random orders.

use super::{
    CostSource, ProviderSessionRecord, Settlement, Standing, Total, after_close, is_settled,
    is_told, tells, total,
};
use crate::domain::provider_event::{Completion, Said};
use crate::domain::session::{Happening, SessionRecord, tests::record};
use banter_shared::message::Role;
use banter_shared::session::EndReason;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn cost(text: &str) -> Option<Decimal> {
    (!text.is_empty()).then(|| text.parse().unwrap())
}

fn done(text: &str) -> Completion {
    completion((text, 5_000, 0, ""))
}

/// What it cost, when it was, how many messages came with it, and which event it is.
type Says<'a> = (&'a str, u64, usize, &'a str);

fn completion((text, at, messages, digest): Says<'_>) -> Completion {
    let one = Said { role: Role::Visitor, text: String::new() };
    Completion {
        at,
        cost: cost(text),
        visitor_messages: 0,
        said: vec![one; messages],
        digest: digest.to_owned(),
    }
}

fn opened(id: &str) -> ProviderSessionRecord {
    ProviderSessionRecord::opened(id.to_owned())
}

/// One of which this was said by webhooks, and this when it was asked about.
fn said(webhooks: &[&str], asked: Option<Settlement>) -> ProviderSessionRecord {
    let mut one = opened("v");
    for said in webhooks {
        one.complete(&done(said));
    }
    asked.into_iter().for_each(|answer| one.settle(answer));
    one
}

fn reconciled(text: &str) -> Option<Settlement> {
    Some(Settlement::Reconciled { cost: cost(text) })
}

#[test]
fn the_table_of_what_one_costs() {
    use CostSource::{Reconciled, Webhook};
    let unknown = Some(Settlement::Unknown);
    // Webhooks, asking; the cost, who said so, whether that settles it.
    for (webhooks, asked, expected) in [
        (vec![], None, ("", None, false)),
        (vec!["0.5"], None, ("0.5", Some(Webhook), true)),
        (vec![""], None, ("", Some(Webhook), false)),
        (vec!["0"], None, ("0", Some(Webhook), false)),
        (vec!["0", "0.5", ""], None, ("0.5", Some(Webhook), true)),
        (vec!["2", "0.5"], None, ("2", Some(Webhook), true)),
        (vec![], reconciled("0.5"), ("0.5", Some(Reconciled), true)),
        (vec![], reconciled(""), ("", Some(Reconciled), true)),
        (vec![], unknown, ("", None, true)),
        (vec!["0"], reconciled("0.5"), ("0.5", Some(Reconciled), true)),
        (vec!["0"], reconciled(""), ("0", Some(Webhook), true)),
        (vec![""], unknown, ("", Some(Webhook), true)),
        (vec!["0"], unknown, ("0", Some(Webhook), true)),
        (vec!["0.5"], reconciled("9"), ("0.5", Some(Webhook), true)),
    ] {
        let one = said(&webhooks, asked);
        let (expected_cost, source, settled) = expected;
        assert_eq!(
            (one.cost, one.source, one.is_settled),
            (cost(expected_cost), source, settled),
            "{webhooks:?} {asked:?}"
        );
        assert_eq!(is_told(std::slice::from_ref(&one)), settled || !webhooks.is_empty());
    }
    // A webhook that comes after the asking.
    for (late, expected) in
        [("", ("0.5", Reconciled)), ("0.5", ("0.5", Webhook)), ("2", ("2", Webhook))]
    {
        let mut one = said(&[], reconciled("0.5"));
        one.complete(&done(late));
        assert_eq!((one.cost, one.source), (cost(expected.0), Some(expected.1)), "{late}");
        assert!(!total(&[one]).webhook_missing);
    }
}

#[test]
fn the_table_of_which_completion_decides() {
    // Each decides over the one before it.
    let rising = [
        ("", 59, 0, "a"),
        ("", 61, 0, "a"),
        ("", 61, 4, "a"),
        ("0", 10, 2, "b"),
        ("0", 10, 2, "c"),
        ("0", 59, 0, "a"),
        ("0.25", 58, 0, "a"),
        ("0.5", 57, 1, "a"),
        ("0.5", 57, 2, "a"),
        ("0.5", 57, 2, "b"),
        ("0.5", 61, 0, "a"),
    ];
    for (at, lesser) in rising.iter().enumerate() {
        for greater in &rising[at..] {
            let (mut up, mut down) = (opened("v"), opened("v"));
            assert!(up.complete(&completion(*lesser)));
            assert_eq!(up.complete(&completion(*greater)), lesser != greater, "{greater:?}");
            assert!(down.complete(&completion(*greater)));
            assert!(!down.complete(&completion(*lesser)), "{lesser:?}");
            assert_eq!(up, down);
            let completed = up.completed.unwrap();
            assert_eq!((up.cost, completed.at), (cost(greater.0), greater.1), "nothing is mixed");
        }
    }
    // Of several sessions the greatest, and none that no webhook completed.
    let mut all = vec![opened("0"), opened("1"), said(&[], reconciled("9"))];
    assert!(!tells(&all, "0"));
    for (id, says, expected) in
        [(0, ("", 59, 4, "a"), true), (1, ("0", 58, 2, "b"), true), (0, ("", 61, 4, "c"), false)]
    {
        assert!(all[id].complete(&completion(says)));
        assert_eq!(tells(&all, &id.to_string()), expected, "{says:?}");
    }
}

#[test]
fn the_total_is_the_sum_of_what_is_known() {
    let (webhook, asked) = (said(&["0.1"], None), said(&[], reconciled("0.2")));
    let (gone, free) = (said(&[], Some(Settlement::Unknown)), said(&["0"], reconciled("")));
    let of =
        |sum: &str, source, webhook_missing| Total { cost: cost(sum), source, webhook_missing };
    let (by_webhook, by_asking) = (Some(CostSource::Webhook), Some(CostSource::Reconciled));
    for (all, expected) in [
        (vec![], of("", None, false)),
        (vec![&gone], of("", None, false)),
        (vec![&free], of("0", by_webhook, false)),
        (vec![&webhook, &gone], of("0.1", by_webhook, false)),
        (vec![&webhook, &webhook, &free], of("0.2", by_webhook, false)),
        (vec![&webhook, &asked], of("0.3", by_asking, true)),
        (vec![&asked, &gone], of("0.2", by_asking, true)),
    ] {
        let all: Vec<_> = all.into_iter().cloned().collect();
        assert_eq!(total(&all), expected, "{all:?}");
        assert_eq!(is_settled(&all), !all.is_empty());
        // One more of which nothing is known.
        let more = [all, vec![opened("w")]].concat();
        assert!(!is_settled(&more) && !is_told(&more));
    }
}

#[test]
fn the_table_of_what_an_end_over_there_means_here() {
    use Happening::{End, ProviderClosed, ProviderUntold};
    use Standing::{Closed, Open, Untold};
    let end = End(EndReason::ProviderEnded);
    // Whether ours goes on, whether it is led in the one that is over, where all of them stand.
    for (goes_on, is_led_in_it, all, expected) in [
        (true, true, vec![Closed], Some(ProviderClosed)),
        (true, true, vec![Closed, Closed], Some(ProviderClosed)),
        (true, true, vec![Closed, Open], Some(end)),
        (true, false, vec![Closed, Open], None),
        (false, true, vec![Closed], Some(ProviderClosed)),
        (false, true, vec![Closed, Open], None),
        (false, false, vec![Closed, Open], None),
        (false, false, vec![Closed, Closed], Some(ProviderClosed)),
        (false, false, vec![Closed, Untold], Some(ProviderUntold)),
        (false, true, vec![Untold], Some(ProviderUntold)),
        (false, true, vec![Untold, Open], None),
    ] {
        let mut session = record(Some(if is_led_in_it { "0" } else { "1" }));
        if !goes_on {
            session.apply(End(EndReason::VisitorEnded), 5_000);
        }
        let all: Vec<_> = (0..)
            .zip(&all)
            .map(|(id, standing)| ProviderSessionRecord {
                standing: *standing,
                ..opened(&i32::to_string(&id))
            })
            .collect();
        assert_eq!(after_close(&session, "0", &all), expected, "{goes_on} {all:?}");
    }
}

/// What can happen to the provider's sessions of one of ours.
#[derive(Clone, Debug)]
enum Step {
    Opened(usize),
    Heard(usize),
    Completed(usize),
    Told(usize, Standing),
    Left,
}

fn step() -> impl Strategy<Value = Step> {
    let standing = prop::sample::select(vec![Standing::Closed, Standing::Untold]);
    prop_oneof![
        (0..4_usize).prop_map(Step::Opened),
        (0..4_usize).prop_map(Step::Heard),
        (0..4_usize).prop_map(Step::Completed),
        (0..4_usize, standing).prop_map(|(id, standing)| Step::Told(id, standing)),
        Just(Step::Left),
    ]
}

/// A session and all that the provider opened for it, as the store keeps them.
struct Pair {
    session: SessionRecord,
    all: Vec<ProviderSessionRecord>,
}

impl Pair {
    fn take(&mut self, step: &Step, now: u64) {
        match step {
            Step::Left => drop(self.session.apply(Happening::End(EndReason::VisitorEnded), now)),
            Step::Opened(id) | Step::Heard(id) => {
                // Each is opened once.
                let id = id.to_string();
                if self.all.iter().any(|one| one.id == id) {
                    return;
                }
                self.all.push(opened(&id));
                let happening = match step {
                    Step::Heard(_) => Happening::Heard(id),
                    _ => {
                        Happening::Opened { id, instead_of: self.session.provider_session.clone() }
                    }
                };
                self.session.apply(happening, now);
            }
            Step::Completed(id) => self.over(*id, |one| _ = one.complete(&done("1")), now),
            // Nobody is told of what goes on.
            Step::Told(..) if self.session.ended.is_none() => {}
            Step::Told(id, standing) => self.over(*id, |one| one.standing = *standing, now),
        }
    }

    fn over(&mut self, id: usize, change: impl FnOnce(&mut ProviderSessionRecord), now: u64) {
        let id = id.to_string();
        let Some(one) = self.all.iter_mut().find(|one| one.id == id) else { return };
        change(one);
        if let Some(happening) = after_close(&self.session, &id, &self.all) {
            self.session.apply(happening, now);
        }
    }
}

proptest! {
    /// Whatever the provider opens, and whenever: ours is done with it exactly when each is over.
    #[test]
    fn an_ended_session_is_closed_when_everything_opened_for_it_is(
        story in prop::collection::vec(step(), 1..40),
    ) {
        use crate::domain::session::Phase;
        let mut pair = Pair { session: record(None), all: Vec::new() };
        for (at, step) in story.iter().enumerate() {
            pair.take(step, 2_000 + at as u64);
            let open = pair.all.iter().any(|one| one.standing == Standing::Open);
            let phase = pair.session.phase;
            if pair.session.ended.is_some() {
                prop_assert_eq!(phase, if open { Phase::Ending } else { Phase::Ended });
            } else {
                prop_assert!(open || pair.all.is_empty(), "it goes on in one that is open");
            }
        }
    }

    /// Completions in any order, each once or more, also where it was asked about one before: the same of
    /// everything that they say.
    #[test]
    fn the_order_of_completions_does_not_matter(
        (events, other) in prop::collection::vec((0..3_usize, says()), 1..12)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        asked in prop::option::of(0..4_u32),
        left in any::<bool>(),
    ) {
        let come_to = |events: &[(usize, Completion)]| {
            let mut log = Log::led_in("2", left);
            if let Some(asked) = asked {
                let cost = asked.checked_sub(1).map(Decimal::from);
                log.all[1].settle(Settlement::Reconciled { cost });
            }
            for (id, completion) in events {
                log.take(*id, completion);
            }
            log
        };
        let again = [other.as_slice(), &events[..1]].concat();
        prop_assert_eq!(come_to(&events), come_to(&again));
    }
}

fn says() -> impl Strategy<Value = Completion> {
    (0..4_u32, 0..9_000_u64, 0..3_usize, "[a-c]").prop_map(|(cost, at, messages, digest)| {
        let cost = cost.checked_sub(1).map_or(String::new(), |cost| cost.to_string());
        completion((&cost, at, messages, &digest))
    })
}

/// What completions make of a log that takes everything from them.
#[derive(Debug, PartialEq)]
struct Log {
    session: SessionRecord,
    all: Vec<ProviderSessionRecord>,
    told: Option<Completion>,
}

impl Log {
    fn led_in(id: &str, left: bool) -> Self {
        let mut session = record(Some(id));
        if left {
            session.apply(Happening::End(EndReason::VisitorEnded), 4_000);
        }
        let all = (0..3).map(|id| opened(&i32::to_string(&id))).collect();
        Self { session, all, told: None }
    }

    fn take(&mut self, at: usize, completion: &Completion) {
        let id = at.to_string();
        let before = self.all[at].completed.as_ref().map(|completed| completed.at);
        if self.all[at].complete(completion) {
            if tells(&self.all, &id) {
                self.told = Some(completion.clone());
            }
            if let Some(before) = before {
                self.session.move_end(&id, before, completion.at);
            }
        }
        let now = completion.at.max(self.session.last_activity_at);
        if let Some(happening) = after_close(&self.session, &id, &self.all) {
            self.session.apply(happening, now);
        }
    }
}
