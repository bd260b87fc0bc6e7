//! One configured connection: its client, its key, its patience.

use super::cooldown::Cooldown;
use super::failure::{self, About};
use crate::clock::Clock;
use crate::domain::redaction::Redactor;
use crate::providers::ModelError;
use crate::settings::VapiConnection;
use banter_engine::EngineError;
use banter_engine::http::{Caller, Response, USER_AGENT};
use banter_engine::model::Wait;
use banter_engine::redact;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What every call over a connection needs.
pub(super) struct Line {
    caller: Caller,
    base: Url,
    cooldown: Cooldown,
    /// Takes every secret of ours out of what is written down: Vapi is told many of them.
    secrets: Redactor,
    /// Takes words out that quote a part of the key.
    key: redact::Redactor,
    first_byte: Duration,
    /// The longest silence in the middle of an answer.
    pub(super) idle: Duration,
    /// The longest answer, in bytes.
    pub(super) max_answer_bytes: usize,
}

impl Line {
    /// Prepares the connection called `name`.
    pub(super) fn new(
        name: &str,
        settings: &VapiConnection,
        clock: Arc<dyn Clock>,
        secrets: Redactor,
    ) -> Result<Self, EngineError> {
        let unusable = |cause: &str| EngineError::Connection {
            name: name.to_owned(),
            cause: cause.to_owned(),
        };
        let base = base(&settings.base_url).ok_or_else(|| {
            unusable("the address must be an http(s) URL without credentials and query")
        })?;
        let key = settings.api_key.expose_secret().trim();
        let authorization = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| unusable("the key cannot be sent in a header"))?;
        // Cloudflare in front of Vapi answers 403 to whoever has no proper name; the client has one.
        let timeout = Duration::from_secs(settings.connect_seconds);
        let caller =
            Caller::new(USER_AGENT, timeout, &base, Some(&authorization)).map_err(unusable)?;
        let key = redact::Redactor::new(Some(settings.api_key.clone()))
            .map_err(|_| unusable("the key is too long"))?;
        Ok(Self {
            caller,
            base,
            cooldown: Cooldown::new(clock),
            secrets,
            key,
            first_byte: Duration::from_secs(settings.first_byte_seconds),
            idle: Duration::from_secs(settings.idle_seconds),
            max_answer_bytes: settings.max_answer_bytes,
        })
    }

    /// `error` with a cause that is safe to log.
    pub(super) fn redacted(&self, error: ModelError) -> ModelError {
        // First what is whole: of a secret of which a part is gone the rest would not be known.
        self.key.error(error.map_cause(|cause| self.secrets.text(cause)))
    }

    /// When whoever asks now gives up waiting for the first byte.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.first_byte
    }

    /// Sends one request and waits for a good status until `deadline`.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        about: About,
        deadline: Instant,
    ) -> Result<Response, ModelError> {
        self.cooldown.check()?;
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            // Encoded, so that no id can lead to another address.
            segments.pop_if_empty().extend(path);
        }
        let response = timeout_at(deadline, self.caller.send(method, url.path(), body))
            .await
            .map_err(|_| ModelError::Timeout { what: Wait::FirstByte })?
            .map_err(|error| self.redacted(error.into()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        if response.status() == reqwest::StatusCode::TOO_MANY_REQUESTS {
            return Err(self.cooldown.begin());
        }
        Err(self.redacted(failure::from_response(response, about).await))
    }
}

/// The address everything is below.
fn base(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn addresses_that_can_be_used() {
        for good in ["https://api.vapi.ai", " http://127.0.0.1:4010/ ", "https://x.example/vapi"] {
            assert!(base(good).is_some(), "{good}");
        }
        for bad in
            ["", "api.vapi.ai", "ftp://x", "https://me:pw@x.example", "https://x.example?a=1"]
        {
            assert!(base(bad).is_none(), "{bad}");
        }
    }
}
