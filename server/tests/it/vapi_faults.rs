//! Whatever Vapi does, the visitor gets a full answer or a typed error in bounded time, nothing is
//! left behind, and nobody learns what Vapi said.

use crate::support::eventually;
use crate::support::vapi::VapiServer;
use banter_server::providers::Opening;
use banter_shared::stream::StreamEvent;
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use vapi_double::{Act, KEY, Quirk, Route, Script, words};

/// What a refusal of Vapi's might quote.
const CANARY: &str = "canary-6c1f";

fn refusal(status: u16) -> Script {
    let said = format!(r#"{{"message":"{CANARY}: key {KEY} of org x","statusCode":{status}}}"#);
    Act::Fail(status, said).into()
}

/// Twelve faults, each with the only code it may end with; `None` where an answer is due.
fn faults() -> Vec<(Script, Option<&'static str>)> {
    vec![
        (refusal(401), Some("assistant_unavailable")),
        (refusal(402), Some("assistant_unavailable")),
        (refusal(403), Some("assistant_unavailable")),
        (refusal(404), Some("assistant_failed")),
        (refusal(429), Some("assistant_unavailable")),
        (refusal(503), Some("assistant_unavailable")),
        (Act::Silence.into(), Some("assistant_timeout")),
        (Act::Stall(words("So far ")).into(), Some("assistant_timeout")),
        (Act::Cut(words("Half an ")).into(), Some("assistant_failed")),
        (Act::Junk.into(), Some("assistant_failed")),
        (Act::Error(words("And then ")).into(), Some("assistant_unavailable")),
        (
            Script::say("Slow für alle 🌿.")
                .with(Quirk::SplitUtf8)
                .delay(Duration::from_millis(40)),
            None,
        ),
    ]
}

#[tokio::test]
async fn twelve_faults_times_a_hundred_streams_leave_nothing_behind() {
    let server = VapiServer::start_with("[limits]\nlive_answers = 1000").await;
    let visitor = server.visitor();
    for (script, code) in faults() {
        server.double.will(script.clone());
        let chats = join_all((0..100).map(|_| visitor.open())).await;
        let started = Instant::now();
        let ends =
            join_all(chats.iter().map(|chat| async { chat.say("q1", "Hi").await.finish().await }))
                .await;
        for (text, end) in ends {
            match (end, code) {
                (StreamEvent::Done(_), None) => assert_eq!(text, "Slow für alle 🌿."),
                (StreamEvent::Error(error), Some(code)) => {
                    assert_eq!(error.code, code, "{script:?}: {error:?}");
                    assert!(!error.request_id.is_empty());
                }
                (end, _) => panic!("{script:?}: {end:?}"),
            }
        }
        // Two seconds of patience, twice for a session that is opened anew, on a busy machine.
        assert!(started.elapsed() < Duration::from_secs(15), "{script:?} {:?}", started.elapsed());
        server.quiet().await;
        eventually("no call is open", || server.double.open() == 0).await;
        // What a 429 began is over.
        server.clock.advance(30_000);
    }
    drop(visitor);
    eventually("nothing runs", || server.app.tasks.running() == 0).await;
}

#[tokio::test]
async fn nobody_sees_what_vapi_said() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    for status in [400, 401, 402, 403, 404, 409, 429, 500, 503] {
        for opening in [true, false] {
            let calm = Script::default();
            let (session, chat) =
                if opening { (refusal(status), calm) } else { (calm, refusal(status)) };
            server.double.will_on(Route::Open, session);
            server.double.will(chat);
            let chat = visitor.open().await;
            let (_, error) = chat.say("q1", "Hi").await.fails().await;
            let history = chat.history().await;
            let seen = format!("{error:?} {}", serde_json::to_string(&history).unwrap());
            for secret in [CANARY, KEY, "org x", "Vapi", "vapi"] {
                assert!(!seen.contains(secret), "{status}: {seen}");
            }
            server.clock.advance(30_000);
        }
    }
    // Nor does the log: whoever reads it may know what Vapi said, but not the key it quoted.
    let (_, assistant) = server.app.store.widget(&"test".into()).await.unwrap().unwrap();
    let provider = &server.app.lifecycle.provider;
    for status in [400, 401, 402, 403, 404, 409, 503] {
        server.double.will_on(Route::Open, refusal(status));
        let opening = Opening { session: &"s".into(), expires_in: Duration::from_secs(60) };
        let logged = provider.open(&assistant, opening).await.unwrap_err().to_string();
        assert!(logged.contains(CANARY) && !logged.contains(KEY), "{logged}");
    }
}

#[tokio::test]
async fn a_429_keeps_everybody_away_for_30_seconds() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    server.double.will(refusal(429));
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.fails().await;
    server.double.will(Script::say("Here again."));
    let before = server.double.seen().len();
    let other = visitor.open().await;
    let (_, error) = other.say("q1", "Hi").await.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("assistant_unavailable", true));
    assert_eq!(error.message, "The assistant is very busy right now.");
    server.clock.advance(29_999);
    chat.retry("q1", "Hi").await.fails().await;
    assert_eq!(server.double.seen().len(), before, "Vapi is left alone");
    server.clock.advance(1);
    assert_eq!(chat.retry("q1", "Hi").await.text().await, "Here again.");
}

#[tokio::test]
async fn a_session_that_cannot_be_opened_is_tried_again_with_the_question() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    for act in [Act::Silence, Act::Junk, Act::Fail(402, "no money".into())] {
        server.double.will_on(Route::Open, act.clone());
        let (_, error) = chat.retry("q1", "Hi").await.fails().await;
        assert!(error.code.starts_with("assistant_"), "{act:?}: {error:?}");
    }
    server.double.will_on(Route::Open, Script::default());
    server.double.will(Script::say("At last."));
    assert_eq!(chat.retry("q1", "Hi").await.text().await, "At last.");
    assert_eq!(server.double.sessions().len(), 1);
}

#[tokio::test]
async fn what_is_too_long_is_cut_off_and_who_is_not_there_is_said_so() {
    let server = VapiServer::start_with("[vapi.connections.main]\nmax_answer_bytes = 2000").await;
    let visitor = server.visitor();
    server.double.will(Script::say("Short.").with(Quirk::HugeLine(3_000)));
    let (_, error) = visitor.open().await.say("q1", "Hi").await.fails().await;
    assert_eq!(error.code, "assistant_failed");
    let away = "[vapi.connections.main]\nbase_url = \"http://127.0.0.1:9\"";
    let server = VapiServer::start_with(away).await;
    let visitor = server.visitor();
    let (_, error) = visitor.open().await.say("q1", "Hi").await.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("assistant_unavailable", true));
}
