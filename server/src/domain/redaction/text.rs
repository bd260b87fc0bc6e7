//! Secrets in running text: what looks like a key, and what stands behind a word that announces one.

use super::MASK;

/// What the keys of well-known services begin with. Lower case; compared without regard to it.
const PREFIXES: [&str; 20] = [
    "sk-",
    "sk_",
    "pk_",
    "rk_",
    "whsec_",
    "banter_sk_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "akia",
    "aiza",
    "eyj",
    "gsk_",
    "hf_",
    "sg.",
];
/// The shortest word taken for a key: shorter ones are words.
const MIN_KEY: usize = 12;
/// Twilio's ids: two letters and 32 hexadecimal digits.
const TWILIO: [&str; 2] = ["ac", "sk"];
/// What begins and ends a private key.
const PEM: (&str, &str) = ("-----BEGIN", "-----END");

/// `text` with a mask for each word that is a secret; all else stays as it is.
pub(super) fn mask(text: &str, is_secret_name: fn(&str) -> bool) -> String {
    let text = without_pem(text);
    let mut clean = String::with_capacity(text.len());
    let mut announced = Announced::No;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(is_separator).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if !word.is_empty() {
            let hidden = looks_like_key(word)
                || announced == Announced::Value
                || (announced == Announced::Scheme && word.len() >= 8);
            clean.push_str(if hidden { MASK } else { word });
            // What a name announces may be "Bearer x": the scheme is masked, the token is next.
            announced = if is_scheme(word) {
                Announced::Scheme
            } else if !hidden && is_secret_name(word) {
                Announced::Name
            } else {
                Announced::No
            };
        }
        let space = after.find(|c| !is_separator(c)).unwrap_or(after.len());
        let (between, next) = after.split_at(space);
        if announced == Announced::Name {
            let value = between.contains([':', '=']);
            announced = if value { Announced::Value } else { Announced::No };
        }
        clean.push_str(between);
        rest = next;
    }
    without_user_info(&clean)
}

/// What the word before says about this one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Announced {
    No,
    /// It names a secret; a value follows if there is a colon or an equals sign.
    Name,
    /// This word is a value.
    Value,
    /// It was `Bearer` or `Basic`: a long word is a token.
    Scheme,
}

/// What stands between words.
pub(super) fn is_separator(c: char) -> bool {
    // Letters, of which there are most, need not be compared with each of them.
    c.is_whitespace() || (c.is_ascii_punctuation() && "\"'`,;&?=:()<>{}[]|\\#".contains(c))
}

pub(super) fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic")
}

fn looks_like_key(word: &str) -> bool {
    if word.len() < MIN_KEY || !word.is_ascii() {
        return false;
    }
    let lower = word.to_ascii_lowercase();
    let twilio = lower.len() == 34
        && TWILIO.iter().any(|prefix| lower.starts_with(prefix))
        && lower[2..].bytes().all(|b| b.is_ascii_hexdigit());
    // Behind a slash or an at sign as well: a key in an address. To the word's end, for a key in
    // base64 may have slashes of its own.
    let starts = lower.match_indices(['/', '@']).map(|(at, _)| at + 1);
    twilio
        || std::iter::once(0).chain(starts).any(|start| {
            // As in `**key**`.
            let key = lower[start..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            key.len() >= MIN_KEY && PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        })
}

/// Without everything between the first line that begins a key and the last that ends one.
fn without_pem(text: &str) -> String {
    match text.find(PEM.0) {
        None => text.to_owned(),
        Some(start) => {
            let end = text.rfind(PEM.1).filter(|end| *end > start);
            // An end that is missing was cut off, and the key is all that follows.
            let after = end.map_or("", |end| &text[end + PEM.1.len()..]);
            format!("{}{MASK}{after}", &text[..start])
        }
    }
}

/// Without user and password in `scheme://user:password@host`.
fn without_user_info(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(user) => {
                clean.push_str(MASK);
                &after[user..]
            }
            None => after,
        };
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::{MASK, mask};

    #[test]
    fn keys_go_and_words_stay() {
        let is_name = |name: &str| name.eq_ignore_ascii_case("password") || name == "api_key";
        for (text, expected) in [
            ("I was the bearer of good news.", "I was the bearer of good news."),
            ("A basic plan, please", "A basic plan, please"),
            ("my password is not needed", "my password is not needed"),
            ("sketch a sky-blue ski", "sketch a sky-blue ski"),
            ("Bearer abcdefghijkl", "Bearer #"),
            ("password: hunter2, ok", "password: #, ok"),
            ("?api_key=a1&b=2", "?api_key=#&b=2"),
            ("'sk-abcdef0123456'", "'#'"),
            ("AC0123456789abcdef0123456789abcdef", "#"),
            ("http://u:p@h/x", "http://#@h/x"),
            ("mail fern@example.com", "mail fern@example.com"),
            ("**sk-abcdef0123456**", "#"),
            ("whsec_iI+jq/9IanPhwErj", "#"),
            ("a -----BEGIN X-----\nabc", "a #"),
            ("Authorization is https://h/sk-abcdef0123456", "Authorization is https:#"),
        ] {
            assert_eq!(mask(text, is_name), expected.replace('#', MASK), "{text}");
        }
    }
}
