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
use banter_engine::patience::Alarm;
use banter_shared::error::ErrorBody;
use banter_shared::session::PostMessage;
use banter_shared::sse;
use banter_shared::stream::{Cursor, StreamEvent};
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How often to look whether a stream has said something since. One that has not says, by a comment,
/// that it lives: before the 30 s have passed after which common proxies give up.
const LISTEN_EVERY: Duration = Duration::from_secs(12);

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
    Ok((head, Body::new(Events::new(reader, request_id))))
}

/// The stream's bytes: each frame is all that has come, so that a burst leaves in one write.
struct Events {
    reader: Reader,
    request_id: String,
    /// What to say next; kept from one frame to the other.
    bytes: Vec<u8>,
    is_over: bool,
    /// Whether something was said since the alarm was set.
    spoke: bool,
    alarm: Alarm,
}

impl Events {
    fn new(reader: Reader, request_id: String) -> Self {
        // Enough for what comes at once of most answers.
        let mut bytes = Vec::with_capacity(512);
        write(&mut bytes, None, &StreamEvent::Accepted(reader.accepted()));
        let alarm = Alarm::new(Instant::now() + LISTEN_EVERY);
        Self { reader, request_id, bytes, is_over: false, spoke: false, alarm }
    }
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        loop {
            if let Poll::Ready(step) = this.reader.poll(context) {
                this.is_over = step.end.is_some();
                write_step(&mut this.bytes, step, &this.request_id);
            }
            if !this.bytes.is_empty() {
                let frame = Bytes::copy_from_slice(&this.bytes);
                this.bytes.clear();
                this.spoke = true;
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            ready!(this.alarm.poll(context));
            this.alarm.set(Instant::now() + LISTEN_EVERY);
            if !std::mem::take(&mut this.spoke) {
                this.bytes.extend_from_slice(b": ping\n\n");
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
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
    let id = cursor.map(|cursor| move |bytes: &mut Vec<u8>| cursor.encode(bytes));
    sse::encode(bytes, id, |bytes| {
        // Our own types serialise, and memory takes whatever is written.
        let _ = serde_json::to_writer(bytes, event);
    });
}

#[cfg(test)]
mod tests {
    use super::Events;
    use crate::services::Refusal;
    use crate::services::answer::{Answer, End};
    use http_body_util::BodyExt as _;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    /// What the stream says next, and after how many seconds.
    async fn next(events: &mut Events) -> Option<(String, u64)> {
        let began = Instant::now();
        let frame = events.frame().await?.unwrap().into_data().unwrap();
        Some((String::from_utf8(frame.to_vec()).unwrap(), began.elapsed().as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_shows_that_it_lives_within_half_a_minute() {
        let answer = Arc::new(Answer::starting("q".into(), "?".into()));
        answer.begin(1, 0, None);
        answer.accept();
        let mut events = Events::new(answer.read(None).await.unwrap(), "r".into());
        let (accepted, _) = next(&mut events).await.unwrap();
        assert!(accepted.starts_with("data: {\"accepted\":"), "{accepted}");
        for _ in 0..3 {
            let (ping, after) = next(&mut events).await.unwrap();
            assert_eq!(ping, ": ping\n\n");
            assert!((10..30).contains(&after), "{after}");
        }
        // Nothing but words for whoever has words.
        for word in 0..30 {
            let speak = async {
                sleep(Duration::from_secs(9)).await;
                answer.push("word ");
            };
            let (said, ()) = tokio::join!(next(&mut events), speak);
            let (said, after) = said.unwrap();
            let offset = 5 * (word + 1);
            assert_eq!(said, format!("id: 1-{offset}\ndata: {{\"delta\":\"word \"}}\n\n"));
            assert_eq!(after, 9);
        }
        answer.end(End::Refusal(Refusal::SessionEnded));
        let (end, _) = next(&mut events).await.unwrap();
        assert!(end.starts_with("data: {\"error\":"), "{end}");
        assert_eq!(next(&mut events).await, None);
    }
}
