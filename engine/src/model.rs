//! What every model offers: a prompt in, a stream of deltas out.

mod error;

use crate::turn::Turn;
use banter_shared::message::Source;
use futures_util::Stream;
use std::pin::Pin;

pub use error::{ModelError, Wait};

/// A piece of an answer. Text comes first, sources and usage after the last of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// More text; never empty.
    Text(String),
    /// What the answer rests on.
    Sources(Vec<Source>),
    /// What it took, as the model counts it.
    Usage(Usage),
}

/// What an answer took, in the model's own tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
}

/// What a model is asked, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The rendered system prompt; may be empty.
    pub system: String,
    /// The windowed conversation; the last turn is the visitor's.
    pub turns: Vec<Turn>,
    /// How to choose the words.
    pub sampling: Sampling,
}

/// How a model chooses its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// The model's name; empty where there is only one.
    pub model: String,
    /// Sampling temperature.
    pub temperature: Option<f32>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u32>,
}

/// An answer as it comes. It ends after its last delta, or with exactly one error; after an error
/// nothing follows. Dropping it cancels the call.
pub type ReplyStream = Pin<Box<dyn Stream<Item = Result<Delta, ModelError>> + Send>>;

/// Something that answers.
pub trait Model: Send + Sync {
    /// Begins an answer. Nothing happens until the stream is polled.
    fn reply(&self, prompt: Prompt) -> ReplyStream;
}
