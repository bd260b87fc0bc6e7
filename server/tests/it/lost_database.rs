//! A database that is restarted, and one that falls silent. On SQLite, which is a file, there is nothing
//! to see; `cargo xtask test` runs all tests on both.

use crate::support::wire::Wire;
use crate::support::{Server, client, database};
use banter_server::store::Notice;
use banter_shared::ids::SessionId;
use futures_util::future::join_all;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// What PostgreSQL does with everybody when it is restarted.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// Waits until what `other` tells is heard at `server`.
async fn hears(server: &Server, other: &Server) {
    let mut notices = server.app.store.notices();
    let begun = Instant::now();
    for number in 0.. {
        let told = Notice::Wrote(SessionId(format!("told-{number}")));
        other.app.store.notify(told.clone()).await.unwrap();
        let heard = async { while notices.recv().await.unwrap() != told {} };
        if tokio::time::timeout(Duration::from_millis(100), heard).await.is_ok() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "nothing is heard any more");
    }
}

#[tokio::test]
async fn a_restart_of_the_database_costs_nobody_a_request() {
    if !database::is_shared() {
        return;
    }
    let url = format!("[data]\nurl = \"{}\"", database::fresh());
    let server = Server::start_with(&url).await;
    let other = Server::start_beside(Some(&server), &url).await;
    let visitor = server.visitor();
    let chats = join_all((0..8).map(|_| visitor.open())).await;
    hears(&server, &other).await;
    for round in 0..3 {
        server.execute(TERMINATE);
        // More than there are connections, and each of those is lost.
        let said = chats.iter().map(async |chat| {
            chat.say(&format!("q{round}"), "Hi").await.text().await;
            chat.history().await.messages.len()
        });
        for count in join_all(said).await {
            assert_eq!(count, 3 + 2 * round);
        }
    }
    hears(&server, &other).await;
    hears(&other, &server).await;
}

#[tokio::test]
async fn a_database_that_falls_silent_is_told_and_got_over() {
    if !database::is_shared() {
        return;
    }
    let url = database::fresh();
    let (address, path) = url.split_once('@').unwrap().1.split_once('/').unwrap();
    let wire = Wire::to(address).await;
    let through = format!("[data]\nurl = \"postgres://banter@{}/{path}\"", wire.address);
    let server = Server::start_with(&through).await;
    let visitor = server.visitor();
    let chats = join_all((0..8).map(|_| visitor.open())).await;
    let ready = async || client().get(server.url("/readyz")).send().await.unwrap().status();
    assert_eq!(ready().await, 200);
    hears(&server, &server).await;

    wire.freeze();
    server.clock.advance(1_000);
    let begun = Instant::now();
    assert_eq!(ready().await, 503);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Again and again, and more than there are connections: each is answered in time.
    let asked = chats.iter().map(async |chat| {
        let begun = Instant::now();
        let question = chat.message(&json!({"id": "q1", "text": "When?"}));
        let answer = question.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"2".parse().unwrap())
        );
        begun.elapsed()
    });
    for took in join_all(asked).await {
        assert!(took < Duration::from_secs(12), "{took:?}");
    }

    wire.thaw();
    let begun = Instant::now();
    while ready().await != 200 {
        assert!(begun.elapsed() < Duration::from_secs(15), "it stays away");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for chat in &chats {
        chat.say("q1", "When?").await.text().await;
        assert_eq!(chat.history().await.messages.len(), 3);
    }
    hears(&server, &server).await;
    server.quiet().await;
    // Not by way of the wire, which is looked after by this very thread.
    let unfinished = "SELECT count(*) FROM messages WHERE status = 'streaming'";
    assert_eq!(database::numbers(&url, Path::new(""), unfinished), [0]);
}
