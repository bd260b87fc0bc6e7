//! Takes secrets out of what others send us before it is written down. Vapi's webhooks can hold the
//! owner's Twilio account id and token, the headers of other servers, and addresses that open a
//! live call without a key.
//!
//! Four rules: a value under a name that speaks of secrets goes; so does a value that looks like a
//! key, wherever it stands; so does every secret this server knows itself, also encoded; and
//! whatever is too deep, too long or too much is cut, so that a stored body has a bound.

mod owned;
mod text;

pub use owned::secrets_in;

use banter_engine::redact::{BuildError, Known};
use secrecy::SecretString;
use serde_json::{Map, Value};

/// What stands in place of a secret.
pub const MASK: &str = "[redacted]";
/// What stands in place of what was too much.
pub const CUT: &str = "[cut]";

/// The deepest nesting kept.
const MAX_DEPTH: usize = 24;
/// The longest text kept, in bytes.
const MAX_TEXT: usize = 4 * 1024;
/// All texts kept of one body, in bytes; with the values' number this bounds a stored row.
const MAX_TOTAL: usize = 128 * 1024;
/// The most values kept of one body.
const MAX_VALUES: usize = 5_000;

/// Names, in lower case and without separators, that say their value is a secret when they occur
/// anywhere in a key.
const SECRET_NAMES: [&str; 22] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "authorization",
    "authtoken",
    "accountsid",
    "apikey",
    "privatekey",
    "accesskey",
    "signingkey",
    "encryptionkey",
    "secretkey",
    "credential",
    "token",
    "signature",
    "cookie",
    "bearer",
    // Whoever knows these addresses can listen to a call or speak in it.
    "controlurl",
    "listenurl",
    "websocketcallurl",
    // A server's own headers: their names are the owner's choice, so no list knows them.
    "headers",
];

/// Names that speak of tokens and mean how many words a model read.
const COUNTS: [&str; 2] = ["tokens", "tokencount"];

/// Removes secrets from JSON.
#[derive(Clone, Debug)]
pub struct Redactor {
    known: Known,
}

/// How much may still be kept.
struct Budget {
    values: usize,
    bytes: usize,
}

impl Redactor {
    /// A redactor that removes `known` secrets as well, wherever they occur and however they are
    /// encoded; but for those of less than eight bytes, which are words.
    ///
    /// # Errors
    /// When they are too much to be searched for.
    pub fn new(known: impl IntoIterator<Item = SecretString>) -> Result<Self, BuildError> {
        Ok(Self { known: Known::new(known)? })
    }

    /// `value` without secrets and of bounded size.
    #[must_use]
    pub fn json(&self, value: &Value) -> Value {
        self.value(value, 0, &mut Budget { values: MAX_VALUES, bytes: MAX_TOTAL })
    }

    /// `text` without secrets and of bounded length.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let kept = beginning(text);
        let clean = cut(text::mask(&self.known.mask(kept, MASK), is_secret_name), MAX_TEXT);
        if kept.len() < text.len() && !clean.ends_with(CUT) { clean + CUT } else { clean }
    }

    fn value(&self, value: &Value, depth: usize, budget: &mut Budget) -> Value {
        let Some(values) = budget.values.checked_sub(1).filter(|_| depth < MAX_DEPTH) else {
            return CUT.into();
        };
        budget.values = values;
        match value {
            Value::String(text) => self.kept_text(text, depth, budget).into(),
            Value::Array(items) => {
                items.iter().map(|item| self.value(item, depth + 1, budget)).collect()
            }
            Value::Object(entries) => self.object(entries, depth, budget),
            Value::Number(_) | Value::Bool(_) | Value::Null => value.clone(),
        }
    }

    fn object(&self, entries: &Map<String, Value>, depth: usize, budget: &mut Budget) -> Value {
        let mut kept = Map::new();
        for (name, value) in entries {
            if budget.values == 0 {
                kept.insert(CUT.into(), CUT.into());
                break;
            }
            let plain = plain(name);
            let is_count = value.is_number() && COUNTS.iter().any(|count| plain.ends_with(count));
            let is_named = plain == "value" && names_secret(entries);
            let clean = if (is_secret(&plain) || is_named) && !is_count && !is_empty(value) {
                MASK.into()
            } else {
                self.value(value, depth + 1, budget)
            };
            kept.insert(self.kept_text(name, MAX_DEPTH, budget), clean);
        }
        Value::Object(kept)
    }

    /// A text that may itself hold JSON: the arguments of a tool call, for one.
    fn kept_text(&self, text: &str, depth: usize, budget: &mut Budget) -> String {
        if budget.bytes == 0 {
            return CUT.to_owned();
        }
        let inner = text.trim_start();
        let parsed = (inner.starts_with(['{', '[', '"']) && depth < MAX_DEPTH)
            .then(|| serde_json::from_str::<Value>(inner).ok())
            .flatten();
        let clean = match parsed {
            Some(inner) => cut(self.value(&inner, depth + 1, budget).to_string(), MAX_TEXT),
            None => self.text(text),
        };
        let clean = cut(clean, budget.bytes);
        budget.bytes = budget.bytes.saturating_sub(clean.len());
        clean
    }
}

/// Whether this is a pair of a name and its value, and the name is a secret's.
fn names_secret(entries: &Map<String, Value>) -> bool {
    ["name", "key"]
        .iter()
        .filter_map(|field| entries.get(*field)?.as_str())
        .any(|name| is_secret(&plain(name)))
}

/// A name as all its spellings are: `twilioAuthToken`, `twilio_auth_token`, `Twilio-Auth-Token`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_secret(plain: &str) -> bool {
    SECRET_NAMES.iter().any(|secret| plain.contains(secret))
}

fn is_secret_name(name: &str) -> bool {
    is_secret(&plain(name))
}

/// Nothing to hide: that there is none may be worth knowing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Number(_) => false,
    }
}

/// As much of a text as can matter to what is kept of it. It ends before a word, so that no secret
/// is cut in two and then not known by its looks.
fn beginning(text: &str) -> &str {
    const ENOUGH: usize = 4 * MAX_TEXT;
    if text.len() <= ENOUGH {
        return text;
    }
    let end = (0..=ENOUGH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..text[..end].rfind(text::is_separator).unwrap_or(0)]
}

fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{CUT, MASK, MAX_TOTAL, MAX_VALUES, Redactor};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::LazyLock;

    /// A secret that is known.
    const OUR_OWN: &str = "our-own-CANARY0123456789";
    /// What is left of a secret that was not removed: as it is, in base64, in hexadecimal.
    const TRACES: [&str; 6] =
        ["CANARY", "Q0FOQVJZ", "NBTkFSW", "DQU5BUl", "43414e415259", "43414E415259"];

    fn knowing(known: &str) -> Redactor {
        Redactor::new([known.into()]).unwrap()
    }

    #[test]
    fn a_redactor_shows_nothing_of_what_it_knows() {
        // What is printed could also list the secret's letters, as bytes or in an automaton.
        assert_eq!(
            format!("{:?}", knowing("known-secret-of-ours")),
            "Redactor { known: Known { .. } }"
        );
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let redactor = knowing("known-secret-of-ours");
        for (body, expected) in [
            (json!({"twilioAuthToken": "a"}), json!({"twilioAuthToken": MASK})),
            (json!({"TWILIO_ACCOUNT-SID": "b"}), json!({"TWILIO_ACCOUNT-SID": MASK})),
            (json!({"a": [{"Api Key": {"x": 1}}]}), json!({"a": [{"Api Key": MASK}]})),
            (json!({"secretKey": null, "token": ""}), json!({"secretKey": null, "token": ""})),
            (json!({"pin_token": 123}), json!({"pin_token": MASK})),
            (json!({"promptTokens": 812}), json!({"promptTokens": 812})),
            (json!({"promptTokens": "sesame"}), json!({"promptTokens": MASK})),
            (json!({"server": {"headers": {"x-mine": "y"}}}), json!({"server": {"headers": MASK}})),
            (json!("see known-secret-of-ours."), json!(format!("see {MASK}."))),
            (
                json!({"arguments": "{\"password\":\"hunter2\",\"n\":1}"}),
                json!({"arguments": format!("{{\"n\":1,\"password\":\"{MASK}\"}}")}),
            ),
            (
                json!({"text": "How do I care for a fern?"}),
                json!({"text": "How do I care for a fern?"}),
            ),
            (json!({"cost": 0.0123, "ok": true}), json!({"cost": 0.0123, "ok": true})),
            (
                json!([{"name": "apiKey", "value": "c"}, {"key": "city", "value": "Bern"}]),
                json!([{"name": "apiKey", "value": MASK}, {"key": "city", "value": "Bern"}]),
            ),
        ] {
            assert_eq!(redactor.json(&body), expected);
        }
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let redactor = Redactor::new([]).unwrap();
        let wide = Value::Array(vec![json!("x".repeat(300)); 6_000]);
        let stored = redactor.json(&wide).to_string();
        assert!(stored.len() < 2 * MAX_TOTAL + 6_000 * (CUT.len() + 3), "{}", stored.len());
        // A secret that lies across the end of what is looked at.
        let text = format!("{}known-secret-of-ours", "sk-0123456789abcdef0123456789 ".repeat(545));
        for pad in 0..40 {
            let text = format!("{}{text}{}", "-".repeat(pad), " ".repeat(100));
            let stored = knowing("known-secret-of-ours").text(&text);
            assert!(!stored.contains("known") && !stored.contains("sk-"), "{pad}: {stored}");
        }
        let deep = (0..100).fold(json!("end"), |inner, _| json!([inner]));
        let stored = redactor.json(&deep).to_string();
        assert!(stored.contains(CUT) && stored.len() < 100, "{stored}");
        let many: serde_json::Map<_, _> = (0..6_000).map(|n| (n.to_string(), json!(n))).collect();
        assert!(redactor.json(&Value::Object(many)).as_object().unwrap().len() <= MAX_VALUES);
    }

    /// JSON of any shape with one hole in it.
    fn shape() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!("HOLE")),
            any::<i64>().prop_map(Value::from),
            "[a-z ]{0,10}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,6}", inner.clone(), 1..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                // JSON in a text in JSON.
                inner.prop_map(|inner| inner.to_string().into()),
            ]
        })
    }

    fn hidden() -> impl Strategy<Value = Value> {
        let names = prop::sample::select(vec![
            "twilioAuthToken",
            "TwilioAccountSid",
            "auth_token",
            "API-KEY",
            "apiKey",
            "secret",
            "Secret Key",
            "password",
            "token",
            "AUTHORIZATION",
            "credentialIds",
            "x.api.key",
            "private_key",
            "headers",
        ]);
        let texts = prop::sample::select(vec![
            "sk-CANARY0123456789",
            "use sk_live_CANARY0123456789 please",
            "Authorization: Bearer CANARY0123456789",
            "(Bearer CANARY0123456789)",
            "basic CANARY0123456789==",
            "https://user:CANARY0123456789@example.com/",
            "https://example.com/?q=1&access_token=CANARY0123456789#x",
            "password: CANARY0123456789",
            "API_KEY=\"CANARY0123456789\"",
            "eyJhbGciOi.CANARY0123456789.sig",
            "-----BEGIN PRIVATE KEY-----\nCANARY0123456789\n-----END PRIVATE KEY-----",
            OUR_OWN,
            "known: our-own-CANARY0123456789",
            // The same in base64: as it is, behind "me:", behind "a:", behind "key=".
            "b3VyLW93bi1DQU5BUlkwMTIzNDU2Nzg5",
            "echo bWU6b3VyLW93bi1DQU5BUlkwMTIzNDU2Nzg5",
            "echo YTpvdXItb3duLUNBTkFSWTAxMjM0NTY3ODk=.",
            "(a2V5PW91ci1vd24tQ0FOQVJZMDEyMzQ1Njc4OQ==)",
            "6f75722d6f776e2d43414e41525930313233343536373839",
            "/6F75722D6F776E2D43414E41525930313233343536373839/",
            "our%2Down%2dCANARY0123456789",
            "whsec_CANARY0123456789",
            "ghp_CANARY0123456789,xoxb-CANARY0123456789",
        ]);
        prop_oneof![
            (names, prop::bool::ANY).prop_map(|(name, nested)| {
                let value = json!("CANARY0123456789");
                json!({name: if nested { json!([{"x": value}]) } else { value }})
            }),
            texts.clone().prop_map(Value::from),
            texts.prop_map(|text| json!({text: 1})),
        ]
    }

    fn fill(shape: &Value, hole: &Value) -> Value {
        match shape {
            Value::String(text) if text == "HOLE" => hole.clone(),
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(inner) if text.contains("HOLE") => fill(&inner, hole).to_string().into(),
                _ => shape.clone(),
            },
            Value::Array(items) => items.iter().map(|item| fill(item, hole)).collect(),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(k, v)| (k.clone(), fill(v, hole))).collect())
            }
            other => other.clone(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2_000)))]

        #[test]
        fn no_canary_survives(shape in shape(), hole in hidden()) {
            static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| knowing(OUR_OWN));
            let body = json!([fill(&shape, &hole), hole]);
            let stored = REDACTOR.json(&body).to_string();
            let trace = TRACES.iter().find(|trace| stored.contains(**trace));
            prop_assert!(trace.is_none(), "{body} became {stored}");
        }
    }
}
