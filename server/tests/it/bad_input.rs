//! Bad input: each kind gets a clear error with a stable code and a fitting status, and changes
//! nothing.

use crate::support::visitor::Visitor;
use crate::support::{SHOP, Server, client};
use reqwest::Method;
use serde_json::{Value, json};

/// What came back: status, code, field.
async fn outcome(request: reqwest::RequestBuilder) -> (u16, String, Option<String>) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["requestId"], json!(id));
    assert!(body["message"].as_str().is_some_and(|message| message.len() > 5), "{body}");
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    (status, text("code").unwrap_or_default(), text("field"))
}

fn refused(status: u16, code: &str, field: Option<&str>) -> (u16, String, Option<String>) {
    (status, code.into(), field.map(str::to_owned))
}

#[tokio::test]
async fn conversations_are_not_opened_for_everybody() {
    let server = Server::start().await;
    let shop = server.visitor();
    let evil = Visitor::on("https://evil.example", server.address);
    let own = Visitor::on(&format!("http://{}", server.address), server.address);
    let path = "/widgets/test/sessions";
    let nothing = json!({});
    let claims_shop = json!({"hostOrigin": SHOP});
    for (request, expected) in [
        (shop.post("/widgets/nope/sessions").json(&nothing), refused(404, "not_found", None)),
        (shop.post("/widgets/off/sessions").json(&nothing), refused(409, "widget_disabled", None)),
        (evil.post(path).json(&nothing), refused(403, "origin_not_allowed", None)),
        (evil.post(path).json(&claims_shop), refused(403, "origin_not_allowed", None)),
        (
            own.post(path).json(&json!({"hostOrigin": "https://evil.example"})),
            refused(403, "origin_not_allowed", None),
        ),
        (
            own.post(path).json(&json!({"hostOrigin": "null"})),
            refused(403, "origin_not_allowed", None),
        ),
        (own.post(path).json(&nothing), refused(403, "origin_not_allowed", None)),
        (
            client().post(server.url("/visitor/v1/widgets/test/sessions")).json(&nothing),
            refused(403, "origin_not_allowed", None),
        ),
        (
            shop.post(path).json(&json!({"language": 7})),
            refused(400, "invalid_request", Some("language")),
        ),
        (shop.post(path), refused(415, "unsupported_media_type", None)),
    ] {
        assert_eq!(outcome(request).await, expected);
    }
    for origin in [
        "null",
        "https://shop.example.evil.example",
        "https://SHOP.example",
        "http://shop.example",
        "https://shop.example:444",
    ] {
        let visitor = Visitor::on(origin, server.address);
        assert_eq!(
            outcome(visitor.post(path).json(&nothing)).await,
            refused(403, "origin_not_allowed", None),
            "{origin}"
        );
    }
    let allowed = own.post(path).json(&claims_shop).send().await.unwrap();
    assert_eq!(allowed.status(), 201);
}

#[tokio::test]
async fn a_bad_message_is_named_and_not_stored() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let before = chat.history().await;
    let path = format!("/sessions/{}/messages", chat.created.session.id);
    let post = || visitor.post(&path).bearer_auth(&chat.created.token);
    let json_body = |body: Vec<u8>| post().header("content-type", "application/json").body(body);
    let nested = format!("{{\"id\":\"a\",\"more\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let cases = [
        (json_body(vec![]), refused(400, "invalid_request", None)),
        (
            json_body(b"{\"id\":\"a\",\"text\":\"\xff\xfe\"}".to_vec()),
            refused(400, "invalid_request", Some("text")),
        ),
        (json_body(nested.into_bytes()), refused(400, "invalid_request", None)),
        (json_body(b"[\"a\",\"Hi\"]".to_vec()), refused(400, "invalid_request", None)),
        (json_body(vec![b'a'; 70_000]), refused(413, "too_large", None)),
        (
            json_body(b"{\"id\":\"a\",\"text\":\"Hi\"} junk".to_vec()),
            refused(400, "invalid_request", None),
        ),
        (
            post().header("content-type", "text/plain").body("Hi"),
            refused(415, "unsupported_media_type", None),
        ),
        (post().body(r#"{"id":"a","text":"Hi"}"#), refused(415, "unsupported_media_type", None)),
        (post().json(&json!({"id": "a"})), refused(400, "invalid_request", None)),
        (
            post().json(&json!({"id": "a", "text": 7})),
            refused(400, "invalid_request", Some("text")),
        ),
        (
            post().json(&json!({"id": "a", "text": ""})),
            refused(400, "invalid_request", Some("text")),
        ),
        (
            post().json(&json!({"id": "a", "text": "  \n"})),
            refused(400, "invalid_request", Some("text")),
        ),
        (
            post().json(&json!({"id": "a", "text": "a\u{0}b"})),
            refused(400, "invalid_request", Some("text")),
        ),
        (
            post().json(&json!({"id": "", "text": "Hi"})),
            refused(400, "invalid_request", Some("id")),
        ),
        (
            post().json(&json!({"id": "a b", "text": "Hi"})),
            refused(400, "invalid_request", Some("id")),
        ),
        (
            post().json(&json!({"id": "a".repeat(65), "text": "Hi"})),
            refused(400, "invalid_request", Some("id")),
        ),
        (
            post().json(&json!({"id": "a", "text": "x".repeat(4001)})),
            refused(413, "too_large", None),
        ),
    ];
    for (number, (request, expected)) in cases.into_iter().enumerate() {
        assert_eq!(outcome(request).await, expected, "case {number}");
    }
    // Without a length to judge by, it is read no further than it may be.
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
    let endless = futures_util::StreamExt::take(endless, 10_000);
    let request =
        post().header("content-type", "application/json").body(reqwest::Body::wrap_stream(endless));
    if let Ok(response) = request.send().await {
        assert_eq!(response.status(), 413);
    }
    assert_eq!(chat.history().await, before);
    assert_eq!(server.model.calls(), 0);
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_said_so() {
    let server = Server::start().await;
    for (method, path, expected) in [
        (Method::GET, "/nope", refused(404, "not_found", None)),
        (Method::GET, "/visitor/v1/widgets/nope", refused(404, "not_found", None)),
        (Method::DELETE, "/visitor/v1/widgets/test", refused(405, "method_not_allowed", None)),
        (Method::GET, "/assets/..%2fmanifest.json", refused(404, "not_found", None)),
        (Method::GET, "/demo/knowledge/about.md", refused(404, "not_found", None)),
        (Method::GET, "/embed/nope.js", refused(404, "not_found", None)),
        (Method::GET, "/embed/test", refused(404, "not_found", None)),
        (Method::GET, "/chat/test", refused(404, "not_found", None)),
        // Not every store has texts with a NUL.
        (Method::GET, "/embed/%00.js", refused(404, "not_found", None)),
        (Method::GET, "/visitor/v1/widgets/%00", refused(404, "not_found", None)),
        (Method::GET, "/visitor/v1/widgets/%ff", refused(400, "invalid_request", None)),
        (Method::GET, "/frame/test?host=a&host=b", refused(400, "invalid_request", None)),
    ] {
        let request = client().request(method, server.url(path));
        assert_eq!(outcome(request).await, expected, "{path}");
    }
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let server = Server::start_with(
        "[limits]\nsessions_per_minute_per_address = 3\nmessages_per_minute_per_session = 2\nmessages_per_session = 1",
    )
    .await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    let full = chat.message(&json!({"id": "q2", "text": "More"}));
    assert_eq!(outcome(full).await, refused(429, "session_full", None));
    let response = chat.message(&json!({"id": "q1", "text": "Hi"})).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");

    visitor.open().await;
    visitor.open().await;
    let another = visitor.post("/widgets/test/sessions").json(&json!({}));
    // A made-up forwarding header is no way round it.
    let another = another.header("x-forwarded-for", "198.51.100.7");
    assert_eq!(outcome(another).await, refused(429, "rate_limited", None));
}

#[tokio::test]
async fn no_more_answers_at_once_than_the_server_is_allowed() {
    let server = Server::start_with("[limits]\nlive_answers = 1").await;
    server.model.will(crate::support::model::Script::Hold(vec!["x".into()]));
    let visitor = server.visitor();
    let (one, two) = (visitor.open().await, visitor.open().await);
    let _stream = one.say("q1", "Hi").await;
    let response = two.message(&json!({"id": "q1", "text": "Hi"})).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
}
