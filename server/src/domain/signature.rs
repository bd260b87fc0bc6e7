//! How what we send is signed: Standard Webhooks, version 1 (symmetric).
//!
//! A receiver gets three headers. `webhook-id` names the message and stays the same however often it
//! is sent; `webhook-timestamp` is the second it was sent; `webhook-signature` is
//! `v1,base64(hmac-sha256(secret, "{id}.{timestamp}.{body}"))`, several of them with a space between
//! while a secret is being replaced. A receiver is content with any one of them.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::ops::RangeInclusive;

/// The header that names the message.
pub const ID: &str = "webhook-id";
/// The header that says when it was sent, in Unix seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header that holds the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// What every secret begins with, so that secret scanners can find a leaked one.
pub const SECRET_PREFIX: &str = "whsec_";
/// How many bytes a secret may have.
pub const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// How far a receiver's clock may be from ours, in seconds.
pub const TOLERANCE_SECONDS: u64 = 300;

/// Base64 with the padding that others' libraries sometimes leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an endpoint's messages are signed with. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// A secret of these bytes; `None` unless there are 24 to 64.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        SECRET_BYTES.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Reads `whsec_` and base64; `None` when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(BASE64.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?)
    }

    /// The secret as its owner sees it, once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", BASE64.encode(&self.0))
    }

    /// One signature, `v1,…`.
    fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        format!("v1,{}", BASE64.encode(self.mac(id, seconds, body).finalize().into_bytes()))
    }

    fn mac(&self, id: &str, seconds: u64, body: &[u8]) -> Hmac<Sha256> {
        // HMAC takes a key of any length (RFC 2104), so the other arm is never gone to; an empty
        // key there would sign what no receiver accepts.
        let mut mac =
            Hmac::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()));
        for part in [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// The value of `webhook-signature`: one signature for each of `secrets`.
#[must_use]
pub fn signatures<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    seconds: u64,
    body: &[u8],
) -> String {
    let all: Vec<String> =
        secrets.into_iter().map(|secret| secret.sign(id, seconds, body)).collect();
    all.join(" ")
}

/// The three headers as they arrived.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

/// Whether a receiver who knows `secret` should believe what arrived, at `now` Unix seconds. What
/// every receiver does, so that tests can be one.
#[must_use]
pub fn is_genuine(secret: &SigningSecret, received: &Received<'_>, body: &[u8], now: u64) -> bool {
    let Ok(seconds) = received.timestamp.parse::<u64>() else { return false };
    // Signed as it was written: "+5" and "05" are the number 5 and not what was signed.
    if seconds.to_string() != received.timestamp || now.abs_diff(seconds) > TOLERANCE_SECONDS {
        return false;
    }
    received
        .signature
        .split(' ')
        .filter_map(|entry| BASE64.decode(entry.strip_prefix("v1,")?).ok())
        // Compared in constant time.
        .any(|tag| secret.mac(received.id, seconds, body).verify_slice(&tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{Received, SigningSecret, is_genuine, signatures};
    use proptest::prelude::{Just, Strategy, any, prop_assert, proptest};
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Fixture {
        vectors: Vec<Vector>,
    }

    /// Made with the official library, version 1.1.0.
    #[derive(Deserialize)]
    struct Vector {
        secret: String,
        webhook_id: String,
        webhook_timestamp: u64,
        body: String,
        webhook_signature: String,
    }

    fn vectors() -> Vec<Vector> {
        let text = include_str!("../../tests/fixtures/standard_webhooks.json");
        serde_json::from_str::<Fixture>(text).unwrap().vectors
    }

    #[test]
    fn signs_as_the_official_library_does() {
        assert_eq!(vectors().len(), 4);
        for vector in vectors() {
            let secret = SigningSecret::parse(&vector.secret).unwrap();
            assert_eq!(secret.reveal(), vector.secret);
            let (id, at, body) = (&vector.webhook_id, vector.webhook_timestamp, &vector.body);
            let signature = signatures([&secret], id, at, body.as_bytes());
            assert_eq!(signature, vector.webhook_signature);
            let timestamp = at.to_string();
            let received = Received { id, timestamp: &timestamp, signature: &signature };
            for (now, good) in [
                (at, true),
                (at + 300, true),
                (at - 300, true),
                (at + 301, false),
                (at - 301, false),
            ] {
                assert_eq!(is_genuine(&secret, &received, body.as_bytes(), now), good, "{now}");
            }
        }
    }

    #[test]
    fn secrets_are_of_24_to_64_bytes() {
        for (text, good) in [
            (format!("whsec_{}", "A".repeat(32)), true),
            (format!("whsec_{}==", "A".repeat(86)), true),
            (format!("whsec_{}", "A".repeat(86)), true),
            (format!("whsec_{}", "A".repeat(31)), false),
            (format!("whsec_{}", "A".repeat(28)), false),
            (format!("whsec_{}", "A".repeat(88)), false),
            ("A".repeat(32), false),
            (format!("whsec_{}", "-_".repeat(16)), false),
            ("whsec_".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(SigningSecret::parse(&text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn is_not_printed() {
        let secret = SigningSecret::new(vec![b'k'; 32]).unwrap();
        let said = format!("{secret:?} {:?}", Some(&secret));
        assert!(!said.contains("107") && !said.contains("kkk") && !said.contains("a2tr"), "{said}");
    }

    #[test]
    fn while_a_secret_is_replaced_both_verify() {
        let (old, new) = (secret(1), secret(2));
        let signature = signatures([&new, &old], "msg_1", 1000, b"{}");
        assert_eq!(signature.split(' ').count(), 2);
        let received = Received { id: "msg_1", timestamp: "1000", signature: &signature };
        assert!(is_genuine(&old, &received, b"{}", 1000));
        assert!(is_genuine(&new, &received, b"{}", 1000));
        assert!(!is_genuine(&secret(3), &received, b"{}", 1000));
        // Other versions beside ours are passed over; nonsense is not believed.
        let mixed = format!("v1a,AAAA nonsense  v1, {signature}");
        assert!(is_genuine(&old, &Received { signature: &mixed, ..received }, b"{}", 1000));
        for signature in ["", "v1,", "v1", "nonsense", &signature.replace("v1,", "v2,")] {
            assert!(!is_genuine(&old, &Received { signature, ..received }, b"{}", 1000));
        }
        for timestamp in ["", "+1000", "01000", "1000.0", "-1000", "soon"] {
            assert!(!is_genuine(&old, &Received { timestamp, ..received }, b"{}", 1000));
        }
    }

    fn secret(byte: u8) -> SigningSecret {
        SigningSecret::new(vec![byte; 32]).unwrap()
    }

    /// Some bytes, and the same with one bit turned.
    fn turned() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        proptest::collection::vec(any::<u8>(), 1..200).prop_flat_map(|bytes| {
            (Just(bytes.clone()), 0..bytes.len() * 8).prop_map(|(bytes, bit)| {
                let mut other = bytes.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                (bytes, other)
            })
        })
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(
            (body, other_body) in turned(),
            key in proptest::collection::vec(any::<u8>(), 24..=64),
            at in 0_u64..4_000_000_000,
            byte in 0_usize..24,
        ) {
            let secret = SigningSecret::new(key.clone()).unwrap();
            let signature = signatures([&secret], "msg_1", at, &body);
            let timestamp = at.to_string();
            let received = Received { id: "msg_1", timestamp: &timestamp, signature: &signature };
            prop_assert!(is_genuine(&secret, &received, &body, at));
            prop_assert!(!is_genuine(&secret, &received, &other_body, at));
            let renamed = Received { id: "msg_2", ..received };
            prop_assert!(!is_genuine(&secret, &renamed, &body, at));
            let later = (at + 1).to_string();
            let postponed = Received { timestamp: &later, ..received };
            prop_assert!(!is_genuine(&secret, &postponed, &body, at));
            let mut key = key;
            key[byte] ^= 1;
            let wrong = SigningSecret::new(key).unwrap();
            prop_assert!(!is_genuine(&wrong, &received, &body, at));
        }
    }
}
