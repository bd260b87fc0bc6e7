//! What is asked of the store about the servers that share the database.

use super::Result;
use async_trait::async_trait;

/// The servers that share the database.
#[async_trait]
pub trait NodeRepository: Send + Sync {
    /// This server begins: it is known from now on, and answers that nobody can write any more are
    /// marked interrupted. Returns how many.
    async fn join(&self, now: u64) -> Result<usize>;
    /// This server still lives; whoever has not said so for long is forgotten, and its answers that
    /// nobody took over are marked interrupted. Returns how many.
    async fn beat(&self, now: u64) -> Result<usize>;
    /// This server stops.
    async fn leave(&self) -> Result<()>;
}
