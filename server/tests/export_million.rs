//! A million stored messages through the front door, at once and as a job: the server does not grow with
//! the file. A test of memory, not of time. The server is a process of its own, so that its memory is
//! its own; renderers by themselves are looked at in `export_memory.rs`.

#![cfg(target_os = "linux")]

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// What is stored. Of the sessions every hundredth belongs to the campaign `few`.
const SESSIONS: u32 = 2_000;
const MESSAGES: u32 = 500;
const FEW: u32 = SESSIONS / 100;
/// What the server may need for the whole more than for every hundredth, in KiB: buffers and queues that
/// happen to be full at once, nothing that grows. Stands in docs/exports.md.
const ROOM: u64 = 4 * 1024;

/// A server as it is deployed but for how it was compiled.
struct Server {
    child: Child,
    base: String,
    key: String,
}

#[cfg(test)]
impl Server {
    async fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_banter"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            // The allocator keeps what is freed for ten seconds, more the faster it goes; that is not
            // what is looked at.
            .env("MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut key = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(made) = line.strip_prefix("Owner's key (shown this once, keep it): ") {
                key = made.to_owned();
            }
            if let Some(demo) = line.strip_prefix("Demo shop: ") {
                return Self { child, base: demo.replace("/demo/", "/api/v1"), key };
            }
        }
        panic!("the server did not start");
    }

    /// The most memory it ever held, in KiB.
    fn high_water(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn ask(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        #[expect(clippy::disallowed_methods, reason = "a test's client is not the server's")]
        let client = reqwest::Client::new();
        client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    /// Reads a file to its end and keeps nothing of it; gives how many bytes and lines it had.
    async fn fetch(&self, path: &str) -> (u64, u32) {
        let mut response = self.ask(reqwest::Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let (mut bytes, mut lines) = (0, 0);
        while let Some(piece) = response.chunk().await.unwrap() {
            bytes += piece.len() as u64;
            lines += piece.iter().filter(|byte| **byte == b'\n').count() as u32;
        }
        (bytes, lines)
    }

    /// Has a file made by a job, and fetches it.
    async fn make(&self, format: &str, filters: Value) -> (u64, u32) {
        let wanted = json!({"format": format, "filters": filters});
        let response = self.ask(reqwest::Method::POST, "/exports").json(&wanted).send().await;
        let made: Value = response.unwrap().json().await.unwrap();
        let path = format!("/exports/{}", made["id"].as_str().unwrap_or_else(|| panic!("{made}")));
        loop {
            let shown = self.ask(reqwest::Method::GET, &path).send().await.unwrap();
            let shown: Value = shown.json().await.unwrap();
            match shown["state"].as_str().unwrap() {
                "queued" | "running" => tokio::time::sleep(Duration::from_millis(100)).await,
                "done" => break,
                _ => panic!("{shown}"),
            }
        }
        self.fetch(&format!("{path}/file")).await
    }
}

/// Fills a database as a busy year would. All messages are different: nothing may be remembered to be
/// written once.
#[cfg(test)]
fn fill(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let script = format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -100000;
         BEGIN;
         INSERT INTO campaigns (id, organization_id, name)
         SELECT 'few', id, 'Few' FROM organizations;
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {SESSIONS} - 1)
         INSERT INTO sessions (id, organization_id, widget_id, campaign_id, channel, provider, status,
             created_at, last_activity_at, expires_at, ended_at, end_reason, due_at, visitor_messages,
             assistant_messages, finalized_at)
         SELECT 'log-' || i, widgets.organization_id, widgets.id, iif(i % 100 = 0, 'few', NULL), 'chat',
             'engine', 'ended', 1795000000000 + i, 1795000000000 + i, 1795000000000 + i,
             1795000000000 + i, 'inactive', NULL, {MESSAGES}, 0, 1
         FROM n, (SELECT id, organization_id FROM widgets LIMIT 1) AS widgets;
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {MESSAGES} - 1)
         INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources)
         SELECT sessions.id, 'm' || i, 'visitor',
             '=Where is my order number ' || i || ' of ' || sessions.id
                 || '? I have been waiting, \"so\" <b>long</b> now.',
             'complete', 0, 1795000000000 + i, '[]'
         FROM sessions, n;
         COMMIT;"
    );
    connection.execute_batch(&script).unwrap();
}

#[tokio::test]
async fn a_million_stored_messages_need_no_more_memory_than_ten_thousand() {
    let data = tempfile::tempdir().unwrap();
    let (folder, file) = (data.path().join("data"), data.path().join("data/banter.db"));
    let mut first = Server::start(&folder).await;
    first.child.kill().await.unwrap();
    fill(&file);
    let server = Server { key: first.key, ..Server::start(&folder).await };
    let (all, few) = (SESSIONS * MESSAGES, FEW * MESSAGES);
    let whole = json!({});
    let part = json!({"campaign": "few"});

    // Whatever is made once and kept, in the server and in its database.
    assert_eq!(server.fetch("/logs/export?format=csv_messages&campaign=few").await.1, few + 1);
    assert_eq!(server.make("jsonl", part.clone()).await.1, FEW);
    server.make("xlsx", part).await;
    let mut before = server.high_water();
    let mut grown = |what: &str, (bytes, lines): (u64, u32), begun: Instant| {
        let (after, took) = (server.high_water(), begun.elapsed());
        let more = after - before;
        println!(
            "measured: {what}: {bytes} bytes, {lines} lines, {more} KiB more than {before}, {took:.1?}"
        );
        assert!(bytes / 1024 > 8 * ROOM, "{what}: a small file shows nothing");
        assert!(more < ROOM, "{what} made the server grow by {more} KiB");
        before = after;
        lines
    };
    let begun = Instant::now();
    let file = server.fetch("/logs/export?format=csv_messages").await;
    assert_eq!(grown("csv_messages at once", file, begun), all + 1);
    let begun = Instant::now();
    let file = server.make("jsonl", whole.clone()).await;
    assert_eq!(grown("jsonl by a job", file, begun), SESSIONS);
    let begun = Instant::now();
    let file = server.make("xlsx", whole).await;
    grown("xlsx by a job", file, begun);
}
