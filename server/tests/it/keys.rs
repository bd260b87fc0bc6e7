//! API keys: what they open, what they may do, and that nothing opens without one.

use super::support::owner::{ACCOUNTS, Seed};
use super::support::{Server, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Every route, the scope it needs, a body where it takes one, and what whoever has it is told.
const ROUTES: [(&str, &str, &str, Option<&str>, u16); 15] = [
    ("GET", "/keys", "keys:manage", None, 200),
    ("POST", "/keys", "keys:manage", Some(r#"{"name":"a","scopes":["keys:manage"]}"#), 201),
    ("DELETE", "/keys/key_none", "keys:manage", None, 404),
    ("GET", "/logs", "logs:read", None, 200),
    ("GET", "/logs/none", "logs:read", None, 404),
    ("POST", "/logs/none/end", "sessions:end", None, 404),
    ("DELETE", "/logs/none", "logs:delete", None, 404),
    ("GET", "/logs/export?format=csv", "exports:create", None, 200),
    ("POST", "/exports", "exports:create", Some(r#"{"format":"csv"}"#), 202),
    ("GET", "/exports", "exports:create", None, 200),
    ("GET", "/exports/none", "exports:create", None, 404),
    ("POST", "/exports/none/cancel", "exports:create", None, 404),
    ("GET", "/exports/none/file", "exports:create", None, 404),
    ("DELETE", "/exports/none", "exports:create", None, 404),
    ("GET", "/widgets", "widgets:read", None, 200),
];

const SCOPES: [&str; 8] = [
    "logs:read",
    "logs:delete",
    "exports:create",
    "keys:manage",
    "webhooks:manage",
    "sessions:end",
    "metrics:read",
    "widgets:read",
];

#[tokio::test]
async fn every_route_needs_its_scope_and_no_other() {
    let server = Server::start().await;
    let first = server.first_owner();
    for (method, path, scope, body, status) in ROUTES {
        let (_, with) = first.make_key(&[scope], None).await;
        let others: Vec<&str> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        let (_, without) = first.make_key(&others, None).await;
        for (key, expected, code) in [
            (with.as_str(), status, ""),
            (&without, 403, "forbidden"),
            ("banter_sk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 401, "unauthorized"),
            ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", 401, "unauthorized"),
            ("", 401, "unauthorized"),
        ] {
            let body = body.map(|body| serde_json::from_str(body).unwrap());
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let response = server.owner(key).ask(method.clone(), path, body).await;
            assert_eq!(response.status(), expected, "{method} {path} with {key:?}");
            if !code.is_empty() {
                let error: serde_json::Value = response.json().await.unwrap();
                assert_eq!(error["code"], code, "{method} {path}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_from_then_on() {
    let server = Server::start().await;
    let first = server.first_owner();
    let (id, secret) = first.make_key(&["logs:read"], None).await;
    let owner = server.owner(&secret);
    assert_eq!(owner.get("/logs").await.0, StatusCode::OK);
    assert_eq!(first.delete(&format!("/keys/{id}")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(owner.get("/logs").await.0, StatusCode::UNAUTHORIZED);
    server.clock.advance(1000);
    assert_eq!(first.delete(&format!("/keys/{id}")).await.0, StatusCode::NO_CONTENT);
    let (_, list) = first.get("/keys").await;
    let key = list["items"].as_array().unwrap().iter().find(|key| key["id"] == json!(id)).unwrap();
    assert_eq!(key["revokedAt"], 1_795_000_000_000_u64, "revoked once: {key}");
    assert!(!list.to_string().contains(&secret), "a secret is shown once");
}

#[tokio::test]
async fn who_revokes_the_last_key_gets_another_at_the_next_start() {
    let server = Server::start().await;
    let before = server.owner_key.clone();
    let (_, list) = server.first_owner().get("/keys").await;
    let path = format!("/keys/{}", list["items"][0]["id"].as_str().unwrap());
    assert_eq!(server.first_owner().delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(server.first_owner().get("/keys").await.0, StatusCode::UNAUTHORIZED);
    let server = server.again().await;
    assert_ne!(server.owner_key, before);
    assert_eq!(server.first_owner().get("/keys").await.0, StatusCode::OK);
    let server = server.again().await;
    assert_eq!(server.first_owner().get("/keys").await.0, StatusCode::OK, "made once");
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute() {
    let server = Server::start().await;
    let first = server.first_owner();
    for (advance, seen) in [(0, 0), (59_000, 0), (1_000, 60_000), (200_000, 260_000)] {
        server.clock.advance(advance);
        let (_, list) = first.get("/keys").await;
        assert_eq!(list["items"][0]["lastUsedAt"], 1_795_000_000_000_u64 + seen, "{list}");
    }
}

#[tokio::test]
async fn a_key_gives_no_more_than_it_has() {
    let server = Server::start_with(ACCOUNTS).await;
    let first = server.first_owner();
    let (_, secret) = first.make_key(&["keys:manage", "logs:read"], Some("acme")).await;
    let acme = server.owner(&secret);
    for (body, status, field) in [
        (json!({"name": "a", "scopes": ["logs:read"]}), 201, ""),
        (json!({"name": "a", "scopes": ["logs:read"], "account": "acme"}), 201, ""),
        (json!({"name": "a", "scopes": ["logs:read"], "account": "zeta"}), 400, "account"),
        (json!({"name": "a", "scopes": ["logs:delete"]}), 403, ""),
        (json!({"name": "a", "scopes": []}), 400, "scopes"),
        (json!({"name": " ", "scopes": ["logs:read"]}), 400, "name"),
        (json!({"name": "a\nb", "scopes": ["logs:read"]}), 400, "name"),
        (json!({"name": "é".repeat(81), "scopes": ["logs:read"]}), 400, "name"),
        (json!({"name": "a", "scopes": ["moon:fly"]}), 400, "scopes[0]"),
        (
            json!({"name": "a", "scopes": ["logs:read"], "organization": "other"}),
            400,
            "organization",
        ),
    ] {
        let (got, answer) = acme.post("/keys", body.clone()).await;
        assert_eq!(got, status, "{body}: {answer}");
        match status {
            201 => assert_eq!(answer["key"]["account"], "acme", "{body}"),
            400 => assert_eq!(answer["field"], field, "{body}: {answer}"),
            _ => assert_eq!(answer["code"], "forbidden"),
        }
    }
    let (status, answer) =
        first.post("/keys", json!({"name": "a", "scopes": ["logs:read"], "account": "none"})).await;
    assert_eq!((status.as_u16(), &answer["field"]), (400, &json!("account")));
    // It sees its account's keys and cannot touch others.
    let (_, list) = acme.get("/keys").await;
    let keys = list["items"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| key["account"] == "acme"), "{list}");
    let (_, all) = first.get("/keys").await;
    let items = all["items"].as_array().unwrap();
    let others = items.iter().find(|key| key.get("account").is_none()).unwrap();
    let path = format!("/keys/{}", others["id"].as_str().unwrap());
    assert_eq!(acme.delete(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(first.get("/keys").await.0, StatusCode::OK);
}

#[tokio::test]
async fn nobody_sees_or_changes_what_is_anothers() {
    let server = Server::start_with(ACCOUNTS).await;
    let first = server.first_owner();
    let other = server.another_organization();
    server.seed(&[
        Seed::new("plain"),
        Seed::of("acme-1", "spring", "acme"),
        Seed { status: "active", ..Seed::of("zeta-1", "autumn", "zeta") },
    ]);
    let (_, acme) = first.make_key(&SCOPES, Some("acme")).await;
    let acme = server.owner(&acme);
    let (_, own) = first.post("/exports", json!({"format": "csv"})).await;
    let own = own["id"].as_str().unwrap();
    first.finished(own).await;
    let (_, keys) = first.get("/keys").await;
    let items = keys["items"].as_array().unwrap();
    let key = items.iter().find(|key| key.get("account").is_none()).unwrap();
    let key = key["id"].as_str().unwrap();
    for (owner, logs) in [(&acme, vec!["acme-1"]), (&other, vec!["foreign"])] {
        assert_eq!(owner.ids("").await, logs);
        // Naming what is another's in a filter shows nothing of it.
        for query in ["campaign=autumn", "widget=test&campaign=autumn", "q=hello&campaign=autumn"] {
            assert_eq!(owner.ids(query).await, [""; 0], "{query}");
        }
        let (_, exports) = owner.get("/exports").await;
        assert_eq!(exports["items"], json!([]));
        for (method, path) in [
            (Method::GET, "/logs/zeta-1".to_owned()),
            (Method::GET, "/logs/plain".to_owned()),
            (Method::POST, "/logs/zeta-1/end".to_owned()),
            (Method::DELETE, "/logs/plain".to_owned()),
            (Method::GET, format!("/exports/{own}")),
            (Method::GET, format!("/exports/{own}/file")),
            (Method::POST, format!("/exports/{own}/cancel")),
            (Method::DELETE, format!("/exports/{own}")),
            (Method::DELETE, format!("/keys/{key}")),
        ] {
            let response = owner.ask(method.clone(), &path, None).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
        }
        let file = owner.ask(Method::GET, "/logs/export?format=csv", None).await;
        let file = file.text().await.unwrap();
        assert!(file.contains(logs[0]) && file.lines().count() == 2, "{file}");
        let (_, job) = owner.post("/exports", json!({"format": "csv"})).await;
        let id = job["id"].as_str().unwrap();
        assert_eq!(owner.finished(id).await["total"], 1);
        let path = format!("/exports/{id}/file");
        let made = owner.ask(Method::GET, &path, None).await.text().await.unwrap();
        assert_eq!(made, file);
        assert_eq!(owner.delete(&format!("/exports/{id}")).await.0, StatusCode::NO_CONTENT);
    }
    // Nothing of it happened.
    let mut ids = first.ids("").await;
    ids.sort();
    assert_eq!(ids, ["acme-1", "plain", "zeta-1"]);
    assert_eq!(first.get("/logs/zeta-1").await.1["log"]["status"], "active");
    assert_eq!(first.get(&format!("/exports/{own}")).await.1["state"], "done");
    assert_eq!(first.ask(Method::GET, &format!("/exports/{own}/file"), None).await.status(), 200);
}

#[tokio::test]
async fn a_key_has_so_many_requests_a_minute() {
    let server = Server::start_with("[limits]\nowner_requests_per_minute_per_key = 3").await;
    let first = server.first_owner();
    let (_, secret) = first.make_key(&["logs:read"], None).await;
    let owner = server.owner(&secret);
    for _ in 0..3 {
        assert_eq!(owner.get("/logs").await.0, StatusCode::OK);
    }
    let response = owner.ask(Method::GET, "/logs", None).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(first.get("/keys").await.0, StatusCode::OK, "others are not slowed down");
}

/// Puts keys into the database, made a millisecond after each other, revoked at `revoked_at`.
fn put_keys(server: &Server, name: &str, count: u32, revoked_at: &str) {
    server.sql(&format!(
        "INSERT INTO api_keys (digest, organization_id, created_at, id, name, scopes, revoked_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         SELECT '{name}-' || i, 'default', 1000 + i / 2, 'key_{name}_' || i, 'put', '[]',
             {revoked_at} FROM n;"
    ));
}

#[tokio::test]
async fn keys_are_listed_in_pages() {
    let server = Server::start().await;
    let owner = server.first_owner();
    put_keys(&server, "a", 230, "NULL");
    let (mut cursor, mut all, mut sizes) = (String::new(), Vec::new(), Vec::new());
    loop {
        let (status, page) = owner.get(&format!("/keys{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let items = page["items"].as_array().unwrap();
        sizes.push(items.len());
        let of = |key: &serde_json::Value| {
            (key["createdAt"].as_u64().unwrap(), key["id"].as_str().unwrap().to_owned())
        };
        all.extend(items.iter().map(of));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("?cursor={next}");
    }
    assert_eq!(sizes, [100, 100, 31]);
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    sorted.reverse();
    assert_eq!(all, sorted, "each once, the newest first");
    assert_eq!(owner.get("/keys?cursor=x").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn revoked_keys_are_forgotten_after_a_while() {
    let server = Server::start().await;
    let (day, now) = (24 * 3600 * 1000_u64, 1_795_000_000_000_u64);
    put_keys(&server, "old", 120, &(now - 91 * day).to_string());
    put_keys(&server, "young", 3, &(now - 89 * day).to_string());
    put_keys(&server, "good", 4, "NULL");
    server.app.retention.run().await.unwrap();
    // The server does the same by itself, and either passes over what the other is at.
    eventually("the old ones are gone", || server.count("api_keys") == 3 + 4 + 1).await;
}

#[tokio::test]
async fn whoever_makes_and_revokes_keys_all_day_fills_nothing() {
    let server = Server::start().await;
    let owner = server.first_owner();
    put_keys(&server, "a", 1_010, "1794000000000 + i");
    owner.make_key(&["logs:read"], None).await;
    assert_eq!(server.count("api_keys WHERE revoked_at IS NOT NULL"), 1_000);
    assert_eq!(server.count("api_keys WHERE digest IN ('a-10', 'a-11')"), 1, "the oldest go");
    let (id, _) = owner.make_key(&["logs:read"], None).await;
    assert_eq!(owner.delete(&format!("/keys/{id}")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(owner.get("/logs").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_thousand_keys_are_all_however_many_are_made_at_once() {
    let server = Server::start_with("[data]\nconnections = 20").await;
    let owner = server.first_owner();
    put_keys(&server, "a", 989, "NULL");
    let wanted = json!({"name": "test", "scopes": ["logs:read"]});
    let made = (0..60).map(|_| owner.post("/keys", wanted.clone()));
    let answers = futures_util::future::join_all(made).await;
    let made = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
    assert_eq!((made, server.count("api_keys")), (10, 1_000));
}
