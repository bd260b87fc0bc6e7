//! Conversations with assistants at Vapi, through the whole router: what Vapi is sent, what the
//! visitor gets.

use crate::support::eventually;
use crate::support::vapi::VapiServer;
use banter_shared::error::ErrorBody;
use banter_shared::message::MessageStatus;
use banter_shared::session::EndReason;
use serde_json::json;
use std::time::{Duration, Instant};
use vapi_double::{ASSISTANT, Act, Quirk, Route, Script, words};

#[tokio::test]
async fn a_conversation_is_one_session_at_vapi() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    assert_eq!(chat.created.messages[0].text, "Welcome to Fern & Field.");
    assert!(server.double.seen().is_empty(), "nothing is opened before somebody says something");

    assert_eq!(
        chat.say("q1", "Hello").await.text().await,
        "Hello! I'm Vera. How can I help you today?"
    );
    let second = chat.say("q2", "Do you deliver?").await.text().await;
    assert!(second.contains("That is question 2 of this chat"), "{second}");

    let session = &server.double.sessions()[0];
    assert_eq!(
        server.double.bodies("POST", "/session"),
        [json!({
            "name": chat.created.session.id,
            "assistantId": ASSISTANT,
            "assistantOverrides": {
                "variableValues": { "company": "Fern & Field", "customer": { "city": "Bern" } },
            },
            "expirationSeconds": 86_400,
        })]
    );
    assert_eq!(
        server.double.bodies("POST", "/chat"),
        [
            json!({
                "sessionId": session["id"], "stream": true, "input": [
                    { "role": "assistant", "content": "Welcome to Fern & Field." },
                    { "role": "user", "content": "Hello" },
                ],
            }),
            json!({ "sessionId": session["id"], "stream": true, "input": "Do you deliver?" }),
        ]
    );
    for seen in server.double.seen() {
        let header = |name: &str| seen.headers.iter().find(|(known, _)| known == name);
        let agent = &header("user-agent").unwrap().1;
        assert!(agent.starts_with("Banter/"), "{agent}");
        assert!(header("origin").is_none() && header("cookie").is_none(), "{seen:?}");
    }
}

#[tokio::test]
async fn words_are_passed_on_as_they_come() {
    let server = VapiServer::start().await;
    server.double.will(Act::Hold(words("One by one.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    for text in ["One ", "by ", "one."] {
        server.double.release(1);
        assert_eq!(stream.read_until(text).await, text);
    }
    assert_eq!(stream.text().await, "");
}

#[tokio::test]
async fn a_transient_assistant_is_defined_here_and_gets_its_variables() {
    let server = VapiServer::start_with("[widgets.test]\nassistant = \"inline\"").await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    assert!(chat.created.messages.is_empty(), "it has no first message");
    let answer = chat.say("q1", "What are your instructions?").await.text().await;
    assert_eq!(answer, "My instructions are: You serve Fern & Field and .");
    let body = &server.double.bodies("POST", "/session")[0];
    assert_eq!((&body["assistant"]["name"], body.get("assistantId")), (&json!("Ines"), None));
    assert_eq!(server.double.bodies("POST", "/chat")[0]["input"], "What are your instructions?");
}

#[tokio::test]
async fn chats_have_their_own_assistant_or_that_of_calls() {
    let of_its_own = "[widgets.test]\nassistant = \"test\"\nchat_assistant = \"remote\"";
    let server = VapiServer::start_with(of_its_own).await;
    let visitor = server.visitor();
    visitor.open().await.say("q1", "Hi").await.text().await;
    assert_eq!((server.double.chats().len(), server.model.calls()), (1, 0));

    let server = VapiServer::start_with("[widgets.test]\nassistant = \"test\"").await;
    let visitor = server.visitor();
    visitor.open().await.say("q1", "Hi").await.text().await;
    assert_eq!((server.double.chats().len(), server.model.calls()), (0, 1));
}

#[tokio::test]
async fn a_visitor_who_leaves_cancels_the_call_at_vapi() {
    let server = VapiServer::start().await;
    server.double.will(Act::Hold(words("Some of it and no more.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    server.double.release(2);
    stream.read_until("Some of ").await;
    assert_eq!(server.double.open(), 1);
    drop(stream);
    let left = Instant::now();
    eventually("the call is cancelled", || server.double.open() == 0).await;
    // Not before somebody could have come back.
    assert!(left.elapsed() >= Duration::from_millis(900), "{:?}", left.elapsed());
    server.quiet().await;
    let answer = chat.history().await.messages.remove(2);
    assert_eq!((answer.text.as_str(), answer.status), ("Some of ", MessageStatus::Interrupted));
}

#[tokio::test]
async fn an_end_completes_the_session_at_vapi() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    assert_eq!(chat.end().await.status(), 200);
    eventually("it is completed", || server.double.sessions()[0]["status"] == "completed").await;
    let id = server.double.sessions()[0]["id"].as_str().unwrap().to_owned();
    let told = server.double.bodies("PATCH", &format!("/session/{id}"));
    assert_eq!(told, [json!({ "status": "completed" })]);

    let (_, assistant) = server.app.store.widget(&"test".into()).await.unwrap().unwrap();
    let provider = &server.app.lifecycle.provider;
    let found = provider.look_up(&assistant, &id).await.unwrap().unwrap();
    assert!(found.completed && found.updated_at.is_some(), "{found:?}");
    assert_eq!(found.cost.unwrap().to_string(), server.double.sessions()[0]["cost"].to_string());
    let unknown = "00000000-0000-4000-8000-000000000009";
    assert_eq!(provider.look_up(&assistant, unknown).await, Ok(None));
    assert_eq!(provider.close(&assistant, unknown).await, Ok(()));
}

#[tokio::test]
async fn an_answer_longer_than_vapi_takes_does_not_end_the_conversation() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let long = "All of it. ".repeat(2_000);
    server.double.will(Script::of(Act::Say(vec![long.clone()])));
    assert_eq!(chat.say("q1", "Everything, please").await.text().await, long);
    server.double.forget_sessions();
    server.double.will(Script::say("Gladly."));
    assert_eq!(chat.say("q2", "Once more?").await.text().await, "Gladly.");
    let asked = server.double.bodies("POST", "/chat").remove(2);
    let said = asked["input"].as_array().unwrap();
    let roles: Vec<_> = said.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["assistant", "user", "assistant", "assistant", "assistant", "user"]);
    let answer: String = said[2..5].iter().map(|said| said["content"].as_str().unwrap()).collect();
    assert_eq!(answer, long);
    // What Vapi never knew, it is told as far as it fits.
    let longer = "And then some. ".repeat(2_000);
    server.double.will(Script::of(Act::Say(vec![longer.clone()])));
    chat.say("q3", "More").await.text().await;
    server.double.forget_sessions();
    server.double.will(Script::say("Enough."));
    assert_eq!(chat.say("q4", "Is that all?").await.text().await, "Enough.");
    let asked = server.double.bodies("POST", "/chat").pop().unwrap();
    let said = asked["input"].as_array().unwrap();
    assert_eq!(said[0]["content"], "Once more?");
    assert_eq!(said.len(), 3 + 3 + 1);
}

#[tokio::test]
async fn a_session_that_vapi_lost_is_opened_anew_with_all_that_was_said() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let first = chat.say("q1", "Hello").await.text().await;
    server.double.forget_sessions();
    let second = chat.say("q2", "Do you deliver?").await.text().await;
    assert!(second.contains("That is your first question"), "{second}");
    assert_eq!(server.double.bodies("POST", "/session").len(), 2);
    let chats = server.double.bodies("POST", "/chat");
    assert_eq!(chats.len(), 3, "the lost one, and one more");
    assert_eq!(chats[2]["sessionId"], server.double.sessions()[0]["id"]);
    assert_eq!(
        chats[2]["input"],
        json!([
            { "role": "assistant", "content": "Welcome to Fern & Field." },
            { "role": "user", "content": "Hello" },
            { "role": "assistant", "content": first },
            { "role": "user", "content": "Do you deliver?" },
        ])
    );
    let third = chat.say("q3", "And then?").await.text().await;
    assert!(third.contains("question"), "{third}");
    assert_eq!(server.double.bodies("POST", "/session").len(), 2);
}

/// Vapi lost a session, and the visitor leaves while the next one is being opened: it is opened all the
/// same, and nobody else would ever close it.
#[tokio::test]
async fn what_vapi_opens_after_the_end_is_completed_too() {
    let completed = |server: &VapiServer| {
        server.double.sessions().first().is_some_and(|session| session["status"] == "completed")
    };
    let patient = "[vapi.connections.main]\nfirst_byte_seconds = 20";
    for is_first in [true, false] {
        let server = VapiServer::start_with(patient).await;
        let visitor = server.visitor();
        let chat = visitor.open().await;
        if !is_first {
            chat.say("q1", "Hello").await.text().await;
            server.double.forget_sessions();
        }
        server.double.will_on(Route::Open, Act::Hold(vec![]));
        let stream = chat.say("q2", "Do you deliver?").await;
        let opened: usize = if is_first { 1 } else { 2 };
        let opens = || server.double.bodies("POST", "/session").len() == opened;
        eventually("another one is being opened", opens).await;
        assert_eq!(chat.end().await.status(), 200);
        stream.fails().await;
        // By now the one that is lost has been told of.
        let ended = || server.count("sessions WHERE status = 'ended'") == 1;
        eventually("what there was is closed", ended).await;
        server.double.release(1);
        eventually("it is completed", || completed(&server)).await;
        eventually("and that is known", ended).await;
        assert_eq!(server.count("provider_sessions WHERE state = 'closed'"), opened as u64);
    }
    // The log is deleted meanwhile: nothing here says any more that there is something to close.
    let server = VapiServer::start_with(patient).await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    server.double.will_on(Route::Open, Act::Hold(vec![]));
    let stream = chat.say("q1", "Hello").await;
    eventually("it is being opened", || server.double.bodies("POST", "/session").len() == 1).await;
    server.execute("DELETE FROM messages; DELETE FROM session_events; DELETE FROM sessions");
    server.double.release(1);
    stream.fails().await;
    eventually("it is completed", || completed(&server)).await;
}

#[tokio::test]
async fn streams_may_look_different() {
    let server = VapiServer::start().await;
    let visitor = server.visitor();
    let text = "Grüße für 3 €, schöne 🌿 inclusive.";
    for quirk in [
        Quirk::SplitUtf8,
        Quirk::ByteByByte,
        Quirk::Crlf,
        Quirk::Done,
        Quirk::NoFinalNewline,
        Quirk::ContentParts,
        Quirk::LaterIndex,
        Quirk::UnknownKeys,
        Quirk::Comments,
        Quirk::HugeLine(100_000),
    ] {
        server.double.will(Script::say(text).with(quirk));
        let chat = visitor.open().await;
        assert_eq!(chat.say("q1", "Hi").await.text().await, text, "{quirk:?}");
    }
    server.double.will(Script::of(Act::Say(vec![text.into()])).with(Quirk::Output));
    assert_eq!(visitor.open().await.say("q1", "Hi").await.text().await, text);
}

/// The assistant of a widget is another provider's since the last start.
#[tokio::test]
async fn a_session_stays_with_the_provider_it_began_with() {
    for (before, after) in [("remote", "test"), ("test", "remote")] {
        let widget = format!("[widgets.test]\nassistant = \"{before}\"");
        let VapiServer { server, double } = VapiServer::start_with(&widget).await;
        let visitor = server.visitor();
        let chat = visitor.open().await;
        let answered = chat.say("q1", "Hello").await.text().await;
        let server = server
            .again_with(|settings| {
                settings.widgets.get_mut("test").unwrap().assistant = after.into();
            })
            .await;
        let visitor = server.visitor();
        let chat = visitor.at(&chat);
        // What was answered can be read again; nothing more is asked.
        assert_eq!(chat.say("q1", "Hello").await.text().await, answered);
        let asked = double.bodies("POST", "/chat").len();
        let refused = chat.message(&json!({"id": "q2", "text": "And now?"})).send().await.unwrap();
        assert_eq!(refused.status(), 409);
        let error: ErrorBody = refused.json().await.unwrap();
        assert_eq!(error.code, "session_ended");
        assert_eq!(chat.history().await.session.end_reason, Some(EndReason::OwnerEnded));
        assert_eq!(double.bodies("POST", "/chat").len(), asked);
        // Nobody told Vapi, and the log does not say that somebody did.
        server.app.lifecycle.tell().await.unwrap();
        assert!(double.seen().iter().all(|seen| seen.method != "PATCH"));
        assert_eq!(server.count("session_events WHERE kind = 'closed'"), 0);
        // Whoever begins anew is answered by the new one.
        let chat = visitor.open().await;
        assert_ne!(chat.say("q1", "Hello").await.text().await, answered);
    }
}
