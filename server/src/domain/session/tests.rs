//! The state machine by table, and by whatever proptest thinks of.

use super::{Change, Happening, Leaving, Phase, SessionRecord, after_answer};
use crate::domain::provider::ProviderName;
use banter_shared::session::{EndReason, SessionStatus};
use proptest::prelude::*;

pub(in crate::domain) fn record(provider_session: Option<&str>) -> SessionRecord {
    SessionRecord {
        id: "s".into(),
        organization: "default".into(),
        widget_id: "w".into(),
        provider: ProviderName::Engine,
        provider_session: provider_session.map(str::to_owned),
        phase: Phase::Pending,
        created_at: 1_000,
        active_at: None,
        last_activity_at: 1_000,
        inactive_after_ms: 180_000,
        expires_at: 1_000_000,
        leaving: None,
        ended: None,
        continues: None,
        finalized_at: None,
    }
}

fn left(reason: EndReason, grace_ms: u64) -> Happening {
    Happening::Left { reason, grace_ms }
}

#[test]
fn the_table_of_endings() {
    use EndReason::{
        Collapsed, Expired, Hidden, Inactive, OwnerEnded, ProviderEnded, TabClosed, VisitorEnded,
    };
    use Happening::{Answered, Answering, End, ProviderClosed, Seen, Spoke, Stirred, Tick};
    type Case = (&'static str, Vec<(u64, Happening)>, Option<(u64, EndReason)>);
    let cases: Vec<Case> = vec![
        ("nothing is said", vec![(181_000, Tick)], Some((181_000, Inactive))),
        ("nothing is said, seen late", vec![(999_999, Tick)], Some((181_000, Inactive))),
        ("typing resets", vec![(100_000, Stirred), (181_000, Tick)], None),
        ("an answer resets", vec![(2_000, Spoke), (100_000, Answered), (279_999, Tick)], None),
        (
            "an answer that is being written is no silence",
            vec![(2_000, Spoke), (100_000, Answering), (279_999, Tick)],
            None,
        ),
        (
            "its writer dies",
            vec![(2_000, Spoke), (100_000, Answering), (300_000, Tick)],
            Some((280_000, Inactive)),
        ),
        (
            "it brings nobody back",
            vec![(5_000, left(TabClosed, 10_000)), (6_000, Answering), (15_000, Tick)],
            Some((15_000, TabClosed)),
        ),
        (
            "nor puts off the end of its time",
            (0..13).map(|n| (90_000 * n + 1_000, Answering)).collect(),
            Some((1_000_000, Expired)),
        ),
        ("typing too late", vec![(181_000, Stirred)], Some((181_000, Inactive))),
        ("by hand", vec![(5_000, End(VisitorEnded))], Some((5_000, VisitorEnded))),
        (
            "the first end stands",
            vec![(5_000, End(VisitorEnded)), (6_000, End(OwnerEnded))],
            Some((5_000, VisitorEnded)),
        ),
        (
            "hidden, stays away",
            vec![(5_000, left(Hidden, 60_000)), (65_000, Tick)],
            Some((65_000, Hidden)),
        ),
        (
            "hidden, comes back",
            vec![(5_000, left(Hidden, 60_000)), (64_999, Stirred), (70_000, Tick)],
            None,
        ),
        (
            "hidden, comes back too late",
            vec![(5_000, left(Hidden, 60_000)), (65_000, Stirred)],
            Some((65_000, Hidden)),
        ),
        ("hidden without grace", vec![(5_000, left(Hidden, 0))], Some((5_000, Hidden))),
        ("a reload", vec![(5_000, left(TabClosed, 10_000)), (6_000, Seen), (20_000, Tick)], None),
        (
            "a reload of a page whose panel is collapsed",
            vec![(5_000, left(Collapsed, 10_000)), (6_000, Seen), (20_000, Tick)],
            Some((15_000, Collapsed)),
        ),
        (
            "closed, which also hides",
            vec![(5_000, left(Hidden, 60_000)), (5_001, left(TabClosed, 10_000)), (99_000, Tick)],
            Some((15_001, TabClosed)),
        ),
        (
            "hidden after collapsing",
            vec![(5_000, left(Collapsed, 30_000)), (6_000, left(Hidden, 60_000)), (99_000, Tick)],
            Some((35_000, Collapsed)),
        ),
        (
            "an answer does not bring a visitor back",
            vec![(5_000, left(TabClosed, 10_000)), (6_000, Answered), (15_000, Tick)],
            Some((15_000, TabClosed)),
        ),
        (
            "its time is up",
            (0..13).map(|n| (90_000 * n + 1_000, Stirred)).collect(),
            Some((1_000_000, Expired)),
        ),
        ("the provider ends it", vec![(5_000, ProviderClosed)], Some((5_000, ProviderEnded))),
    ];
    for (name, story, end) in cases {
        let mut session = record(None);
        for (at, happening) in story {
            session.apply(happening, at);
        }
        assert_eq!(session.ended, end, "{name}");
        assert_eq!(session.phase == Phase::Ended, end.is_some(), "{name}");
    }
}

#[test]
fn an_end_moves_only_with_the_completion_that_made_it() {
    use EndReason::{ProviderEnded, VisitorEnded};
    use Happening::{End, ProviderClosed};
    // What ended it and when; of which of the provider's sessions it says another instant, which one it
    // said before and which one now; when the end is after that.
    for (end, by, (id, before, now), expected) in [
        (ProviderClosed, 5_000, ("v", 5_000, 6_000), 6_000),
        (ProviderClosed, 5_000, ("v", 5_000, 4_000), 4_000),
        (End(ProviderEnded), 5_000, ("v", 5_000, 6_000), 6_000),
        // Not before its last sign of life, and not beyond its deadline.
        (ProviderClosed, 3_000, ("v", 2_000, 6_000), 6_000),
        (ProviderClosed, 5_000, ("v", 5_000, 2_000), 3_000),
        (ProviderClosed, 5_000, ("v", 5_000, 999_000), 183_000),
        // That of another one, another end, and one for another reason.
        (ProviderClosed, 5_000, ("lost", 5_000, 6_000), 5_000),
        (ProviderClosed, 5_000, ("v", 4_000, 6_000), 5_000),
        (End(VisitorEnded), 5_000, ("v", 5_000, 6_000), 5_000),
    ] {
        let mut session = record(Some("v"));
        session.apply(Happening::Spoke, 3_000);
        session.apply(end.clone(), by);
        let was = session.clone();
        assert_eq!(session.move_end(id, before, now), expected != by, "{end:?} {id} {now}");
        let reason = was.ended.unwrap().1;
        assert_eq!(session, SessionRecord { ended: Some((expected, reason)), ..was });
    }
    let mut goes_on = record(Some("v"));
    assert!(!goes_on.move_end("v", 1_000, 2_000) && goes_on.ended.is_none());
}

#[test]
fn only_a_refusal_for_good_before_any_answer_ends_a_session() {
    let failed = Happening::End(EndReason::Failed);
    for (for_good, answers, happening) in [
        (true, 0, failed),
        (true, 1, Happening::Answered),
        (false, 0, Happening::Answered),
        (false, 1, Happening::Answered),
    ] {
        assert_eq!(after_answer(for_good, answers), happening, "{for_good} {answers}");
    }
}

#[test]
fn a_session_becomes_active_with_the_first_word() {
    let mut session = record(None);
    assert_eq!(session.apply(Happening::Stirred, 2_000), Change::Touched);
    assert_eq!(session.phase, Phase::Pending);
    assert_eq!(session.apply(Happening::Spoke, 3_000), Change::Activated);
    assert_eq!((session.phase, session.active_at), (Phase::Active, Some(3_000)));
    assert_eq!(session.apply(Happening::Spoke, 4_000), Change::Touched);
    assert_eq!(session.active_at, Some(3_000));
}

#[test]
fn a_provider_with_a_session_of_its_own_is_told() {
    let mut session = record(Some("v"));
    session.apply(Happening::End(EndReason::VisitorEnded), 5_000);
    assert_eq!(session.phase, Phase::Ending);
    assert_eq!(session.seen_at(5_000).status, SessionStatus::Ended);
    assert_eq!(session.apply(Happening::ProviderClosed, 6_000), Change::Touched);
    assert_eq!(session.phase, Phase::Ended);
    assert_eq!(session.ended, Some((5_000, EndReason::VisitorEnded)));
    assert_eq!(session.apply(Happening::ProviderClosed, 7_000), Change::None);
}

/// What is opened after the end has to be closed, whatever was opened and closed before.
#[test]
fn a_provider_that_opens_too_late_is_told() {
    use Happening::Heard;
    let (v, w) = (Some("v"), Some("w"));
    let opened = |id: &str| Happening::Opened { id: id.into(), instead_of: None };
    for (before, closed, happening, change, led_in) in [
        (None, false, opened("v"), Change::Touched, v),
        (None, false, Heard("v".into()), Change::Touched, v),
        (v, false, opened("w"), Change::Touched, w),
        (v, true, opened("w"), Change::Touched, w),
        (v, true, Heard("w".into()), Change::Touched, v),
        (v, true, opened("v"), Change::None, v),
    ] {
        let mut late = record(before);
        late.apply(Happening::End(EndReason::TabClosed), 5_000);
        if closed {
            late.apply(Happening::ProviderClosed, 5_500);
        }
        assert_eq!(late.apply(happening.clone(), 6_000), change, "{happening:?}");
        let is_told = change == Change::None;
        assert_eq!(late.phase == Phase::Ended, is_told, "{happening:?}");
        assert_eq!(late.provider_session.as_deref(), led_in, "{happening:?}");
        assert_eq!(late.ended, Some((5_000, EndReason::TabClosed)));
    }
}

#[test]
fn a_session_is_led_in_the_last_one_that_was_opened_in_place_of_the_one_before() {
    let mut session = record(None);
    let opened = |id: &str, instead_of: Option<&str>| Happening::Opened {
        id: id.into(),
        instead_of: instead_of.map(str::to_owned),
    };
    for (happening, led_in) in [
        (Happening::Heard("a".into()), "a"),
        (opened("a", None), "a"),
        // Lost, and another opened in its place.
        (opened("b", Some("a")), "b"),
        (Happening::Heard("c".into()), "b"),
        // Asked for before one was there, or in place of one that has been replaced since.
        (opened("d", None), "b"),
        (opened("e", Some("a")), "b"),
        (opened("f", Some("b")), "f"),
    ] {
        session.apply(happening, 2_000);
        assert_eq!(session.provider_session.as_deref(), Some(led_in));
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let reason = prop::sample::select(EndReason::NAMES.map(|(_, reason)| reason).to_vec());
    prop_oneof![
        Just(Happening::Spoke),
        Just(Happening::Stirred),
        Just(Happening::Seen),
        Just(Happening::Answering),
        Just(Happening::Answered),
        (reason.clone(), 0_u64..100_000).prop_map(|(reason, grace_ms)| left(reason, grace_ms)),
        reason.prop_map(Happening::End),
        Just(Happening::Began),
        ("[ab]", prop::option::of("[ab]"))
            .prop_map(|(id, instead_of)| Happening::Opened { id, instead_of }),
        "[ab]".prop_map(Happening::Heard),
        Just(Happening::ProviderClosed),
        Just(Happening::ProviderUntold),
        Just(Happening::Tick),
    ]
}

proptest! {
    /// Whatever happens in whatever order: it ends at most once, never later than its deadlines
    /// say, what is said after the end changes nothing about it, and looking at it (a tick) at
    /// every step decides nothing that the next step would not have decided by itself.
    #[test]
    fn a_session_ends_once_and_the_clock_decides(
        story in prop::collection::vec((0_u64..60_000, happening()), 1..40),
    ) {
        let (mut session, mut watched) = (record(None), record(None));
        let mut now = 1_000;
        for (pause, happening) in story {
            now += pause;
            let before = session.clone();
            let due = before.end_at(now);
            watched.apply(Happening::Tick, now);
            watched.apply(happening.clone(), now);
            let change = session.apply(happening, now);
            prop_assert_eq!(&session, &watched);
            if before.ended.is_some() {
                prop_assert_eq!(before.ended, session.ended);
                prop_assert_ne!(change, Change::Ended);
            } else if due.is_some() {
                prop_assert_eq!(session.ended, due);
            }
            prop_assert_eq!(change == Change::Ended, before.ended.is_none() && session.ended.is_some());
            prop_assert_eq!(session.ended.is_some(), matches!(session.phase, Phase::Ending | Phase::Ended));
            let overdue = session.leaving.is_some_and(|leaving: Leaving| leaving.due_at <= now);
            prop_assert!(!overdue);
        }
    }
}
