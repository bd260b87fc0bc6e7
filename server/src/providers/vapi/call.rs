//! The four calls: open, ask, complete, look up.

use super::failure::About;
use super::line::Line;
use super::reader::{Progress, Reader};
use super::wire;
use crate::domain::provider_event::price;
use crate::providers::{Delta, ModelError, ProviderSession, ReplyStream};
use async_stream::try_stream;
use banter_engine::http::Response;
use banter_engine::model::Wait;
use banter_engine::patience::Patience;
use reqwest::Method;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// The longest answer that is not streamed, in bytes: a session comes with all its messages.
const MAX_BODY: usize = 8 << 20;
/// How long to wait for the end of the body after an end marker: a body read to its end leaves a
/// warm connection for the next question.
const DRAIN_WAIT: Duration = Duration::from_millis(100);
/// No body.
const NONE: Option<&()> = None;

/// `POST /session`: gives Vapi's id.
pub(super) async fn create_session(
    line: &Line,
    body: &wire::CreateSession<'_>,
) -> Result<String, ModelError> {
    let deadline = line.deadline();
    let response =
        line.send(Method::POST, &["session"], Some(body), About::Assistant, deadline).await?;
    Ok(read(line, response, deadline).await?.id)
}

/// `PATCH /session/{id}`: completes it.
pub(super) async fn complete(line: &Line, id: &str) -> Result<(), ModelError> {
    let body = Some(&wire::Complete::BODY);
    let path = ["session", id];
    let deadline = line.deadline();
    let mut response = line.send(Method::PATCH, &path, body, About::Session, deadline).await?;
    // The status says it all; what is read to its end leaves a warm connection.
    let _ = timeout(DRAIN_WAIT, response.read_to(&mut Vec::new(), MAX_BODY)).await;
    Ok(())
}

/// `GET /session/{id}`.
pub(super) async fn session(line: &Line, id: &str) -> Result<ProviderSession, ModelError> {
    let deadline = line.deadline();
    let path = ["session", id];
    let response = line.send(Method::GET, &path, NONE, About::Session, deadline).await?;
    let session = read(line, response, deadline).await?;
    Ok(ProviderSession {
        completed: session.status.as_deref() == Some("completed"),
        updated_at: session.updated_at.as_deref().and_then(unix_ms),
        cost: price(session.cost.as_ref(), session.costs.as_ref()),
    })
}

/// `POST /chat`, streamed. Dropping the stream closes the connection, which cancels the chat.
pub(super) fn chat(line: Arc<Line>, chat: wire::Chat) -> ReplyStream {
    Box::pin(try_stream! {
        let deadline = line.deadline();
        let about = if chat.in_session { About::Session } else { About::Assistant };
        let mut response =
            line.send(Method::POST, &["chat"], Some(&chat.body), about, deadline).await?;
        let mut reader = Reader::new(line.max_answer_bytes);
        let mut patience = Patience::until(deadline);
        let mut wait = (deadline, Wait::FirstByte);
        loop {
            let text = match patience.wait(wait.0, response.chunk()).await {
                Some(Ok(Some(chunk))) => reader.push(chunk),
                Some(Ok(None)) => break,
                // It said that this was all; how the rest comes to nothing harms nobody.
                _ if reader.progress() == Progress::Marked => break,
                Some(Err(_)) => Err(ModelError::Cut)?,
                None => Err(ModelError::Timeout { what: wait.1 })?,
            };
            if !text.is_empty() {
                yield Delta::Text(text);
            }
            wait = match reader.progress() {
                Progress::Reading => (Instant::now() + line.idle, Wait::NextByte),
                Progress::Marked => (Instant::now() + DRAIN_WAIT, Wait::NextByte),
                Progress::Failed => break,
            };
        }
        let (text, outcome) = reader.finish();
        if !text.is_empty() {
            yield Delta::Text(text);
        }
        outcome.map_err(|error| line.redacted(error))?;
    })
}

/// Reads a session until `deadline`.
async fn read(
    line: &Line,
    mut response: Response,
    deadline: Instant,
) -> Result<wire::Session, ModelError> {
    let mut body = Vec::new();
    timeout_at(deadline, response.read_to(&mut body, MAX_BODY))
        .await
        .map_err(|_| ModelError::Timeout { what: Wait::NextByte })?
        .map_err(|_| ModelError::Cut)?;
    if body.len() > MAX_BODY {
        return Err(ModelError::TooLong);
    }
    serde_json::from_slice(&body).map_err(|error| {
        let cause = format!("Vapi's answer is no session: {error}");
        line.redacted(ModelError::Garbled { cause })
    })
}

/// `2026-11-21T03:28:12.316Z` in Unix milliseconds.
fn unix_ms(text: &str) -> Option<u64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::unix_ms;

    #[test]
    fn instants_are_read_exactly() {
        assert_eq!(unix_ms("2026-11-21T03:28:12.316Z"), Some(1_795_231_692_316));
        assert_eq!(unix_ms("yesterday"), None);
        assert_eq!(unix_ms("1950-01-01T00:00:00Z"), None);
    }
}
