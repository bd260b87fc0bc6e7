//! Visitors' tokens: a JWT (RFC 7519, HS256) that opens one session and nothing else, until that
//! session's time is over; for a while longer it still begins one that carries that session on.
//!
//! A visitor shows the same token with every request, so what was signed here, or found to be, is
//! remembered, and of the next request only the time is checked.

use super::Refusal;
use banter_shared::ids::{SessionId, WidgetId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How many tokens are remembered: as many as visitors write at a time on a busy day, at half a
/// kilobyte each.
const REMEMBERED: usize = 4096;

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
    /// none; whatever carries one must carry the right one, and browsers write it in one way only.
    #[must_use]
    pub fn fits(&self, stated: Option<&[u8]>) -> bool {
        stated.is_none_or(|origin| origin == self.origin.as_bytes())
    }
}

/// Signs and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    /// Tokens that this key has signed.
    known: Arc<Cache<String, Arc<Claims>>>,
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
            known: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// [`Refusal::Internal`], which cannot happen with claims that are JSON.
    pub fn issue(&self, claims: Claims) -> Result<String, Refusal> {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|error| Refusal::Internal(Arc::new(error)))?;
        self.known.insert(token.clone(), Arc::new(claims));
        Ok(token)
    }

    /// What a token says, if it is ours and still good at `now` (Unix milliseconds).
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] or [`Refusal::TokenExpired`].
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<Claims>, Refusal> {
        let claims = self.known.get_or_insert_with(token, || {
            jsonwebtoken::decode(token, &self.verifying, &self.validation)
                .map(|data| Arc::new(data.claims))
                .map_err(|_| Refusal::Unauthorized)
        })?;
        if claims.expires.saturating_mul(1000) <= now {
            return Err(Refusal::TokenExpired);
        }
        Ok(claims)
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
        let issuer = Tokens::new(b"key");
        let token = issuer.issue(claims()).unwrap();
        // Remembered by whoever signed it, found to be good by another, remembered by that one.
        let other = Tokens::new(b"key");
        for tokens in [&issuer, &other, &other] {
            assert_eq!(*tokens.verify(&token, 999_999).unwrap(), claims());
            assert!(matches!(tokens.verify(&token, 1_000_000), Err(Refusal::TokenExpired)));
        }
        assert!(matches!(Tokens::new(b"other").verify(&token, 0), Err(Refusal::Unauthorized)));
    }

    /// Whoever has a token keeps it for hours: another server must go on taking it.
    #[test]
    fn a_token_that_is_out_there_stays_good() {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.\
            eyJzdWIiOiJzMSIsImF1ZCI6ImRlbW8iLCJvcmlnaW4iOiJodHRwczovL3Nob3AuZXhhbXBsZSIsImV4cCI6MTAwMH0.\
            tWWQMOd2U2WUCM3DQT9rBBes9xwh077cOoBYGfIsuxY";
        assert_eq!(*Tokens::new(b"key").verify(token, 0).unwrap(), claims());
        assert_eq!(Tokens::new(b"key").issue(claims()).unwrap(), token);
    }

    #[test]
    fn no_other_algorithm_is_taken() {
        // {"alg":"none"} and {"alg":"HS512"}, both with the right claims.
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9"] {
            let token = Tokens::new(b"key").issue(claims()).unwrap();
            let (_, rest) = token.split_once('.').unwrap();
            let forged = format!("{header}.{rest}");
            assert!(matches!(Tokens::new(b"key").verify(&forged, 0), Err(Refusal::Unauthorized)));
            let (body, _) = rest.split_once('.').unwrap();
            let bare = format!("{header}.{body}.");
            assert!(matches!(Tokens::new(b"key").verify(&bare, 0), Err(Refusal::Unauthorized)));
        }
    }

    #[test]
    fn a_token_has_three_whole_parts() {
        let token = Tokens::new(b"key").issue(claims()).unwrap();
        let cut = &token[..token.len() - 2];
        let unsigned = token.rsplit_once('.').unwrap().0;
        for broken in ["", ".", "..", cut, unsigned, &format!("{unsigned}."), &format!("{token}.")]
        {
            let verdict = Tokens::new(b"key").verify(broken, 0);
            assert!(matches!(verdict, Err(Refusal::Unauthorized)), "{broken}");
        }
    }

    #[test]
    fn a_token_is_bound_to_its_origin() {
        let fits = |origin: &str| claims().fits(Some(origin.as_bytes()));
        assert!(fits("https://shop.example"));
        for other in ["https://evil.example", "https://shop.example.evil.example", "null", ""] {
            assert!(!fits(other), "{other}");
        }
        assert!(claims().fits(None));
    }

    proptest! {
        #[test]
        fn no_tampered_token_verifies(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
            let tokens = Tokens::new(b"key");
            let token = tokens.issue(claims()).unwrap();
            let at = at.index(token.len());
            let mut tampered = token.clone();
            tampered.replace_range(at..=at, &with);
            // The last character of a base64 group may differ in bits that do not count; then it
            // still says the same.
            match tokens.verify(&tampered, 0) {
                Ok(read) => prop_assert_eq!(&*read, &claims()),
                Err(refusal) => prop_assert!(matches!(refusal, Refusal::Unauthorized)),
            }
        }
    }
}
