//! Sends webhooks over HTTP to addresses that owners chose, and never to a machine that is not on the
//! open internet: digits are judged before a connection is made, names by `resolve::Guard` at the
//! moment they are looked up for it.

mod resolve;

pub use resolve::{Lookup, SystemLookup};

use crate::domain::retry;
use crate::domain::signature;
use crate::domain::webhook_url::{self, AllowedHosts};
use banter_engine::http::{USER_AGENT, client_to_strangers};
use reqwest::header;
use resolve::{Guard, Refused};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Time to reach an endpoint, its name looked up included.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for the whole attempt.
const TOTAL: Duration = Duration::from_secs(15);
/// How much of an answer's body is read; nobody looks at it, but a receiver that is cut off while it
/// writes may count that as an error.
const BODY_BYTES: usize = 4096;

/// One message on its way to one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    /// Where to.
    pub url: &'a str,
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub seconds: u64,
    /// `webhook-signature`.
    pub signatures: &'a str,
    /// The body, exactly as it was signed.
    pub body: &'a str,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Status {
        /// Its HTTP status.
        status: u16,
        /// How long it asks to wait, in milliseconds.
        retry_after: Option<u64>,
    },
    /// None.
    Nothing(Failure),
}

/// Why there is no answer. Says nothing that an owner may not know, such as an address within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The address, or one that its name means, is not on the open internet.
    NotPublic,
    /// The name means nothing, nobody listens there, or TLS could not be agreed upon.
    Unreachable,
    /// Too slow.
    Timeout,
    /// The connection broke, or what came is not HTTP.
    Broken,
}

impl Failure {
    /// For the owner.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotPublic => "the address is not on the open internet",
            Self::Unreachable => "no connection: check the host's name, port and certificate",
            Self::Timeout => "no answer within 15 seconds",
            Self::Broken => "the connection broke before an answer came",
        }
    }
}

/// Sends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebhookSender {
    client: reqwest::Client,
    allowed: Arc<AllowedHosts>,
}

impl WebhookSender {
    /// A sender that reaches public addresses and the hosts in `allowed`.
    ///
    /// # Errors
    /// When the TLS backend cannot be set up.
    pub fn new(
        allowed: Arc<AllowedHosts>,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, reqwest::Error> {
        Self::with_timeouts(allowed, lookup, CONNECT, TOTAL)
    }

    fn with_timeouts(
        allowed: Arc<AllowedHosts>,
        lookup: Arc<dyn Lookup>,
        connect: Duration,
        total: Duration,
    ) -> Result<Self, reqwest::Error> {
        let guard = Guard { allowed: allowed.clone(), lookup };
        let client = client_to_strangers(USER_AGENT, connect, total, Arc::new(guard))?;
        Ok(Self { client, allowed })
    }

    /// Which hosts may be private.
    #[must_use]
    pub fn allowed(&self) -> &AllowedHosts {
        &self.allowed
    }

    /// Tries once, at `now` Unix milliseconds. A redirect is not followed.
    pub async fn send(&self, parcel: Parcel<'_>, now: u64) -> Reply {
        // Again, though it was checked when it was stored: the operator may have changed the list.
        let Ok(url) = webhook_url::parse(parcel.url, &self.allowed) else {
            return Reply::Nothing(Failure::NotPublic);
        };
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(signature::ID, parcel.id)
            .header(signature::TIMESTAMP, parcel.seconds)
            .header(signature::SIGNATURE, parcel.signatures)
            .body(parcel.body.to_owned());
        match request.send().await {
            Ok(response) => read(response, now).await,
            Err(error) => Reply::Nothing(failure(&error)),
        }
    }
}

async fn read(mut response: reqwest::Response, now: u64) -> Reply {
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry::retry_after(value, now));
    let mut read = 0;
    while read < BODY_BYTES {
        // The status stands, however the body ends.
        let Ok(Some(chunk)) = response.chunk().await else { break };
        read += chunk.len();
    }
    Reply::Status { status: response.status().as_u16(), retry_after }
}

fn failure(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<Refused>() {
            return Failure::NotPublic;
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::Unreachable
    } else {
        Failure::Broken
    }
}

#[cfg(test)]
mod tests;
