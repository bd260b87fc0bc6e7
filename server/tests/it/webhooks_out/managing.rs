//! Who may set webhooks up, to where, and that their secrets stay secret.

use super::{HOUR, LOCAL, Owner, advance, client, eventually};
use crate::support::Server;
use crate::support::database;
use crate::support::receiver::Receiver;
use banter_server::clock::Clock as _;
use banter_server::domain::signature::SigningSecret;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;

#[tokio::test]
async fn only_with_a_key() {
    let server = Server::start_with(LOCAL).await;
    let (path, _) = Owner(&server).create("https://hooks.example/", &["session.ended"]).await;
    for (method, rest) in [
        (Method::GET, String::new()),
        (Method::POST, String::new()),
        (Method::GET, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/rotate-secret")),
        (Method::POST, format!("{path}/test")),
        (Method::GET, format!("{path}/deliveries")),
        (Method::POST, format!("{path}/deliveries/msg_1/replay")),
        (Method::POST, format!("{path}/replay?since=0")),
    ] {
        let url = server.url(&format!("/api/v1/webhooks{rest}"));
        let request = || client().request(method.clone(), &url).json(&json!({}));
        for request in [request(), request().bearer_auth("banter_sk_wrong")] {
            assert_eq!(request.send().await.unwrap().status(), 401, "{method} {rest}");
        }
        // With the key, but of something that is not there.
        if rest.starts_with(&path) {
            let missing = rest.replace(&path, "/we_missing");
            let request = Owner(&server).ask(method.clone(), &missing).json(&json!({}));
            assert_eq!(request.send().await.unwrap().status(), 404, "{method} {rest}");
        }
    }
    assert!(Owner(&server).webhook(&path).await.enabled);
    let delivery = format!("{path}/deliveries/msg_missing/replay");
    assert_eq!(Owner(&server).post(&delivery).await.status(), 404);
}

#[tokio::test]
async fn only_to_the_open_internet() {
    let server = Server::start().await;
    let owner = Owner(&server);
    let (path, _) = owner.create("https://hooks.example/", &["session.ended"]).await;
    let inside = server.url("/");
    for url in [
        inside.as_str(),
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "https://user:pass@hooks.example/",
        "hooks.example",
    ] {
        let create = json!({ "url": url, "events": ["session.ended"] });
        let created = owner.ask(Method::POST, "").json(&create).send().await.unwrap();
        for response in [created, owner.update(&path, &json!({ "url": url })).await] {
            assert_eq!(response.status(), 400, "{url}");
            let error: Value = response.json().await.unwrap();
            assert_eq!(error["field"], "url", "{url} {error}");
        }
    }
    assert_eq!(owner.webhook(&path).await.url, "https://hooks.example/");
    for events in [json!([]), json!(["session.exploded"]), json!("session.ended"), json!(null)] {
        let create = json!({ "url": "https://hooks.example/", "events": events });
        let response = owner.ask(Method::POST, "").json(&create).send().await.unwrap();
        let error: Value = response.json().await.unwrap();
        assert!(error["field"].as_str().unwrap().starts_with("events"), "{error}");
    }
}

#[tokio::test]
async fn made_changed_listed_deleted() {
    let server = Server::start().await;
    let owner = Owner(&server);
    let events = ["session.ended", "session.started", "session.ended"];
    let (path, secret) = owner.create("https://hooks.example/a", &events).await;
    assert!(SigningSecret::parse(&secret).is_some(), "{secret}");
    server.clock.advance(1);
    let (other, _) = owner.create("https://hooks.example/b", &["message.created"]).await;
    let change = json!({ "url": "https://hooks.example/c", "events": ["usage.recorded"] });
    assert_eq!(owner.update(&path, &change).await.status(), 200);
    assert_eq!(owner.update(&other, &json!({ "enabled": false })).await.status(), 200);
    let list: Value = owner.ask(Method::GET, "").send().await.unwrap().json().await.unwrap();
    assert_eq!(
        list["items"],
        json!([
            {
                "id": path[1..], "url": "https://hooks.example/c", "events": ["usage.recorded"],
                "enabled": true, "createdAt": 1_795_000_000_000_u64,
            },
            {
                "id": other[1..], "url": "https://hooks.example/b", "events": ["message.created"],
                "enabled": false, "createdAt": 1_795_000_000_001_u64,
                "disabledAt": 1_795_000_000_001_u64, "disabledReason": "owner",
            },
        ])
    );
    assert_eq!(owner.update(&path, &json!({ "secret": "mine" })).await.status(), 400);
    let deleted = owner.ask(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let again = owner.ask(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(again.status(), 404);
    for _ in 0..49 {
        owner.create("https://hooks.example/", &["session.ended"]).await;
    }
    let create = json!({ "url": "https://hooks.example/", "events": ["session.ended"] });
    let response = owner.ask(Method::POST, "").json(&create).send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn a_replaced_secret_signs_for_another_day() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, old) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    let rotated: Value = owner.post(&format!("{path}/rotate-secret")).await.json().await.unwrap();
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(old, new);
    let until = rotated["webhook"]["previousSecretUntil"].as_u64().unwrap();
    assert_eq!(until, server.clock.now_ms() + 24 * HOUR);
    owner.ping(&path).await;
    eventually("it arrives", || receiver.count() == 1).await;
    let got = &receiver.got()[0];
    let now = server.clock.now_ms();
    assert!(got.is_genuine(&old, now) && got.is_genuine(new, now));
    advance(&server, 24 * HOUR).await;
    owner.ping(&path).await;
    eventually("it arrives", || receiver.count() == 2).await;
    let got = &receiver.got()[1];
    let now = server.clock.now_ms();
    assert!(!got.is_genuine(&old, now) && got.is_genuine(new, now));
    assert_eq!(owner.webhook(&path).await.previous_secret_until, None);
}

#[tokio::test]
async fn secrets_are_shown_once_and_kept_in_no_file() {
    let server = Server::start_with(LOCAL).await;
    let (owner, receiver) = (Owner(&server), Receiver::start().await);
    let (path, secret) = owner.create(&receiver.url("/"), &["session.ended"]).await;
    let rotated: Value = owner.post(&format!("{path}/rotate-secret")).await.json().await.unwrap();
    let secrets = [secret.as_str(), rotated["secret"].as_str().unwrap()];
    owner.ping(&path).await;
    eventually("it arrives", || receiver.count() == 1).await;
    let mut said = String::new();
    for rest in [String::new(), path.clone(), format!("{path}/deliveries")] {
        said += &owner.ask(Method::GET, &rest).send().await.unwrap().text().await.unwrap();
    }
    said += &owner.update(&path, &json!({ "enabled": true })).await.text().await.unwrap();
    let files = files(server.data.path());
    // What is stored can be found this way, if it is stored here.
    assert!(holds(&files, &path.as_bytes()[1..]) || database::is_shared());
    for secret in secrets {
        use base64::Engine as _;
        let text = secret.strip_prefix("whsec_").unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        assert!(!said.contains(text));
        assert!(!holds(&files, text.as_bytes()) && !holds(&files, &bytes));
    }
}

fn holds(files: &[u8], part: &[u8]) -> bool {
    files.windows(part.len()).any(|window| window == part)
}

/// Every file under `folder`, one after the other.
fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.extend(std::fs::read(&path).unwrap());
        }
    }
    all
}
