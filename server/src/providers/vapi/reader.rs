//! Reads an answer from bytes in pieces of any size. Pure: it knows no network and no clock.
//!
//! Vapi's stream has no end marker: it ends when the connection does, and only a connection that
//! breaks shows a cut. Tolerated, because Vapi does it, did it or may: any line end, comments, a
//! missing last newline, `[DONE]`, unknown keys and events, content as parts, `output` instead of
//! `delta`, text that is not the chat's first output, and one JSON chat instead of a stream.

use super::failure::message_of;
use crate::providers::ModelError;
use banter_engine::body::{Body, Rest};
use banter_engine::surrogates::Surrogates;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::borrow::Cow;

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More text may come.
    Reading,
    /// An end marker came.
    Marked,
    /// It failed; [`Reader::finish`] says how.
    Failed,
}

/// Turns bytes into text and, at the end, an outcome.
pub(super) struct Reader {
    body: Body,
    answer: Answer,
}

/// What nearly every event is: a piece of the text. Read without a tree, because there are hundreds
/// in an answer.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    delta: Cow<'a, str>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

/// What has been understood so far.
struct Answer {
    progress: Progress,
    has_text: bool,
    has_events: bool,
    /// The output whose text came last.
    index: Option<usize>,
    error: Option<ModelError>,
    surrogates: Surrogates,
}

impl Reader {
    /// A reader that refuses a body of more than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        let answer = Answer {
            progress: Progress::Reading,
            has_text: false,
            has_events: false,
            index: None,
            error: None,
            surrogates: Surrogates::default(),
        };
        Self { body: Body::new(limit), answer }
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        self.answer.progress
    }

    /// Takes the next bytes; gives the text that they complete, of all events together.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let mut text = String::new();
        if let Err(error) = self.read(bytes, &mut text) {
            self.answer.fail(error);
        }
        text
    }

    fn read(&mut self, bytes: &[u8], text: &mut String) -> Result<(), ModelError> {
        self.body.receive(bytes)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.body.event(rest, |event| self.answer.take_event(event.data, text))?;
        }
        Ok(())
    }

    /// The body has ended: the text still held back, and how it ended.
    pub(super) fn finish(self) -> (String, Result<(), ModelError>) {
        let Self { body, mut answer } = self;
        let mut text = String::new();
        let has_begun = body.has_begun();
        match body.finish() {
            Rest::Nothing => {}
            Rest::Json(json) => answer.take_whole(&json, &mut text),
            Rest::Event(data) => answer.take_event(&data, &mut text),
        }
        let outcome = match answer.error {
            Some(error) => Err(error),
            None if answer.has_text => Ok(()),
            None if has_begun && !answer.has_events => {
                Err(garbled("the body is neither an event stream nor a chat"))
            }
            None => Err(ModelError::Cut),
        };
        (text, outcome)
    }
}

impl Answer {
    fn take_event(&mut self, data: &str, text: &mut String) {
        if self.progress != Progress::Reading {
            return;
        }
        let data = data.trim();
        if data == "[DONE]" {
            self.has_events = true;
            self.progress = Progress::Marked;
        } else if let Ok(Piece { path, delta, error: None }) = serde_json::from_str(data) {
            self.has_events = true;
            self.take_content(&path, &delta, text);
        } else if !data.is_empty() {
            match serde_json::from_str::<Value>(data) {
                Ok(chunk) => self.take_chunk(&chunk, text),
                Err(error) => match self.surrogates.mend(data) {
                    Some(mended) => self.take_event(&mended, text),
                    None => self.fail(garbled(&format!("an event is not JSON: {error}"))),
                },
            }
        }
    }

    /// One JSON chat instead of a stream.
    fn take_whole(&mut self, json: &[u8], text: &mut String) {
        match serde_json::from_slice::<Value>(json) {
            Ok(chat) => {
                self.take_chunk(&chat, text);
                if !self.has_text {
                    self.fail(garbled("the body is JSON, but no chat"));
                }
            }
            Err(error) if error.is_eof() => self.fail(ModelError::Cut),
            Err(error) => self.fail(garbled(&format!("the body is not JSON: {error}"))),
        }
    }

    fn take_chunk(&mut self, chunk: &Value, text: &mut String) {
        self.has_events = true;
        if chunk["error"].is_object() || chunk["error"].is_string() {
            let cause = message_of(chunk).unwrap_or_else(|| "an error without words".to_owned());
            return self.fail(ModelError::Unavailable { cause });
        }
        let mut said = String::new();
        match (&chunk["path"], &chunk["delta"]) {
            (Value::String(path), delta) => {
                content_into(&mut said, delta);
                return self.take_content(path, &said, text);
            }
            (_, Value::Null) if !self.has_text => output_into(&mut said, &chunk["output"]),
            // All of it again, after the pieces of it.
            (_, Value::Null) => {}
            (_, delta) => content_into(&mut said, delta),
        }
        self.has_text |= !said.is_empty();
        text.push_str(&said);
    }

    /// What is `said` at `path`, which may be no text of the assistant's.
    fn take_content(&mut self, path: &str, said: &str, text: &mut String) {
        let Some(index) = content_index(path).filter(|_| !said.is_empty()) else { return };
        // Two outputs are two paragraphs: what came before a tool ran, and after.
        if self.has_text && self.index.is_some_and(|before| before != index) {
            text.push_str("\n\n");
        }
        self.index = Some(index);
        self.has_text = true;
        text.push_str(said);
    }

    /// The first failure is the one that counts.
    fn fail(&mut self, error: ModelError) {
        self.progress = Progress::Failed;
        self.error.get_or_insert(error);
    }
}

/// The number in `chat.output[0].content`.
fn content_index(path: &str) -> Option<usize> {
    path.strip_prefix("chat.output[")?.strip_suffix("].content")?.parse().ok()
}

/// Appends content: a string, or parts of which some are text.
fn content_into(out: &mut String, content: &Value) {
    match content {
        Value::String(text) => out.push_str(text),
        Value::Array(parts) => {
            out.extend(parts.iter().filter_map(|part| part["text"].as_str()));
        }
        _ => {}
    }
}

/// Appends the assistant's part of an `output`: a string, or messages of which some are tools'.
fn output_into(out: &mut String, output: &Value) {
    let Value::Array(messages) = output else { return content_into(out, output) };
    for message in messages.iter().filter(|message| message["role"] == "assistant") {
        let before = out.len();
        content_into(out, &message["content"]);
        if before > 0 && out.len() > before {
            out.insert_str(before, "\n\n");
        }
    }
}

fn garbled(cause: &str) -> ModelError {
    ModelError::Garbled { cause: cause.to_owned() }
}

#[cfg(test)]
mod tests;
