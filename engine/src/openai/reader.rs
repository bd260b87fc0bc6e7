//! Reads an answer from bytes in pieces of any size. Pure: it knows no network and no clock.
//!
//! Tolerated, because some server does it: any line end, comments, a missing last newline, `[DONE]`
//! missing after a `finish_reason` and the other way round, chunks without choices, content as parts,
//! unknown keys, characters split between reads, and one JSON object instead of a stream.
//! An answer is complete only when the model said so; a body that merely ends was cut.

use super::alike::Alike;
use super::wire::Chunk;
use crate::body::{Body, Rest};
use crate::model::{ModelError, Usage};
use crate::surrogates::Surrogates;

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More text may come.
    Reading,
    /// The model has said all; its usage and end marker may follow.
    Finished,
    /// The end marker is here.
    Marked,
    /// It failed; [`AnswerReader::finish`] says how.
    Failed,
}

/// Turns bytes into text and, at the end, an outcome.
pub(super) struct AnswerReader {
    body: Body,
    answer: Answer,
}

/// What has been understood so far.
struct Answer {
    progress: Progress,
    usage: Option<Usage>,
    has_text: bool,
    has_chunks: bool,
    error: Option<ModelError>,
    alike: Alike,
    surrogates: Surrogates,
}

impl AnswerReader {
    /// A reader that refuses a body of more than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            body: Body::new(limit),
            answer: Answer {
                progress: Progress::Reading,
                usage: None,
                has_text: false,
                has_chunks: false,
                error: None,
                alike: Alike::default(),
                surrogates: Surrogates::default(),
            },
        }
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        self.answer.progress
    }

    /// Takes the next bytes; gives the text that they complete, of all events together, since a
    /// reader of ours gains nothing from having pieces that came at once one by one.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let mut text = String::new();
        if let Err(error) = self.read(bytes, &mut text) {
            self.answer.fail(error);
        }
        text
    }

    fn read(&mut self, bytes: &[u8], text: &mut String) -> Result<(), ModelError> {
        let Self { body, answer } = self;
        body.receive(bytes)?;
        let mut rest = bytes;
        while !rest.is_empty() && answer.is_open() {
            let is_between = body.is_between_events();
            if is_between && let Some((words, after)) = answer.alike.take(rest) {
                text.push_str(words);
                rest = after;
                continue;
            }
            let front = if is_between { rest } else { &[] };
            rest = body.event(rest, |event| answer.take_event(event.data, front, text))?;
        }
        Ok(())
    }

    /// The body has ended, or nobody will wait for more of it: the text still held back, and how it ended.
    pub(super) fn finish(self) -> (String, Result<Option<Usage>, ModelError>) {
        let Self { body, mut answer } = self;
        let mut text = String::new();
        let has_begun = body.has_begun();
        match body.finish() {
            Rest::Nothing => {}
            Rest::Json(json) => answer.take_whole(&json, &mut text),
            Rest::Event(data) => answer.take_event(&data, &[], &mut text),
        }
        let outcome = match answer.progress {
            Progress::Finished | Progress::Marked if answer.has_text => Ok(answer.usage),
            Progress::Finished | Progress::Marked => Err(garbled("the answer is empty")),
            Progress::Reading if has_begun && !answer.has_chunks => {
                Err(garbled("the body is neither an event stream nor an answer"))
            }
            Progress::Reading => Err(ModelError::Cut),
            Progress::Failed => Err(answer.error.unwrap_or(ModelError::Cut)),
        };
        (text, outcome)
    }
}

impl Answer {
    /// Whether anything that comes can still mean something.
    fn is_open(&self) -> bool {
        !matches!(self.progress, Progress::Marked | Progress::Failed)
    }

    /// Takes an event's data; `front` is where it lies, if that is known.
    fn take_event(&mut self, data: &str, front: &[u8], text: &mut String) {
        if !self.is_open() {
            return;
        }
        let data = data.trim();
        if data == "[DONE]" {
            self.has_chunks = true;
            self.progress = Progress::Marked;
        } else if !data.is_empty() {
            match serde_json::from_str::<Chunk<'_>>(data) {
                Ok(chunk) => {
                    self.take_chunk(&chunk, text);
                    if let Some(words) = chunk.only_words() {
                        self.alike.learn(front, data, words);
                    }
                }
                Err(error) => match self.surrogates.mend(data) {
                    Some(mended) => self.take_event(&mended, &[], text),
                    None => self.fail(garbled(&format!("an event is not JSON: {error}"))),
                },
            }
        }
    }

    /// One JSON object instead of a stream.
    fn take_whole(&mut self, json: &[u8], text: &mut String) {
        match serde_json::from_slice::<Chunk<'_>>(json) {
            Ok(chunk) if chunk.is_known() => {
                self.take_chunk(&chunk, text);
                // It is whole whether or not it gives a reason for ending.
                if self.progress == Progress::Reading {
                    self.progress = Progress::Finished;
                }
            }
            Ok(_) => self.fail(garbled("the body is JSON, but no answer")),
            Err(error) if error.is_eof() => self.fail(ModelError::Cut),
            Err(error) => self.fail(garbled(&format!("the body is not JSON: {error}"))),
        }
    }

    fn take_chunk(&mut self, chunk: &Chunk<'_>, text: &mut String) {
        self.has_chunks |= chunk.is_known();
        if let Some(error) = chunk.error() {
            return self.fail(error);
        }
        chunk.text_into(text);
        self.has_text |= !text.is_empty();
        self.usage = chunk.usage().or(self.usage);
        if chunk.is_last() {
            self.progress = Progress::Finished;
        }
    }

    /// The first failure is the one that counts.
    fn fail(&mut self, error: ModelError) {
        self.progress = Progress::Failed;
        self.error.get_or_insert(error);
    }
}

fn garbled(cause: &str) -> ModelError {
    ModelError::Garbled { cause: cause.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{AnswerReader, Progress};
    use crate::model::{ModelError, Usage};
    use proptest::prelude::*;

    type Outcome = Result<Option<Usage>, ModelError>;

    fn read(pieces: &[&[u8]], limit: usize) -> (String, Outcome) {
        let mut reader = AnswerReader::new(limit);
        let mut text = String::new();
        for piece in pieces {
            text.push_str(&reader.push(piece));
            if reader.progress() == Progress::Failed {
                break;
            }
        }
        let (rest, outcome) = reader.finish();
        (text + &rest, outcome)
    }

    fn kind(outcome: &Outcome) -> &'static str {
        match outcome {
            Ok(Some(_)) => "usage",
            Ok(None) => "ok",
            Err(ModelError::Cut) => "cut",
            Err(ModelError::TooLong) => "too long",
            Err(ModelError::Garbled { .. }) => "garbled",
            Err(ModelError::Unavailable { .. }) => "unavailable",
            Err(_) => "other",
        }
    }

    #[test]
    fn how_bodies_end() {
        const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
        const WHOLE: &str = "{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}";
        for (body, text, outcome) in [
            (format!("{HI}{STOP}data: [DONE]\n\n"), "Hi", "ok"),
            (format!("{HI}data: [DONE]\n\n"), "Hi", "ok"),
            (format!("{HI}{STOP}"), "Hi", "ok"),
            (format!("{HI}data: [DONE]"), "Hi", "ok"),
            (format!("{HI}{STOP}").replace('\n', "\r\n"), "Hi", "ok"),
            (format!("\n: ping\n\n{HI}: ping\n\n{HI}{STOP}"), "HiHi", "ok"),
            (
                format!("{HI}{STOP}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":1}}}}\n\n"),
                "Hi",
                "usage",
            ),
            (format!("{HI}{STOP}data: [DONE]\n\n{HI}"), "Hi", "ok"),
            (HI.to_owned(), "Hi", "cut"),
            (String::new(), "", "cut"),
            (format!("{STOP}data: [DONE]\n\n"), "", "garbled"),
            (format!("{HI}data: nonsense\n\n{HI}"), "Hi", "garbled"),
            ("<html>Bad gateway</html>".to_owned(), "", "garbled"),
            (": ping\n\n".to_owned(), "", "garbled"),
            (format!("{HI}data: {{\"error\":{{\"message\":\"x\"}}}}\n\n"), "Hi", "unavailable"),
            (format!("  \n{WHOLE}"), "Hi", "ok"),
            (WHOLE[..20].to_owned(), "", "cut"),
            ("{\"hello\":1}".to_owned(), "", "garbled"),
            ("{\"error\":\"x\"}".to_owned(), "", "unavailable"),
            ("{nonsense}".to_owned(), "", "garbled"),
            // An emoji, cut between its halves.
            (
                [HI, &HI.replace("Hi", r" \ud83d"), &HI.replace("Hi", r"\ude00!"), STOP].concat(),
                "Hi 😀!",
                "ok",
            ),
        ] {
            let (got, end) = read(&[body.as_bytes()], 10_000);
            assert_eq!((got.as_str(), kind(&end)), (text, outcome), "{body:?}");
        }
    }

    #[test]
    fn events_of_one_read_come_as_one_text() {
        let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a \"}}]}\n\n";
        let mut reader = AnswerReader::new(10_000);
        assert_eq!(reader.push(event.repeat(3).as_bytes()), "a a a ");
    }

    #[test]
    fn the_next_chunk_is_compared_whatever_ends_its_lines() {
        for end in ["\n\n", "\r\n\r\n"] {
            let event =
                format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"a \"}}}}]}}{end}");
            let mut reader = AnswerReader::new(10_000);
            assert_eq!(reader.push(format!(": ping{end}{event}").as_bytes()), "a ");
            assert!(reader.body.is_between_events());
            let known = reader.answer.alike.take(event.as_bytes());
            assert_eq!(known, Some(("a ", &b""[..])), "{event:?}");
        }
    }

    #[test]
    fn a_body_is_bounded_whatever_it_is() {
        for body in ["data: xxxxxxxxxx", ": ping\n\n: ping\n\n", "{\"choices\":    "] {
            let (_, outcome) = read(&[body.as_bytes()], 12);
            assert_eq!(kind(&outcome), "too long", "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn the_same_answer_however_the_bytes_are_cut(
            words in prop::collection::vec("\\PC{1,12}", 1..6),
            whole: bool,
            cuts in prop::collection::vec(1_usize..7, 0..300),
        ) {
            let expected = words.concat();
            let body = if whole {
                serde_json::json!({"choices": [{"message": {"content": expected}}]}).to_string()
            } else {
                let mut body = String::new();
                for word in &words {
                    let chunk = serde_json::json!({"choices": [{"delta": {"content": word}}]});
                    body.push_str(&format!("data: {chunk}\r\n\r\n"));
                }
                body + "data: [DONE]"
            };
            let mut rest = body.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            pieces.push(rest);
            prop_assert_eq!(read(&pieces, 1 << 20), (expected, Ok(None)));
        }

        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
            let _ = read(&[&bytes], 64);
        }
    }
}
