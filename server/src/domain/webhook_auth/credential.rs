//! One way a sender proves itself, as the owner configures it and as it is checked. Names and
//! defaults are Vapi's (`BearerAuthenticationPlan`, `HMACAuthenticationPlan`).

use super::format::{Format, Input};
use super::{Delivery, Refused, TOLERANCE_MS};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The shortest secret taken, in bytes: shorter ones can be guessed.
const MIN_SECRET: usize = 16;
/// A time above this is in milliseconds: as seconds it would lie in the year 5138.
const SECONDS_END: u64 = 100_000_000_000;

/// A credential as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credential {
    /// The header `X-Vapi-Secret` (`server.secret` of the assistant).
    Secret {
        /// What the header must hold.
        secret: SecretString,
    },
    /// A token in a header.
    Bearer {
        /// The token.
        token: SecretString,
        /// Which header.
        #[serde(default = "authorization")]
        header_name: String,
        /// Whether the token stands behind the word `Bearer`.
        #[serde(default = "yes")]
        bearer_prefix_enabled: bool,
    },
    /// A signature.
    Hmac(Hmac),
}

/// How a signature is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The key.
    pub secret_key: SecretString,
    /// Whether the key is given in base64 (a leading `whsec_` is no part of it).
    #[serde(default)]
    pub secret_is_base64: bool,
    /// The hash function.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Which header holds the signature.
    #[serde(default = "x_signature")]
    pub signature_header: String,
    /// What stands before the signature, e.g. `sha256=`.
    #[serde(default)]
    pub signature_prefix: String,
    /// How the signature is written.
    #[serde(default)]
    pub signature_encoding: Encoding,
    /// Which header holds the time.
    #[serde(default = "x_timestamp")]
    pub timestamp_header: String,
    /// Whether the time is signed.
    #[serde(default = "yes")]
    pub include_timestamp: bool,
    /// What is signed. Default: `{timestamp}.{body}`, or `{body}` when no time is signed.
    #[serde(default)]
    pub payload_format: Option<String>,
    /// Which header holds the message's id, for `{svix-id}`.
    #[serde(default = "svix_id")]
    pub message_id_header: String,
}

/// A hash function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their names say all")]
pub enum Algorithm {
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Lower-case hexadecimal.
    #[default]
    Hex,
    /// Standard base64 with padding.
    Base64,
}

impl Credential {
    /// What must not be written down.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Secret { secret } => secret,
            Self::Bearer { token, .. } => token,
            Self::Hmac(hmac) => &hmac.secret_key,
        }
    }
}

fn yes() -> bool {
    true
}
fn authorization() -> String {
    "authorization".into()
}
fn x_signature() -> String {
    "x-signature".into()
}
fn x_timestamp() -> String {
    "x-timestamp".into()
}
fn svix_id() -> String {
    "svix-id".into()
}

/// A credential that was checked and can be used.
pub(super) enum Prepared {
    /// A header must hold something; kept as its digest, so that even its length stays unknown.
    Header { name: String, digest: [u8; 32] },
    /// A header must hold the signature of the delivery.
    Signature(Box<Signature>),
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header { .. } => "Header(***)",
            Self::Signature(_) => "Signature(***)",
        })
    }
}

/// What makes and finds a signature.
pub(super) struct Signature {
    key: Zeroizing<Vec<u8>>,
    algorithm: Algorithm,
    header: String,
    prefix: String,
    encoding: Encoding,
    timestamp_header: String,
    message_id_header: String,
    format: Format,
}

impl Prepared {
    /// Checks what is configured.
    pub(super) fn new(credential: &Credential) -> Result<Self, String> {
        match credential {
            Credential::Secret { secret } => {
                let secret = long_enough("secret", secret)?;
                Ok(Self::Header { name: "x-vapi-secret".into(), digest: digest(secret.as_bytes()) })
            }
            Credential::Bearer { token, header_name, bearer_prefix_enabled } => {
                let token = long_enough("token", token)?;
                let prefix = if *bearer_prefix_enabled { "Bearer " } else { "" };
                let value = Zeroizing::new(format!("{prefix}{token}"));
                let name = header_name_of("header_name", header_name)?;
                Ok(Self::Header { name, digest: digest(value.as_bytes()) })
            }
            Credential::Hmac(hmac) => Signature::new(hmac).map(Box::new).map(Self::Signature),
        }
    }

    /// Whether `delivery` carries what this credential asks for.
    pub(super) fn check(&self, delivery: &Delivery<'_>, now: u64) -> Result<(), Refused> {
        match self {
            Self::Header { name, digest: expected } => {
                let found = delivery.header(name).ok_or(Refused::Unproven)?;
                let same: bool = digest(found).ct_eq(expected).into();
                if same { Ok(()) } else { Err(Refused::Unproven) }
            }
            Self::Signature(signature) => signature.check(delivery, now),
        }
    }
}

impl Signature {
    fn new(hmac: &Hmac) -> Result<Self, String> {
        let secret = long_enough("secret_key", &hmac.secret_key)?;
        let key = if hmac.secret_is_base64 {
            let written = secret.strip_prefix("whsec_").unwrap_or(secret);
            STANDARD.decode(written).map_err(|_| "secret_key is not base64".to_owned())?
        } else {
            secret.as_bytes().to_vec()
        };
        let written = match (&hmac.payload_format, hmac.include_timestamp) {
            (Some(format), _) => format,
            (None, true) => "{timestamp}.{body}",
            (None, false) => "{body}",
        };
        let format = Format::parse(written)?;
        if format.signs_time() && !hmac.include_timestamp {
            return Err(
                "payload_format signs {timestamp} although include_timestamp is false".into()
            );
        }
        Ok(Self {
            key: Zeroizing::new(key),
            algorithm: hmac.algorithm,
            header: header_name_of("signature_header", &hmac.signature_header)?,
            prefix: hmac.signature_prefix.clone(),
            encoding: hmac.signature_encoding,
            timestamp_header: header_name_of("timestamp_header", &hmac.timestamp_header)?,
            message_id_header: header_name_of("message_id_header", &hmac.message_id_header)?,
            format,
        })
    }

    fn check(&self, delivery: &Delivery<'_>, now: u64) -> Result<(), Refused> {
        let found = delivery.header(&self.header).ok_or(Refused::Unproven)?;
        let timestamp = delivery.header(&self.timestamp_header);
        let at = self
            .format
            .signs_time()
            .then(|| timestamp.and_then(time_of))
            .map_or(Ok(None), |at| at.map(Some).ok_or(Refused::Unproven))?;
        let urls: &[String] =
            if self.format.signs_url() { delivery.urls } else { &[const { String::new() }] };
        let mut right = subtle::Choice::from(0);
        for url in urls {
            let input = Input {
                body: delivery.body,
                timestamp: timestamp.unwrap_or_default(),
                method: delivery.method.as_bytes(),
                url: url.as_bytes(),
                message_id: delivery.header(&self.message_id_header),
            };
            // The text as it should be, not the bytes it stands for: of two ways to write the
            // same signature only one is accepted.
            let expected = self.sign(&input).ok_or(Refused::Unproven)?;
            right |= expected.as_bytes().ct_eq(found);
        }
        if !bool::from(right) {
            return Err(Refused::Unproven);
        }
        match at {
            Some(at) if at.abs_diff(now) > TOLERANCE_MS => Err(Refused::Stale),
            _ => Ok(()),
        }
    }

    /// The signature of `input` as the header should hold it.
    fn sign(&self, input: &Input<'_>) -> Option<String> {
        let bytes = match self.algorithm {
            Algorithm::Sha1 => {
                self.format.feed(hmac::Hmac::<sha1::Sha1>::new_from_slice(&self.key).ok()?, input)
            }
            Algorithm::Sha256 => {
                self.format.feed(hmac::Hmac::<Sha256>::new_from_slice(&self.key).ok()?, input)
            }
            Algorithm::Sha512 => {
                self.format.feed(hmac::Hmac::<sha2::Sha512>::new_from_slice(&self.key).ok()?, input)
            }
        }?;
        let mut text = self.prefix.clone();
        match self.encoding {
            Encoding::Hex => text.push_str(&hex(&bytes)),
            Encoding::Base64 => STANDARD.encode_string(&bytes, &mut text),
        }
        Some(text)
    }
}

/// The time a header states, in Unix milliseconds; it may be written in seconds or milliseconds.
fn time_of(header: &[u8]) -> Option<u64> {
    if header.len() > 16 || !header.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = std::str::from_utf8(header).ok()?.parse().ok()?;
    Some(if value > SECONDS_END { value } else { value * 1000 })
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn long_enough<'a>(field: &str, secret: &'a SecretString) -> Result<&'a str, String> {
    let secret = secret.expose_secret();
    if secret.len() < MIN_SECRET {
        return Err(format!("{field} has under {MIN_SECRET} characters and could be guessed"));
    }
    if secret.trim_ascii() != secret {
        return Err(format!("{field} begins or ends with white space, which no header can carry"));
    }
    Ok(secret)
}

fn header_name_of(field: &str, name: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(format!("{field} = `{name}` is not the name of a header"));
    }
    Ok(name.to_ascii_lowercase())
}
