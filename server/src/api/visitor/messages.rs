//! `POST /visitor/v1/sessions/{session}/messages`: a message in, an answer out as an event stream.

use crate::api::error::ApiError;
use crate::api::extract::{Client, Json, Visitor, last_event_id};
use crate::api::request_id::RequestId;
use crate::app::App;
use crate::services::answer::{Reader, Step};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::session::PostMessage;
use banter_shared::sse;
use banter_shared::stream::{Cursor, StreamEvent};
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How long a stream may say nothing before a comment shows that it lives: under the 30 s after
/// which common proxies give up.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Says something and streams the answer. The message is stored before the first byte. The same id
/// sent again resumes the same answer from `Last-Event-ID`; the assistant is never asked twice.
#[utoipa::path(
    post,
    path = "/visitor/v1/sessions/{session}/messages",
    tag = "visitor",
    params(
        ("session" = String, Path, description = "The session's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "`{attempt}-{bytes}`: where to go on"),
    ),
    request_body = PostMessage,
    security(("session_token" = [])),
    responses(
        (status = 200, body = StreamEvent, content_type = "text/event-stream",
            description = "`accepted`, then `delta` events, then one `done` or `error`"),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 401, body = ErrorBody, description = "`unauthorized` or `token_expired`"),
        (status = 403, body = ErrorBody, description = "`forbidden` or `origin_not_allowed`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`session_ended`, `message_id_conflict` or `answer_in_progress`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 429, body = ErrorBody, description = "`rate_limited` (see `Retry-After`) or `session_full`"),
        (status = 503, body = ErrorBody, description = "`unavailable`; see `Retry-After`"),
    )
)]
pub(in crate::api) async fn create(
    State(app): State<Arc<App>>,
    Visitor(claims): Visitor,
    Client(address): Client,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(message): Json<PostMessage>,
) -> Result<impl IntoResponse, ApiError> {
    app.rate_limits.message(address, &claims.session)?;
    let cursor = last_event_id(&headers);
    let reader = app.converse.post(&claims, message, cursor, &request_id).await?;
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx buffers answers unless told not to.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(events(reader))))
}

/// The stream's bytes: each item is all that has come, so that a burst leaves in one write.
fn events(reader: Reader) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let mut opening = String::with_capacity(512);
    write(&mut opening, None, &StreamEvent::Accepted(reader.accepted()));
    stream::unfold(Some((reader, opening)), |state| async move {
        let (mut reader, mut text) = state?;
        loop {
            let step = reader.poll();
            let ended = step.as_ref().is_some_and(|step| step.end.is_some());
            if let Some(step) = step {
                write_step(&mut text, step);
            }
            if !text.is_empty() {
                let rest = (!ended).then(|| (reader, String::new()));
                return Some((Ok(Bytes::from(text)), rest));
            }
            if tokio::time::timeout(PING_EVERY, reader.changed()).await.is_err() {
                text.push_str(": ping\n\n");
            }
        }
    })
}

fn write_step(text: &mut String, step: Step) {
    if let Some(accepted) = step.restarted {
        write(text, None, &StreamEvent::Accepted(accepted));
    }
    if let Some((cursor, delta)) = step.delta {
        write(text, Some(cursor), &StreamEvent::Delta(delta));
    }
    if let Some(end) = step.end {
        write(text, None, &end);
    }
}

fn write(text: &mut String, cursor: Option<Cursor>, event: &StreamEvent) {
    // Our own types serialise; an empty event would be skipped by every reader.
    let data = serde_json::to_string(event).unwrap_or_default();
    let id = cursor.map(|cursor| cursor.to_string()).unwrap_or_default();
    sse::encode(text, &id, "", &data);
}
