//! Orders from another process: `POST /double/script`, `POST /double/release`, and a look at what
//! the double has seen. Not part of Vapi.

use crate::options::ORGANIZATION;
use crate::script::{Route, Script};
use crate::shared::{Shared, lock};
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// `?route=…`; chats without it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Where {
    #[serde(default)]
    route: Route,
}

/// How a route is answered from now on.
pub(crate) async fn script(
    State(shared): State<Arc<Shared>>,
    Query(place): Query<Where>,
    Json(script): Json<Script>,
) {
    shared.follow(place.route, script);
}

#[derive(Deserialize)]
pub(crate) struct Release {
    count: usize,
}

/// Lets held pieces go.
pub(crate) async fn release(State(shared): State<Arc<Shared>>, Json(release): Json<Release>) {
    shared.allowed.add_permits(release.count.min(1 << 20));
}

/// What there is and what was sent.
pub(crate) async fn state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let webhooks: Vec<Value> = lock(&shared.sent)
        .iter()
        .map(|sent| json!({ "kind": sent.kind, "status": sent.status, "attempts": sent.attempts }))
        .collect();
    let state = shared.state();
    let sessions: Vec<Value> =
        state.sessions.iter().map(|session| session.shown(ORGANIZATION)).collect();
    Json(json!({
        "open": shared.open.load(Ordering::SeqCst),
        "sessions": sessions,
        "chats": state.chats,
        "webhooks": webhooks,
    }))
}
