//! JSON, read into a tree and written as text.
//!
//! The wire types are defined in `banter_shared`, with serde, and the server uses them so. In the
//! browser the code that serde derives for them was the widget's largest part; this and
//! [`crate::wire`] made the module 15 KB brotli smaller. That both agree is tested against serde.
//!
//! Only whole numbers from 0 up are on our wire; of any other number the part before the point is
//! read.

/// How deep values may be nested; ours go 5 deep.
const DEEPEST: u8 = 32;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Json>),
    /// Values by name.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads `text`, which has to be one value and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text.as_bytes() };
        let value = reader.value(0)?;
        reader.skip_space();
        reader.rest.is_empty().then_some(value)
    }

    /// The value by this name; [`Json::Null`] when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &Self {
        let Self::Object(fields) = self else { return &Self::Null };
        fields.iter().find(|(field, _)| field == name).map_or(&Self::Null, |(_, value)| value)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text by this name, empty when there is none.
    #[must_use]
    pub fn text_of(&self, name: &str) -> String {
        self.get(name).text().unwrap_or_default().to_owned()
    }

    /// The number by this name, 0 when there is none.
    #[must_use]
    pub fn number_of(&self, name: &str) -> u64 {
        match self.get(name) {
            Self::Number(number) => *number,
            _ => 0,
        }
    }

    /// The number by this name, 0 when there is none that fits.
    #[must_use]
    pub fn small_number_of(&self, name: &str) -> u32 {
        u32::try_from(self.number_of(name)).unwrap_or(0)
    }

    /// Whether there is a "yes" by this name.
    #[must_use]
    pub fn flag_of(&self, name: &str) -> bool {
        *self.get(name) == Self::Flag(true)
    }

    /// The list by this name, empty when there is none.
    #[must_use]
    pub fn list_of(&self, name: &str) -> &[Self] {
        match self.get(name) {
            Self::List(values) => values,
            _ => &[],
        }
    }

    /// The name and the content of a variant: `"name"` or `{"name":content}`.
    #[must_use]
    pub fn variant(&self) -> Option<(&str, &Self)> {
        match self {
            Self::Text(name) => Some((name, &Self::Null)),
            Self::Object(fields) => match fields.as_slice() {
                [(name, content)] => Some((name, content)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Reads `text` and makes something of it.
pub fn read<T>(text: &str, make: impl Fn(&Json) -> Option<T>) -> Option<T> {
    make(&Json::parse(text)?)
}

/// `text` as a JSON string.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                out.push_str("\\u00");
                let digit = |value: u32| char::from_digit(value, 16).unwrap_or('0');
                out.extend([digit(c as u32 >> 4), digit(c as u32 & 15)]);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An object of values that are JSON already; those that are empty are left out.
#[must_use]
pub fn object(fields: &[(&str, &str)]) -> String {
    let mut out = String::from('{');
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quote(name));
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Takes the next byte that is not white space, if it is `wanted`.
    fn take(&mut self, wanted: u8) -> Option<()> {
        self.skip_space();
        let (first, rest) = self.rest.split_first()?;
        (*first == wanted).then(|| self.rest = rest)
    }

    fn word(&mut self, word: &[u8], value: Json) -> Option<Json> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(value)
    }

    fn value(&mut self, depth: u8) -> Option<Json> {
        if depth == DEEPEST {
            return None;
        }
        self.skip_space();
        match self.rest.first()? {
            b'n' => self.word(b"null", Json::Null),
            b't' => self.word(b"true", Json::Flag(true)),
            b'f' => self.word(b"false", Json::Flag(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => self.list(depth),
            b'{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: u8) -> Option<Json> {
        let mut values = Vec::new();
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.take(b',').is_none() {
                return self.take(b']').map(|()| Json::List(values));
            }
        }
    }

    fn object(&mut self, depth: u8) -> Option<Json> {
        let mut fields = Vec::new();
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(Json::Object(fields));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.take(b':')?;
            fields.push((name, self.value(depth + 1)?));
            if self.take(b',').is_none() {
                return self.take(b'}').map(|()| Json::Object(fields));
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let length = self.rest.iter().take_while(|byte| is_part(byte)).count();
        let (number, rest) = self.rest.split_at(length);
        self.rest = rest;
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
        let whole = digits.fold(0_u64, |value, digit| {
            value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        });
        (length > 0).then_some(Json::Number(whole))
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut out = Vec::new();
        loop {
            // Whole runs at a time: most strings have nothing to unescape.
            let plain = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            let (run, rest) = self.rest.split_at(plain);
            out.extend_from_slice(run);
            self.rest = &rest[1..];
            if rest[0] == b'"' {
                return String::from_utf8(out).ok();
            }
            let c = self.escape()?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let (kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match kind {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => char::from(*kind),
            b'u' => return self.unicode(),
            _ => return None,
        })
    }

    /// Four digits, or twice four for what is beyond the basic plane; half a pair is no character.
    fn unicode(&mut self) -> Option<char> {
        let unit = self.hex()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let Some(rest) = self.rest.strip_prefix(b"\\u") else {
            return Some(char::REPLACEMENT_CHARACTER);
        };
        self.rest = rest;
        let low = self.hex()?.wrapping_sub(0xdc00);
        let c = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + low).filter(|_| low < 0x400);
        Some(c.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        digits
            .iter()
            .try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, object, quote};
    use proptest::prelude::*;

    #[test]
    fn reads_json() {
        let json =
            Json::parse(r#" { "a" : [ 1 , -2, 3.9e2, true, null ], "b": {"c":"x"} } "#).unwrap();
        assert_eq!(json.list_of("a").len(), 5);
        assert_eq!(json.list_of("a")[0], Json::Number(1));
        assert_eq!(json.get("b").text_of("c"), "x");
        assert_eq!((json.number_of("z"), json.get("b").get("z")), (0, &Json::Null));
        assert_eq!(
            Json::parse(r#""\u00e9\ud83d\ude00\n\/\"\\""#).unwrap().text(),
            Some("é😀\n/\"\\")
        );
        assert_eq!(Json::parse(r#""\ud83dx""#).unwrap().text(), Some("\u{fffd}x"));
        assert_eq!(Json::parse("18446744073709551616"), Some(Json::Number(u64::MAX)));
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            " ",
            "{",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "\"",
            "\"\\x\"",
            "nul",
            "1 2",
            "]",
            "\"\\u12\"",
        ] {
            assert_eq!(Json::parse(text), None, "{text:?}");
        }
        assert_eq!(Json::parse(&"[".repeat(100_000)), None);
    }

    #[test]
    fn writes_objects_without_what_is_empty() {
        assert_eq!(object(&[("a", "1"), ("b", ""), ("c", "\"x\"")]), r#"{"a":1,"c":"x"}"#);
        assert_eq!(object(&[("b", "")]), "{}");
    }

    proptest! {
        #[test]
        fn any_text_survives(text: String) {
            let written = quote(&text);
            prop_assert_eq!(Json::parse(&written), Some(Json::Text(text.clone())));
            prop_assert_eq!(serde_json_wasm::from_str::<String>(&written).unwrap(), text.clone());
            let by_serde = serde_json_wasm::to_string(&text).unwrap();
            prop_assert_eq!(Json::parse(&by_serde), Some(Json::Text(text)));
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:\\\\u0-9a-f .tnl-]{0,40}") {
            let _ = Json::parse(&text);
        }
    }
}
