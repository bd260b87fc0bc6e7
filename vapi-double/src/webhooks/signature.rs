//! How a webhook proves where it comes from: the secret header, a bearer token, or an HMAC with
//! every option Vapi's credentials have (`HMACAuthenticationPlan`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// What a webhook is authenticated with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `X-Vapi-Secret`, as `server.secret` did.
    Secret(String),
    /// A token in a header.
    Bearer {
        /// The token.
        token: String,
        /// `Authorization` by default.
        header: String,
        /// Whether `Bearer ` stands before it.
        prefix: bool,
    },
    /// A signature.
    Hmac(HmacPlan),
}

/// The options of a signature; [`HmacPlan::new`] has Vapi's defaults.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each option is named as in Vapi's HMACAuthenticationPlan")]
pub struct HmacPlan {
    pub secret_key: String,
    pub algorithm: Algorithm,
    pub signature_header: String,
    pub timestamp_header: String,
    pub signature_prefix: String,
    pub include_timestamp: bool,
    pub payload_format: String,
    pub message_id_header: Option<String>,
    pub signature_encoding: Encoding,
    pub secret_is_base64: bool,
    /// Vapi publishes no unit: seconds, or milliseconds when this is set.
    pub timestamp_in_ms: bool,
}

/// The hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the hash")]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the encoding")]
pub enum Encoding {
    Hex,
    Base64,
}

impl Credential {
    /// A bearer token as it usually is.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self::Bearer { token: token.into(), header: "authorization".into(), prefix: true }
    }

    /// The headers for one delivery.
    pub(crate) fn headers(&self, delivery: &Delivery<'_>) -> Vec<(String, String)> {
        match self {
            Self::Secret(secret) => vec![("x-vapi-secret".into(), secret.clone())],
            Self::Bearer { token, header, prefix } => {
                let value = if *prefix { format!("Bearer {token}") } else { token.clone() };
                vec![(header.clone(), value)]
            }
            Self::Hmac(options) => options.headers(delivery),
        }
    }
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery<'a> {
    /// The raw body.
    pub(crate) body: &'a str,
    /// Where it goes.
    pub(crate) url: &'a str,
    /// Its id, new for each.
    pub(crate) id: &'a str,
    /// When, in Unix milliseconds.
    pub(crate) now_ms: u64,
}

impl HmacPlan {
    /// Vapi's defaults: SHA-256 of `{timestamp}.{body}` in hex in `x-signature`.
    #[must_use]
    pub fn new(secret_key: &str) -> Self {
        Self {
            secret_key: secret_key.into(),
            algorithm: Algorithm::Sha256,
            signature_header: "x-signature".into(),
            timestamp_header: "x-timestamp".into(),
            signature_prefix: String::new(),
            include_timestamp: true,
            payload_format: "{timestamp}.{body}".into(),
            message_id_header: None,
            signature_encoding: Encoding::Hex,
            secret_is_base64: false,
            timestamp_in_ms: false,
        }
    }

    fn headers(&self, delivery: &Delivery<'_>) -> Vec<(String, String)> {
        let unit = if self.timestamp_in_ms { 1 } else { 1000 };
        let timestamp = (delivery.now_ms / unit).to_string();
        // The body last: what it holds must not be taken for a placeholder.
        let payload = self
            .payload_format
            .replace("{timestamp}", &timestamp)
            .replace("{method}", "POST")
            .replace("{url}", delivery.url)
            .replace("{svix-id}", delivery.id)
            .replace("{body}", delivery.body);
        let key = if self.secret_is_base64 {
            STANDARD.decode(&self.secret_key).unwrap_or_default()
        } else {
            self.secret_key.clone().into_bytes()
        };
        let mac = match self.algorithm {
            Algorithm::Sha1 => sign::<Hmac<Sha1>>(&key, &payload),
            Algorithm::Sha256 => sign::<Hmac<Sha256>>(&key, &payload),
            Algorithm::Sha512 => sign::<Hmac<Sha512>>(&key, &payload),
        };
        let signature = match self.signature_encoding {
            Encoding::Hex => mac.iter().map(|byte| format!("{byte:02x}")).collect(),
            Encoding::Base64 => STANDARD.encode(mac),
        };
        let mut headers =
            vec![(self.signature_header.clone(), format!("{}{signature}", self.signature_prefix))];
        if self.include_timestamp {
            headers.push((self.timestamp_header.clone(), timestamp));
        }
        if let Some(name) = &self.message_id_header {
            headers.push((name.clone(), delivery.id.to_owned()));
        }
        headers
    }
}

/// A key of any length makes a MAC, so nothing can fail here.
fn sign<M: Mac + hmac::digest::KeyInit>(key: &[u8], payload: &str) -> Vec<u8> {
    <M as Mac>::new_from_slice(key)
        .map(|mac| mac.chain_update(payload).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Credential, Delivery, Encoding, HmacPlan};

    const DELIVERY: Delivery<'static> = Delivery {
        body: "what do ya want for nothing?",
        url: "http://a.example/hook",
        id: "msg_1",
        now_ms: 1_795_231_692_316,
    };

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn signatures_agree_with_the_published_vectors() {
        for (algorithm, expected) in [
            (Algorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Algorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Algorithm::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let options = HmacPlan {
                algorithm,
                payload_format: "{body}".into(),
                include_timestamp: false,
                ..HmacPlan::new("Jefe")
            };
            let headers = Credential::Hmac(options).headers(&DELIVERY);
            assert_eq!(headers, [("x-signature".to_owned(), expected.to_owned())]);
        }
    }

    #[test]
    fn every_option_shows() {
        let options = HmacPlan {
            signature_header: "x-sig".into(),
            timestamp_header: "x-at".into(),
            signature_prefix: "sha256=".into(),
            payload_format: "{method} {url} {svix-id} {timestamp} {body}".into(),
            message_id_header: Some("x-id".into()),
            signature_encoding: Encoding::Base64,
            secret_key: "SmVmZQ==".into(),
            secret_is_base64: true,
            timestamp_in_ms: true,
            ..HmacPlan::new("")
        };
        let headers = Credential::Hmac(options).headers(&DELIVERY);
        assert!(headers[0].1.starts_with("sha256=") && headers[0].1.ends_with('='), "{headers:?}");
        assert_eq!(headers[1], ("x-at".to_owned(), "1795231692316".to_owned()));
        assert_eq!(headers[2], ("x-id".to_owned(), "msg_1".to_owned()));
        let seconds = Credential::Hmac(HmacPlan::new("k")).headers(&DELIVERY);
        assert_eq!(seconds[1].1, "1795231692");
        assert_eq!(
            Credential::bearer("t").headers(&DELIVERY),
            [("authorization".to_owned(), "Bearer t".to_owned())]
        );
    }
}
