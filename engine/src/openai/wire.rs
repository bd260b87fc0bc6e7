//! The JSON of the chat completions protocol: what we send, all of it, and what we read, as little
//! of it as possible.

use crate::model::{ModelError, Prompt, Usage};
use crate::turn::{Speaker, Turn};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
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
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Counts>,
    error: Option<Fault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Option<Answer>,
    message: Option<Answer>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    content: Option<Content>,
    refusal: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    /// Something newer than this reader.
    Other(IgnoredAny),
}

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

impl Chunk {
    /// Appends what this chunk says to `out`.
    pub(super) fn text_into(&self, out: &mut String) {
        let Some(choice) = self.choice() else { return };
        for answer in [&choice.delta, &choice.message].into_iter().flatten() {
            match &answer.content {
                Some(Content::Text(text)) => out.push_str(text),
                Some(Content::Parts(parts)) => {
                    out.extend(parts.iter().filter_map(Part::visible));
                }
                Some(Content::Other(_)) | None => {}
            }
            // A refusal is what the model says instead of content.
            out.push_str(answer.refusal.as_deref().unwrap_or_default());
        }
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

    fn choice(&self) -> Option<&Choice> {
        self.choices.as_ref()?.first()
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
        code: Option<serde_json::Value>,
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
        let code = code.as_ref().and_then(serde_json::Value::as_u64);
        code == Some(429) || self.names("rate_limit_exceeded")
    }

    fn names(&self, name: &str) -> bool {
        let Self::Described { code, kind, .. } = self else { return false };
        let code = code.as_ref().and_then(serde_json::Value::as_str);
        code == Some(name) || kind.as_deref() == Some(name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Described { message, code, kind } => {
                f.write_str(message.as_deref().unwrap_or("an error without a message"))?;
                let code = code.as_ref().and_then(serde_json::Value::as_str).or(kind.as_deref());
                code.map_or(Ok(()), |code| write!(f, " ({code})"))
            }
            Self::Plain(message) => f.write_str(message),
            Self::Other(_) => f.write_str("an error of unknown shape"),
        }
    }
}

/// The error in the body of a refusal, when it holds one.
pub(super) fn fault(body: &[u8]) -> Option<Fault> {
    serde_json::from_slice::<Chunk>(body).ok()?.error
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
            (r#"{"choices":[{"delta":{"content":7}}]}"#, "", false),
            (r#"{"choices":[{"delta":{"refusal":"I must not."}}]}"#, "I must not.", false),
            (r#"{"choices":[]}"#, "", false),
            (r#"{"choices":null,"usage":null,"error":null}"#, "", false),
        ] {
            let chunk: Chunk = serde_json::from_str(json).unwrap();
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
            let chunk: Chunk = serde_json::from_str(json).unwrap();
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
            let chunk: Chunk = serde_json::from_str(json).unwrap();
            assert_eq!(chunk.error(), Some(expected), "{json}");
        }
    }
}
