//! For whoever runs the server: health, metrics, the API's description, a graceful stop.

use crate::support::model::{Script, words};
use crate::support::owner::ACCOUNTS;
use crate::support::{Server, client, eventually};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn healthy_ready_and_counting() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = client().get(server.url(path)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.text().await.unwrap().as_str()),
            (200, "ok\n")
        );
    }
    let visitor = server.visitor();
    visitor.open().await.say("q1", "Hi").await.text().await;
    let metrics = client().get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    for name in
        ["banter_sessions_total", "banter_answers_total", "banter_first_token_seconds_bucket"]
    {
        assert!(metrics.contains(name), "{name} is missing from\n{metrics}");
    }
}

#[tokio::test]
async fn a_database_that_fails_is_told_and_got_over() {
    let server = Server::start().await;
    server.model.will(Script::Say(words("At nine.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let ready = async || client().get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(ready().await.status(), 200);
    for table in ["messages", "nodes"] {
        server.execute(&format!("ALTER TABLE {table} RENAME TO away_{table}"));
    }
    // Strangers do not make it write more than once a second.
    assert_eq!(ready().await.status(), 200);
    server.clock.advance(1_000);
    let question = chat.message(&json!({"id": "q1", "text": "When?"}));
    for answer in [ready().await, question.send().await.unwrap()] {
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "2");
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["code"], &body["retryable"]), (&json!("unavailable"), &json!(true)));
    }
    for table in ["messages", "nodes"] {
        server.execute(&format!("ALTER TABLE away_{table} RENAME TO {table}"));
    }
    assert_eq!(ready().await.status(), 200);
    assert_eq!(chat.say("q1", "When?").await.finish().await.0, "At nine.");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let server = Server::start().await;
    let get = async |path: &str| client().get(server.url(path)).send().await.unwrap();
    for path in ["widgets/test", "widgets/other", "widgets/test", "nothing"] {
        get(&format!("/visitor/v1/{path}")).await;
    }
    client().put(server.url("/visitor/v1/widgets/test")).send().await.unwrap();
    let metrics = get("/metrics").await.text().await.unwrap();
    let widget = "route=\"/visitor/v1/widgets/{widget}\"";
    for line in [
        format!("banter_requests_total{{{widget},status=\"200\"}} "),
        format!("banter_requests_total{{{widget},status=\"404\"}} "),
        format!("banter_requests_total{{{widget},status=\"405\"}} "),
        "banter_requests_total{route=\"(none)\",status=\"404\"} ".to_owned(),
        format!("banter_request_seconds_count{{{widget}}} "),
    ] {
        assert!(metrics.contains(&line), "{line} is missing from\n{metrics}");
    }
}

#[tokio::test]
async fn whoever_is_elsewhere_reads_metrics_with_a_key_that_may() {
    let server = Server::start_with(ACCOUNTS).await;
    let first = server.first_owner();
    let (_, good) = first.make_key(&["metrics:read"], None).await;
    let (_, other) = first.make_key(&["logs:read"], None).await;
    let (_, bound) = first.make_key(&["metrics:read"], Some("acme")).await;
    let (id, revoked) = first.make_key(&["metrics:read"], None).await;
    for (key, status, code) in [
        (None, 401, "unauthorized"),
        (Some("banter_sk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 401, "unauthorized"),
        (Some(&*other), 403, "forbidden"),
        (Some(&*bound), 403, "forbidden"),
        (Some(&*good), 200, ""),
        (Some(&*server.owner_key), 200, ""),
        (Some(&*revoked), 200, ""),
    ] {
        assert_eq!(proxied_metrics(&server, key).await, (status, code.to_owned()), "{key:?}");
    }
    first.delete(&format!("/keys/{id}")).await;
    let refused = (401, "unauthorized".to_owned());
    assert_eq!(proxied_metrics(&server, Some(&revoked)).await, refused, "revoked");
}

/// How metrics are answered to somebody behind a proxy: the status, and the code of an error.
async fn proxied_metrics(server: &Server, key: Option<&str>) -> (u16, String) {
    let mut request = client().get(server.url("/metrics")).header("x-forwarded-for", "192.0.2.1");
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.unwrap();
    let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
    let error: Value = serde_json::from_str(&body).unwrap_or_default();
    (status, error["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_described_address_exists() {
    let server = Server::start().await;
    let document: Value =
        client().get(server.url("/openapi.json")).send().await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 25);
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let url = server.url(&path.replace(['{', '}'], ""));
            let response = client().request(method, url).send().await.unwrap();
            let body: Value = response.json().await.unwrap();
            let message = body["message"].as_str().unwrap_or_default();
            assert!(
                !message.contains("no such address") && body["code"] != "method_not_allowed",
                "{path} {body}"
            );
        }
    }
    for schema in ["ErrorBody", "StreamEvent", "History", "SessionCreated", "WidgetConfig"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
}

#[tokio::test]
async fn a_graceful_stop_lets_answers_end() {
    let mut server = Server::start().await;
    server.model.will(Script::Hold(words("To the very end.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let mut stream = chat.say("q1", "Hi").await;
    server.model.release(1);
    stream.read_until("To ").await;
    server.stop();
    eventually("it stops", || server.app.is_stopping()).await;
    assert!(client().get(server.url("/healthz")).send().await.is_err());
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.model.release(10);
    assert_eq!(stream.text().await, "the very end.");
    eventually("nothing runs", || server.app.tasks.running() == 0).await;
}

#[tokio::test]
async fn a_stop_that_takes_too_long_interrupts_and_says_so() {
    let mut server = Server::start_with("[server]\ndrain_seconds = 0").await;
    server.model.will(Script::Hold(words("Too long.")));
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let stream = chat.say("q1", "Hi").await;
    server.stop();
    let (_, error) = stream.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("answer_interrupted", true));
    eventually("nothing runs", || server.app.tasks.running() == 0).await;
}

#[tokio::test]
async fn one_address_cannot_take_every_connection() {
    let server = Server::start_with("[limits]\nconnections_per_address = 3").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(tokio::net::TcpStream::connect(server.address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(client().get(server.url("/healthz")).send().await.is_err());
    open.pop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client().get(server.url("/healthz")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_not_waited_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::start_with("[limits]\nrequest_seconds = 1").await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open");
}
