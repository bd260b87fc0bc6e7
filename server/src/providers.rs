//! Who runs an assistant. One trait; each provider keeps its vendor's words to itself.

pub mod engine;

pub use banter_engine::model::{Delta, ModelError, ReplyStream};

use banter_engine::assistant::Assistant;
use banter_engine::turn::Turn;

/// Runs assistants.
pub trait Provider: Send + Sync {
    /// The assistant's reply to the last turn. Dropping the stream cancels the call upstream.
    fn reply(&self, assistant: &Assistant, history: &[Turn]) -> ReplyStream;

    /// What the assistant says before anybody else does.
    ///
    /// # Errors
    /// When its template cannot be rendered.
    fn first_message(&self, assistant: &Assistant) -> Result<Option<String>, ModelError>;
}
