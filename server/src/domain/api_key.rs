//! API keys: only their digest is kept, so that a stolen database opens nothing.
//!
//! A key is 192 random bits, so a plain SHA-256 is enough: there is nothing to guess.

use sha2::{Digest, Sha256};

/// What every owner's key begins with, so that secret scanners can find a leaked one.
pub const PREFIX: &str = "banter_sk_";

/// The digest under which a key is stored: lower-case hexadecimal SHA-256.
#[must_use]
pub fn digest(key: &str) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(key.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    #[test]
    fn agrees_with_fips_180() {
        assert_eq!(
            super::digest("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
