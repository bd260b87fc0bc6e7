//! What an operator configures once for all assistants: knowledge bases and connections.

use crate::http;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Everything an [`crate::Engine`] needs to know when it starts.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The knowledge bases of the built-in model, by name.
    pub knowledge: BTreeMap<String, KnowledgeSource>,
    /// How fast the built-in model speaks, in words per second; 0 says everything at once.
    pub words_per_second: u32,
    /// Connections to OpenAI-compatible models, by name.
    pub connections: BTreeMap<String, OpenAiConnection>,
    /// How we name ourselves to those models.
    pub user_agent: String,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            knowledge: BTreeMap::new(),
            words_per_second: 0,
            connections: BTreeMap::new(),
            user_agent: http::USER_AGENT.to_owned(),
        }
    }
}

/// Where a knowledge base comes from. It is read once, when the engine starts.
#[derive(Clone, Debug)]
pub enum KnowledgeSource {
    /// Every `*.md` directly in this folder, in the order of their names.
    Folder(PathBuf),
    /// Files in memory: name and Markdown.
    Files(Vec<(String, String)>),
}

/// How to reach an OpenAI-compatible model.
#[derive(Clone, Debug)]
pub struct OpenAiConnection {
    /// Everything before `/chat/completions`, e.g. `https://api.openai.com/v1`. http(s), without
    /// credentials, query or fragment.
    pub base_url: String,
    /// Sent as a bearer token; local servers often need none.
    pub api_key: Option<SecretString>,
    /// The longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// The longest wait from sending the question to the first byte of the answer's body. A
    /// reasoning model may think for a while.
    pub first_byte_timeout: Duration,
    /// The longest silence within an answer. There is no limit on the whole of it.
    pub idle_timeout: Duration,
    /// How often to ask again when there was no answer at all; never after its first byte.
    pub retries: u32,
    /// The longest body of an answer, in bytes as they come from the network.
    pub max_answer_bytes: usize,
}

impl OpenAiConnection {
    /// A connection to `base_url` with timeouts and bounds that suit a chat.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(20),
            retries: 2,
            max_answer_bytes: 4 * 1024 * 1024,
        }
    }
}
