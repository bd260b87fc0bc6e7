//! Secrets that stand in a document of the owner's, an assistant's whole definition for one, and
//! that somebody may quote where no name speaks of secrets any more.
//!
//! What is taken for one is removed from everything that comes in from then on. So ordinary words
//! have to stay behind, although they stand among secrets: `application/json` below `headers`,
//! `openai` below `credentials`. What is left to those rules is a short or wordy secret in a header
//! of the owner's own name; under a name that speaks of secrets itself it is known.

use super::is_secret_name;
use super::text::{is_scheme, is_separator};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// From this length on, in bytes, a text may be a secret by its looks: what the settings ask of a
/// webhook's secret too.
const LONG: usize = 16;
/// What media types begin with.
const MEDIA: [&str; 10] = [
    "application",
    "audio",
    "chemical",
    "font",
    "image",
    "message",
    "model",
    "multipart",
    "text",
    "video",
];

/// The secrets in `document`:
///
/// - a text whose own name speaks of secrets, without `Bearer` or `Basic` before it, unless it is a
///   media type or a short word;
/// - of such a text and of all texts below such a name, each part between spaces or separators that
///   is long, has a digit, and is neither a media type nor an address.
#[must_use]
pub fn secrets_in(document: &Map<String, Value>) -> Vec<SecretString> {
    let mut secrets = BTreeSet::new();
    object(document, Named::No, &mut secrets);
    secrets.into_iter().map(SecretString::from).collect()
}

/// What the names on the way to a value say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    No,
    /// One further up speaks of secrets.
    Above,
    /// Its own does.
    Itself,
}

fn object<'a>(entries: &'a Map<String, Value>, named: Named, secrets: &mut BTreeSet<&'a str>) {
    for (name, value) in entries {
        let named = match named {
            _ if is_secret_name(name) => Named::Itself,
            Named::No => Named::No,
            Named::Above | Named::Itself => Named::Above,
        };
        collect(value, named, secrets);
    }
}

fn collect<'a>(value: &'a Value, named: Named, secrets: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) if named != Named::No => {
            let whole = without_scheme(text.trim());
            if named == Named::Itself && !is_word(whole) && !is_media_type(whole) {
                secrets.insert(whole);
            }
            let parts = whole.split_whitespace().chain(whole.split(is_separator));
            secrets.extend(parts.filter(|part| looks_made(part)));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, named, secrets)),
        Value::Object(entries) => object(entries, named, secrets),
        _ => {}
    }
}

fn without_scheme(text: &str) -> &str {
    match text.split_once(char::is_whitespace) {
        Some((scheme, rest)) if is_scheme(scheme) => rest.trim_start(),
        _ => text,
    }
}

/// `required`, `x-signature`: what settings about secrets say, and no secret.
fn is_word(text: &str) -> bool {
    text.len() < LONG && text.chars().all(|c| c.is_alphabetic() || c == '-' || c == '_')
}

fn is_media_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(first, _)| MEDIA.contains(&first))
}

/// Nobody says it by chance.
fn looks_made(text: &str) -> bool {
    let is_address = text.starts_with("//") || text.contains("://");
    text.len() >= LONG
        && text.contains(|c: char| c.is_ascii_digit())
        && !is_address
        && !is_media_type(text)
}

#[cfg(test)]
mod tests {
    use super::secrets_in;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    fn found(document: Value) -> Vec<String> {
        let Value::Object(document) = document else { panic!("{document} is no object") };
        let secrets = secrets_in(&document);
        secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect()
    }

    #[test]
    fn secrets_are_taken() {
        for (document, expected) in [
            (json!({"server": {"secret": "open sesame, please"}}), vec!["open sesame, please"]),
            (json!({"model": [{"apiKey": "pa$$word"}]}), vec!["pa$$word"]),
            (json!({"voice": {"credentials": [{"authToken": " t0ken=x "}]}}), vec!["t0ken=x"]),
            (json!({"api_keys": [["first-1"], ["second-2"]]}), vec!["first-1", "second-2"]),
            (json!({"secret": "correct-horse-battery"}), vec!["correct-horse-battery"]),
            (json!({"Authorization": "Bearer a.b.c"}), vec!["a.b.c"]),
            (json!({"headers": {"X-Mine": "aB3$x&9;Kq=0123456"}}), vec!["aB3$x&9;Kq=0123456"]),
            (json!({"headers": {"X-Mine": "Key 0123456789?abcdef"}}), vec!["0123456789?abcdef"]),
            (
                json!({"headers": {"Cookie": "id=0123456789abcdef; theme=dark"}}),
                vec!["0123456789abcdef", "id=0123456789abcdef;", "id=0123456789abcdef; theme=dark"],
            ),
            (
                json!({"credentials": [{"provider": "azure-openai", "x": {"v": "0123456789abcdef"}}]}),
                vec!["0123456789abcdef"],
            ),
        ] {
            assert_eq!(found(document.clone()), expected, "{document}");
        }
    }

    #[test]
    fn words_are_left() {
        for document in [
            json!({"name": "0123456789abcdef", "model": {"model": "claude-opus-4-20250514"}}),
            json!({"maxTokens": 1_000_000_000, "secretIsBase64": true, "token": null}),
            json!({"headers": {"Content-Type": "application/vnd.api.v2+json; charset=utf-8"}}),
            json!({"headers": {"Accept-Language": "de-CH, de;q=0.9, en;q=0.8"}}),
            json!({"headers": {"Origin": "https://shop24.example", "Version": "2023-06-01"}}),
            json!({"headers": {"X-Greeting": "Welcome to the shop of Fern and Field"}}),
            json!({"authorization": "Bearer", "signatureHeader": "x-signature"}),
            json!({"credentials": [{"provider": "azure-openai", "region": "switzerlandnorth"}]}),
            json!({"tokenContentType": "application/json"}),
            json!({"parameters": {
                "properties": {"password": {"type": "string", "description": "6 to 20 letters"}},
                "required": ["password"],
            }}),
        ] {
            assert_eq!(found(document.clone()), [""; 0], "{document}");
        }
    }
}
