//! `/chat`: one question and its answer, alone, after another chat, or in a session.

use super::answer::{event_stream, refuse, sit_through};
use super::input::{Id, Object};
use super::list::{Query, page};
use super::sessions;
use crate::checks::{CREATE_CHAT, Checks, object, text};
use crate::costs::Cost;
use crate::friendly::{Question, words};
use crate::options::ORGANIZATION;
use crate::refusal::Refusal;
use crate::script::{Act, Event, Route, Script, steps};
use crate::shared::Shared;
use crate::variables::bake;
use crate::when::{default_variables, iso};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A chat that is being answered.
struct Chat {
    id: String,
    /// What its creator said.
    body: Map<String, Value>,
    /// With its variables filled in.
    assistant: Value,
    /// What was said before.
    context: Vec<Value>,
    /// What is said now.
    input: Vec<Value>,
}

pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Object(body): Object,
) -> Result<Response, Refusal> {
    let script = shared.script(Route::Chat);
    if let Some(response) = refuse(&shared, &script).await {
        return Ok(response);
    }
    Checks::of(&body, CREATE_CHAT).name().input().end()?;
    let chat = begin(&shared, body)?;
    let (script, pieces) = plan(&shared, script, &chat);
    let event = Event { chat: &chat.id, session: text(&chat.body, "sessionId") };
    let steps = steps(&script, &pieces, event);
    if chat.body.get("stream") == Some(&Value::Bool(true)) {
        let keep = shared.clone();
        return Ok(event_stream(&shared, steps, move || {
            finish(&keep, chat, &pieces.concat());
        }));
    }
    if !sit_through(&shared, &steps).await {
        return Ok((StatusCode::BAD_GATEWAY, "error code: 502").into_response());
    }
    let stored = finish(&shared, chat, &pieces.concat());
    Ok((StatusCode::CREATED, Json(stored)).into_response())
}

/// Finds what answers and what was said before.
fn begin(shared: &Shared, body: Map<String, Value>) -> Result<Chat, Refusal> {
    let session = text(&body, "sessionId");
    let previous = text(&body, "previousChatId");
    let has_assistant = ["assistantId", "assistant", "squadId", "squad"]
        .into_iter()
        .any(|name| body.contains_key(name));
    if session.is_some() && previous.is_some() {
        let sentence = "sessionId and previousChatId are mutually exclusive";
        return Err(Refusal::invalid(vec![sentence.to_owned()]));
    }
    if session.is_some() && body.contains_key("transport") {
        return Err(Refusal::bad("Cannot specify both sessionId and transport fields together."));
    }
    // The documentation's words: a session is tied to its assistant.
    if session.is_some() && has_assistant {
        return Err(Refusal::bad("You cannot specify `assistantId` when using `sessionId`."));
    }
    if session.is_none() && previous.is_none() && !has_assistant {
        return Err(Refusal::bad(
            "Requires at least one of: assistantId/assistant, sessionId, or previousChatId.",
        ));
    }
    let id = shared.id();
    let input = input(&body);
    let (assistant, context) = match (session, previous) {
        (Some(session), _) => in_session(shared, session)?,
        (None, Some(previous)) => after(shared, previous, &body)?,
        (None, None) => (filled_in(shared, &sessions::assistant(shared, &body)?, &body), vec![]),
    };
    Ok(Chat { id, assistant, context, input, body })
}

/// How Vapi words the refusal of a dead session is not published; clients look for "not found".
fn in_session(shared: &Shared, id: &str) -> Result<(Value, Vec<Value>), Refusal> {
    sessions::expire(shared);
    let now = shared.now();
    let mut state = shared.state();
    let session = state.session(id).ok_or_else(|| {
        Refusal::bad(format!("Couldn't Get Session. `sessionId` {id} Does Not Exist, not found."))
    })?;
    if session.is_expired(now) {
        return Err(Refusal::bad(format!("Session {id} has expired.")));
    }
    if session.is_completed() {
        return Err(Refusal::bad(format!("Session {id} is completed.")));
    }
    Ok((session.assistant.clone(), session.messages()))
}

fn after(
    shared: &Shared,
    previous: &str,
    body: &Map<String, Value>,
) -> Result<(Value, Vec<Value>), Refusal> {
    let earlier = shared.state().chat(previous).cloned().ok_or_else(|| {
        let sentence = "Couldn't Get Chat. `previousChatId`";
        Refusal::bad(format!("{sentence} {previous} Does Not Exist, not found."))
    })?;
    let context = shared.state().said_before(previous);
    let assistant = match sessions::assistant(shared, body)? {
        Value::Null => sessions::assistant(shared, &earlier)?,
        assistant => assistant,
    };
    Ok((filled_in(shared, &assistant, body), context))
}

fn filled_in(shared: &Shared, assistant: &Value, body: &Map<String, Value>) -> Value {
    let mut variables = default_variables(shared.now());
    let given = object(body, "assistantOverrides")
        .and_then(|overrides| object(overrides, "variableValues"));
    variables.extend(given.cloned().unwrap_or_default());
    bake(assistant, &variables)
}

fn input(body: &Map<String, Value>) -> Vec<Value> {
    match body.get("input") {
        Some(Value::String(text)) => vec![json!({ "role": "user", "content": text })],
        Some(Value::Array(messages)) => messages.clone(),
        _ => Vec::new(),
    }
}

/// What is said, and how.
fn plan(shared: &Shared, mut script: Script, chat: &Chat) -> (Script, Vec<String>) {
    let pieces = match &script.act {
        Act::Say(pieces)
        | Act::Hold(pieces)
        | Act::Stall(pieces)
        | Act::Cut(pieces)
        | Act::Error(pieces) => pieces.clone(),
        Act::Empty | Act::Junk | Act::Fail(..) | Act::Silence => Vec::new(),
        Act::Friendly => {
            if script.delay_ms == 0 {
                script = script.delay(shared.options.word_delay);
            }
            words(&friendly(chat))
        }
    };
    (script, pieces)
}

fn friendly(chat: &Chat) -> String {
    let asked = |message: &&Value| message["role"] == "user";
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let instructions: Vec<String> = chat.assistant["model"]["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|message| message["role"] == "system")
        .map(content)
        .collect();
    let question = Question {
        name: chat.assistant["name"].as_str().unwrap_or("your assistant"),
        instructions: &instructions.join(" "),
        text: &chat.input.iter().rev().find(asked).map(content).unwrap_or_default(),
        earlier: chat.context.iter().filter(asked).count(),
    };
    question.answer()
}

/// Stores the chat, adds it to its session, and tells the owner's server.
fn finish(shared: &Shared, chat: Chat, answer: &str) -> Value {
    let now = shared.now();
    let output = json!({ "role": "assistant", "content": answer });
    let said: Vec<String> = chat
        .context
        .iter()
        .chain(&chat.input)
        .filter_map(|message| message["content"].as_str().map(str::to_owned))
        .collect();
    let cost = Cost::of(&said.join(" "), answer);
    let mut stored = chat.body;
    let messages: Vec<Value> = chat.context.into_iter().chain(chat.input.clone()).collect();
    stored.remove("transport");
    stored.insert("id".into(), json!(chat.id));
    stored.insert("orgId".into(), json!(ORGANIZATION));
    stored.insert("messages".into(), json!(messages));
    stored.insert("output".into(), json!([output]));
    stored.insert("createdAt".into(), json!(iso(now)));
    stored.insert("updatedAt".into(), json!(iso(now)));
    stored.insert("cost".into(), json!(cost.total()));
    stored.insert("costs".into(), cost.parts("chat"));
    let mut state = shared.state();
    let mut updated = None;
    if let Some(session) = text(&stored, "sessionId").and_then(|id| state.session(id)) {
        session.say(chat.input.into_iter().chain([output]).collect(), cost, now);
        if let Some(assistant) = session.field("assistantId") {
            stored.insert("assistantId".into(), json!(assistant));
        }
        updated = Some(session.shown(ORGANIZATION));
    }
    state.chats.push(stored.clone());
    drop(state);
    shared.tell("chat.created", "chat", json!(stored), &chat.assistant);
    if let Some(session) = updated.filter(|_| shared.options.update_after_each_chat) {
        shared.tell("session.updated", "session", session, &chat.assistant);
    }
    stored.into()
}

pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    axum::extract::Query(query): Query,
) -> Result<Json<Value>, Refusal> {
    let all = shared.state().chats.iter().cloned().map(Value::Object).collect();
    let filters = ["id", "assistantId", "squadId", "sessionId", "previousChatId"];
    Ok(Json(page(&query, &filters, all)?))
}

pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Value>, Refusal> {
    let found = shared.state().chat(&id).cloned();
    found.map(|chat| Json(chat.into())).ok_or_else(|| unknown(&id))
}

pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Value>, Refusal> {
    let mut state = shared.state();
    let at = state.chats.iter().position(|chat| chat["id"] == *id);
    let chat = state.chats.remove(at.ok_or_else(|| unknown(&id))?);
    drop(state);
    let assistant = sessions::assistant(&shared, &chat).unwrap_or_default();
    shared.tell("chat.deleted", "chat", json!(chat), &assistant);
    Ok(Json(chat.into()))
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("Couldn't Get Chat. `id` {id} Does Not Exist, not found."))
}
