//! From pieces of text to the bytes of a stream, by the script's quirks. Pure.

use super::{Act, Quirk, Script};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// One thing to do for a stream, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Let time pass.
    Wait(Duration),
    /// Wait until one more piece is allowed.
    Permit,
    /// Send these bytes by themselves.
    Send(Bytes),
    /// Nothing more, ever.
    Never,
    /// Break the connection.
    Break,
}

/// What every event of a chat says besides its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// The chat's id.
    pub(crate) chat: &'a str,
    /// The session's, if it is in one.
    pub(crate) session: Option<&'a str>,
}

/// What to do for `pieces`, which the script's act is about.
pub(crate) fn steps(script: &Script, pieces: &[String], event: Event<'_>) -> Vec<Step> {
    let quirks = Quirks(&script.quirks);
    let delay = Duration::from_millis(script.delay_ms);
    let mut events: Vec<String> = pieces.iter().map(|piece| quirks.event(event, piece)).collect();
    let mut last = Vec::new();
    match script.act {
        Act::Error(_) => last.push(format!("data: {}\n\n", failure(event))),
        _ if quirks.has(Quirk::Done) => last.push("data: [DONE]\n\n".to_owned()),
        _ => {}
    }
    if quirks.has(Quirk::NoFinalNewline)
        && let Some(event) = last.last_mut().or(events.last_mut())
    {
        event.truncate(event.trim_end().len());
    }
    let mut steps = vec![Step::Wait(delay)];
    steps.extend(quirks.before().map(|bytes| Step::Send(bytes.into())));
    for event in events {
        if matches!(script.act, Act::Hold(_)) {
            steps.push(Step::Permit);
        }
        steps.extend(quirks.cut(&event).into_iter().map(Step::Send));
        steps.push(Step::Wait(delay));
    }
    steps.extend(last.iter().flat_map(|event| quirks.cut(event)).map(Step::Send));
    match script.act {
        Act::Stall(_) => steps.push(Step::Never),
        Act::Cut(_) => steps.push(Step::Break),
        _ => {}
    }
    steps
}

/// Not documented by Vapi; an event like this breaks none of the clients seen.
fn failure(event: Event<'_>) -> Value {
    json!({
        "id": event.chat,
        "error": { "message": "The model did not answer.", "statusCode": 502 },
    })
}

struct Quirks<'a>(&'a [Quirk]);

impl Quirks<'_> {
    fn has(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }

    fn before(&self) -> Option<String> {
        self.0.iter().find_map(|quirk| match quirk {
            Quirk::HugeLine(bytes) => {
                Some(format!("data: {{\"padding\":\"{}\"}}\n\n", "x".repeat(*bytes)))
            }
            _ => None,
        })
    }

    fn event(&self, event: Event<'_>, piece: &str) -> String {
        let index = if self.has(Quirk::LaterIndex) { 2 } else { 0 };
        let delta = if self.has(Quirk::ContentParts) {
            json!([{ "type": "text", "text": piece }])
        } else {
            json!(piece)
        };
        let mut chunk = if self.has(Quirk::Output) {
            json!({ "id": event.chat, "output": piece })
        } else {
            json!({
                "id": event.chat, "path": format!("chat.output[{index}].content"), "delta": delta,
            })
        };
        if let Some(session) = event.session {
            chunk["sessionId"] = json!(session);
        }
        let mut before = String::new();
        if self.has(Quirk::UnknownKeys) {
            chunk["sequence"] = json!({ "number": 1 });
            before.push_str("data: {\"type\":\"heartbeat\"}\n\n");
        }
        if self.has(Quirk::Comments) {
            before.push_str(": still here\n\n");
        }
        format!("{before}data: {chunk}\n\n")
    }

    /// The bytes as they are to be sent.
    fn cut(&self, text: &str) -> Vec<Bytes> {
        let text = if self.has(Quirk::Crlf) { text.replace('\n', "\r\n") } else { text.to_owned() };
        let bytes = Bytes::from(text.into_bytes());
        if self.has(Quirk::ByteByByte) {
            return (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect();
        }
        let mut from = 0;
        let mut pieces = Vec::new();
        if self.has(Quirk::SplitUtf8) {
            for at in 1..bytes.len() {
                // A continuation byte: what begins here ends a character.
                if bytes[at] & 0b1100_0000 == 0b1000_0000 {
                    pieces.push(bytes.slice(from..at));
                    from = at;
                }
            }
        }
        pieces.push(bytes.slice(from..));
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Step, steps};
    use crate::script::{Act, Quirk, Script};
    use std::time::Duration;

    fn sent(script: &Script, pieces: &[&str]) -> Vec<String> {
        let pieces: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        steps(script, &pieces, Event { chat: "c", session: None })
            .into_iter()
            .filter_map(|step| match step {
                Step::Send(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_usual_stream_is_what_vapi_sends() {
        let expected = [
            "data: {\"delta\":\"Hello\",\"id\":\"c\",\"path\":\"chat.output[0].content\"}\n\n",
            "data: {\"delta\":\" there!\",\"id\":\"c\",\"path\":\"chat.output[0].content\"}\n\n",
        ];
        assert_eq!(sent(&Script::default(), &["Hello", " there!"]), expected);
    }

    #[test]
    fn quirks_change_bytes_and_nothing_else() {
        let quirk = |quirk| Script::default().with(quirk);
        assert!(sent(&quirk(Quirk::Crlf), &["a"])[0].ends_with("}\r\n\r\n"));
        assert_eq!(sent(&quirk(Quirk::Done), &["a"])[1], "data: [DONE]\n\n");
        assert!(sent(&quirk(Quirk::NoFinalNewline), &["a"])[0].ends_with('}'));
        let done = quirk(Quirk::NoFinalNewline).with(Quirk::Done);
        assert_eq!(sent(&done, &["a"])[1], "data: [DONE]");
        assert!(sent(&quirk(Quirk::ContentParts), &["a"])[0].contains("\"text\":\"a\""));
        assert!(sent(&quirk(Quirk::ByteByByte), &["a"]).iter().all(|piece| piece.len() == 1));
        assert!(sent(&quirk(Quirk::HugeLine(9_000)), &["a"])[0].len() > 9_000);
        let whole = sent(&Script::default(), &["für €"]).concat();
        let pieces = steps(
            &quirk(Quirk::SplitUtf8),
            &["für €".to_owned()],
            Event { chat: "c", session: None },
        );
        let mut bytes = Vec::new();
        let mut halves = 0;
        for step in pieces {
            if let Step::Send(piece) = step {
                halves += usize::from(std::str::from_utf8(&piece).is_err());
                bytes.extend_from_slice(&piece);
            }
        }
        assert_eq!(String::from_utf8(bytes).unwrap(), whole);
        assert!(halves >= 3, "{halves}");
    }

    #[test]
    fn acts_end_as_they_say() {
        let event = Event { chat: "c", session: Some("s") };
        let pieces = ["a".to_owned()];
        let last = |act| steps(&Script::of(act), &pieces, event).pop();
        assert_eq!(last(Act::Stall(pieces.to_vec())), Some(Step::Never));
        assert_eq!(last(Act::Cut(pieces.to_vec())), Some(Step::Break));
        assert_eq!(last(Act::Say(pieces.to_vec())), Some(Step::Wait(Duration::ZERO)));
        let hold = steps(&Script::of(Act::Hold(pieces.to_vec())), &pieces, event);
        assert_eq!(hold[1], Step::Permit);
        let error = steps(&Script::of(Act::Error(pieces.to_vec())), &pieces, event);
        assert!(
            matches!(&error[3], Step::Send(b) if b.starts_with(b"data: {\"error\"")),
            "{error:?}"
        );
    }
}
