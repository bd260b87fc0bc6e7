//! The wire, literally: what each message looks like, and that both JSON libraries (the server's
//! and the browser's) read it, also when it comes from a newer version.

use banter_shared::error::ErrorBody;
use banter_shared::host::{HostMessage, ToFrame, ToLoader};
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::session::{EndReason, PostMessage};
use banter_shared::stream::{Accepted, StreamEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

#[cfg(test)]
fn same_in_both<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(serde_json_wasm::to_string(value).unwrap(), json);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
    assert_eq!(&serde_json_wasm::from_str::<T>(json).unwrap(), value);
}

#[test]
fn stream_events() {
    same_in_both(
        &StreamEvent::Accepted(Accepted {
            answer_id: "m1.a".into(),
            attempt: 1,
            offset: 0,
            created_at: 1_795_000_000_000,
        }),
        r#"{"accepted":{"answerId":"m1.a","attempt":1,"offset":0,"createdAt":1795000000000}}"#,
    );
    same_in_both(&StreamEvent::Delta("Grüezi \"you\"\n".into()), r#"{"delta":"Grüezi \"you\"\n"}"#);
    same_in_both(
        &StreamEvent::Done(Message {
            id: "m1.a".into(),
            role: Role::Assistant,
            text: String::new(),
            status: MessageStatus::Complete,
            created_at: 1,
            attempt: 1,
            sources: vec![Source { title: "Shipping".into(), url: None }],
            error: None,
        }),
        r#"{"done":{"id":"m1.a","role":"assistant","text":"","status":"complete","createdAt":1,"attempt":1,"sources":[{"title":"Shipping"}]}}"#,
    );
    same_in_both(
        &StreamEvent::Error(ErrorBody {
            code: "assistant_timeout".into(),
            message: "m".into(),
            field: None,
            retryable: true,
            request_id: "r".into(),
        }),
        r#"{"error":{"code":"assistant_timeout","message":"m","retryable":true,"requestId":"r"}}"#,
    );
}

#[test]
fn requests_and_host_messages() {
    same_in_both(
        &PostMessage { id: "m1".into(), text: "Hi".into(), retry: false },
        r#"{"id":"m1","text":"Hi"}"#,
    );
    same_in_both(&ToFrame::Open, r#""open""#);
    same_in_both(&ToFrame::Send("Hi".into()), r#"{"send":"Hi"}"#);
    same_in_both(&ToLoader::Unread(2), r#"{"unread":2}"#);
    same_in_both(
        &ToLoader::SessionEnd(EndReason::VisitorEnded),
        r#"{"session_end":"visitor_ended"}"#,
    );
    same_in_both(
        &ToLoader::Message(HostMessage { id: "m1".into(), role: Role::Visitor }),
        r#"{"message":{"id":"m1","role":"visitor"}}"#,
    );
}

#[test]
fn an_end_reason_has_one_name_everywhere() {
    for (name, reason) in EndReason::NAMES {
        same_in_both(&reason, &format!("\"{name}\""));
        assert_eq!((reason.name(), EndReason::named(name)), (name, Some(reason)));
    }
    assert_eq!(EndReason::named("teleported"), None);
}

#[test]
fn a_newer_servers_words_do_not_break_an_older_widget() {
    let json = r#"{"id":"x","role":"human_agent","text":"t","status":"translated","createdAt":1,"mood":{"a":[1,2.5,null]}}"#;
    for message in
        [serde_json::from_str::<Message>(json).unwrap(), serde_json_wasm::from_str(json).unwrap()]
    {
        assert_eq!((message.role, message.status), (Role::Unknown, MessageStatus::Unknown));
    }
    assert_eq!(
        serde_json_wasm::from_str::<EndReason>(r#""teleported""#).unwrap(),
        EndReason::Unknown
    );
    assert!(serde_json_wasm::from_str::<StreamEvent>(r#"{"tool_call":{}}"#).is_err());
}
