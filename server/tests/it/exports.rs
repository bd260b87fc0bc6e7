//! Exports: each format through the front door, at once and as a job; jobs that are taken over, called
//! off, not permitted.

use super::support::Server;
use super::support::owner::{ACCOUNTS, Owner, Seed, T0};
use banter_server::domain::owner::Tenant;
use banter_server::store::exports::Lease;
use calamine::{Reader as _, Xlsx};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::Cursor;

const FORMATS: [(&str, &str, &str); 7] = [
    ("csv", "csv", "text/csv"),
    ("csv_messages", "csv", "text/csv"),
    ("json", "json", "application/json"),
    ("jsonl", "jsonl", "application/x-ndjson"),
    ("xlsx", "xlsx", "application/vnd.openxmlformats"),
    ("html", "html", "text/html"),
    ("txt", "txt", "text/plain"),
];

/// A file and what is said about it.
async fn fetch(owner: &Owner, path: &str, extension: &str, media: &str) -> Vec<u8> {
    let response = owner.ask(Method::GET, path, None).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with(media), "{path}: {}", header("content-type"));
    let disposition = header("content-disposition");
    assert!(
        disposition.starts_with("attachment; filename=\"banter-")
            && disposition.ends_with(&format!(".{extension}\"")),
        "{disposition}"
    );
    assert_eq!(header("cache-control"), "no-store");
    response.bytes().await.unwrap().to_vec()
}

/// How many messages a file holds, read by whatever reads such files.
fn messages_in(format: &str, file: &[u8]) -> usize {
    let text = || std::str::from_utf8(file).unwrap().trim_start_matches('\u{feff}').to_owned();
    let of = |log: &Value| log["messages"].as_array().unwrap().len();
    match format {
        "csv_messages" => csv::Reader::from_reader(file).records().map(Result::unwrap).count(),
        "json" => serde_json::from_str::<Vec<Value>>(&text()).unwrap().iter().map(of).sum(),
        "jsonl" => text().lines().map(|line| of(&serde_json::from_str(line).unwrap())).sum(),
        "xlsx" => {
            let mut book = Xlsx::new(Cursor::new(file)).unwrap();
            book.worksheet_range("Messages").unwrap().height() - 1
        }
        "html" => text().matches("<section").count(),
        "txt" => text().lines().filter(|line| line.starts_with('[')).count(),
        _ => panic!("{format}"),
    }
}

#[tokio::test]
async fn every_format_is_whole_at_once_and_as_a_job() {
    let server = Server::start().await;
    let owner = server.first_owner();
    // More than one page of logs, and one log with more than one page of messages.
    let mut seeds: Vec<Seed> = (0..130)
        .map(|n| Seed {
            created_at: T0 + n,
            said: vec![format!("=Question {n}"), format!("=More {n}")],
            ..Seed::new(&format!("s{n}"))
        })
        .collect();
    seeds[7].said = (0..170).map(|n| format!("Long talk {n}")).collect();
    let messages = 129 * 2 + 170;
    server.seed(&seeds);
    for (format, extension, media) in FORMATS {
        server.clock.advance(1);
        let path = format!("/logs/export?format={format}&bom=true&timeZone=Asia/Kathmandu");
        let direct = fetch(&owner, &path, extension, media).await;
        let (status, job) = owner
            .post(
                "/exports",
                json!({"format": format, "timeZone": "Asia/Kathmandu", "bom": true, "filters": {}}),
            )
            .await;
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
        let job = owner.finished(job["id"].as_str().unwrap()).await;
        assert_eq!(job["state"], "done", "{job}");
        assert_eq!((&job["done"], &job["total"]), (&json!(130), &json!(130)), "{job}");
        let path = format!("/exports/{}/file", job["id"].as_str().unwrap());
        let file = fetch(&owner, &path, extension, media).await;
        assert_eq!(file.len() as u64, job["bytes"].as_u64().unwrap());
        if format != "xlsx" {
            // A book says when it was made.
            assert_eq!(file, direct, "{format}");
        }
        for file in [&file, &direct] {
            match format {
                "csv" => {
                    let rows = csv::Reader::from_reader(file.as_slice()).records().count();
                    assert_eq!(rows, 130);
                }
                _ => assert_eq!(messages_in(format, file), messages, "{format}"),
            }
            let marked = file.starts_with(b"\xef\xbb\xbf");
            let text = !["json", "jsonl", "xlsx"].contains(&format);
            assert_eq!(marked, text, "{format}");
        }
        if text_format(format) {
            let text = String::from_utf8(file).unwrap();
            // 11:06:40 UTC, in a zone of +05:45.
            assert!(text.contains("16:51:40"), "{format}");
        }
    }
    let (_, list) = owner.get("/exports").await;
    assert_eq!(list["items"].as_array().unwrap().len(), FORMATS.len());
    assert_eq!(list["items"][0]["request"]["format"], "txt", "the newest first");
    let id = list["items"][0]["id"].as_str().unwrap();
    assert_eq!(owner.delete(&format!("/exports/{id}")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(owner.get(&format!("/exports/{id}/file")).await.0, StatusCode::NOT_FOUND);
}

fn text_format(format: &str) -> bool {
    ["csv", "csv_messages", "html", "txt"].contains(&format)
}

#[tokio::test]
async fn filters_are_those_of_the_list() {
    let server = Server::start_with(ACCOUNTS).await;
    let owner = server.first_owner();
    server.seed(&[
        Seed { said: vec!["Apples".into()], ..Seed::of("a", "spring", "acme") },
        Seed { created_at: T0 + 1000, ..Seed::of("b", "spring", "acme") },
        Seed { created_at: T0 + 2000, status: "active", ..Seed::new("c") },
    ]);
    for (query, body, ids) in [
        ("q=apples", json!({"q": "apples"}), "a"),
        ("campaign=spring&order", json!({"campaign": "spring"}), "ab"),
        ("status=active", json!({"status": "active"}), "c"),
        ("from=FROM", json!({"from": T0 + 1000}), "bc"),
    ] {
        let query = query.replace("&order", "").replace("FROM", &(T0 + 1000).to_string());
        let (_, job) = owner.post("/exports", json!({"format": "jsonl", "filters": body})).await;
        let job = owner.finished(job["id"].as_str().unwrap()).await;
        let path = format!("/exports/{}/file", job["id"].as_str().unwrap());
        for path in [path, format!("/logs/export?format=jsonl&{query}")] {
            let file = fetch(&owner, &path, "jsonl", "application/x-ndjson").await;
            let file = String::from_utf8(file).unwrap();
            let got: String = file
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
                .collect();
            assert_eq!(got.replace('"', ""), ids, "{path}");
        }
    }
}

#[tokio::test]
async fn a_bad_request_is_refused_by_its_field() {
    let server = Server::start().await;
    let owner = server.first_owner();
    for (body, field) in [
        (json!({"format": "pdf"}), "format"),
        (json!({}), ""),
        (json!({"format": "csv", "timeZone": "Mars/Olympus"}), "timeZone"),
        (json!({"format": "csv", "timeZone": "../../etc/passwd"}), "timeZone"),
        (json!({"format": "csv", "filters": {"from": "yesterday"}}), "filters.from"),
        (json!({"format": "csv", "filters": {"status": "dreaming"}}), "filters.status"),
        (json!({"format": "csv", "filters": {"account": "zeta"}}), "filters.account"),
        (json!({"format": "csv", "account": "zeta"}), "account"),
    ] {
        let (status, error) = owner.post("/exports", body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {error}");
        assert_eq!(error["field"].as_str().unwrap_or_default(), field, "{body}: {error}");
    }
    for (query, field) in [
        ("", "format"),
        ("format=pdf", "format"),
        ("format=csv&timeZone=x", "timeZone"),
        ("format=csv&from=x", "from"),
        ("format=csv&bom=1", "bom"),
        ("format=csv&limit=1", "limit"),
    ] {
        let (status, error) = owner.get(&format!("/logs/export?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {error}");
        assert_eq!(error["field"], field, "{query}: {error}");
    }
}

#[tokio::test]
async fn an_account_exports_in_the_formats_it_is_allowed() {
    let server = Server::start_with(ACCOUNTS).await;
    let first = server.first_owner();
    let (_, acme) = first.make_key(&["exports:create"], Some("acme")).await;
    let (_, zeta) = first.make_key(&["exports:create"], Some("zeta")).await;
    let (acme, zeta) = (server.owner(&acme), server.owner(&zeta));
    for (format, _, _) in FORMATS {
        let allowed = ["csv", "jsonl"].contains(&format);
        let (status, answer) = acme.post("/exports", json!({"format": format})).await;
        let direct = acme.ask(Method::GET, &format!("/logs/export?format={format}"), None).await;
        if allowed {
            assert_eq!((status.as_u16(), direct.status().as_u16()), (202, 200), "{format}");
        } else {
            assert_eq!((status.as_u16(), direct.status().as_u16()), (403, 403), "{format}");
            assert_eq!(answer["code"], "forbidden", "{answer}");
        }
        let (status, answer) = zeta.post("/exports", json!({"format": format})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    }
    // A permission that is taken away closes files that are there already.
    let (_, list) = acme.get("/exports").await;
    let id = list["items"][0]["id"].as_str().unwrap();
    acme.finished(id).await;
    let path = format!("/exports/{id}/file");
    assert_eq!(acme.ask(Method::GET, &path, None).await.status(), 200);
    server.sql("UPDATE accounts SET permissions = '{\"exports\":[]}' WHERE id = 'acme'");
    assert_eq!(acme.ask(Method::GET, &path, None).await.status(), 403);
}

/// An export that a server claimed and then died, with a part of its file.
fn abandoned(server: &Server, id: &str, locked_until: u64) {
    server.sql(&format!(
        "INSERT INTO exports (id, organization_id, request, state, total, done, bytes, file_name,
             created_at, locked_by, locked_until)
         VALUES ('{id}', 'default', '{{\"format\":\"csv\"}}', 'running', 9, 4, 3, 'banter-logs.csv',
             1795000000000, 'a dead server', {locked_until});"
    ));
}

#[tokio::test]
async fn a_dead_server_s_export_is_taken_over_and_made_anew() {
    let server = Server::start().await;
    let owner = server.first_owner();
    server.seed(&[Seed::new("a"), Seed::new("b")]);
    abandoned(&server, "exp_dead", 1_795_000_060_000);
    server.app.store.notify(banter_server::store::Notice::Export).await.unwrap();
    assert!(!server.app.exports.work_once().await.unwrap(), "its lease is not over");
    let (_, export) = owner.get("/exports/exp_dead").await;
    assert_eq!((&export["state"], &export["done"]), (&json!("running"), &json!(4)));
    server.clock.advance(60_001);
    server.app.store.notify(banter_server::store::Notice::Export).await.unwrap();
    let export = owner.finished("exp_dead").await;
    assert_eq!((&export["state"], &export["done"]), (&json!("done"), &json!(2)), "{export}");
    let file = fetch(&owner, "/exports/exp_dead/file", "csv", "text/csv").await;
    assert_eq!(csv::Reader::from_reader(file.as_slice()).records().count(), 2);
    assert_eq!(file.len() as u64, export["bytes"].as_u64().unwrap(), "nothing of the dead one's");
}

#[tokio::test]
async fn whoever_lost_an_export_can_write_nothing_more() {
    let server = Server::start().await;
    let owner = server.first_owner();
    let store = &server.app.store;
    abandoned(&server, "exp_1", 1_795_000_060_000);
    let lease = || Lease {
        export: "exp_1".into(),
        holder: "a dead server".into(),
        until: 1_795_000_060_000,
    };
    // Not dead after all.
    assert!(store.export_progress(lease(), 9, 5).await.unwrap());
    assert!(store.append_export(lease(), 0, b"abc".to_vec()).await.unwrap());
    let (status, error) = owner.get("/exports/exp_1/file").await;
    assert_eq!((status.as_u16(), &error["code"]), (409, &json!("export_not_ready")));

    let (status, export) = owner.post("/exports/exp_1/cancel", json!({})).await;
    assert_eq!((status.as_u16(), &export["state"]), (200, &json!("cancelled")));
    assert!(!store.export_progress(lease(), 9, 6).await.unwrap());
    assert!(!store.append_export(lease(), 1, b"def".to_vec()).await.unwrap());
    assert!(!store.finish_export(lease(), 1, None).await.unwrap());
    let (_, export) = owner.get("/exports/exp_1").await;
    assert_eq!((&export["state"], &export["done"]), (&json!("cancelled"), &json!(5)));
    assert!(!server.app.exports.work_once().await.unwrap(), "nobody begins it again");
    let (_, again) = owner.post("/exports/exp_1/cancel", json!({})).await;
    assert_eq!(again["finishedAt"], export["finishedAt"]);

    // Deleted: gone with its pieces, also for whoever believes to hold it.
    assert_eq!(owner.delete("/exports/exp_1").await.0, StatusCode::NO_CONTENT);
    assert!(!store.append_export(lease(), 2, b"ghi".to_vec()).await.unwrap());
    assert_eq!(store.export_chunk("exp_1", 0).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_workers_one_gets_each_export() {
    let server = Server::start().await;
    let store = server.app.store.clone();
    for n in 0..10 {
        abandoned(&server, &format!("exp_{n}"), 1);
    }
    let claim = |holder: String| {
        let store = store.clone();
        async move { store.claim_export(&holder, 2, u64::MAX >> 2).await.unwrap() }
    };
    let mut claimed = Vec::new();
    for round in 0..10 {
        let (a, b) = tokio::join!(claim(format!("a{round}")), claim(format!("b{round}")));
        claimed.extend([a, b].into_iter().flatten().map(|export| export.id));
    }
    // The server's own worker has taken the others; each has exactly one holder.
    let owner = server.first_owner();
    let mut made = Vec::new();
    for n in 0..10 {
        let id = format!("exp_{n}");
        if !claimed.contains(&id) {
            assert_eq!(owner.finished(&id).await["state"], "done");
            made.push(id);
        }
    }
    let mut all: Vec<String> = claimed.into_iter().chain(made).collect();
    all.sort();
    assert_eq!(all, (0..10).map(|n| format!("exp_{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_is_not_whole_never_looks_so() {
    let server = Server::start().await;
    let owner = server.first_owner();
    // Enough before the broken one that a part of the file is on its way.
    let seeds: Vec<Seed> = (0..150)
        .map(|n| Seed {
            created_at: T0 + n,
            said: vec!["x".repeat(4000)],
            ..Seed::new(&format!("s{n}"))
        })
        .collect();
    server.seed(&seeds);
    server.sql("UPDATE messages SET sources = 'broken' WHERE session_id = 's149'");
    for format in ["csv_messages", "json", "xlsx"] {
        let response = owner.ask(Method::GET, &format!("/logs/export?format={format}"), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.bytes().await.is_err(), "{format}");
        let (_, job) = owner.post("/exports", json!({"format": format})).await;
        let job = owner.finished(job["id"].as_str().unwrap()).await;
        assert_eq!(job["state"], "failed", "{job}");
        assert!(!job["error"].to_string().contains("broken"), "{job}");
        let path = format!("/exports/{}/file", job["id"].as_str().unwrap());
        assert_eq!(owner.get(&path).await.0, StatusCode::CONFLICT);
    }
    // Whoever goes away in the middle stops the work.
    server.sql("UPDATE messages SET sources = '[]'");
    let mut response = owner.ask(Method::GET, "/logs/export?format=html", None).await;
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    for _ in 0..5 {
        // A seat that was not given back would be missed by the fifth at the latest.
        let whole = owner.ask(Method::GET, "/logs/export?format=html", None).await;
        assert!(whole.bytes().await.unwrap().ends_with(b"</html>\n"));
    }
}

#[tokio::test]
async fn an_export_is_not_tried_for_ever() {
    let server = Server::start().await;
    let owner = server.first_owner();
    abandoned(&server, "exp_old", 1_799_000_000_000);
    server.sql("UPDATE exports SET created_at = 1, locked_until = 1");
    server.app.store.notify(banter_server::store::Notice::Export).await.unwrap();
    let export = owner.finished("exp_old").await;
    assert!(
        export["state"] == "failed" && export["error"].to_string().contains("within a day"),
        "{export}"
    );
}

#[tokio::test]
async fn exports_are_bounded() {
    let server = Server::start().await;
    let owner = server.first_owner();
    for n in 0..20 {
        abandoned(&server, &format!("exp_{n}"), 1_799_000_000_000);
    }
    let (status, error) = owner.post("/exports", json!({"format": "csv"})).await;
    assert_eq!((status.as_u16(), &error["code"]), (429, &json!("rate_limited")), "{error}");
    server.sql(
        "INSERT INTO sessions (id, widget_id, channel, status, created_at, last_activity_at,
             expires_at, ended_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
         SELECT 'many-' || i, 'test', 'chat', 'ended', 5, 5, 5, 5 FROM n;",
    );
    let (status, error) = owner.get("/logs/export?format=csv").await;
    assert_eq!((status.as_u16(), &error["code"]), (413, &json!("too_large")), "{error}");
    let fewer = owner.ask(Method::GET, "/logs/export?format=csv&to=5", None).await;
    assert_eq!(fewer.status(), StatusCode::OK);
}

#[tokio::test]
async fn files_are_kept_for_a_week() {
    let server = Server::start().await;
    let owner = server.first_owner();
    let (_, job) = owner.post("/exports", json!({"format": "html"})).await;
    let id = job["id"].as_str().unwrap();
    owner.finished(id).await;
    let day = 24 * 3600 * 1000;
    server.clock.advance(6 * day);
    server.app.retention.run().await.unwrap();
    assert_eq!(owner.get(&format!("/exports/{id}")).await.0, StatusCode::OK);
    server.clock.advance(day + 1);
    server.app.retention.run().await.unwrap();
    assert_eq!(owner.get(&format!("/exports/{id}")).await.0, StatusCode::NOT_FOUND);
    let tenant = Tenant { organization: "default".into(), account: None };
    assert_eq!(server.app.store.export(&tenant, id).await.unwrap(), None);
    assert_eq!(server.app.store.export_chunk(id, 0).await.unwrap(), None);
}
