//! Does this delivery come from the provider? Decided over the raw bytes, in constant time, before
//! anything is parsed or stored.
//!
//! Vapi proves itself in one of three ways (its "webhook" credential): the header `X-Vapi-Secret`,
//! a bearer token in a header of the owner's choice, or an HMAC over a text of the owner's choice.
//! Several credentials may be valid at once, so that a secret can be replaced without losing a
//! delivery. Without any credential every delivery is refused: there is no open door.

mod credential;
mod format;
#[cfg(test)]
mod tests;

pub use credential::{Algorithm, Credential, Encoding, Hmac};

use credential::Prepared;

/// How far a signed time may lie from ours, in milliseconds, either way.
pub const TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// A delivery as it came in. Nothing of it is believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The request's method, in capitals.
    pub method: &'a str,
    /// Every address the sender may have meant by "the URL": whole, and from the path on.
    pub urls: &'a [String],
    /// All headers; names in lower case, the same name possibly more than once.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl Delivery<'_> {
    /// The one value of a header. A header that is there twice proves nothing: whoever reads the
    /// other value would see another delivery.
    fn header(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.headers.iter().filter(|(known, _)| *known == name);
        let (_, value) = values.next()?;
        values.next().is_none().then(|| value.trim_ascii())
    }
}

/// Why a delivery is refused. For the owner's log only: the sender is told nothing but "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody said what to accept.
    #[error("no webhook credential is configured")]
    NoCredential,
    /// No credential fits.
    #[error("no configured credential fits")]
    Unproven,
    /// Rightly signed, but for another time: a replay, or a clock that is wrong.
    #[error("the signature is right but its time is more than five minutes from ours")]
    Stale,
}

/// Knows every credential and checks deliveries against them.
#[derive(Debug, Default)]
pub struct Verifier {
    credentials: Vec<Prepared>,
}

impl Verifier {
    /// A verifier that accepts each of `credentials`.
    ///
    /// # Errors
    /// What is wrong with one of them, as a sentence.
    pub fn new<'a>(credentials: impl IntoIterator<Item = &'a Credential>) -> Result<Self, String> {
        let credentials = credentials.into_iter().map(Prepared::new).collect::<Result<_, _>>()?;
        Ok(Self { credentials })
    }

    /// Checks a delivery that came in at `now` (Unix milliseconds). Every credential is tried
    /// whatever the ones before it said, so that the time taken tells nothing about which fits.
    ///
    /// # Errors
    /// [`Refused`] when the delivery proves nothing.
    pub fn verify(&self, delivery: &Delivery<'_>, now: u64) -> Result<(), Refused> {
        let mut verdict = Err(if self.credentials.is_empty() {
            Refused::NoCredential
        } else {
            Refused::Unproven
        });
        for credential in &self.credentials {
            verdict = match (verdict, credential.check(delivery, now)) {
                (Ok(()), _) | (_, Ok(())) => Ok(()),
                (Err(Refused::Stale), _) | (_, Err(Refused::Stale)) => Err(Refused::Stale),
                (before, _) => before,
            };
        }
        verdict
    }
}
