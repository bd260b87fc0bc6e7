//! Owners' searches that take too long: they end in time, and nobody else waits for them.

use crate::support::Server;
use crate::support::owner::{ACCOUNTS, Owner, Seed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A server on which every list of logs takes for ever: the ledger has become a view without an end.
async fn endless(search_ms: u32) -> Server {
    let server = Server::start_with(&format!("[limits]\nsearch_ms = {search_ms}")).await;
    server.seed(&[Seed { billed: Some(true), ..Seed::new("a") }, Seed::new("b")]);
    server.sql(
        "ALTER TABLE usage_records RENAME TO ledger;
         CREATE VIEW usage_records AS
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i % 1000 + 1 FROM n)
         SELECT ledger.* FROM ledger CROSS JOIN n WHERE n.i < 0;",
    );
    server
}

/// Has an end again.
fn heal(server: &Server) {
    server.sql("DROP VIEW usage_records; ALTER TABLE ledger RENAME TO usage_records;");
}

fn is_timeout((status, error): &(StatusCode, Value)) -> bool {
    let expected = (503, &json!("search_timeout"), &json!(true));
    (status.as_u16(), &error["code"], &error["retryable"]) == expected
}

#[tokio::test]
async fn a_search_that_takes_too_long_ends_and_no_visitor_waits_for_it() {
    // Long enough for some chats on a machine that is busy with the searches.
    let server = endless(8_000).await;
    let owner = server.first_owner();
    let begun = Instant::now();
    let look = async |path: &'static str| {
        let answer = owner.get(path).await;
        (answer, begun.elapsed())
    };
    let searches = async {
        // More than an owner's seats and all connections that visitors have.
        let paths = ["/logs?q=hello", "/logs", "/logs/export?format=csv", "/logs?billed=true"];
        let looks = paths.iter().cycle().take(10).map(|path| look(path));
        (futures_util::future::join_all(looks).await, begun.elapsed())
    };
    let beside = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let visitor = server.visitor();
        for _ in 0..3 {
            let chat = visitor.open().await;
            chat.say("q1", "Hi").await.text().await;
            chat.history().await;
        }
        // A key is looked up as well, and a log is found by its id.
        let (keys, _) = owner.get("/keys").await;
        assert_eq!(keys, StatusCode::OK);
        begun.elapsed()
    };
    let ((answers, all), beside) = tokio::join!(searches, beside);
    assert!(beside < Duration::from_millis(7_900), "{beside:?}");
    // Those that get no seat, of which one owner has four, are told at once.
    let mut timeouts = 0;
    for (answer, took) in &answers {
        if is_timeout(answer) {
            timeouts += 1;
            assert!(*took > Duration::from_millis(7_900), "{took:?}");
        } else {
            assert_eq!(answer.0, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
        }
    }
    assert_eq!(timeouts, 4, "{answers:?}");
    assert!(all < Duration::from_secs(16), "{all:?}");
    heal(&server);
    assert_eq!(owner.ids("").await.len(), 5);
}

#[tokio::test]
async fn whoever_goes_away_takes_the_search_along() {
    if crate::support::database::is_shared() {
        // PostgreSQL stops it when its time is over.
        return;
    }
    let server = endless(60_000).await;
    let owner = server.first_owner();
    for _ in 0..40 {
        let gone = tokio::time::timeout(Duration::from_millis(30), owner.get("/logs?q=x")).await;
        assert!(gone.is_err());
    }
    heal(&server);
    let found = tokio::time::timeout(Duration::from_secs(5), owner.ids("")).await;
    assert_eq!(found.unwrap().len(), 2);
}

/// Until when others leave the export alone.
fn locked_until(server: &Server, id: &str) -> u64 {
    let sql =
        format!("SELECT CAST(coalesce(locked_until, 0) AS TEXT) FROM exports WHERE id = '{id}'");
    server.value(&sql).parse().unwrap()
}

async fn job(owner: &Owner) -> String {
    let (status, job) = owner.post("/exports", json!({"format": "csv"})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    job["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_export_keeps_its_lease_while_it_looks() {
    // A job has thirty times as long.
    let server = endless(400).await;
    let owner = server.first_owner();
    let id = job(&owner).await;
    crate::support::eventually("it is begun", || locked_until(&server, &id) > 0).await;
    // Its beginning is over, which shows signs of life as well.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = locked_until(&server, &id);
    // It counts, and has shown no page yet.
    server.clock.advance(59_000);
    crate::support::eventually("it shows that it lives", || {
        locked_until(&server, &id) == before + 59_000
    })
    .await;
    // Called off, it stops looking.
    owner.post(&format!("/exports/{id}/cancel"), json!({})).await;
    heal(&server);
    let other = job(&owner).await;
    assert_eq!(owner.finished(&other).await["state"], "done");
}

#[tokio::test]
async fn an_export_that_cannot_be_found_in_time_fails_once() {
    let server = endless(50).await;
    let owner = server.first_owner();
    let id = job(&owner).await;
    let export = owner.finished(&id).await;
    assert_eq!(export["state"], "failed", "{export}");
    assert!(export["error"].to_string().contains("too long to be found"), "{export}");
}

#[tokio::test]
async fn an_export_that_cannot_be_counted_in_time_is_made_without_its_total() {
    let server = endless(100).await;
    let owner = server.first_owner();
    let id = job(&owner).await;
    crate::support::eventually("it is begun", || locked_until(&server, &id) > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Whoever counts goes on with what there was when that began; whoever reads comes later.
    heal(&server);
    let export = owner.finished(&id).await;
    assert_eq!((&export["state"], &export["done"]), (&json!("done"), &json!(2)), "{export}");
}

/// A server on which only `?q=` takes for ever: messages have become a view without an end.
async fn endless_words(search_ms: u32) -> Server {
    let server =
        Server::start_with(&format!("{ACCOUNTS}\n[limits]\nsearch_ms = {search_ms}")).await;
    server.seed(&[
        Seed::of("a", "spring", "acme"),
        Seed::of("z", "autumn", "zeta"),
        Seed { created_at: 5, ..Seed::new("o") },
    ]);
    server.sql(
        "ALTER TABLE messages RENAME TO said;
         CREATE VIEW messages AS
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i % 1000 + 1 FROM n)
         SELECT said.* FROM said CROSS JOIN n WHERE n.i < 0;",
    );
    server
}

/// As many searches without an end as there is room for; gives how many were let in.
async fn crowd(owner: &Owner) -> usize {
    let searches = (0..16).map(|_| owner.get("/logs?q=hello"));
    let answers = futures_util::future::join_all(searches).await;
    answers.iter().filter(|answer| is_timeout(answer)).count()
}

#[tokio::test]
async fn one_account_s_searches_take_nobody_elses_turn() {
    let server = endless_words(6_000).await;
    let first = server.first_owner();
    let (_, acme) = first.make_key(&["logs:read"], Some("acme")).await;
    let (_, zeta) = first.make_key(&["logs:read"], Some("zeta")).await;
    let (acme, zeta) = (server.owner(&acme), server.owner(&zeta));
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        assert_eq!(zeta.ids("").await, ["z"]);
        assert_eq!(first.ids("").await.len(), 3);
        begun.elapsed()
    };
    let (let_in, took) = tokio::join!(crowd(&acme), others);
    assert_eq!(let_in, 4, "a quarter of the seats");
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_file_that_is_on_its_way_waits_for_its_owner_s_searches() {
    let server = endless_words(2_000).await;
    let owner = server.first_owner();
    // More than any buffer on the way.
    server.sql(&format!(
        "INSERT INTO sessions (id, widget_id, channel, status, created_at, last_activity_at,
             expires_at, ended_at, page_origin)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
         SELECT 'many-' || i, 'test', 'chat', 'ended', 6, 6, 6, 6, '{}' FROM n;",
        "x".repeat(3_000)
    ));
    let mut file = owner.ask(Method::GET, "/logs/export?format=csv", None).await;
    let mut bytes = file.chunk().await.unwrap().unwrap().to_vec();
    let rest = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        while let Some(chunk) = file.chunk().await.expect("it breaks off") {
            bytes.extend(chunk);
        }
        csv::Reader::from_reader(bytes.as_slice()).records().count()
    };
    let (_, rows) = tokio::join!(crowd(&owner), rest);
    assert_eq!(rows, 8_003);
}
