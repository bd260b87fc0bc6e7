//! The one place that builds an HTTP client, so that no outgoing request lacks a timeout, names
//! itself wrongly or follows a redirect to where nobody looked.

use reqwest::dns::Resolve;
use std::sync::Arc;
use std::time::Duration;

/// How we name ourselves to other servers unless configured otherwise.
pub const USER_AGENT: &str = concat!("Banter/", env!("CARGO_PKG_VERSION"));

/// Idle connections kept per host, ready for the next question without a new handshake: as many as
/// answers are written at a time on a busy day, or each of a wave pays for a handshake.
const POOL_PER_HOST: usize = 256;
/// How long an idle connection is kept; below the 60 s after which many servers close theirs.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// A client that follows no redirect, sends small writes at once and keeps connections warm.
///
/// There is no total timeout on purpose: an answer may stream for minutes. Whoever uses the client
/// bounds the wait for each byte instead.
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
        .pool_max_idle_per_host(POOL_PER_HOST)
        .pool_idle_timeout(POOL_IDLE)
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
