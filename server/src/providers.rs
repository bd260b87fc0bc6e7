//! Everybody whom the server asks or tells something: who runs an assistant, behind one trait so that
//! each keeps its vendor's words to itself; and [`webhook_sender`], who carries webhooks out to owners.

pub mod engine;
pub mod vapi;
pub mod webhook_sender;

pub use banter_engine::model::{Delta, ModelError, ReplyStream};

use crate::domain::assistant::Assistant;
use crate::domain::provider::ProviderName;
use async_trait::async_trait;
use banter_engine::model::Wait;
use banter_engine::turn::Turn;
use banter_shared::ids::SessionId;
use rust_decimal::Decimal;
use std::time::Duration;

/// What a provider that keeps sessions of its own is told when one begins.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Our session.
    pub session: &'a SessionId,
    /// How long it lasts at most.
    pub expires_in: Duration,
}

/// What an assistant is asked.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The conversation; the last turn is the visitor's.
    pub history: &'a [Turn],
    /// What the provider calls the session, where it keeps one.
    pub provider_session: Option<&'a str>,
    /// Whether nothing was answered in this session before, so that a provider that keeps one has
    /// to be told what came before the last turn.
    pub is_first: bool,
}

/// A provider's own session, as it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderSession {
    /// Whether it is over.
    pub completed: bool,
    /// When it was last changed, in Unix milliseconds, if the provider says so.
    pub updated_at: Option<u64>,
    /// What it cost, in US dollars, if the provider says so.
    pub cost: Option<Decimal>,
}

/// Runs assistants.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Opens a conversation where the provider keeps one of its own; `None` where it keeps none.
    ///
    /// # Errors
    /// When the provider cannot or will not.
    async fn open(
        &self,
        assistant: &Assistant,
        opening: Opening<'_>,
    ) -> Result<Option<String>, ModelError>;

    /// The assistant's reply to the last turn. Dropping the stream cancels the call upstream.
    fn reply(&self, assistant: &Assistant, ask: Ask<'_>) -> ReplyStream;

    /// What the assistant says before anybody else does.
    ///
    /// # Errors
    /// When its template cannot be rendered.
    fn first_message(&self, assistant: &Assistant) -> Result<Option<String>, ModelError>;

    /// Tells the provider that its session is over. Closing twice is closing once.
    ///
    /// # Errors
    /// When the provider cannot be told now.
    async fn close(&self, assistant: &Assistant, provider_session: &str) -> Result<(), ModelError>;

    /// What the provider knows of its session; `None` when it knows no such one.
    ///
    /// # Errors
    /// When the provider cannot be asked now.
    async fn look_up(
        &self,
        assistant: &Assistant,
        provider_session: &str,
    ) -> Result<Option<ProviderSession>, ModelError>;
}

/// How long a provider may take to close or look up a session. Nobody waits for the outcome, but those
/// who come after it do.
const ASIDE: Duration = Duration::from_secs(15);

/// What a provider says to a call that no visitor waits for, if it says it soon.
///
/// # Errors
/// The call's own, or that it took too long.
pub async fn in_time<T>(
    call: impl Future<Output = Result<T, ModelError>>,
) -> Result<T, ModelError> {
    let outcome = tokio::time::timeout(ASIDE, call).await;
    outcome.unwrap_or(Err(ModelError::Timeout { what: Wait::FirstByte }))
}

/// Every provider, each asked for its own assistants.
pub struct Providers {
    /// The one in this process.
    pub engine: engine::EngineProvider,
    /// The remote one.
    pub vapi: vapi::VapiProvider,
}

impl Providers {
    fn of(&self, assistant: &Assistant) -> &dyn Provider {
        match assistant.provider() {
            ProviderName::Engine => &self.engine,
            ProviderName::Vapi => &self.vapi,
        }
    }
}

#[async_trait]
impl Provider for Providers {
    async fn open(
        &self,
        assistant: &Assistant,
        opening: Opening<'_>,
    ) -> Result<Option<String>, ModelError> {
        self.of(assistant).open(assistant, opening).await
    }

    fn reply(&self, assistant: &Assistant, ask: Ask<'_>) -> ReplyStream {
        self.of(assistant).reply(assistant, ask)
    }

    fn first_message(&self, assistant: &Assistant) -> Result<Option<String>, ModelError> {
        self.of(assistant).first_message(assistant)
    }

    async fn close(&self, assistant: &Assistant, provider_session: &str) -> Result<(), ModelError> {
        self.of(assistant).close(assistant, provider_session).await
    }

    async fn look_up(
        &self,
        assistant: &Assistant,
        provider_session: &str,
    ) -> Result<Option<ProviderSession>, ModelError> {
        self.of(assistant).look_up(assistant, provider_session).await
    }
}
