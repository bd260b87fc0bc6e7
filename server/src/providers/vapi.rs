//! The assistants that Vapi runs.
//!
//! Source: Vapi's OpenAPI document and its pages on chat, sessions and variables. A session of ours
//! is a session there (`POST /session`, its `name` is our id), a question is `POST /chat` streamed,
//! an end is `PATCH {"status":"completed"}`. The private key and Vapi's address stay here; bodies
//! are built field by field in `wire`, so nothing a browser sent can get into one unseen.

mod call;
mod cooldown;
mod failure;
mod line;
mod reader;
mod wire;

use super::{Ask, ModelError, Opening, Provider, ProviderSession, ReplyStream};
use crate::clock::Clock;
use crate::domain::assistant::{Assistant, VapiAssistant};
use crate::domain::redaction::Redactor;
use crate::settings::Settings;
use async_trait::async_trait;
use banter_engine::EngineError;
use banter_engine::prompt::render;
use banter_engine::variables::Variables;
use futures_util::stream;
use line::Line;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Vapi as a provider: one line for each configured connection.
pub struct VapiProvider {
    lines: BTreeMap<String, Arc<Line>>,
}

impl VapiProvider {
    /// Prepares the configured connections; no network is touched. `secrets` takes the server's
    /// secrets out of what Vapi says.
    ///
    /// # Errors
    /// When a connection's address or key cannot be used.
    pub fn new(
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        secrets: &Redactor,
    ) -> Result<Self, EngineError> {
        let mut lines = BTreeMap::new();
        for (name, connection) in &settings.vapi.connections {
            let line = Line::new(name, connection, clock.clone(), secrets.clone())?;
            lines.insert(name.clone(), Arc::new(line));
        }
        Ok(Self { lines })
    }

    /// Vapi's own part of an assistant, and the line to it.
    fn own<'a>(
        &self,
        assistant: &'a Assistant,
    ) -> Result<(&'a VapiAssistant, &Arc<Line>), ModelError> {
        let Assistant::Vapi(own) = assistant else { return Err(ModelError::UnknownModel) };
        let line = self.lines.get(&own.connection).ok_or(ModelError::UnknownModel)?;
        Ok((own, line))
    }
}

#[async_trait]
impl Provider for VapiProvider {
    async fn open(
        &self,
        assistant: &Assistant,
        opening: Opening<'_>,
    ) -> Result<Option<String>, ModelError> {
        let (own, line) = self.own(assistant)?;
        let body = wire::CreateSession::new(own, opening.session, opening.expires_in);
        call::create_session(line, &body).await.map(Some)
    }

    fn reply(&self, assistant: &Assistant, ask: Ask<'_>) -> ReplyStream {
        let begun = self
            .own(assistant)
            .and_then(|(own, line)| Ok((line.clone(), wire::chat_body(own, &ask)?)));
        match begun {
            Ok((line, body)) => call::chat(line, body),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }
    }

    fn first_message(&self, assistant: &Assistant) -> Result<Option<String>, ModelError> {
        let (own, _) = self.own(assistant)?;
        let Some(template) = &own.first_message else { return Ok(None) };
        let message = render(template, &Variables::from_json(&own.variables))?;
        Ok(Some(message).filter(|message| !message.trim().is_empty()))
    }

    async fn close(&self, assistant: &Assistant, provider_session: &str) -> Result<(), ModelError> {
        let (_, line) = self.own(assistant)?;
        match call::complete(line, provider_session).await {
            // What is not there any more is closed.
            Err(ModelError::SessionGone { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    async fn look_up(
        &self,
        assistant: &Assistant,
        provider_session: &str,
    ) -> Result<Option<ProviderSession>, ModelError> {
        let (_, line) = self.own(assistant)?;
        match call::session(line, provider_session).await {
            Ok(session) => Ok(Some(session)),
            Err(ModelError::SessionGone { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
