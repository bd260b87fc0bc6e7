//! The assistants that run in this process.

use super::{Ask, ModelError, Opening, Provider, ProviderSession, ReplyStream};
use crate::assets::demo_knowledge;
use crate::domain::assistant::Assistant;
use crate::settings::{Connection, Settings};
use async_trait::async_trait;
use banter_engine::http::USER_AGENT;
use banter_engine::variables::Variables;
use banter_engine::{Engine, EngineError, EngineSettings, KnowledgeSource, OpenAiConnection};
use futures_util::stream;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::time::Duration;

/// The engine as a provider.
pub struct EngineProvider {
    engine: Engine,
}

impl EngineProvider {
    /// An engine with the configured knowledge and connections, and the demo shop's knowledge.
    ///
    /// # Errors
    /// When knowledge cannot be read or a connection's address cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, EngineError> {
        let mut knowledge =
            BTreeMap::from([("demo".to_owned(), KnowledgeSource::Files(demo_knowledge()))]);
        for (name, folder) in &settings.engine.knowledge {
            knowledge.insert(name.clone(), KnowledgeSource::Folder(folder.clone()));
        }
        let connections = settings
            .engine
            .connections
            .iter()
            .map(|(name, connection)| (name.clone(), open_ai(connection)))
            .collect();
        let engine = Engine::new(EngineSettings {
            knowledge,
            words_per_second: settings.engine.words_per_second,
            connections,
            user_agent: USER_AGENT.to_owned(),
        })?;
        Ok(Self { engine })
    }
}

/// The engine's own part of an assistant.
fn own(assistant: &Assistant) -> Result<&banter_engine::assistant::Assistant, ModelError> {
    match assistant {
        Assistant::Engine(own) => Ok(own),
        Assistant::Vapi(_) => Err(ModelError::UnknownModel),
    }
}

#[async_trait]
impl Provider for EngineProvider {
    async fn open(&self, _: &Assistant, _: Opening<'_>) -> Result<Option<String>, ModelError> {
        // The whole conversation is told with every question.
        Ok(None)
    }

    fn reply(&self, assistant: &Assistant, ask: Ask<'_>) -> ReplyStream {
        match own(assistant) {
            Ok(own) => self.engine.reply(own, &Variables::default(), ask.history),
            Err(error) => Box::pin(stream::once(async { Err(error) })),
        }
    }

    fn first_message(&self, assistant: &Assistant) -> Result<Option<String>, ModelError> {
        self.engine.first_message(own(assistant)?, &Variables::default())
    }

    async fn close(&self, _: &Assistant, _: &str) -> Result<(), ModelError> {
        // A session that has a provider's is not the engine's, whatever assistant its widget has today.
        Err(ModelError::UnknownModel)
    }

    async fn look_up(&self, _: &Assistant, _: &str) -> Result<Option<ProviderSession>, ModelError> {
        Err(ModelError::UnknownModel)
    }
}

fn open_ai(settings: &Connection) -> OpenAiConnection {
    let has_key = !settings.api_key.expose_secret().is_empty();
    OpenAiConnection {
        base_url: settings.base_url.clone(),
        api_key: has_key.then(|| settings.api_key.clone()),
        connect_timeout: Duration::from_secs(settings.connect_seconds),
        first_byte_timeout: Duration::from_secs(settings.first_byte_seconds),
        idle_timeout: Duration::from_secs(settings.idle_seconds),
        retries: settings.retries,
        max_answer_bytes: settings.max_answer_bytes,
    }
}
