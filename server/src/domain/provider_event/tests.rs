//! The envelope by table. What an order of events makes of a log is the store's, and tried there
//! (`tests/it/hooks_orders.rs`).

use super::{Completion, Kind, ProviderEvent, Said, Unreadable, parse, said};
use banter_shared::message::Role;
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
        (
            json!({"id": "s", "cost": 0, "costs": [{"cost": 0.1}, {"cost": 0}]}),
            (Some("s"), false, decimal("0.1")),
        ),
        (json!({"id": "s", "cost": 0, "costs": []}), (Some("s"), false, decimal("0"))),
        (json!({"id": "s", "cost": null, "costs": null}), (Some("s"), false, None)),
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

#[test]
fn what_was_said_is_read_in_every_form_it_has() {
    let body = |messages: Value| json!({"message": {"session": {"messages": messages}}});
    let read = |messages| {
        let said = said(&body(messages));
        said.into_iter().map(|said| (said.role, said.text)).collect::<Vec<_>>()
    };
    assert_eq!(
        read(json!([
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"text": "c"}, 7]},
            {"role": "tool", "content": "d", "tool_call_id": "t"},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "bot", "message": "e"},
            {"role": "user", "content": " "}, {"role": "user"}, {"role": 7}, "user", null,
        ])),
        [(Role::Visitor, "a"), (Role::Assistant, "bc"), (Role::Assistant, "e")]
            .map(|(role, text)| (role, text.to_owned()))
    );
    assert_eq!(read(json!("x")), []);
    assert_eq!(said(&json!({"message": {"chat": {}}})), []);
    let many = vec![json!({"role": "user", "content": "x"}); 600];
    assert_eq!(read(many.into()).len(), 500);
}

#[test]
fn only_an_update_to_completed_completes() {
    for (message, completes) in [
        (json!({"type": "session.updated", "session": {"id": "s", "status": "completed"}}), true),
        (json!({"type": "session.updated", "session": {"id": "s", "status": "active"}}), false),
        (json!({"type": "session.created", "session": {"id": "s", "status": "completed"}}), false),
        (json!({"type": "session.deleted", "session": {"id": "s", "status": "completed"}}), false),
        (json!({"type": "status-update", "session": {"id": "s", "status": "completed"}}), false),
    ] {
        assert_eq!(read(&message).completion("d", &message, 7).is_some(), completes, "{message}");
    }
    // When, and not later than it was heard of.
    for (timestamp, at) in [(json!(50), 50), (json!(150), 100), (json!(null), 100)] {
        let said = [("user", "a"), ("assistant", "b"), ("user", "")]
            .map(|(role, text)| json!({"role": role, "content": text}));
        let done = json!({
            "type": "session.updated", "timestamp": timestamp,
            "session": {"id": "s", "status": "completed", "cost": 0.5, "messages": said},
        });
        let said = [(Role::Visitor, "a"), (Role::Assistant, "b")]
            .map(|(role, text)| Said { role, text: text.to_owned() });
        let expected = Completion {
            at,
            cost: decimal("0.5"),
            visitor_messages: 2,
            said: said.into(),
            digest: "d".to_owned(),
        };
        let body = json!({ "message": done });
        assert_eq!(read(&done).completion("d", &body, 100), Some(expected));
    }
}
