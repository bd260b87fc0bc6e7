//! The types of `banter_shared` that the widget reads and writes, from and to [`Json`].
//!
//! Why not serde: see [`crate::json`]. A struct literal names every field, so a field that is new in
//! `banter_shared` fails to compile here, and the tests below compare each with what serde makes of it.

use crate::json::{Json, object, quote};
use crate::state::presence::Standing;
use crate::state::session::Ticket;
use crate::state::tabs::{Question, Tab, Told};
use banter_shared::error::ErrorBody;
use banter_shared::host::{HostMessage, ToFrame, ToLoader};
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::session::{
    CreateSession, EndReason, EndSession, History, PostMessage, Session, SessionCreated,
    SessionStatus,
};
use banter_shared::stream::{Accepted, StreamEvent};
use banter_shared::widget::{ColorScheme, Layout, Leave, Palette, Position, Strings, WidgetConfig};

/// Reads the answer to a request that creates a session.
#[must_use]
pub fn read_created(json: &Json) -> Option<SessionCreated> {
    Some(SessionCreated {
        session: read_session(json.get("session"))?,
        token: json.get("token").text()?.to_owned(),
        messages: read_messages(json.list_of("messages")),
    })
}

/// Reads a history.
#[must_use]
pub fn read_history(json: &Json) -> Option<History> {
    Some(History {
        session: read_session(json.get("session"))?,
        messages: read_messages(json.list_of("messages")),
        earlier: read_messages(json.list_of("earlier")),
    })
}

/// Reads an event of an answer's stream; `None` for one from a newer server.
#[must_use]
pub fn read_event(json: &Json) -> Option<StreamEvent> {
    let (name, content) = json.variant()?;
    Some(match name {
        "accepted" => StreamEvent::Accepted(Accepted {
            answer_id: content.get("answerId").text()?.into(),
            attempt: content.small_number_of("attempt"),
            offset: content.small_number_of("offset"),
            created_at: content.number_of("createdAt"),
        }),
        "delta" => StreamEvent::Delta(content.text()?.to_owned()),
        "done" => StreamEvent::Done(read_message(content)?),
        "error" => StreamEvent::Error(read_error(content)?),
        _ => return None,
    })
}

/// Reads an error.
#[must_use]
pub fn read_error(json: &Json) -> Option<ErrorBody> {
    Some(ErrorBody {
        code: json.get("code").text()?.to_owned(),
        message: json.text_of("message"),
        field: json.get("field").text().map(str::to_owned),
        retryable: json.flag_of("retryable"),
        request_id: json.text_of("requestId"),
    })
}

/// Reads what the loader says; `None` for what a newer one says.
#[must_use]
pub fn read_command(json: &Json) -> Option<ToFrame> {
    let (name, content) = json.variant()?;
    Some(match name {
        "open" => ToFrame::Open,
        "close" => ToFrame::Close,
        "toggle" => ToFrame::Toggle,
        "send" => ToFrame::Send(content.text()?.to_owned()),
        "end" => ToFrame::End,
        _ => return None,
    })
}

/// Reads what another tab says; `None` for what a newer one says.
#[must_use]
pub fn read_told(json: &Json) -> Option<Told> {
    let (name, content) = json.variant()?;
    Some(match name {
        "asked" => Told::Asked(Question {
            id: content.get("id").text()?.into(),
            text: content.get("text").text()?.to_owned(),
            at: content.number_of("at"),
        }),
        "ended" => Told::Ended(read_reason(content.text()?)),
        "restarted" => Told::Restarted,
        "time" => Told::Time(json.number_of(name)),
        "tab" => Told::Tab(Tab {
            name: content.get("name").text()?.to_owned(),
            standing: Standing::named(content.get("standing").text()?)?,
        }),
        _ => return None,
    })
}

/// Reads a ticket.
#[must_use]
pub fn read_ticket(json: &Json) -> Option<Ticket> {
    let (id, token) = (json.get("id").text()?, json.get("token").text()?);
    Some(Ticket { id: id.into(), token: token.to_owned() })
}

/// Reads the widget's configuration.
#[must_use]
pub fn read_config(json: &Json) -> Option<WidgetConfig> {
    let optional = |name: &str| json.get(name).text().map(str::to_owned);
    let (palette, leave) = (json.get("palette"), json.get("leave"));
    Some(WidgetConfig {
        id: json.get("id").text()?.into(),
        title: json.get("title").text()?.to_owned(),
        subtitle: json.text_of("subtitle"),
        logo: optional("logo"),
        layout: match json.get("layout").text() {
            Some("inline") => Layout::Inline,
            Some("fullscreen") => Layout::Fullscreen,
            _ => Layout::Bubble,
        },
        position: match json.get("position").text() {
            Some("bottom_left") => Position::BottomLeft,
            Some("top_right") => Position::TopRight,
            Some("top_left") => Position::TopLeft,
            _ => Position::BottomRight,
        },
        color_scheme: match json.get("colorScheme").text() {
            Some("light") => ColorScheme::Light,
            Some("dark") => ColorScheme::Dark,
            _ => ColorScheme::Auto,
        },
        palette: Palette {
            accent: palette.text_of("accent"),
            on_accent: palette.text_of("onAccent"),
            accent_on_light: palette.text_of("accentOnLight"),
            accent_on_dark: palette.text_of("accentOnDark"),
        },
        width: json.small_number_of("width"),
        height: json.small_number_of("height"),
        language: json.text_of("language"),
        rtl: json.flag_of("rtl"),
        first_message: optional("firstMessage"),
        session_on_open: json.flag_of("sessionOnOpen"),
        max_message_chars: json.small_number_of("maxMessageChars"),
        inactivity_seconds: json.small_number_of("inactivitySeconds"),
        leave: Leave {
            tab_closed: leave.flag_of("tabClosed"),
            hidden: leave.flag_of("hidden"),
            collapsed: leave.flag_of("collapsed"),
        },
        strings: read_strings(json.get("strings")),
    })
}

fn read_strings(json: &Json) -> Strings {
    let text = |name| json.text_of(name);
    Strings {
        placeholder: text("placeholder"),
        message: text("message"),
        send: text("send"),
        close: text("close"),
        end: text("end"),
        end_chat: text("endChat"),
        restart: text("restart"),
        connected: text("connected"),
        ready: text("ready"),
        connecting: text("connecting"),
        offline: text("offline"),
        ended: text("ended"),
        ended_by_visitor: text("endedByVisitor"),
        ended_inactive: text("endedInactive"),
        ended_tab_closed: text("endedTabClosed"),
        ended_hidden: text("endedHidden"),
        ended_collapsed: text("endedCollapsed"),
        ended_expired: text("endedExpired"),
        ended_by_owner: text("endedByOwner"),
        ended_by_provider: text("endedByProvider"),
        ended_failed: text("endedFailed"),
        ending_in: text("endingIn"),
        stay: text("stay"),
        continue_chat: text("continueChat"),
        earlier: text("earlier"),
        transcript: text("transcript"),
        typing: text("typing"),
        you: text("you"),
        assistant: text("assistant"),
        copy: text("copy"),
        copied: text("copied"),
        queued: text("queued"),
        sending: text("sending"),
        not_sent: text("notSent"),
        retry: text("retry"),
        interrupted: text("interrupted"),
        jump: text("jump"),
        sources: text("sources"),
        today: text("today"),
        yesterday: text("yesterday"),
        failed: text("failed"),
        open_chat: text("openChat"),
        unread: text("unread"),
        minimise: text("minimise"),
        restore: text("restore"),
    }
}

/// Reads where a session stands.
#[must_use]
pub fn read_session(json: &Json) -> Option<Session> {
    let ended_at = json.number_of("endedAt");
    Some(Session {
        id: json.get("id").text()?.into(),
        widget_id: json.text_of("widgetId").into(),
        status: match json.get("status").text()? {
            "active" => SessionStatus::Active,
            "ended" => SessionStatus::Ended,
            _ => SessionStatus::Unknown,
        },
        created_at: json.number_of("createdAt"),
        expires_at: json.number_of("expiresAt"),
        inactive_in_ms: json.number_of("inactiveInMs"),
        ended_at: (ended_at > 0).then_some(ended_at),
        end_reason: json.get("endReason").text().map(read_reason),
    })
}

fn read_messages(list: &[Json]) -> Vec<Message> {
    list.iter().filter_map(read_message).collect()
}

fn read_message(json: &Json) -> Option<Message> {
    let sources = json.list_of("sources").iter().map(|source| Source {
        title: source.text_of("title"),
        url: source.get("url").text().map(str::to_owned),
    });
    Some(Message {
        id: json.get("id").text()?.into(),
        role: match json.get("role").text()? {
            "visitor" => Role::Visitor,
            "assistant" => Role::Assistant,
            _ => Role::Unknown,
        },
        text: json.text_of("text"),
        status: match json.get("status").text()? {
            "streaming" => MessageStatus::Streaming,
            "complete" => MessageStatus::Complete,
            "interrupted" => MessageStatus::Interrupted,
            "failed" => MessageStatus::Failed,
            _ => MessageStatus::Unknown,
        },
        created_at: json.number_of("createdAt"),
        attempt: json.small_number_of("attempt"),
        sources: sources.collect(),
        error: read_error(json.get("error")),
    })
}

fn read_reason(name: &str) -> EndReason {
    EndReason::named(name).unwrap_or(EndReason::Unknown)
}

/// Writes a request that ends a session, or says that the visitor left it. The token goes into the body
/// where no header can be set.
#[must_use]
pub fn write_end(end: &EndSession) -> String {
    let token = end.token.as_deref().map(quote).unwrap_or_default();
    object(&[("reason", &quote(end.reason.name())), ("token", &token)])
}

/// Writes a request that creates a session.
#[must_use]
pub fn write_create(create: &CreateSession) -> String {
    let optional = |text: &Option<String>| text.as_deref().map(quote).unwrap_or_default();
    let host_origin = optional(&create.host_origin);
    object(&[
        ("hostOrigin", &host_origin),
        ("language", &optional(&create.language)),
        ("continues", &optional(&create.continues)),
    ])
}

/// Writes a request that posts a message.
#[must_use]
pub fn write_post(post: &PostMessage) -> String {
    let retry = if post.retry { "true" } else { "" };
    object(&[("id", &quote(post.id.as_str())), ("text", &quote(&post.text)), ("retry", retry)])
}

/// Writes a ticket.
#[must_use]
pub fn write_ticket(ticket: &Ticket) -> String {
    object(&[("id", &quote(ticket.id.as_str())), ("token", &quote(&ticket.token))])
}

/// Writes what other tabs are told.
#[must_use]
pub fn write_told(told: &Told) -> String {
    match told {
        Told::Asked(Question { id, text, at }) => {
            let (id, text, at) = (quote(id.as_str()), quote(text), at.to_string());
            object(&[("asked", &object(&[("id", &id), ("text", &text), ("at", &at)]))])
        }
        Told::Ended(reason) => object(&[("ended", &quote(reason.name()))]),
        Told::Restarted => quote("restarted"),
        Told::Time(left) => object(&[("time", &left.to_string())]),
        Told::Tab(Tab { name, standing }) => {
            let standing = Standing::NAMES[*standing as usize].0;
            let (name, standing) = (quote(name), quote(standing));
            object(&[("tab", &object(&[("name", &name), ("standing", &standing)]))])
        }
    }
}

/// What the loader is told: the name of the variant, and its content as JSON, empty when there is
/// none.
#[must_use]
pub fn write_to_loader(message: &ToLoader) -> (&'static str, String) {
    match message {
        ToLoader::Hello => ("hello", String::new()),
        ToLoader::Ready => ("ready", String::new()),
        ToLoader::Close => ("close", String::new()),
        ToLoader::Unread(count) => ("unread", count.to_string()),
        ToLoader::Message(HostMessage { id, role }) => {
            let role = match role {
                Role::Visitor => "visitor",
                Role::Assistant | Role::Unknown => "assistant",
            };
            let (id, role) = (quote(id.as_str()), quote(role));
            ("message", object(&[("id", &id), ("role", &role)]))
        }
        ToLoader::SessionStart(id) => ("session_start", quote(id.as_str())),
        ToLoader::SessionEnd(reason) => ("session_end", quote(reason.name())),
        ToLoader::Error(code) => ("error", quote(code)),
    }
}
