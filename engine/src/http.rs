//! The one place that builds HTTP clients, so that no outgoing request names itself wrongly, lacks a
//! bound in time or follows a redirect to where nobody looked.
//!
//! [`Caller`] asks one configured server and streams what it says; [`client`] and
//! [`client_to_strangers`] are for everything that is said in one piece.

mod call;
mod connect;
mod framing;
mod head;
mod pool;

use crate::model::{ModelError, Wait};
use reqwest::dns::Resolve;
use std::sync::Arc;
use std::time::Duration;

pub use call::{Caller, Response};

/// How we name ourselves to other servers unless configured otherwise.
pub const USER_AGENT: &str = concat!("Banter/", env!("CARGO_PKG_VERSION"));

/// Why a call got no response, or not all of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request could not be written down.
    #[error("the request cannot be sent: {0}")]
    Unsent(String),
    /// The other side did not take the call in time.
    #[error("no connection in time")]
    ConnectTimeout,
    /// There is no way to the other side.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection ended too early.
    #[error("the connection was closed in the middle")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The other side does not speak HTTP/1.1 as we know it.
    #[error("not a response: {0}")]
    Malformed(&'static str),
}

impl From<std::io::Error> for CallError {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<CallError> for ModelError {
    /// What it means for an answer that has not begun.
    fn from(error: CallError) -> Self {
        match error {
            CallError::ConnectTimeout => Self::Timeout { what: Wait::Connect },
            error => Self::Unavailable { cause: error.to_string() },
        }
    }
}

/// A client that follows no redirect and sends small writes at once. Whoever uses it bounds the wait.
///
/// # Errors
/// When the TLS backend cannot be set up or `user_agent` cannot be a header value.
#[expect(clippy::disallowed_methods, reason = "this is the one keeper of that door")]
pub fn client(
    user_agent: &str,
    connect_timeout: Duration,
) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(user_agent)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .build()
}

/// A client for addresses that others chose: it asks `resolver` what a name means, so that whoever
/// gives it decides which machines can be reached, follows no redirect, obeys no proxy of the
/// environment, and ends every request after `timeout`. It keeps no connections: each is looked up
/// anew. An address in digits is not looked up; that is the caller's to check.
///
/// # Errors
/// When the TLS backend cannot be set up or `user_agent` cannot be a header value.
#[expect(clippy::disallowed_methods, reason = "this is the one keeper of that door")]
pub fn client_to_strangers(
    user_agent: &str,
    connect_timeout: Duration,
    timeout: Duration,
    resolver: Arc<impl Resolve + 'static>,
) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(user_agent)
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(resolver)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(0)
        .build()
}
