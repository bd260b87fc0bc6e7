//! A provider that says what it is told to say, and remembers what it was asked.

use async_trait::async_trait;
use banter_server::domain::assistant::Assistant;
use banter_server::providers::{Ask, ModelError, Opening, Provider, ProviderSession, ReplyStream};
use std::sync::Mutex;

/// Only ever closes and looks up sessions.
#[derive(Default)]
pub(crate) struct Scripted {
    says: Mutex<Option<Result<Option<ProviderSession>, ModelError>>>,
    refuses: Mutex<Option<ModelError>>,
    hangs_on: Mutex<Option<String>>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    /// What it knows of every session.
    pub(crate) fn will_say(&self, answer: Result<Option<ProviderSession>, ModelError>) {
        *self.says.lock().unwrap() = Some(answer);
    }

    /// Whether it can be told of an end.
    pub(crate) fn will_refuse(&self, error: Option<ModelError>) {
        *self.refuses.lock().unwrap() = error;
    }

    /// How the sessions begin about which it takes the call and never says anything.
    pub(crate) fn will_hang_on(&self, sessions: &str) {
        *self.hangs_on.lock().unwrap() = Some(sessions.to_owned());
    }

    /// What it was asked since this was last called.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    async fn take(&self, what: &str, session: &str) {
        self.asked.lock().unwrap().push(format!("{what} {session}"));
        let hangs_on = self.hangs_on.lock().unwrap().clone();
        if hangs_on.is_some_and(|beginning| session.starts_with(&beginning)) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Provider for Scripted {
    async fn open(&self, _: &Assistant, _: Opening<'_>) -> Result<Option<String>, ModelError> {
        unreachable!()
    }

    fn reply(&self, _: &Assistant, _: Ask<'_>) -> ReplyStream {
        unreachable!()
    }

    fn first_message(&self, _: &Assistant) -> Result<Option<String>, ModelError> {
        unreachable!()
    }

    async fn close(&self, _: &Assistant, session: &str) -> Result<(), ModelError> {
        self.take("close", session).await;
        self.refuses.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn look_up(
        &self,
        _: &Assistant,
        session: &str,
    ) -> Result<Option<ProviderSession>, ModelError> {
        self.take("look up", session).await;
        self.says.lock().unwrap().clone().unwrap()
    }
}
