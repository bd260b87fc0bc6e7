//! The envelope by table; the order of events by property.

use super::{Facts, Kind, ProviderEvent, Unreadable, parse};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn read(message: &Value) -> ProviderEvent {
    parse(json!({"message": message}).to_string().as_bytes()).unwrap().0
}

fn decimal(text: &str) -> Option<Decimal> {
    Some(text.parse().unwrap())
}

#[test]
fn reads_what_vapi_sends() {
    let event = read(&json!({
        "timestamp": 1_795_231_040_000_u64,
        "type": "session.updated",
        "session": {
            "id": "8a0f96b4-7a0c-4721-9291-3496bae6b043", "name": "our-id", "orgId": "o",
            "createdAt": "2026-11-21T03:28:12.316Z", "updatedAt": "2026-11-21T03:30:00Z",
            "status": "completed", "expirationSeconds": 180, "messages": [{"role": "user"}, {"role": "assistant"}, 7], "new": {"field": 1},
            "cost": 0.0123, "costs": [{"type": "session", "cost": 0.005}]
        },
        "assistant": {}
    }));
    assert_eq!(
        event,
        ProviderEvent {
            kind: Kind::SessionUpdated,
            name: "session.updated".into(),
            provider_session: Some("8a0f96b4-7a0c-4721-9291-3496bae6b043".into()),
            session_name: Some("our-id".into()),
            completed: true,
            cost: decimal("0.0123"),
            at: Some(1_795_231_040_000),
            began_at: Some(1_795_231_692_316),
            visitor_messages: Some(1),
            chat: None,
        }
    );
    let chat = read(&json!({"type": "chat.created", "chat": {
        "id": "c", "sessionId": "s", "updatedAt": "2026-11-21T03:30:00.5+01:00"
    }}));
    assert_eq!(
        (chat.kind, chat.chat.as_deref(), chat.provider_session.as_deref(), chat.at),
        (Kind::ChatCreated, Some("c"), Some("s"), Some(1_795_228_200_500))
    );
    let hang = read(&json!({"type": "hang", "call": {"id": "x"}}));
    assert_eq!((hang.kind, hang.concerns_a_log()), (Kind::Other, false));
}

#[test]
fn odd_fields_count_as_missing() {
    for (session, expected) in [
        (json!({"id": 7, "status": ["completed"], "cost": "x"}), (None, false, None)),
        (json!({"id": "", "status": "completed"}), (None, true, None)),
        (json!({"id": "a\nb"}), (None, false, None)),
        (json!({"id": "x".repeat(129)}), (None, false, None)),
        (json!({"id": "s", "status": "COMPLETED", "cost": -1}), (Some("s"), false, None)),
        (json!({"id": "s", "cost": 1e-7}), (Some("s"), false, decimal("0.0000001"))),
        (json!({"id": "s", "cost": 1e300}), (Some("s"), false, None)),
        (json!({"id": "s", "cost": "0.10"}), (Some("s"), false, decimal("0.1"))),
        (
            json!({"id": "s", "costs": [{"cost": 0.1}, {"cost": 0.2}]}),
            (Some("s"), false, decimal("0.3")),
        ),
        (json!({"id": "s", "costs": [{"cost": 0.1}, {}]}), (Some("s"), false, None)),
        (json!({"id": "s", "costs": []}), (Some("s"), false, None)),
    ] {
        let event = read(&json!({"type": "session.updated", "session": session}));
        let got = (event.provider_session.as_deref(), event.completed, event.cost);
        assert_eq!(got, expected, "{session}");
    }
    for (timestamp, at) in [
        (json!(1_795_231_040_000.75), Some(1_795_231_040_000)),
        (json!("2026-11-21T03:28:12.316Z"), Some(1_795_231_692_316)),
        (json!(-5), None),
        (json!(u64::MAX), None),
        (json!("yesterday"), None),
    ] {
        assert_eq!(read(&json!({"type": "hang", "timestamp": timestamp})).at, at, "{timestamp}");
    }
    for (body, error) in [
        ("", Unreadable::NotJson),
        ("{\"message\":", Unreadable::NotJson),
        ("{\"message\":{\"type\":\"hang\"}} x", Unreadable::NotJson),
        ("[]", Unreadable::NoEnvelope),
        ("{}", Unreadable::NoEnvelope),
        ("{\"message\":{\"type\":7}}", Unreadable::NoEnvelope),
        ("{\"message\":\"session.created\"}", Unreadable::NoEnvelope),
    ] {
        assert_eq!(parse(body.as_bytes()).unwrap_err(), error, "{body}");
    }
    let cut = r#"{"message":{"type":"hang","text":"half an emoji: \ud83d"}}"#;
    assert_eq!(parse(cut.as_bytes()).unwrap().0.name, "hang");
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(parse(nested.as_bytes()).unwrap_err(), Unreadable::NotJson);
}

/// The events of one session: some progress, one completion, perhaps more.
fn events(one_completion: bool) -> impl Strategy<Value = Vec<Value>> {
    let kinds = prop::sample::select(vec![
        json!({"type": "session.created", "session": {"id": "s"}}),
        json!({"type": "session.updated", "session": {"id": "s", "status": "active", "cost": 9}}),
        json!({"type": "session.deleted", "session": {"id": "s", "status": "completed"}}),
        json!({"type": "chat.created", "chat": {"id": "c", "sessionId": "s"}}),
        json!({"type": "chat.deleted", "chat": {"id": "c", "sessionId": "s"}}),
        json!({"type": "status-update", "status": "ended", "session": {"id": "s", "status": "completed"}}),
        json!({"type": "session.reticulated", "session": {"id": "s", "cost": 3}}),
    ]);
    let completion = |cost: u32| {
        json!({"type": "session.updated", "timestamp": 50,
               "session": {"id": "s", "status": "completed", "cost": f64::from(cost) / 8.0}})
    };
    let completions = prop::collection::vec(1..100_u32, if one_completion { 0..2 } else { 2..4 });
    (prop::collection::vec(kinds, 0..12), completions).prop_map(move |(mut events, costs)| {
        events.extend(costs.into_iter().map(completion));
        events
    })
}

/// `events` in another order, some of them several times, none left out.
fn shuffled(events: Vec<Value>) -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let again = prop::collection::vec(any::<prop::sample::Index>(), 0..8);
    (Just(events), again).prop_flat_map(|(events, again)| {
        let mut more = events.clone();
        if !events.is_empty() {
            more.extend(again.iter().map(|index| index.get(&events).clone()));
        }
        (Just(events), Just(more).prop_shuffle())
    })
}

/// The log after all events, its cost, and how often it was finalised.
fn fold(events: &[Value]) -> (Facts, Vec<Option<Decimal>>) {
    let mut facts = Facts::default();
    let costs = events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| facts.apply(&read(event), 1000 + at as u64).completed)
        .map(|completion| completion.cost)
        .collect();
    (facts, costs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(10_000)))]

    #[test]
    fn the_log_does_not_depend_on_the_order(
        (events, shuffled) in events(true).prop_flat_map(shuffled)
    ) {
        let (one, other) = (fold(&events), fold(&shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.1.len(), usize::from(one.0.completed));
        // Applying everything once more changes nothing.
        let twice: Vec<_> = shuffled.iter().chain(&events).cloned().collect();
        prop_assert_eq!(fold(&twice), other);
    }

    #[test]
    fn a_finalised_log_keeps_its_cost(
        (_, shuffled) in events(false).prop_flat_map(shuffled)
    ) {
        let first = shuffled.iter().map(read).find(|event| {
            event.kind == Kind::SessionUpdated && event.completed
        });
        let (facts, costs) = fold(&shuffled);
        prop_assert_eq!(costs, vec![first.unwrap().cost]);
        prop_assert!(facts.active && facts.completed);
    }
}
