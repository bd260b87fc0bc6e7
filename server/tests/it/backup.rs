//! Backup and restore as docs/operations.md says: taken while the server runs, put back into another
//! place, and everything is there.

use crate::support::{Server, database};
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every table that a backup has to hold; the count below finds one that is missing here.
const TABLES: [&str; 18] = [
    "organizations",
    "api_keys",
    "assistants",
    "widgets",
    "sessions",
    "messages",
    "accounts",
    "campaigns",
    "session_events",
    "usage_records",
    "provider_events",
    "provider_sessions",
    "webhook_endpoints",
    "outbox",
    "exports",
    "export_chunks",
    "nodes",
    "schema_versions",
];

/// How many rows each table has.
fn rows(url: &str, file: &Path) -> Vec<i64> {
    let count = |sql: &str| database::numbers(url, file, sql)[0];
    // SQLite counts its migrations without a table.
    let tables = if url.is_empty() { &TABLES[..17] } else { &TABLES[..] };
    let known = if url.is_empty() {
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    } else {
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    };
    assert_eq!(count(known), tables.len() as i64, "a table is missing in this test");
    tables.iter().map(|table| count(&format!("SELECT count(*) FROM {table}"))).collect()
}

/// Runs one of PostgreSQL's programs; `cargo xtask test` says where they are.
fn run(program: &str, arguments: &[&str]) {
    let folder = std::env::var_os("TEST_POSTGRES_BIN").map(PathBuf::from).unwrap_or_default();
    let ran = Command::new(folder.join(program)).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[tokio::test]
async fn what_is_backed_up_can_be_restored() {
    let server = Server::start().await;
    let visitor = server.visitor();
    let chats = join_all((0..5).map(|_| visitor.open())).await;
    for chat in &chats {
        chat.say("q1", "Is it kept?").await.text().await;
    }
    chats[0].end().await;
    server.quiet().await;
    let data = &server.app.settings.data;
    let (url, file) = (data.url.expose_secret(), data.directory.join("banter.db"));
    let backup = tempfile::tempdir().unwrap();
    let copy = backup.path().join("banter.copy");
    let copy = copy.to_str().unwrap();
    // The server runs, and what it does by itself it has done: the session is settled.
    crate::support::eventually("it is settled", || server.count("usage_records") == 1).await;
    if url.is_empty() {
        server.execute(&format!("VACUUM INTO '{copy}'"));
    } else {
        run("pg_dump", &["--format=custom", &format!("--file={copy}"), url]);
    }
    let before = rows(url, &file);
    // What comes later is not in it.
    chats[1].say("q2", "And this?").await.text().await;

    let restored = Server::start_prepared(|url, file| {
        if url.is_empty() {
            std::fs::copy(copy, file).unwrap();
        } else {
            run("pg_restore", &["--no-owner", &format!("--dbname={url}"), copy]);
        }
        assert_eq!(rows(url, file), before);
        std::fs::copy(data.directory.join("signing.key"), file.with_file_name("signing.key"))
            .unwrap();
    })
    .await;
    let here = restored.visitor();
    for chat in &chats {
        // The token that the other server signed opens it.
        let history = here.at(chat).history().await;
        assert_eq!(history.messages.len(), 3);
        assert_eq!(history.messages[1].text, "Is it kept?");
    }
    here.at(&chats[2]).say("q2", "And now?").await.text().await;
}
