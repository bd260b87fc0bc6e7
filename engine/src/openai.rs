//! A model that speaks OpenAI's chat completions protocol, streamed.
//!
//! Source: OpenAI API reference, "Chat completions", as real servers (OpenAI, Azure, Ollama, vLLM,
//! llama.cpp, OpenRouter) bend it. [`reader`] lists what is tolerated.
//!
//! Asking again happens only before the first byte of an answer: the protocol keeps no state, so a
//! lost question can be repeated, but half an answer cannot be taken back from the visitor.

mod alike;
mod failure;
mod reader;
mod retry;
mod wire;

use crate::engine::EngineError;
use crate::http::{Caller, Response};
use crate::model::{Delta, Model, ModelError, Prompt, ReplyStream, Wait};
use crate::patience::Patience;
use crate::redact::Redactor;
use crate::settings::OpenAiConnection;
use async_stream::try_stream;
use reader::{AnswerReader, Progress};
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use retry::Spread;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long to wait, after the model said it has finished, for its usage and end marker.
const TAIL_WAIT: Duration = Duration::from_secs(2);
/// How long to wait, after the end marker, for the end of the body: a body read to its end leaves
/// a warm connection for the next question.
const DRAIN_WAIT: Duration = Duration::from_millis(100);

/// One configured connection.
pub(crate) struct OpenAi {
    line: Arc<Line>,
}

/// An answer that has begun, its reader, and the text of its first bytes.
type Begun = (Response, AnswerReader, String);

/// What every call over a connection needs.
struct Line {
    caller: Caller,
    endpoint: Url,
    redactor: Redactor,
    spread: Spread,
    limits: OpenAiConnection,
}

impl OpenAi {
    /// Prepares the connection called `name`; no network is touched.
    pub(crate) fn new(
        name: &str,
        connection: OpenAiConnection,
        user_agent: &str,
    ) -> Result<Self, EngineError> {
        let unusable = |cause: &str| EngineError::Connection {
            name: name.to_owned(),
            cause: cause.to_owned(),
        };
        let endpoint = endpoint(&connection.base_url).map_err(unusable)?;
        let authorization = match &connection.api_key {
            Some(key) => Some(
                bearer(key.expose_secret())
                    .ok_or_else(|| unusable("the key cannot be sent in a header"))?,
            ),
            None => None,
        };
        let timeout = connection.connect_timeout;
        let caller = Caller::new(user_agent, timeout, &endpoint, authorization.as_ref())
            .map_err(unusable)?;
        let redactor = Redactor::new(connection.api_key.clone())
            .map_err(|_| unusable("the key is too long"))?;
        let line =
            Line { caller, endpoint, redactor, spread: Spread::default(), limits: connection };
        Ok(Self { line: Arc::new(line) })
    }
}

impl Model for OpenAi {
    fn reply(&self, prompt: Prompt) -> ReplyStream {
        let line = Arc::clone(&self.line);
        Box::pin(try_stream! {
            let (mut response, mut reader, mut text) = line.open(&prompt).await?;
            let mut patience = Patience::until(Instant::now() + line.limits.idle_timeout);
            loop {
                if !text.is_empty() {
                    yield Delta::Text(text);
                }
                if reader.progress() == Progress::Failed {
                    break;
                }
                let deadline = Instant::now() + line.wait(&reader);
                text = match patience.wait(deadline, response.chunk()).await {
                    Some(Ok(Some(chunk))) => reader.push(chunk),
                    Some(Ok(None)) => break,
                    // It said that it has finished; that its tail is missing harms nobody.
                    _ if reader.progress() != Progress::Reading => break,
                    Some(Err(_)) => Err(ModelError::Cut)?,
                    None => Err(ModelError::Timeout { what: Wait::NextByte })?,
                };
            }
            let (text, outcome) = reader.finish();
            if !text.is_empty() {
                yield Delta::Text(text);
            }
            let usage = outcome.map_err(|error| line.redactor.error(error))?;
            if let Some(usage) = usage {
                yield Delta::Usage(usage);
            }
        })
    }
}

impl Line {
    /// Asks, and asks again where that makes sense, until an answer begins.
    async fn open(&self, prompt: &Prompt) -> Result<Begun, ModelError> {
        let mut attempt = 0;
        loop {
            let error = match self.attempt(prompt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = retry::pause(&error, attempt, self.spread.next());
            let Some(pause) = pause.filter(|_| attempt < self.limits.retries) else {
                return Err(error);
            };
            attempt += 1;
            tracing::warn!(%error, attempt, ?pause, "asking the model again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks once and waits for the first byte.
    async fn attempt(&self, prompt: &Prompt) -> Result<Begun, ModelError> {
        let deadline = Instant::now() + self.limits.first_byte_timeout;
        let request = wire::Request::new(prompt);
        let sent = self.caller.send(Method::POST, self.endpoint.path(), Some(&request));
        let first_byte = |_| ModelError::Timeout { what: Wait::FirstByte };
        let mut response = timeout_at(deadline, sent).await.map_err(first_byte)??;
        if !response.status().is_success() {
            return Err(self.redactor.error(failure::from_response(response).await));
        }
        let first = timeout_at(deadline, response.chunk())
            .await
            .map_err(first_byte)?
            .map_err(|_| ModelError::Cut)?;
        let mut reader = AnswerReader::new(self.limits.max_answer_bytes);
        let text = reader.push(first.unwrap_or_default());
        Ok((response, reader, text))
    }

    /// The longest wait for the next byte, given what has been read.
    fn wait(&self, reader: &AnswerReader) -> Duration {
        match reader.progress() {
            Progress::Reading | Progress::Failed => self.limits.idle_timeout,
            Progress::Finished => self.limits.idle_timeout.min(TAIL_WAIT),
            Progress::Marked => DRAIN_WAIT,
        }
    }
}

/// Where completions are asked for under `base`.
fn endpoint(base: &str) -> Result<Url, &'static str> {
    let url = Url::parse(&format!("{}/chat/completions", base.trim().trim_end_matches('/')))
        .map_err(|_| "the address is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the address must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address must not hold credentials");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the address must have no query and no fragment");
    }
    Ok(url)
}

/// `Bearer key`, marked so that no log shows it; `None` when it cannot be a header.
fn bearer(key: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{bearer, endpoint};

    #[test]
    fn where_completions_are_asked_for() {
        for (base, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            (" http://localhost:11434/v1// ", "http://localhost:11434/v1/chat/completions"),
            ("https://x.example", "https://x.example/chat/completions"),
        ] {
            assert_eq!(endpoint(base).unwrap().as_str(), expected);
        }
        for base in [
            "",
            "api.openai.com/v1",
            "ftp://x.example",
            "https://me:pw@x.example",
            "https://x.example/v1?key=1",
            "https://x.example/v1#a",
        ] {
            assert!(endpoint(base).is_err(), "{base:?}");
        }
    }

    #[test]
    fn a_key_is_sent_but_not_shown() {
        let value = bearer("k-1").unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer k-1");
        assert!(!format!("{value:?}").contains("k-1"));
        assert!(bearer("line\nbreak").is_none());
    }
}
