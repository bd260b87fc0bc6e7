//! The JSON of the chat completions protocol: what we send, all of it, and what we read, as little
//! of it as possible.
//!
//! An answer is hundreds of chunks of which each says a word, so a chunk borrows from its bytes and
//! allocates only for text that has escapes, and for what is rare.

use crate::model::{ModelError, Prompt, Usage};
use crate::turn::{Speaker, Turn};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The body of a question. These fields are all that ever leaves us.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Request<'a> {
    /// What to send for `prompt`.
    pub(super) fn new(prompt: &'a Prompt) -> Self {
        let system = Some(prompt.system.as_str()).filter(|system| !system.trim().is_empty());
        let messages = system
            .map(|content| Said { role: "system", content })
            .into_iter()
            .chain(prompt.turns.iter().map(Said::from))
            .collect();
        Self {
            model: &prompt.sampling.model,
            messages,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            temperature: prompt.sampling.temperature,
            max_tokens: prompt.sampling.max_tokens,
        }
    }
}

impl<'a> From<&'a Turn> for Said<'a> {
    fn from(turn: &'a Turn) -> Self {
        let role = match turn.speaker {
            Speaker::Visitor => "user",
            Speaker::Assistant => "assistant",
        };
        Self { role, content: &turn.text }
    }
}

/// One event of an answer, or the whole of one that is not streamed.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Choices<'a>>,
    #[serde(default)]
    usage: Option<Counts>,
    // In a box like a choice's message.
    #[serde(default)]
    error: Option<Box<Fault>>,
}

/// The first of the choices; we never ask for a second.
#[derive(Debug)]
struct Choices<'a>(Option<Choice<'a>>);

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Answer<'a>>,
    // In a box, because a chunk of a stream has none and is moved the faster the smaller it is.
    #[serde(borrow, default)]
    message: Option<Box<Answer<'a>>>,
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
}

/// A string. Serde borrows a `Cow` only where it stands alone, not in an `Option`.
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What content says to the visitor: a string, the visible ones of a list of parts, or nothing when
/// it is newer than this reader.
#[derive(Debug)]
struct Content<'a>(Cow<'a, str>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ChoicesVisitor)
    }
}

struct ChoicesVisitor;

impl<'de> Visitor<'de> for ChoicesVisitor {
    type Value = Choices<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let first = seq.next_element()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Choices(first))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("content")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        // Read as a tree first: a part of an unknown shape must not make the event unreadable.
        let parts = Value::deserialize(SeqAccessDeserializer::new(seq))?;
        let parts = Vec::<Part>::deserialize(parts).unwrap_or_default();
        Ok(Content(parts.iter().filter_map(Part::visible).collect()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::NOTHING)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Content::NOTHING)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Content::NOTHING)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Content::NOTHING)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Content::NOTHING)
    }
}

impl Content<'_> {
    const NOTHING: Self = Self(Cow::Borrowed(""));
}

impl Chunk<'_> {
    /// Appends what this chunk says to `out`.
    pub(super) fn text_into(&self, out: &mut String) {
        let Some(choice) = self.choice() else { return };
        for answer in [choice.delta.as_ref(), choice.message.as_deref()].into_iter().flatten() {
            let content = answer.content.as_ref().map(|content| &content.0);
            // A refusal is what the model says instead of content.
            let refusal = answer.refusal.as_ref().map(|refusal| &refusal.0);
            out.extend([content, refusal].into_iter().flatten().map(Cow::as_ref));
        }
    }

    /// What it says to the visitor, when it does nothing else.
    pub(super) fn only_words(&self) -> Option<&str> {
        let choice = self.choice()?;
        let Choice {
            delta: Some(Answer { content: Some(Content(words)), refusal: None }),
            message: None,
            finish_reason: None,
        } = choice
        else {
            return None;
        };
        (self.usage.is_none() && self.error.is_none() && !words.is_empty()).then_some(words)
    }

    /// Whether the model has said all it wants to say.
    pub(super) fn is_last(&self) -> bool {
        self.choice().is_some_and(|choice| choice.finish_reason.is_some())
    }

    /// What the answer took, when this chunk says so.
    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |tokens: Option<u64>| u32::try_from(tokens.unwrap_or(0)).unwrap_or(u32::MAX);
        self.usage.as_ref().map(|counts| Usage {
            prompt_tokens: count(counts.prompt_tokens),
            completion_tokens: count(counts.completion_tokens),
        })
    }

    /// What the model says went wrong, when it does.
    pub(super) fn error(&self) -> Option<ModelError> {
        self.error.as_ref().map(|fault| {
            if fault.is_rate_limit() {
                ModelError::RateLimited { retry_after: None }
            } else {
                ModelError::Unavailable { cause: fault.to_string() }
            }
        })
    }

    /// Whether this is any chunk of the protocol at all, and not just any JSON.
    pub(super) fn is_known(&self) -> bool {
        self.choices.is_some() || self.usage.is_some() || self.error.is_some()
    }

    fn choice(&self) -> Option<&Choice<'_>> {
        self.choices.as_ref()?.0.as_ref()
    }
}

impl Part {
    /// The text of a part meant for the visitor; reasoning is not.
    fn visible(&self) -> Option<&str> {
        match self.kind.as_deref() {
            None | Some("text" | "output_text" | "refusal") => self.text.as_deref(),
            Some(_) => None,
        }
    }
}

/// An error as servers describe it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Fault {
    /// As OpenAI does.
    Described {
        /// For people.
        #[serde(default)]
        message: Option<String>,
        /// For programs; a word or a number.
        #[serde(default)]
        code: Option<Value>,
        /// For programs, more general.
        #[serde(default, rename = "type")]
        kind: Option<String>,
    },
    /// As many small servers do.
    Plain(String),
    /// As nobody should.
    Other(IgnoredAny),
}

impl Fault {
    /// Whether there is no credit left: waiting will not help.
    pub(super) fn is_out_of_quota(&self) -> bool {
        self.names("insufficient_quota")
    }

    fn is_rate_limit(&self) -> bool {
        let Self::Described { code, .. } = self else { return false };
        let code = code.as_ref().and_then(Value::as_u64);
        code == Some(429) || self.names("rate_limit_exceeded")
    }

    fn names(&self, name: &str) -> bool {
        let Self::Described { code, kind, .. } = self else { return false };
        let code = code.as_ref().and_then(Value::as_str);
        code == Some(name) || kind.as_deref() == Some(name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Described { message, code, kind } => {
                f.write_str(message.as_deref().unwrap_or("an error without a message"))?;
                let code = code.as_ref().and_then(Value::as_str).or(kind.as_deref());
                code.map_or(Ok(()), |code| write!(f, " ({code})"))
            }
            Self::Plain(message) => f.write_str(message),
            Self::Other(_) => f.write_str("an error of unknown shape"),
        }
    }
}

/// The error in the body of a refusal, when it holds one.
pub(super) fn fault(body: &[u8]) -> Option<Fault> {
    serde_json::from_slice::<Chunk<'_>>(body).ok()?.error.map(|fault| *fault)
}

#[cfg(test)]
mod tests {
    use super::{Chunk, Request};
    use crate::model::{ModelError, Prompt, Sampling, Usage};
    use crate::turn::Turn;
    use serde_json::json;

    #[test]
    fn what_is_sent() {
        let mut prompt = Prompt {
            system: "Be kind.".into(),
            turns: vec![Turn::visitor("Hi"), Turn::assistant("Hello!"), Turn::visitor("Why?")],
            sampling: Sampling {
                model: "small".into(),
                temperature: Some(0.5),
                max_tokens: Some(100),
            },
        };
        assert_eq!(
            serde_json::to_value(Request::new(&prompt)).unwrap(),
            json!({
                "model": "small",
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Hello!"},
                    {"role": "user", "content": "Why?"},
                ],
                "stream": true,
                "stream_options": {"include_usage": true},
                "temperature": 0.5,
                "max_tokens": 100,
            })
        );
        prompt.system = " ".into();
        prompt.turns.truncate(1);
        prompt.sampling = Sampling { model: "small".into(), ..Sampling::default() };
        assert_eq!(
            serde_json::to_value(Request::new(&prompt)).unwrap(),
            json!({
                "model": "small",
                "messages": [{"role": "user", "content": "Hi"}],
                "stream": true,
                "stream_options": {"include_usage": true},
            })
        );
    }

    #[test]
    fn what_chunks_say() {
        for (json, text, last) in [
            (r#"{"choices":[{"delta":{"content":"Hi"}}]}"#, "Hi", false),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":null},"index":0}],"x":1}"#,
                "",
                false,
            ),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, "", true),
            (r#"{"choices":[{"delta":{"content":"!"},"finish_reason":"length"}]}"#, "!", true),
            (
                r#"{"choices":[{"message":{"content":"All of it"},"finish_reason":"stop"}]}"#,
                "All of it",
                true,
            ),
            (
                r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"thinking","text":"x"},{"text":"b"},{"type":"image"}]}}]}"#,
                "ab",
                false,
            ),
            (r#"{"choices":[{"delta":{"content":"\"a\"\n\u00e9"}}]}"#, "\"a\"\né", false),
            (r#"{"choices":[{"delta":{"content":[{"text":"a"},"b"]}}]}"#, "", false),
            (r#"{"choices":[{"delta":{"content":{"text":"a"}}}]}"#, "", false),
            (r#"{"choices":[{"delta":{"content":7}}]}"#, "", false),
            (r#"{"choices":[{"delta":{"content":-7.5}}]}"#, "", false),
            (r#"{"choices":[{"delta":{"content":true}}]}"#, "", false),
            (r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#, "a", false),
            (r#"{"choices":[{"delta":{"refusal":"I must not."}}]}"#, "I must not.", false),
            (r#"{"choices":[]}"#, "", false),
            (r#"{"choices":null,"usage":null,"error":null}"#, "", false),
        ] {
            let chunk: Chunk<'_> = serde_json::from_str(json).unwrap();
            let mut out = String::new();
            chunk.text_into(&mut out);
            assert_eq!((out.as_str(), chunk.is_last()), (text, last), "{json}");
            assert_eq!(chunk.error(), None, "{json}");
        }
    }

    #[test]
    fn what_it_took() {
        for (json, expected) in [
            (
                r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
                Some((3, 4)),
            ),
            (r#"{"usage":{"prompt_tokens":99999999999}}"#, Some((u32::MAX, 0))),
            (r#"{"usage":null}"#, None),
        ] {
            let chunk: Chunk<'_> = serde_json::from_str(json).unwrap();
            let expected = expected.map(|(prompt_tokens, completion_tokens)| Usage {
                prompt_tokens,
                completion_tokens,
            });
            assert_eq!(chunk.usage(), expected, "{json}");
        }
    }

    #[test]
    fn what_errors_mean() {
        let limited = ModelError::RateLimited { retry_after: None };
        let unavailable = |cause: &str| ModelError::Unavailable { cause: cause.into() };
        for (json, expected) in [
            (r#"{"error":{"message":"full","code":"rate_limit_exceeded"}}"#, limited.clone()),
            (r#"{"error":{"message":"full","code":429}}"#, limited),
            (
                r#"{"error":{"message":"broke","type":"server_error"}}"#,
                unavailable("broke (server_error)"),
            ),
            (r#"{"error":{}}"#, unavailable("an error without a message")),
            (r#"{"error":"broke"}"#, unavailable("broke")),
            (r#"{"error":[1]}"#, unavailable("an error of unknown shape")),
        ] {
            let chunk: Chunk<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(chunk.error(), Some(expected), "{json}");
        }
    }
}
