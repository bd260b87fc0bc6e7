//! What clients of the real Vapi run into, and what tests ask of the double.

use crate::support::{Client, Hooks};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vapi_double::{ASSISTANT, Act, Credential, Double, HmacPlan, Options, Route, Script};

async fn started() -> (Double, Client) {
    let double = Double::start(Options::default()).await.unwrap();
    let client = Client::of(&double);
    (double, client)
}

#[tokio::test]
async fn who_comes_in_wrongly_is_told_as_vapi_tells() {
    let (double, _) = started().await;
    let url = format!("{}/session", double.base_url());
    #[expect(clippy::disallowed_methods, reason = "this client must lack what ours has")]
    let bare = reqwest::Client::new();
    let response = bare.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.text().await.unwrap(), "error code: 1010");
    let agent = bare.get(&url).header("user-agent", "x");
    let response: Value = agent.send().await.unwrap().json().await.unwrap();
    assert_eq!(response["message"], "Missing Authorization Header.");
    let wrong = bare.get(&url).header("user-agent", "x").bearer_auth("pk-public");
    let response: Value = wrong.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&response["error"], &response["statusCode"]),
        (&json!("Unauthorized"), &json!(401))
    );
    assert!(response["message"].as_str().unwrap().starts_with("Invalid Key."));
}

#[tokio::test]
async fn bodies_vapi_refuses_are_refused() {
    let (_double, client) = started().await;
    let session = client.post("/session", &json!({ "assistantId": ASSISTANT }), 201).await;
    let id = &session["id"];
    for (path, body, said) in [
        ("/session", json!({ "phoneNumber2": 1 }), "property phoneNumber2 should not exist"),
        ("/session", json!({ "assistantId": "x" }), "Does Not Exist"),
        ("/session", json!({ "expirationSeconds": 59 }), "must not be less than 60"),
        ("/chat", json!({ "sessionId": id }), "input must be"),
        ("/chat", json!({ "input": "x" }), "at least one of"),
        (
            "/chat",
            json!({ "sessionId": "x", "previousChatId": "y", "input": "x" }),
            "mutually exclusive",
        ),
        (
            "/chat",
            json!({ "sessionId": id, "assistantId": ASSISTANT, "input": "x" }),
            "cannot specify `assistantId`",
        ),
        ("/chat", json!({ "sessionId": "nope", "input": "x" }), "not found"),
        ("/chat", json!({ "previousChatId": "nope", "input": "x" }), "not found"),
        (
            "/chat",
            json!({ "sessionId": id, "input": "x", "sessionEnd": true }),
            "property sessionEnd should not exist",
        ),
    ] {
        let answer = client.post(path, &body, 400).await;
        assert_eq!(answer["error"], "Bad Request");
        assert!(answer["message"].to_string().contains(said), "{body}: {answer}");
    }
    assert_eq!(client.get("/session/nope", 400).await["statusCode"], 400);
    let nobody = "/session/00000000-0000-4000-8000-000000000009";
    assert_eq!(client.get(nobody, 404).await["error"], "Not Found");
    assert_eq!(client.get("/nowhere", 404).await["message"], "Cannot GET /nowhere");
}

#[tokio::test]
async fn variables_are_baked_in_at_creation_and_memory_goes_on() {
    let (_double, client) = started().await;
    let body = json!({
        "assistantId": ASSISTANT,
        "assistantOverrides": { "variableValues": { "name": "Jo", "company": "Fern & Field" } },
    });
    let session = client.post("/session", &body, 201).await;
    assert_eq!(
        session["assistant"]["firstMessage"],
        "Hi Jo! I'm Vera. What would you like to know?"
    );
    assert_eq!(session["metadata"]["variableValues"]["name"], "Jo");
    let ask = async |input: &str| {
        let body = json!({ "sessionId": session["id"], "input": input });
        let chat = client.post("/chat", &body, 201).await;
        chat["output"][0]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        ask("What are your instructions?").await,
        "My instructions are: You are Vera. You help Jo of Fern & Field."
    );
    assert!(ask("And then?").await.contains("That is question 2"));
    // Nothing is a template any more, so nothing changes.
    let late = json!({
        "sessionId": session["id"], "input": "instructions",
        "assistantOverrides": { "variableValues": { "name": "Eve" } },
    });
    let chat = client.post("/chat", &late, 201).await;
    assert!(chat["output"][0]["content"].as_str().unwrap().contains("help Jo"), "{chat}");
    let path = format!("/session/{}", session["id"].as_str().unwrap());
    let session = client.get(&path, 200).await;
    assert_eq!(session["messages"].as_array().unwrap().len(), 6);
    assert!(session["cost"].as_f64().unwrap() > 0.015, "{session}");
}

#[tokio::test]
async fn a_session_ends_by_its_clock_or_by_hand() {
    let now = Arc::new(AtomicU64::new(1_795_000_000_000));
    let clock = now.clone();
    let double = Double::start(Options {
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::of(&double);
    let body = json!({ "assistantId": ASSISTANT, "expirationSeconds": 60 });
    for by_hand in [false, true] {
        let session = client.post("/session", &body, 201).await;
        let path = format!("/session/{}", session["id"].as_str().unwrap());
        if by_hand {
            client.patch(&path, &json!({ "status": "completed" })).await;
        } else {
            now.fetch_add(60_000, Ordering::SeqCst);
        }
        let chat = json!({ "sessionId": session["id"], "input": "x", "stream": true });
        let refusal = client.post("/chat", &chat, 400).await;
        assert!(refusal["message"].as_str().unwrap().starts_with("Session "), "{refusal}");
        assert_eq!(client.get(&path, 200).await["status"], "completed");
    }
}

#[tokio::test]
async fn scripts_are_done_as_written() {
    let (double, client) = started().await;
    let body = json!({ "assistantId": ASSISTANT, "input": "x", "stream": true });
    double.will(Script::say("One two."));
    assert_eq!(client.text("/chat", &body).await.matches("\"delta\"").count(), 2);
    double.will(Act::Fail(402, r#"{"message":"Purchase credits to use chat."}"#.into()));
    assert_eq!(client.post("/chat", &body, 402).await["message"], "Purchase credits to use chat.");
    double.will(Act::Cut(vec!["half ".into()]));
    let mut response = client.send(Method::POST, "/chat", Some(&body)).await;
    assert!(response.chunk().await.unwrap().unwrap().starts_with(b"data: "));
    assert!(response.chunk().await.is_err(), "a cut must be seen as a broken connection");
    assert_eq!(double.chats().len(), 1, "what was cut is no chat");
    double.will(Act::Hold(vec!["a".into(), "b".into()]));
    let mut response = client.send(Method::POST, "/chat", Some(&body)).await;
    double.release(1);
    assert!(response.chunk().await.unwrap().is_some());
    assert_eq!(double.open(), 1);
    drop(response);
    left(&double).await;
}

/// Waits until the double has noticed that nobody waits for its answers.
async fn left(double: &Double) {
    for _ in 0..200 {
        if double.open() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a client that leaves must end the answer");
}

#[tokio::test]
async fn every_route_a_server_needs_fails_on_demand() {
    let (double, client) = started().await;
    let body = json!({ "assistantId": ASSISTANT });
    let session = client.post("/session", &body, 201).await;
    let path = format!("/session/{}", session["id"].as_str().unwrap());
    let end = json!({ "status": "completed" });
    let routes = [
        (Route::Open, "open", Method::POST, "/session", Some(&body)),
        (Route::LookUp, "look_up", Method::GET, path.as_str(), None),
        (Route::Close, "close", Method::PATCH, path.as_str(), Some(&end)),
    ];
    for (route, name, method, path, body) in routes.clone() {
        let good = if route == Route::Open { 201 } else { 200 };
        let send = || client.send(method.clone(), path, body);
        let soon = Duration::from_millis(100);
        for status in [401, 403, 429] {
            double.will_on(route, Act::Fail(status, "{}".into()));
            assert_eq!(send().await.status(), status, "{name}");
            for (other, _, method, path, body) in routes.clone() {
                if other != route {
                    assert!(client.send(method, path, body).await.status().is_success(), "{name}");
                }
            }
        }
        double.will_on(route, Act::Silence);
        assert!(tokio::time::timeout(soon, send()).await.is_err(), "{name}");
        double.will_on(route, Act::Stall(vec![]));
        let stalled = send().await.text();
        assert!(tokio::time::timeout(soon, stalled).await.is_err(), "{name}");
        double.will_on(route, Act::Cut(vec![]));
        assert!(send().await.text().await.is_err(), "{name}");
        double.will_on(route, Act::Empty);
        assert_eq!(send().await.text().await.unwrap(), "", "{name}");
        // From another process, and the truth once it may come.
        let order = format!("/double/script?route={name}");
        let script = json!({ "act": { "hold": [] }, "delay_ms": 20 });
        assert_eq!(client.send(Method::POST, &order, Some(&script)).await.status(), 200);
        assert!(tokio::time::timeout(soon, send()).await.is_err(), "{name}");
        left(&double).await;
        double.release(1);
        assert_eq!(send().await.status(), good, "{name}");
        double.will_on(route, Act::default());
        assert_eq!(send().await.status(), good, "{name}");
    }
    let wrong = client.send(Method::POST, "/double/script?route=elsewhere", Some(&json!({}))).await;
    assert_eq!(wrong.status(), 400);
}

#[tokio::test]
async fn webhooks_are_signed_and_sent_once_unless_a_plan_says_otherwise() {
    let hooks = Hooks::start().await;
    hooks.answer(500);
    let mut options = Options::default();
    options.credentials.insert("hmac".into(), Credential::Hmac(HmacPlan::new("s3")));
    let double = Double::start(options).await.unwrap();
    let client = Client::of(&double);
    let mut server = json!({
        "url": hooks.url, "secret": "legacy", "credentialId": "hmac", "headers": { "X-Own": "1" },
    });
    for (plan, attempts) in
        [(Value::Null, 1), (json!({ "type": "fixed", "maxRetries": 2, "baseDelaySeconds": 0 }), 3)]
    {
        if !plan.is_null() {
            server["backoffPlan"] = plan;
        }
        let assistant = json!({ "server": server, "serverMessages": ["session.created"] });
        let id = double.add_assistant(&assistant);
        client.post("/session", &json!({ "assistantId": id }), 201).await;
        let before = if attempts == 1 { 0 } else { 1 };
        let taken = hooks.wait(before + attempts).await;
        let (headers, _) = taken.last().unwrap();
        assert_eq!(headers["x-vapi-secret"], "legacy");
        assert_eq!(headers["x-own"], "1");
        assert_eq!(headers["x-signature"].len(), 64);
        assert!(headers["x-timestamp"].to_str().unwrap().len() == 10);
    }
    // The last answer may still be on its way back.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent: Vec<_> = double.webhooks().iter().map(|sent| (sent.attempts, sent.status)).collect();
    assert_eq!(sent, [(1, Some(500)), (3, Some(500))]);
}
