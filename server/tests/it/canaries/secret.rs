//! A secret, the shapes it may take on its way out, and the search for it.

use super::places::Place;
use crate::support::hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::{BTreeMap, BTreeSet};

/// How much of a secret is cut out, before it is searched for in its two parts.
const CUT: usize = 12;

/// A secret.
pub(super) struct Secret {
    name: String,
    /// Empty for one that is no text.
    value: String,
    shapes: BTreeSet<String>,
    homes: Vec<String>,
    is_chosen: bool,
}

impl Secret {
    /// One that the test chose, so that its beginning is nobody else's.
    pub(super) fn chosen(name: &str, value: &str) -> Self {
        let mut secret = Self::made(name, value);
        secret.shapes.insert(value[..CUT].to_owned());
        secret.is_chosen = true;
        secret
    }

    /// One that the server made: it begins like others of its kind.
    pub(super) fn made(name: &str, value: &str) -> Self {
        let mut secret = Self::bytes(name, value.as_bytes().to_vec());
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let rest = &value[CUT..];
        secret.shapes.extend([value.to_owned(), encoded, rest.to_owned()]);
        if let Some(encoded) = value.strip_prefix("whsec_") {
            // What it stands for is as good as itself.
            let bytes = STANDARD.decode(encoded).unwrap();
            secret.shapes.insert(hex(&bytes));
        }
        secret.value = value.to_owned();
        secret
    }

    /// One that is no text.
    pub(super) fn bytes(name: &str, bytes: Vec<u8>) -> Self {
        let mut shapes = BTreeSet::from([hex(&bytes), hex(&bytes).to_uppercase()]);
        // In base64, whatever number of bytes stands before it.
        for (before, start) in [(0, 0), (1, 2), (2, 3)] {
            let padded = [vec![0; before], bytes.clone()].concat();
            let whole = padded.len() * 8 / 6;
            for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                shapes.insert(encoded[start..whole].to_owned());
            }
        }
        Self {
            name: name.into(),
            value: String::new(),
            shapes,
            homes: Vec::new(),
            is_chosen: false,
        }
    }

    /// The same, which has to stand in the place of this name.
    pub(super) fn at(mut self, home: &str) -> Self {
        self.homes.push(home.to_owned());
        self
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// Whether the test chose it, and told the server by its settings.
    pub(super) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// The whole of it as others may encode it, alone and with something before it.
    pub(super) fn encoded(&self) -> Vec<String> {
        let hex = hex(self.value.as_bytes());
        let percent = url::form_urlencoded::byte_serialize(self.value.as_bytes()).collect();
        let mut encoded = vec![hex.to_uppercase(), hex, percent];
        for before in ["", "k", "k:"] {
            let whole = format!("{before}{}", self.value);
            encoded.extend([STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)]);
        }
        encoded
    }

    pub(super) fn homes(&self) -> &[String] {
        &self.homes
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.value)
    }
}

/// Each secret in each kind of place where it must not be, with what stands around it.
pub(super) fn found(secrets: &[Secret], places: &[Place]) -> Vec<String> {
    let mut found = BTreeMap::new();
    for place in places {
        for secret in secrets.iter().filter(|secret| !secret.homes.contains(&place.name)) {
            let first = secret.shapes.iter().find_map(|shape| place.text.find(shape.as_str()));
            let Some(at) = first else { continue };
            let around: String = place.text.chars().skip(chars(&place.text[..at])).collect();
            let around: String = around.chars().take(300).collect();
            found
                .entry((&secret.name, &place.name))
                .or_insert_with(|| format!("{secret:?} in {}: …{around}…", place.name));
        }
    }
    found.into_values().collect()
}

/// How many characters to skip for a few words in front of what was found.
fn chars(before: &str) -> usize {
    before.chars().count().saturating_sub(150)
}

#[test]
fn a_secret_is_found_in_every_shape() {
    let secret = || Secret::chosen("one", "wb/c4n4ry+secret==Dj2Wn5UoF8hVa");
    for text in [
        "the wb/c4n4ry+secret==Dj2Wn5UoF8hVa itself",
        "its beginning wb/c4n4ry+se*****",
        "its end ...cret==Dj2Wn5UoF8hVa",
        "wb%2Fc4n4ry%2Bsecret%3D%3DDj2Wn5UoF8hVa",
        "d2IvYzRuNHJ5K3NlY3JldD09RGoyV241VW9GOGhWYQ==",
        // "key=" before it.
        "a2V5PXdiL2M0bjRyeStzZWNyZXQ9PURqMlduNVVvRjhoVmE=",
        "77622f63346e3472792b7365637265743d3d446a32576e35556f463868566",
    ] {
        let text = format!("{text}1");
        let place = || Place { name: "here".into(), text: text.clone() };
        assert_eq!(found(&[secret()], &[place()]).len(), 1, "{text}");
        assert!(found(&[secret().at("here")], &[place()]).is_empty());
    }
}
