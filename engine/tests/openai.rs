//! The OpenAI-compatible model against a real server on the loopback that misbehaves in every way
//! that was seen in the wild. Each case ends in a full reply or in the right error, in time.
#![expect(
    clippy::disallowed_methods,
    reason = "the scripted server needs tasks of its own; the engine spawns none"
)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail like tests")]

#[path = "support/upstream.rs"]
mod upstream;

use banter_engine::assistant::{Assistant, ModelChoice};
use banter_engine::model::{Delta, ModelError, ReplyStream, Usage, Wait};
use banter_engine::turn::Turn;
use banter_engine::variables::Variables;
use banter_engine::{Engine, EngineSettings, OpenAiConnection};
use futures_util::StreamExt as _;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::timeout;
use upstream::Step::{Send, Stall, Trickle, Wait as Pause};
use upstream::{Step, Upstream, answer, ending, event, head, stream_head};

const KEY: &str = "sk-test-0123456789";
/// Every answer and every error is there by then.
const IN_TIME: Duration = Duration::from_secs(5);

/// A reply to a short conversation over a connection to `base_url`.
fn ask(base_url: &str) -> ReplyStream {
    let connection = OpenAiConnection {
        api_key: Some(KEY.to_owned().into()),
        connect_timeout: Duration::from_millis(500),
        first_byte_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(300),
        retries: 1,
        max_answer_bytes: 256 * 1024,
        ..OpenAiConnection::new(base_url)
    };
    let connections = [("main".to_owned(), connection)].into();
    let engine = Engine::new(EngineSettings { connections, ..EngineSettings::default() }).unwrap();
    let assistant = Assistant {
        name: "Fern".into(),
        system_prompt: "You are {{assistant.name}}.".into(),
        first_message: None,
        model: ModelChoice::OpenAi {
            connection: "main".into(),
            model: "small".into(),
            temperature: Some(0.5),
            max_tokens: None,
        },
        history_tokens: 1_000,
    };
    let history = [
        Turn::visitor("Hello {{assistant.name}}"),
        Turn::assistant("Hi!"),
        Turn::visitor("How are you?"),
    ];
    engine.reply(&assistant, &Variables::new(), &history)
}

/// What a reply says until it ends, and how it ends.
async fn collect(mut reply: ReplyStream) -> (String, Result<Option<Usage>, ModelError>) {
    let (mut text, mut usage) = (String::new(), None);
    let read = async {
        while let Some(delta) = reply.next().await {
            match delta? {
                Delta::Text(more) => text.push_str(&more),
                Delta::Usage(found) => usage = Some(found),
                Delta::Sources(_) => {}
            }
        }
        Ok(())
    };
    let outcome = timeout(IN_TIME, read).await.expect("in time");
    (text, outcome.map(|()| usage))
}

/// Collects a reply from a server that follows `scripts`, and counts the requests it took.
async fn run(scripts: Vec<Vec<Step>>) -> (String, Result<Option<Usage>, ModelError>, usize) {
    let mut upstream = Upstream::start(scripts).await;
    let (text, outcome) = collect(ask(&upstream.base_url)).await;
    let mut requests = 0;
    while upstream.requests.try_recv().is_ok() {
        requests += 1;
    }
    (text, outcome, requests)
}

fn full() -> Result<Option<Usage>, ModelError> {
    Ok(Some(Usage { prompt_tokens: 7, completion_tokens: 2 }))
}

#[tokio::test]
async fn the_request_holds_what_was_asked_and_nothing_else() {
    let mut upstream = Upstream::start(vec![answer("Fine.")]).await;
    let (text, outcome) = collect(ask(&upstream.base_url)).await;
    assert_eq!((text.as_str(), outcome), ("Fine.", full()));
    let request = upstream.requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    assert!(head.contains(&format!("authorization: bearer {KEY}")), "{head}");
    assert!(head.contains(concat!("user-agent: banter/", env!("CARGO_PKG_VERSION"))), "{head}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(body).unwrap(),
        serde_json::json!({
            "model": "small",
            "messages": [
                {"role": "system", "content": "You are Fern."},
                {"role": "user", "content": "Hello {{assistant.name}}"},
                {"role": "assistant", "content": "Hi!"},
                {"role": "user", "content": "How are you?"},
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
            "temperature": 0.5,
        })
    );
}

#[tokio::test]
async fn bodies_that_are_full_answers() {
    let split = event("Grüße 🌿");
    let middle = split.iter().position(|byte| *byte > 127).unwrap() + 1;
    let whole = r#"{"choices":[{"message":{"content":"Whole."},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
    let crlf = String::from_utf8([event("A "), event("b"), ending()].concat())
        .unwrap()
        .replace('\n', "\r\n");
    for (name, script, expected) in [
        ("plain", answer("Hello"), "Hello"),
        (
            "byte by byte",
            vec![Trickle([stream_head(), event("Drop by drop"), ending()].concat())],
            "Drop by drop",
        ),
        (
            "a character split between reads",
            vec![
                Send(stream_head()),
                Send(split[..middle].to_vec()),
                Pause(Duration::from_millis(50)),
                Send(split[middle..].to_vec()),
                Send(ending()),
            ],
            "Grüße 🌿",
        ),
        ("CR LF", vec![Send(stream_head()), Send(crlf.into_bytes())], "A b"),
        (
            "comments that keep alive",
            vec![
                Send(stream_head()),
                Send(b": ping\n\n".to_vec()),
                Pause(Duration::from_millis(200)),
                Send(b": ping\n\n".to_vec()),
                Pause(Duration::from_millis(200)),
                Send([event("Alive"), ending()].concat()),
            ],
            "Alive",
        ),
        (
            "no stream",
            vec![Send(head("200 OK", "Content-Type: application/json\r\n")), Send(whole.into())],
            "Whole.",
        ),
        (
            "finished, then silence",
            vec![
                Send(stream_head()),
                Send(event("Done")),
                Send(ending()[..ending().len() - 14].to_vec()),
                Stall,
            ],
            "Done",
        ),
        (
            "a connection that stays open after the end",
            vec![Send(stream_head()), Send(event("Open")), Send(ending()), Stall],
            "Open",
        ),
    ] {
        assert_eq!(run(vec![script]).await, (expected.to_owned(), full(), 1), "{name}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_full_answers() {
    let start = || vec![Send(stream_head()), Send(event("Half"))];
    let with = |more: Step| [start(), vec![more]].concat();
    let endless = format!("data: {}", "x".repeat(1024 * 1024));
    let stalled = ModelError::Timeout { what: Wait::NextByte };
    for (name, script, expected, error) in [
        ("cut after some text", start(), "Half", ModelError::Cut),
        ("cut before any", vec![Send(stream_head())], "", ModelError::Cut),
        (
            "cut within a chunked body",
            vec![
                Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
                Send(b"ff\r\ndata: {\"choi".to_vec()),
            ],
            "",
            ModelError::Cut,
        ),
        ("stalls", with(Stall), "Half", stalled),
        ("a line of 1 MiB", with(Send(endless.into_bytes())), "Half", ModelError::TooLong),
        (
            "an error within the stream, which quotes the key",
            with(Send(format!("data: {{\"error\":{{\"message\":\"{KEY} is bad\"}}}}\n\n").into())),
            "Half",
            ModelError::Unavailable { cause: "*** is bad".into() },
        ),
    ] {
        assert_eq!(run(vec![script]).await, (expected.to_owned(), Err(error), 1), "{name}");
    }
    for junk in ["data: {{{\n\n", "<html>It works!</html>", "{\"hello\":\"world\"}", "\0\u{1}\u{2}"]
    {
        let (text, outcome, requests) =
            run(vec![vec![Send(stream_head()), Send(junk.into())]]).await;
        assert!(matches!(outcome, Err(ModelError::Garbled { .. })), "{junk}: {outcome:?}");
        assert_eq!((text.as_str(), requests), ("", 1), "{junk}");
    }
}

#[tokio::test]
async fn what_is_asked_again_before_the_first_byte() {
    let fail = |status: &str, more: &str| vec![Send(head(status, more))];
    for (name, first) in [
        ("500", fail("500 Internal Server Error", "")),
        ("503", fail("503 Service Unavailable", "")),
        ("429", fail("429 Too Many Requests", "Retry-After: 0\r\n")),
        ("closed without an answer", vec![]),
    ] {
        let got = run(vec![first, answer("Second try")]).await;
        assert_eq!(got, ("Second try".to_owned(), full(), 2), "{name}");
    }
    let (_, outcome, requests) = run(vec![fail("500 Internal Server Error", "")]).await;
    assert_eq!(outcome, Err(ModelError::Unavailable { cause: "HTTP 500".into() }));
    assert_eq!(requests, 2, "one retry was allowed");
}

#[tokio::test]
async fn what_is_not_asked_again() {
    let quoting = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}."}}}}"#);
    let refused = |status, cause: &str| ModelError::Refused { status, cause: cause.to_owned() };
    for (name, script, error) in [
        (
            "401",
            vec![Send(head("401 Unauthorized", "")), Send(quoting.into_bytes())],
            refused(401, "HTTP 401: Incorrect API key provided: ***."),
        ),
        ("404", vec![Send(head("404 Not Found", ""))], refused(404, "HTTP 404")),
        (
            "a redirect",
            vec![Send(head("302 Found", "Location: http://127.0.0.1:1/\r\n"))],
            refused(302, "HTTP 302"),
        ),
        (
            "a long Retry-After",
            vec![Send(head("429 Too Many Requests", "Retry-After: 60\r\n"))],
            ModelError::RateLimited { retry_after: Some(Duration::from_secs(60)) },
        ),
        ("a slow head", vec![Stall], ModelError::Timeout { what: Wait::FirstByte }),
        (
            "a head and no body",
            vec![Send(stream_head()), Stall],
            ModelError::Timeout { what: Wait::FirstByte },
        ),
    ] {
        assert_eq!(run(vec![script]).await, (String::new(), Err(error), 1), "{name}");
    }
}

#[tokio::test]
async fn a_closed_door_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let (_, outcome) = collect(ask(&base_url)).await;
    let error = outcome.unwrap_err();
    assert!(matches!(&error, ModelError::Unavailable { .. }), "{error:?}");
    assert!(!error.to_string().contains(&base_url), "{error}");
}

#[tokio::test]
async fn text_arrives_while_the_model_is_still_speaking() {
    let script = vec![Send(stream_head()), Send(event("First")), Stall];
    let upstream = Upstream::start(vec![script]).await;
    let mut reply = ask(&upstream.base_url);
    let first = timeout(IN_TIME, reply.next()).await.unwrap().unwrap();
    assert_eq!(first, Ok(Delta::Text("First".into())));
}

#[tokio::test]
async fn dropping_the_reply_closes_the_connection() {
    for script in [vec![Send(stream_head()), Send(event("First")), Stall], vec![Stall]] {
        let speaks = script.len() > 1;
        let mut upstream = Upstream::start(vec![script]).await;
        let mut reply = ask(&upstream.base_url);
        if speaks {
            reply.next().await.unwrap().unwrap();
        } else {
            // Long enough to send the question, too short for any timeout.
            let _ = timeout(Duration::from_millis(150), reply.next()).await;
        }
        upstream.requests.recv().await.unwrap();
        let dropped = Instant::now();
        drop(reply);
        timeout(IN_TIME, upstream.closed.recv()).await.unwrap().unwrap();
        assert!(dropped.elapsed() < Duration::from_secs(1), "{:?}", dropped.elapsed());
    }
}

#[tokio::test]
async fn nothing_is_asked_before_the_reply_is_polled() {
    let mut upstream = Upstream::start(vec![answer("Hello")]).await;
    let reply = ask(&upstream.base_url);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(upstream.requests.try_recv().is_err());
    drop(reply);
}
