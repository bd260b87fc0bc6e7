//! What a double is started with.

use crate::webhooks::Credential;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The private key the double takes unless told otherwise.
pub const KEY: &str = "sk-vapi-double";
/// The assistant that is always there.
pub const ASSISTANT: &str = "a0000000-0000-4000-8000-00000000000a";
/// The organization everything belongs to.
pub const ORGANIZATION: &str = "00000000-0000-4000-8000-000000000001";

/// A source of the current time, in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Settings of a double.
#[derive(Clone)]
pub struct Options {
    /// The private key it takes.
    pub key: String,
    /// Its time.
    pub clock: Clock,
    /// What its ids are made from.
    pub seed: u64,
    /// The organization's `server`: where webhooks go that no assistant's own server takes.
    pub server: Option<Value>,
    /// What the `serverMessages` of [`ASSISTANT`] are.
    pub server_messages: Vec<String>,
    /// Credentials by the id a `server` names.
    pub credentials: BTreeMap<String, Credential>,
    /// How long a friendly answer takes for each word.
    pub word_delay: Duration,
    /// Whether `session.updated` is also sent after each chat: Vapi does not publish when it is.
    pub update_after_each_chat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: KEY.into(),
            clock: Arc::new(system_now_ms),
            seed: 0,
            server: None,
            server_messages: ["session.created", "session.updated", "session.deleted"]
                .into_iter()
                .chain(["chat.created", "chat.deleted"])
                .map(str::to_owned)
                .collect(),
            credentials: BTreeMap::new(),
            word_delay: Duration::from_millis(5),
            update_after_each_chat: false,
        }
    }
}

/// The machine's own clock.
pub fn system_now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the clock a double has unless it is given one")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
