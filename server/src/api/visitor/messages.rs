//! `POST /visitor/v1/sessions/{session}/messages`: a message in, an answer out as an event stream.

use crate::api::envelope::RequestId;
use crate::api::error::{self, ApiError};
use crate::api::extract::{Client, Json, Place, Visitor};
use crate::app::App;
use crate::services::answer::{End, Reader, Step};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use banter_shared::error::ErrorBody;
use banter_shared::session::PostMessage;
use banter_shared::sse;
use banter_shared::stream::{Cursor, StreamEvent};
use futures_util::stream::Stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a stream may say nothing before a comment shows that it lives: under the 30 s after
/// which common proxies give up.
const PING_EVERY: Duration = Duration::from_secs(15);

/// How long the answer's head waits for words to leave with: those of an assistant that answers at
/// once need one write, and a slow one's visitor cannot tell.
const COMPANY: Duration = Duration::from_millis(5);

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
    Place(cursor): Place,
    Json(message): Json<PostMessage>,
) -> Result<impl IntoResponse, ApiError> {
    app.rate_limits.message(address, &claims.session)?;
    let reader = app.converse.post(&claims, message, cursor, &request_id).await?;
    // Without words after that time.
    let _ = timeout(COMPANY, reader.changed()).await;
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx buffers answers unless told not to.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(events(reader, request_id))))
}

/// The stream's bytes: each item is all that has come, so that a burst leaves in one write.
fn events(
    mut reader: Reader,
    request_id: String,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        // Enough for what comes at once of most answers.
        let mut bytes = Vec::with_capacity(512);
        write(&mut bytes, None, &StreamEvent::Accepted(reader.accepted()));
        let mut said_at = Instant::now();
        // Set anew only when it rings: most of what is said comes long before.
        let mut ping = std::pin::pin!(sleep_until(said_at + PING_EVERY));
        loop {
            let step = reader.poll();
            let is_over = step.as_ref().is_some_and(|step| step.end.is_some());
            if let Some(step) = step {
                write_step(&mut bytes, step, &request_id);
            }
            if !bytes.is_empty() {
                yield Ok(Bytes::copy_from_slice(&bytes));
                bytes.clear();
                said_at = Instant::now();
            }
            if is_over {
                return;
            }
            tokio::select! {
                biased;
                () = reader.changed() => {}
                () = &mut ping => {
                    if said_at.elapsed() >= PING_EVERY {
                        bytes.extend_from_slice(b": ping\n\n");
                        said_at = Instant::now();
                    }
                    ping.as_mut().reset(said_at + PING_EVERY);
                }
            }
        }
    }
}

fn write_step(bytes: &mut Vec<u8>, step: Step, request_id: &str) {
    if let Some(accepted) = step.restarted {
        write(bytes, None, &StreamEvent::Accepted(accepted));
    }
    if let Some((cursor, delta)) = step.delta {
        write(bytes, Some(cursor), &StreamEvent::Delta(delta));
    }
    match step.end {
        Some(End::Event(event)) => write(bytes, None, &event),
        Some(End::Refusal(refusal)) => {
            write(bytes, None, &StreamEvent::Error(error::told(&refusal, request_id)));
        }
        None => {}
    }
}

fn write(bytes: &mut Vec<u8>, cursor: Option<Cursor>, event: &StreamEvent) {
    sse::encode(bytes, cursor, |bytes| {
        // Our own types serialise, and memory takes whatever is written.
        let _ = serde_json::to_writer(bytes, event);
    });
}
