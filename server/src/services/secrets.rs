//! Secrets that must be used again, and so cannot be kept as digests: encrypted at rest with a key
//! that is not in the database. A stolen database, or a backup of it, opens nothing.
//!
//! XChaCha20-Poly1305: its 24-byte nonce may be drawn at random for as many secrets as we will ever
//! have. The key is derived from the server's key file, one for each purpose.

use crate::clock::Entropy;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;

/// The first byte of everything sealed, so that another way of sealing can follow.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// A secret as it is stored: a version, a nonce, and what only a [`Sealer`] can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// What was stored.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What to store.
    #[must_use]
    pub fn into_stored(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Why a secret cannot be read: another key file, another owner of the secret, or damage. Which of
/// them, nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret cannot be read with this server's key file")]
pub struct Unreadable;

/// Seals and opens the secrets of one purpose.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    entropy: Arc<dyn Entropy>,
}

impl Sealer {
    /// A sealer for one purpose, such as "webhook secrets". What is sealed for one purpose cannot be
    /// opened for another.
    #[must_use]
    pub fn new(key_file: &[u8], purpose: &str, entropy: Arc<dyn Entropy>) -> Self {
        // One block of HKDF-Expand (RFC 5869); the key file is random, so there is nothing to
        // extract. HMAC takes a key of any length, so the other arm is never gone to.
        let mut mac: Hmac<Sha256> = hmac::Mac::new_from_slice(key_file)
            .unwrap_or_else(|_| hmac::digest::KeyInit::new(&Default::default()));
        mac.update(b"banter sealed secrets: ");
        mac.update(purpose.as_bytes());
        mac.update(&[1]);
        let key: Key = mac.finalize().into_bytes();
        Self { cipher: XChaCha20Poly1305::new(&key), entropy }
    }

    /// Seals a secret that belongs to `owner` (an id): moved to another row it cannot be opened.
    ///
    /// # Errors
    /// Never for what fits into memory.
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Result<Sealed, Unreadable> {
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let hidden =
            self.cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Unreadable)?;
        let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + hidden.len());
        bytes.push(VERSION);
        bytes.extend(nonce);
        bytes.extend(hidden);
        Ok(Sealed(bytes))
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// [`Unreadable`] with another key, purpose or owner, or when a byte was changed.
    pub fn open(&self, owner: &str, sealed: &Sealed) -> Result<Vec<u8>, Unreadable> {
        let (version, rest) = sealed.0.split_first().ok_or(Unreadable)?;
        let (nonce, hidden) = rest.split_at_checked(NONCE_BYTES).ok_or(Unreadable)?;
        if *version != VERSION {
            return Err(Unreadable);
        }
        let payload = Payload { msg: hidden, aad: owner.as_bytes() };
        self.cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| Unreadable)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Sealed, Sealer, Unreadable};
    use crate::clock::SystemEntropy;
    use std::sync::Arc;

    fn sealer(key: u8, purpose: &str) -> Sealer {
        Sealer::new(&[key; 32], purpose, Arc::new(SystemEntropy))
    }

    #[test]
    fn only_the_same_key_purpose_and_owner_open_it() {
        let secret = b"whsec_canary";
        let sealed = sealer(1, "webhooks").seal("we_1", secret).unwrap();
        let again = Sealed::from_stored(sealed.clone().into_stored());
        assert_eq!(sealer(1, "webhooks").open("we_1", &again).unwrap(), secret);
        for (key, purpose, owner) in [
            (2, "webhooks", "we_1"),
            (1, "providers", "we_1"),
            (1, "webhooks", "we_2"),
            (1, "webhooks", ""),
        ] {
            assert_eq!(sealer(key, purpose).open(owner, &sealed), Err(Unreadable));
        }
    }

    #[test]
    fn every_changed_byte_and_every_missing_end_is_noticed() {
        let sealer = sealer(1, "webhooks");
        let stored = sealer.seal("we_1", b"whsec_canary").unwrap().into_stored();
        for at in 0..stored.len() {
            for bit in 0..8 {
                let mut changed = stored.clone();
                changed[at] ^= 1 << bit;
                assert!(sealer.open("we_1", &Sealed::from_stored(changed)).is_err(), "{at} {bit}");
            }
            assert!(sealer.open("we_1", &Sealed::from_stored(stored[..at].to_vec())).is_err());
        }
    }

    #[test]
    fn the_same_secret_never_looks_the_same_and_is_never_shown() {
        let sealer = sealer(1, "webhooks");
        let (a, b) =
            (sealer.seal("we_1", b"canary").unwrap(), sealer.seal("we_1", b"canary").unwrap());
        assert_ne!(a, b);
        assert!(!a.clone().into_stored().windows(6).any(|bytes| bytes == b"canary"));
        assert_eq!(format!("{a:?} {sealer:?}"), "Sealed(…) Sealer(…)");
    }
}
