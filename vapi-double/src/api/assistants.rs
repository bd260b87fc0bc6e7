//! `/assistant`: what a server keeps by id. Its list is a bare array, unlike the others.

use super::input::{Id, Object};
use super::list::{Query, number};
use crate::checks::{CREATE_ASSISTANT, Checks};
use crate::options::ORGANIZATION;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::when::iso;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Object(body): Object,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    Checks::of(&body, CREATE_ASSISTANT).assistant().end()?;
    Ok((StatusCode::CREATED, Json(store(&shared, body))))
}

/// Stores an assistant by a checked body.
pub(crate) fn store(shared: &Shared, mut body: Map<String, Value>) -> Value {
    let now = json!(iso(shared.now()));
    body.insert("id".into(), json!(shared.id()));
    body.insert("orgId".into(), json!(ORGANIZATION));
    body.insert("createdAt".into(), now.clone());
    body.insert("updatedAt".into(), now);
    shared.state().assistants.push(body.clone());
    body.into()
}

pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    axum::extract::Query(query): Query,
) -> Result<Json<Value>, Refusal> {
    let limit = number(&query, "limit", 100, 0..=1000)?;
    let newest = shared.state().assistants.iter().rev().take(limit).cloned().collect::<Vec<_>>();
    Ok(Json(json!(newest)))
}

pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Value>, Refusal> {
    let found = shared.state().assistant(&id).cloned();
    found.map(|assistant| Json(assistant.into())).ok_or_else(|| unknown(&id))
}

pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Object(body): Object,
) -> Result<Json<Value>, Refusal> {
    Checks::of(&body, CREATE_ASSISTANT).assistant().end()?;
    let now = iso(shared.now());
    let mut state = shared.state();
    let assistant = state.assistants.iter_mut().find(|assistant| assistant["id"] == *id);
    let assistant = assistant.ok_or_else(|| unknown(&id))?;
    assistant.extend(body);
    assistant.insert("updatedAt".into(), json!(now));
    Ok(Json(assistant.clone().into()))
}

pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Value>, Refusal> {
    let mut state = shared.state();
    let at = state.assistants.iter().position(|assistant| assistant["id"] == *id);
    let at = at.ok_or_else(|| unknown(&id))?;
    Ok(Json(state.assistants.remove(at).into()))
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("Couldn't Get Assistant. `id` {id} Does Not Exist."))
}
