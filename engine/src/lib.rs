//! The assistant runtime: prompt, variables, model stream. Knows no HTTP route and no database.
//!
//! How a reply comes about:
//!
//! 1. [`Engine::reply`] takes an [`assistant::Assistant`], the caller's
//!    [`variables::Variables`] and the conversation as [`turn::Turn`]s.
//! 2. The system prompt is rendered (Liquid, owner's text only) and the history is cut to its
//!    token budget.
//! 3. A [`model::Model`] answers with a [`model::ReplyStream`]: the built-in one from a folder of
//!    Markdown, without any network, or an OpenAI-compatible one over HTTP.
//!
//! Nothing here spawns a task. A stream moves only while somebody polls it, so dropping it is all
//! it takes to cancel the call behind it.

pub mod assistant;
pub mod body;
mod builtin;
mod engine;
pub mod http;
pub mod model;
mod openai;
pub mod patience;
pub mod prompt;
pub mod redact;
mod settings;
pub mod surrogates;
pub mod turn;
pub mod variables;
mod window;

pub use engine::{Engine, EngineError};
pub use settings::{EngineSettings, KnowledgeSource, OpenAiConnection};
