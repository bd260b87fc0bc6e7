//! What the widget reads and writes by hand is what serde makes of the same types.

use banter_shared::error::ErrorBody;
use banter_shared::host::{HostMessage, ToFrame, ToLoader};
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::session::{
    CreateSession, EndReason, EndSession, History, PostMessage, Session, SessionCreated,
    SessionStatus,
};
use banter_shared::stream::{Accepted, StreamEvent};
use banter_shared::widget::{ColorScheme, Layout, Leave, Palette, Position, Strings, WidgetConfig};
use banter_widget::json::Json;
use banter_widget::state::presence::Standing;
use banter_widget::state::session::Ticket;
use banter_widget::state::tabs::{Question, Tab, Told};
use banter_widget::wire;
use proptest::prelude::*;
use serde::Serialize;
use std::fmt::Debug;

fn reads<T: Serialize + PartialEq + Debug>(read: impl Fn(&Json) -> Option<T>, value: &T) {
    let json = serde_json_wasm::to_string(value).unwrap_or_default();
    let read = Json::parse(&json).and_then(|json| read(&json));
    assert_eq!(read.as_ref(), Some(value), "{json}");
}

fn writes<T: Serialize>(value: &T, written: &str) {
    assert_eq!(serde_json_wasm::to_string(value).unwrap_or_default(), written);
}

fn message() -> impl Strategy<Value = Message> {
    let role = prop_oneof![Just(Role::Visitor), Just(Role::Assistant), Just(Role::Unknown)];
    let status = prop_oneof![
        Just(MessageStatus::Streaming),
        Just(MessageStatus::Complete),
        Just(MessageStatus::Interrupted),
        Just(MessageStatus::Failed),
        Just(MessageStatus::Unknown),
    ];
    let source = (any::<String>(), any::<Option<String>>());
    let source = source.prop_map(|(title, url)| Source { title, url });
    let sources = prop::collection::vec(source, 0..3);
    (
        any::<String>(),
        role,
        any::<String>(),
        status,
        any::<u64>(),
        any::<u32>(),
        sources,
        prop::option::of(error()),
    )
        .prop_map(|(id, role, text, status, created_at, attempt, sources, error)| Message {
            id: id.into(),
            role,
            text,
            status,
            created_at,
            attempt,
            sources,
            error,
        })
}

fn error() -> impl Strategy<Value = ErrorBody> {
    (any::<String>(), any::<String>(), any::<Option<String>>(), any::<bool>(), any::<String>())
        .prop_map(|(code, message, field, retryable, request_id)| ErrorBody {
            code,
            message,
            field,
            retryable,
            request_id,
        })
}

fn session(status: SessionStatus, end_reason: Option<EndReason>) -> Session {
    let ended_at = end_reason.map(|_| 3);
    Session {
        id: "s".into(),
        widget_id: "w".into(),
        status,
        created_at: 1,
        expires_at: 2,
        inactive_in_ms: 4,
        ended_at,
        end_reason,
    }
}

proptest! {
    #[test]
    fn events(message in message(), error in error(), text: String, attempt: u32, offset: u32, created_at: u64) {
        reads(wire::read_event, &StreamEvent::Delta(text.clone()));
        let accepted = Accepted { answer_id: text.into(), attempt, offset, created_at };
        reads(wire::read_event, &StreamEvent::Accepted(accepted));
        reads(wire::read_event, &StreamEvent::Done(message));
        reads(wire::read_event, &StreamEvent::Error(error.clone()));
        reads(wire::read_error, &error);
    }

    #[test]
    fn histories(messages in prop::collection::vec(message(), 0..3)) {
        for (status, reason) in [
            (SessionStatus::Active, None),
            (SessionStatus::Ended, Some(EndReason::VisitorEnded)),
            (SessionStatus::Ended, Some(EndReason::Expired)),
            (SessionStatus::Ended, Some(EndReason::TabClosed)),
            (SessionStatus::Unknown, Some(EndReason::Unknown)),
        ] {
            let (session, messages) = (session(status, reason), messages.clone());
            reads(wire::read_history, &History { session: session.clone(), messages: messages.clone(), earlier: messages.clone() });
            let created = SessionCreated { session, token: "t".into(), messages };
            reads(wire::read_created, &created);
        }
    }

    #[test]
    fn requests(id: String, text: String, retry: bool, host_origin: Option<String>, language: Option<String>) {
        let post = PostMessage { id: id.into(), text, retry };
        writes(&post, &wire::write_post(&post));
        let create = CreateSession { host_origin, continues: language.clone(), language };
        writes(&create, &wire::write_create(&create));
        for (_, reason) in EndReason::NAMES {
            let end = EndSession { reason, token: create.continues.clone() };
            writes(&end, &wire::write_end(&end));
        }
    }

    #[test]
    fn what_stays_in_the_browser(id: String, text: String, at: u64) {
        let ticket = Ticket { id: id.as_str().into(), token: text.clone() };
        let json = Json::parse(&wire::write_ticket(&ticket)).unwrap();
        prop_assert_eq!(wire::read_ticket(&json), Some(ticket));
        for told in [
            Told::Asked(Question { id: id.into(), text: text.clone(), at }),
            Told::Ended(EndReason::VisitorEnded),
            Told::Restarted,
            Told::Time(at),
            Told::Tab(Tab { name: text.clone(), standing: Standing::Gone }),
            Told::Tab(Tab { name: text, standing: Standing::Open }),
        ] {
            let json = Json::parse(&wire::write_told(&told)).unwrap();
            prop_assert_eq!(wire::read_told(&json), Some(told));
        }
    }
}

#[test]
fn messages_from_and_to_the_loader() {
    for command in [ToFrame::Open, ToFrame::Close, ToFrame::Toggle, ToFrame::End] {
        reads(wire::read_command, &command);
    }
    reads(wire::read_command, &ToFrame::Send("\"Hi\"".into()));
    for message in [
        ToLoader::Hello,
        ToLoader::Ready,
        ToLoader::Close,
        ToLoader::Unread(7),
        ToLoader::Message(HostMessage { id: "m".into(), role: Role::Visitor }),
        ToLoader::Message(HostMessage { id: "m".into(), role: Role::Assistant }),
        ToLoader::SessionStart("s".into()),
        ToLoader::SessionEnd(EndReason::VisitorEnded),
        ToLoader::SessionEnd(EndReason::Expired),
        ToLoader::Error("internal".into()),
    ] {
        let (name, content) = wire::write_to_loader(&message);
        let written = if content.is_empty() {
            format!("{name:?}")
        } else {
            format!("{{{name:?}:{content}}}")
        };
        writes(&message, &written);
    }
}

#[test]
fn the_configuration() {
    let layouts = [Layout::Bubble, Layout::Inline, Layout::Fullscreen, Layout::Bubble];
    let schemes = [ColorScheme::Auto, ColorScheme::Light, ColorScheme::Dark, ColorScheme::Auto];
    let positions =
        [Position::BottomRight, Position::BottomLeft, Position::TopRight, Position::TopLeft];
    for index in 0..4 {
        let mut config = WidgetConfig {
            id: "demo".into(),
            title: "Title".into(),
            subtitle: "Subtitle".into(),
            logo: Some("https://example.com/logo.svg".into()),
            layout: layouts[index],
            position: positions[index],
            color_scheme: schemes[index],
            palette: Palette {
                accent: "#111111".into(),
                on_accent: "#222222".into(),
                accent_on_light: "#333333".into(),
                accent_on_dark: "#444444".into(),
            },
            width: 400,
            height: 640,
            language: "ar".into(),
            rtl: true,
            first_message: Some("Hello".into()),
            session_on_open: true,
            max_message_chars: 4_000,
            inactivity_seconds: 180,
            leave: Leave { tab_closed: index == 0, hidden: index == 1, collapsed: index == 2 },
            strings: Strings::english(),
        };
        reads(wire::read_config, &config);
        config.first_message = None;
        config.logo = None;
        reads(wire::read_config, &config);
    }
    let least = Json::parse(r#"{"id":"demo","title":"Hi","newer":{"a":[1.5]}}"#).unwrap();
    assert_eq!(wire::read_config(&least).unwrap().layout, Layout::Bubble);
    assert_eq!(wire::read_config(&Json::parse(r#"{"title":"Hi"}"#).unwrap()), None);
}

#[test]
fn what_is_newer_is_skipped() {
    let json = Json::parse(r#"{"tool_call":{}}"#).unwrap();
    assert_eq!(wire::read_event(&json), None);
    assert_eq!((wire::read_command(&json), wire::read_told(&json)), (None, None));
    let history = r#"{"session":{"id":"s","status":"paused"},"messages":[{"id":"x"},
        {"id":"y","role":"human_agent","status":"translated","text":"t","mood":{"a":[null]}}]}"#;
    let history = wire::read_history(&Json::parse(history).unwrap()).unwrap();
    assert_eq!(history.session.status, SessionStatus::Unknown);
    let [message] = history.messages.as_slice() else { panic!("one message can be read") };
    assert_eq!((message.role, message.status), (Role::Unknown, MessageStatus::Unknown));
}
