//! Visitors' tokens: a JWT (RFC 7519, HS256) that opens one session and nothing else, until that
//! session's time is over.

use super::Refusal;
use crate::domain::origin::Origin;
use banter_shared::ids::{SessionId, WidgetId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The session it opens.
    #[serde(rename = "sub")]
    pub session: SessionId,
    /// The widget the session belongs to.
    #[serde(rename = "aud")]
    pub widget: WidgetId,
    /// The origin its requests come from.
    pub origin: String,
    /// When it expires, in Unix seconds.
    #[serde(rename = "exp")]
    pub expires: u64,
}

impl Claims {
    /// Whether a request with this `Origin` header may use the token. Reads of our own frame carry
    /// none; whatever carries one must carry the right one.
    #[must_use]
    pub fn fits(&self, request: Option<&Origin>) -> bool {
        request.is_none_or(|origin| origin.to_string() == self.origin)
    }
}

/// Signs and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// Tokens of this key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Compared with the clock we are given, and with the session asked for, in `verify`.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self {
            signing: EncodingKey::from_secret(key),
            verifying: DecodingKey::from_secret(key),
            validation,
        }
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// [`Refusal::Internal`], which cannot happen with claims that are JSON.
    pub fn issue(&self, claims: &Claims) -> Result<String, Refusal> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
            .map_err(|error| Refusal::Internal(std::sync::Arc::new(error)))
    }

    /// What a token says, if it is ours and still good at `now` (Unix milliseconds).
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] or [`Refusal::TokenExpired`].
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Refusal> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .map_err(|_| Refusal::Unauthorized)?;
        if data.claims.expires.saturating_mul(1000) <= now {
            return Err(Refusal::TokenExpired);
        }
        Ok(data.claims)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Claims, Tokens};
    use crate::domain::origin::Origin;
    use crate::services::Refusal;
    use proptest::prelude::*;

    fn claims() -> Claims {
        Claims {
            session: "s1".into(),
            widget: "demo".into(),
            origin: "https://shop.example".into(),
            expires: 1_000,
        }
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_only_under_its_key() {
        let tokens = Tokens::new(b"key");
        let token = tokens.issue(&claims()).unwrap();
        assert_eq!(tokens.verify(&token, 999_999).unwrap(), claims());
        assert!(matches!(tokens.verify(&token, 1_000_000), Err(Refusal::TokenExpired)));
        assert!(matches!(Tokens::new(b"other").verify(&token, 0), Err(Refusal::Unauthorized)));
    }

    #[test]
    fn no_other_algorithm_is_taken() {
        // {"alg":"none"} and {"alg":"HS512"}, both with the right claims.
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9"] {
            let token = Tokens::new(b"key").issue(&claims()).unwrap();
            let (_, rest) = token.split_once('.').unwrap();
            let forged = format!("{header}.{rest}");
            assert!(matches!(Tokens::new(b"key").verify(&forged, 0), Err(Refusal::Unauthorized)));
            let (body, _) = rest.split_once('.').unwrap();
            let bare = format!("{header}.{body}.");
            assert!(matches!(Tokens::new(b"key").verify(&bare, 0), Err(Refusal::Unauthorized)));
        }
    }

    #[test]
    fn a_token_is_bound_to_its_origin() {
        let fits = |origin| claims().fits(Origin::parse(origin).as_ref());
        assert!(fits("https://shop.example"));
        assert!(!fits("https://evil.example"));
        assert!(claims().fits(None));
    }

    proptest! {
        #[test]
        fn no_tampered_token_verifies(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
            let tokens = Tokens::new(b"key");
            let token = tokens.issue(&claims()).unwrap();
            let at = at.index(token.len());
            let mut tampered = token.clone();
            tampered.replace_range(at..=at, &with);
            // The last character of a base64 group may differ in bits that do not count; then it
            // still says the same.
            match tokens.verify(&tampered, 0) {
                Ok(read) => prop_assert_eq!(read, claims()),
                Err(refusal) => prop_assert!(matches!(refusal, Refusal::Unauthorized)),
            }
        }
    }
}
