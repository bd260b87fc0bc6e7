//! What exports may take up: room in the database, memory on the way, other people's turn. And that
//! what is erased is erased from their files.

use crate::support::Server;
use crate::support::owner::{ACCOUNTS, Owner, Seed, T0};
use banter_server::domain::owner::Tenant;
use banter_server::store::Notice;
use banter_server::store::logs::{Most, Pace};
use banter_shared::ids::SessionId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Has a file made; returns the finished export.
async fn make(owner: &Owner, request: Value) -> Value {
    let (status, job) = owner.post("/exports", request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    owner.finished(job["id"].as_str().unwrap()).await
}

fn path(export: &Value) -> String {
    format!("/exports/{}", export["id"].as_str().unwrap())
}

/// A log of about so many KiB.
fn large(id: &str, kib: usize) -> Seed {
    Seed { said: vec!["x".repeat(1024); kib], ..Seed::new(id) }
}

#[tokio::test]
async fn the_oldest_files_give_way_and_what_is_too_large_by_itself_is_not_made() {
    let server = Server::start_with(&format!("{ACCOUNTS}\n[limits]\nexport_mib = 1")).await;
    let owner = server.first_owner();
    server.seed(&[large("a", 600), Seed { created_at: T0 + 5, ..large("b", 600) }]);
    server.seed(&[Seed { campaign: Some("autumn"), account: Some("zeta"), ..large("z", 600) }]);
    let (_, zeta) = owner.make_key(&["exports:create"], Some("zeta")).await;
    let zeta = server.owner(&zeta);
    let theirs = make(&zeta, json!({"format": "txt"})).await;
    let request = json!({"format": "txt", "filters": {"from": T0 + 1}});
    let mut made = Vec::new();
    for _ in 0..3 {
        server.clock.advance(1);
        made.push(make(&owner, request.clone()).await);
    }
    let whole = make(&owner, json!({"format": "txt"})).await;
    assert_eq!(whole["state"], "failed", "{whole}");
    assert!(whole["error"].to_string().contains("larger than 1 MiB"), "{whole}");
    let chunks = |export: &Value| {
        server.count(&format!("export_chunks WHERE export_id = {}", export["id"]).replace('"', "'"))
    };
    assert_eq!(chunks(&whole), 0, "nobody can fetch a part of it");
    for old in &made[..2] {
        assert_eq!(owner.get(&path(old)).await.0, StatusCode::NOT_FOUND);
        assert_eq!(chunks(old), 0);
    }
    // What is an account's is not counted with it, and stays.
    let file = zeta.ask(Method::GET, &format!("{}/file", path(&theirs)), None).await;
    assert_eq!(file.status(), StatusCode::OK);
}

#[tokio::test]
async fn there_are_only_so_many_files() {
    let server = Server::start().await;
    let owner = server.first_owner();
    server.sql(
        "INSERT INTO exports (id, organization_id, request, state, file_name, created_at,
             finished_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         SELECT 'exp_' || i, 'default', '{\"format\":\"csv\"}', 'done', 'a.csv',
             1794999999000 + i, 1794999999000 + i FROM n;",
    );
    make(&owner, json!({"format": "csv"})).await;
    assert_eq!(server.count("exports"), 100);
    assert_eq!(owner.get("/exports/exp_120").await.0, StatusCode::OK);
    assert_eq!(owner.get("/exports/exp_21").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_account_s_jobs_and_slow_readers_take_nobody_elses_turn() {
    let server = Server::start_with(ACCOUNTS).await;
    let first = server.first_owner();
    // More than any buffer on the way, so that a reader that does not read is waited for.
    let seed = |id: &str, campaign, account| Seed {
        said: vec!["x".repeat(200_000); 100],
        ..Seed::of(id, campaign, account)
    };
    server.seed(&[seed("a", "spring", "acme"), seed("z", "autumn", "zeta")]);
    let (_, acme) = first.make_key(&["exports:create"], Some("acme")).await;
    let (_, zeta) = first.make_key(&["exports:create"], Some("zeta")).await;
    let (acme, zeta) = (server.owner(&acme), server.owner(&zeta));
    let direct = "/logs/export?format=jsonl";
    let slow =
        [acme.ask(Method::GET, direct, None).await, acme.ask(Method::GET, direct, None).await];
    assert!(slow.iter().all(|response| response.status() == StatusCode::OK));
    let (status, error) = acme.get(direct).await;
    assert_eq!((status.as_u16(), &error["code"]), (429, &json!("rate_limited")));
    for other in [&zeta, &first] {
        let response = other.ask(Method::GET, direct, None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.bytes().await.unwrap().len() > 20_000_000);
    }
    drop(slow);
    // Each of these takes a while, and one is made after the other.
    for _ in 0..20 {
        let (status, job) = acme.post("/exports", json!({"format": "jsonl"})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    }
    server.clock.advance(1);
    for other in [&zeta, &first] {
        assert_eq!(make(other, json!({"format": "csv"})).await["state"], "done");
    }
    let waiting = server.count("exports WHERE account_id = 'acme' AND state = 'queued'");
    assert!(waiting >= 14, "{waiting}");
}

#[tokio::test]
async fn twenty_wait_however_many_are_asked_for_at_once() {
    let server = Server::start_with("[data]\nconnections = 20").await;
    // Nobody makes any.
    server.app.tasks.stop();
    let owner = server.first_owner();
    let asked = (0..60).map(|_| owner.post("/exports", json!({"format": "csv"})));
    let answers = futures_util::future::join_all(asked).await;
    let accepted = answers.iter().filter(|(status, _)| *status == StatusCode::ACCEPTED).count();
    assert_eq!((accepted, server.count("exports")), (20, 20));
    for (status, error) in answers.iter().filter(|(status, _)| *status != StatusCode::ACCEPTED) {
        assert_eq!((status.as_u16(), &error["code"]), (429, &json!("rate_limited")), "{error}");
    }
}

#[tokio::test]
async fn large_messages_are_read_a_few_at_a_time_and_none_is_lost() {
    let server = Server::start().await;
    let owner = server.first_owner();
    let sizes = [300_000, 10, 100_000, 100_000, 100_000, 10, 262_144, 262_144, 5];
    let said: Vec<String> = sizes.iter().map(|size| "é".repeat(size / 2)).collect();
    server.seed(&[Seed { said, ..Seed::new("a") }, large("b", 120)]);
    let (id, most) = (SessionId("a".into()), Most { messages: 50, bytes: 256 * 1024 });
    let tenant = Tenant { organization: "default".into(), account: None };
    let (mut after, mut pages) = (i64::MIN, Vec::new());
    loop {
        let store = &server.app.store;
        let said = store.log_messages(&tenant, &id, after, most, Pace::Job).await.unwrap();
        after = said.last;
        pages.push(said.messages.iter().map(|message| message.text.len()).collect::<Vec<_>>());
        if !said.more {
            break;
        }
    }
    let expected: [&[usize]; 4] =
        [&[300_000], &[10, 100_000, 100_000, 100_000], &[10, 262_144], &[262_144]];
    assert_eq!(pages[..4], expected);
    assert_eq!(pages[4..].concat(), [4]);
    let file = owner.ask(Method::GET, "/logs/export?format=jsonl", None).await;
    let file = file.text().await.unwrap();
    let counts: Vec<usize> = file
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["messages"].as_array().unwrap().len()
        })
        .collect();
    assert_eq!(counts, [9, 120]);
}

/// Every piece of every file there is.
async fn pieces(server: &Server, ids: &[&Value]) -> Vec<u8> {
    let mut all = Vec::new();
    for id in ids {
        let id = id["id"].as_str().unwrap();
        for number in 0.. {
            let Some(piece) = server.app.store.export_chunk(id, number).await.unwrap() else {
                break;
            };
            all.extend(piece);
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn what_is_erased_is_in_no_file_any_more() {
    let server = Server::start_with(ACCOUNTS).await;
    let owner = server.first_owner();
    let (_, acme) = owner.make_key(&["exports:create"], Some("acme")).await;
    let (_, zeta) = owner.make_key(&["exports:create"], Some("zeta")).await;
    let (acme, zeta) = (server.owner(&acme), server.owner(&zeta));
    let secret = "The secret of Ann";
    server.seed(&[
        Seed { said: vec![secret.into()], ..Seed::of("ann", "spring", "acme") },
        Seed::of("bob", "spring", "acme"),
        Seed::of("zoe", "autumn", "zeta"),
    ]);
    let jsonl = json!({"format": "jsonl"});
    let (whole, own, others) = (
        make(&owner, jsonl.clone()).await,
        make(&acme, jsonl.clone()).await,
        make(&zeta, jsonl.clone()).await,
    );
    assert!(holds(&pieces(&server, &[&whole]).await, secret));
    assert!(holds(&pieces(&server, &[&own]).await, secret));
    // And one that another server is at; and one from before there was an Ann.
    server.sql(&format!(
        "INSERT INTO exports (id, organization_id, request, state, file_name, created_at, locked_by,
             locked_until)
         VALUES ('exp_running', 'default', '{{\"format\":\"jsonl\"}}', 'running', 'a.jsonl',
             1795000000000, 'another server', 1799000000000);
         INSERT INTO exports (id, organization_id, request, state, file_name, created_at, finished_at)
         VALUES ('exp_before', 'default', '{{\"format\":\"jsonl\"}}', 'done', 'a.jsonl', {before},
             1795000000000);",
        before = T0 - 1
    ));
    let lease = banter_server::store::exports::Lease {
        export: "exp_running".into(),
        holder: "another server".into(),
        until: 1_799_000_000_000,
    };
    let store = &server.app.store;
    assert!(store.append_export(lease.clone(), 0, secret.as_bytes().to_vec()).await.unwrap());

    assert_eq!(owner.delete("/logs/ann").await.0, StatusCode::NO_CONTENT);
    for (owner, export) in [(&owner, &whole), (&acme, &own)] {
        assert_eq!(owner.get(&path(export)).await.0, StatusCode::NOT_FOUND);
    }
    assert!(!store.append_export(lease, 1, b"more".to_vec()).await.unwrap(), "it lost its lease");
    server.app.store.notify(Notice::Export).await.unwrap();
    let again = owner.finished("exp_running").await;
    assert_eq!((&again["state"], &again["done"]), (&json!("done"), &json!(2)), "made anew");
    let left = pieces(&server, &[&whole, &own, &others, &again]).await;
    assert!(holds(&left, "bob") && !holds(&left, secret));
    assert_eq!(server.count("export_chunks"), 2, "zeta's, and the one that was made anew");
    assert_eq!(zeta.get(&path(&others)).await.1["state"], "done");
    assert_eq!(owner.get("/exports/exp_before").await.1["state"], "done");
}

#[tokio::test]
async fn a_file_is_kept_no_longer_than_any_log() {
    let server = Server::start_with(&format!("{ACCOUNTS}\n[retention]\ndays = 30")).await;
    let owner = server.first_owner();
    let export = make(&owner, json!({"format": "csv"})).await;
    // Autumn's logs are kept for two days.
    let day = 24 * 3600 * 1000;
    server.clock.advance(2 * day - 1000);
    server.app.retention.run().await.unwrap();
    assert_eq!(owner.get(&path(&export)).await.0, StatusCode::OK);
    server.clock.advance(2000);
    server.app.retention.run().await.unwrap();
    assert_eq!(owner.get(&path(&export)).await.0, StatusCode::NOT_FOUND);
}
