//! `/session`: conversations. Variables are filled in when one is created, and never again.

use super::answer::instead;
use super::input::{Id, Object};
use super::list::{Query, page};
use crate::checks::{CREATE_SESSION, Checks, UPDATE_SESSION, text};
use crate::options::ORGANIZATION;
use crate::refusal::Refusal;
use crate::script::Route;
use crate::shared::Shared;
use crate::state::Session;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Object(body): Object,
) -> Result<Response, Refusal> {
    if let Some(response) = instead(&shared, Route::Open).await {
        return Ok(response);
    }
    Checks::of(&body, CREATE_SESSION).name().expiration().status().messages().end()?;
    let assistant = assistant(&shared, &body)?;
    let session = Session::new(shared.id(), body, &assistant, shared.now());
    let shown = session.shown(ORGANIZATION);
    shared.tell("session.created", "session", shown.clone(), &session.assistant);
    shared.state().sessions.push(session);
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// The assistant that a body names or holds; `null` when a squad answers.
pub(crate) fn assistant(shared: &Shared, body: &Map<String, Value>) -> Result<Value, Refusal> {
    if let Some(id) = text(body, "assistantId") {
        let found = shared.state().assistant(id).cloned();
        return found.map(Value::Object).ok_or_else(|| {
            Refusal::bad(format!("Couldn't Get Assistant. `assistantId` {id} Does Not Exist."))
        });
    }
    Ok(body.get("assistant").cloned().unwrap_or(Value::Null))
}

pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    axum::extract::Query(query): Query,
) -> Result<Json<Value>, Refusal> {
    expire(&shared);
    let all = shared.state().sessions.iter().map(|session| session.shown(ORGANIZATION)).collect();
    Ok(Json(page(&query, &["id", "name", "assistantId", "squadId"], all)?))
}

pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Response, Refusal> {
    if let Some(response) = instead(&shared, Route::LookUp).await {
        return Ok(response);
    }
    expire(&shared);
    let shown = shared.state().session(&id).map(|session| session.shown(ORGANIZATION));
    shown.map(|shown| Json(shown).into_response()).ok_or_else(|| unknown(&id))
}

pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Object(body): Object,
) -> Result<Response, Refusal> {
    if let Some(response) = instead(&shared, Route::Close).await {
        return Ok(response);
    }
    Checks::of(&body, UPDATE_SESSION).name().expiration().status().messages().end()?;
    expire(&shared);
    let shown = update(&shared, &id, body);
    shown.map(|shown| Json(shown).into_response()).ok_or_else(|| unknown(&id))
}

/// Changes a session as a checked body says; gives it as a body shows it.
pub(crate) fn update(shared: &Shared, id: &str, body: Map<String, Value>) -> Option<Value> {
    let now = shared.now();
    let mut state = shared.state();
    let session = state.session(id)?;
    session.update(body, now);
    let (shown, assistant) = (session.shown(ORGANIZATION), session.assistant.clone());
    drop(state);
    shared.tell("session.updated", "session", shown.clone(), &assistant);
    Some(shown)
}

pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Value>, Refusal> {
    let mut state = shared.state();
    let at = state.sessions.iter().position(|session| session.id == id);
    let session = state.sessions.remove(at.ok_or_else(|| unknown(&id))?);
    drop(state);
    let shown = session.shown(ORGANIZATION);
    shared.tell("session.deleted", "session", shown.clone(), &session.assistant);
    Ok(Json(shown))
}

/// Completes the sessions whose time is over. Vapi does it by a clock of its own; looking is soon
/// enough for whoever looks.
pub(crate) fn expire(shared: &Shared) {
    let now = shared.now();
    let over: Vec<String> = shared
        .state()
        .sessions
        .iter()
        .filter(|session| session.is_expired(now) && !session.is_completed())
        .map(|session| session.id.clone())
        .collect();
    for id in over {
        let changes = json!({ "status": "completed" });
        update(shared, &id, changes.as_object().cloned().unwrap_or_default());
    }
}

pub(crate) fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("Couldn't Get Session. `id` {id} Does Not Exist, not found."))
}
