//! Streams as they come, as they may come, and as nobody should send them.

use super::{Progress, Reader};
use crate::providers::ModelError;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(pieces: &[&[u8]], limit: usize) -> (String, Result<(), ModelError>) {
    let mut reader = Reader::new(limit);
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

fn kind(outcome: &Result<(), ModelError>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(ModelError::Cut) => "cut",
        Err(ModelError::TooLong) => "too long",
        Err(ModelError::Garbled { .. }) => "garbled",
        Err(ModelError::Unavailable { .. }) => "unavailable",
        Err(_) => "other",
    }
}

fn event(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

fn delta(index: usize, delta: &Value) -> String {
    let path = format!("chat.output[{index}].content");
    event(&json!({ "id": "c", "path": path, "delta": delta }))
}

#[test]
fn how_bodies_are_read_and_end() {
    let hi = delta(0, &json!("Hi"));
    let there = delta(0, &json!(" there"));
    let whole = json!({ "id": "c", "output": [
        { "role": "assistant", "content": "One." },
        { "role": "tool", "content": "{}", "tool_call_id": "t" },
        { "role": "assistant", "content": [{ "type": "text", "text": "Two." }] },
    ] });
    for (body, text, outcome) in [
        (format!("{hi}{there}"), "Hi there", "ok"),
        (format!("{hi}{there}data: [DONE]\n\n"), "Hi there", "ok"),
        (format!("{hi}data: [DONE]\n\n{there}"), "Hi", "ok"),
        (format!("{hi}{there}").replace('\n', "\r\n"), "Hi there", "ok"),
        (format!("{hi}{there}").trim_end().to_owned(), "Hi there", "ok"),
        (format!(": ping\n\n{hi}: ping\n\n{}", event(&json!({ "type": "x" }))), "Hi", "ok"),
        (delta(0, &json!([{ "type": "text", "text": "Hi" }, { "type": "image" }])), "Hi", "ok"),
        (delta(3, &json!("Hi")), "Hi", "ok"),
        (delta(0, &json!("\"\n")), "\"\n", "ok"),
        (hi.replace('}', ",\"error\":null}"), "Hi", "ok"),
        (hi.replace('}', ",\"error\":\"x\"}"), "", "unavailable"),
        (format!("{hi}{}{}", delta(2, &json!("")), delta(2, &json!("Ho"))), "Hi\n\nHo", "ok"),
        (format!("{hi}{}", event(&whole)), "Hi", "ok"),
        (event(&json!({ "id": "c", "output": "Hi" })), "Hi", "ok"),
        (event(&whole), "One.\n\nTwo.", "ok"),
        (whole.to_string(), "One.\n\nTwo.", "ok"),
        (event(&json!({ "path": "chat.output[0].tool_calls", "delta": "no" })) + &hi, "Hi", "ok"),
        (event(&json!({ "id": "c", "delta": "Hi" })), "Hi", "ok"),
        (String::new(), "", "cut"),
        ("data: [DONE]\n\n".to_owned(), "", "cut"),
        (event(&json!({ "type": "heartbeat" })), "", "cut"),
        (whole.to_string()[..20].to_owned(), "", "cut"),
        ("<html>Bad gateway</html>".to_owned(), "", "garbled"),
        (format!("{hi}data: nonsense\n\n{there}"), "Hi", "garbled"),
        ("{\"hello\":1}".to_owned(), "", "garbled"),
        ("{nonsense}".to_owned(), "", "garbled"),
        // An emoji, cut between its halves.
        (hi.replace("Hi", r"Hi \ud83d") + &hi.replace("Hi", r"\ude00!"), "Hi 😀!", "ok"),
        (
            format!("{hi}{}", event(&json!({ "error": { "message": "x", "statusCode": 502 } }))),
            "Hi",
            "unavailable",
        ),
        (
            json!({ "message": "x", "error": "Bad Gateway", "statusCode": 502 }).to_string(),
            "",
            "unavailable",
        ),
    ] {
        let (got, end) = read(&[body.as_bytes()], 10_000);
        assert_eq!((got.as_str(), kind(&end)), (text, outcome), "{body:?}");
    }
}

#[test]
fn a_body_is_bounded_whatever_it_is() {
    for body in ["data: xxxxxxxxxx", ": ping\n\n: ping\n\n", "{\"output\":    "] {
        let (_, outcome) = read(&[body.as_bytes()], 12);
        assert_eq!(kind(&outcome), "too long", "{body:?}");
    }
}

proptest! {
    #[test]
    fn the_same_text_however_the_bytes_are_cut(
        words in prop::collection::vec("\\PC{1,12}", 1..6),
        crlf: bool, done: bool, parts: bool, final_newline: bool,
        cuts in prop::collection::vec(1_usize..7, 0..400),
    ) {
        let mut body = String::new();
        for word in &words {
            let value = if parts { json!([{ "type": "text", "text": word }]) } else { json!(word) };
            body.push_str(&delta(0, &value));
        }
        if done {
            body.push_str("data: [DONE]\n\n");
        }
        if !final_newline {
            body.truncate(body.trim_end().len());
        }
        if crlf {
            body = body.replace('\n', "\r\n");
        }
        let mut rest = body.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(head);
            rest = tail;
        }
        pieces.push(rest);
        prop_assert_eq!(read(&pieces, 1 << 20), (words.concat(), Ok(())));
    }

    #[test]
    fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
        let _ = read(&[&bytes], 64);
    }
}
