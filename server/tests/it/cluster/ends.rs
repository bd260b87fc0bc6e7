//! Two servers on one PostgreSQL database end sessions in every way at once, and one dies meanwhile: each
//! session is settled once. And what no webhook completes is asked for by one of them.

use crate::crash::start_first;
use crate::support::model::Model;
use crate::support::owner::Owner;
use crate::support::receiver::Receiver;
use crate::support::visitor::{Chat, Visitor};
use crate::support::webhook::SECRET;
use crate::support::{SHOP, balancer, client, config, database, merged, outside};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use futures_util::future::join_all;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::Child;
use vapi_double::{ASSISTANT, Double, KEY, Options};

/// The last part of the address that Vapi sends webhooks to.
const HOOKS: &str = "cluster-of-two-servers";

/// Two servers, a double whose assistant `told` sends webhooks and whose assistant `silent` sends none,
/// and somebody who wants to hear of everything.
struct Cluster {
    one: Child,
    two: Child,
    addresses: [SocketAddr; 2],
    double: Double,
    receiver: Receiver,
    url: String,
    _folder: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let (model, receiver) = (Model::start().await, Receiver::start().await);
        let servers: Arc<OnceLock<[SocketAddr; 2]>> = Arc::default();
        let hooks = to_every(servers.clone()).await;
        let server =
            json!({"url": format!("http://{hooks}/webhooks/vapi/{HOOKS}"), "secret": SECRET});
        let options = Options { server: Some(server), ..Options::default() };
        let double = Double::start(options).await.unwrap();
        let silent = double.add_assistant(&json!({"name": "Sil", "serverMessages": []}));
        let extra = format!(
            r#"
            [webhooks]
            allowed_private_hosts = ["127.0.0.1"]
            [vapi]
            webhook_path = "{HOOKS}"
            [vapi.webhooks.test]
            type = "secret"
            secret = "{SECRET}"
            [vapi.connections.main]
            base_url = "{}"
            api_key = "{KEY}"
            [assistants.told]
            provider = "vapi"
            connection = "main"
            assistant_id = "{ASSISTANT}"
            [assistants.silent]
            provider = "vapi"
            connection = "main"
            assistant_id = "{silent}"
            [widgets.told]
            assistant = "told"
            allowed_origins = ["{SHOP}"]
            [widgets.silent]
            assistant = "silent"
            allowed_origins = ["{SHOP}"]
            "#,
            double.base_url()
        );
        let folder = tempfile::tempdir().unwrap();
        let settings = merged(&config(model.address), &extra);
        std::fs::write(folder.path().join("banter.toml"), settings).unwrap();
        let (one, first, key) = start_first(folder.path(), 0).await;
        let (two, second, _) = start_first(folder.path(), 0).await;
        servers.set([first, second]).unwrap();
        let wanted =
            json!({"url": receiver.url("/"), "events": ["session.ended", "usage.recorded"]});
        assert_eq!(Owner::new(&key, second).post("/webhooks", wanted).await.0, 201);
        let url = database::named_in(folder.path());
        Self { one, two, addresses: [first, second], double, receiver, url, _folder: folder }
    }

    /// Opens so many conversations in a widget by way of a balancer, and says something in each.
    async fn chats<'a>(&self, visitor: &'a Visitor, widget: &str, count: usize) -> Vec<Chat<'a>> {
        let nothing = json!({});
        let chats = join_all((0..count).map(|_| visitor.open_in(widget, &nothing))).await;
        join_all(chats.iter().map(async |chat| chat.say("q1", "Hi").await.text().await)).await;
        chats
    }

    fn count(&self, sql: &str) -> i64 {
        database::numbers(&self.url, Path::new(""), sql)[0]
    }

    fn run(&self, sql: &str) {
        database::run(&self.url, Path::new(""), sql);
    }

    /// Waits until this query counts `wanted`; lets an hour pass for what waits for a provider, every
    /// second.
    async fn comes_to(&self, wanted: usize, sql: &str) {
        let begun = Instant::now();
        while self.count(sql) != wanted as i64 {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{} of {wanted}: {sql}",
                self.count(sql)
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.run(
                "UPDATE sessions SET attend_at = attend_at - 3600000 WHERE attend_at IS NOT NULL",
            );
        }
    }

    /// Every session has ended and is settled, once, in every place that says so.
    async fn is_settled_once(&self, sessions: usize) {
        self.comes_to(sessions, "SELECT count(*) FROM usage_records").await;
        for once in [
            "sessions WHERE status = 'ended' AND finalized_at IS NOT NULL AND attend_at IS NULL",
            "usage_records",
            "session_events WHERE kind = 'ended'",
            "session_events WHERE kind = 'finalized'",
            "outbox WHERE event = 'session.ended'",
            "outbox WHERE event = 'usage.recorded'",
        ] {
            let id = match once.split_once(' ') {
                Some(("sessions", _)) => "id",
                // A bill names its session in what it says only, because it outlives it.
                Some(("outbox", "WHERE event = 'usage.recorded'")) => "payload",
                _ => "session_id",
            };
            for what in ["*".to_owned(), format!("DISTINCT {id}")] {
                let count = self.count(&format!("SELECT count({what}) FROM {once}"));
                assert_eq!(count, sessions as i64, "{what} of {once}");
            }
        }
        // Told at least once, always under the same id.
        self.comes_to(0, "SELECT count(*) FROM outbox WHERE delivered_at IS NULL").await;
        let ids: std::collections::BTreeSet<_> =
            self.receiver.got().iter().map(|got| got.id().to_owned()).collect();
        assert_eq!(ids.len(), 2 * sessions);
    }
}

/// Passes every webhook on to each of the servers, at the same time.
async fn to_every(servers: Arc<OnceLock<[SocketAddr; 2]>>) -> SocketAddr {
    let pass = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let servers = servers.clone();
        async move {
            let secret = headers["x-vapi-secret"].clone();
            let sent = servers.get().into_iter().flatten().map(|server| {
                let request = client().post(format!("http://{server}{uri}"));
                let request = request.header("x-vapi-secret", secret.clone());
                request.header("content-type", "application/json").body(body.clone()).send()
            });
            // One of them may be dead.
            join_all(sent).await;
            StatusCode::OK
        }
    };
    outside(Router::new().fallback(pass)).await
}

/// Ends a conversation at whichever of these servers answers.
async fn end(chat: &Chat<'_>, servers: &[Visitor]) {
    let ended = join_all(servers.iter().map(async |server| {
        server.at(chat).try_end().await.is_ok_and(|answer| answer.status() == 200)
    }));
    assert!(ended.await.contains(&true));
}

#[tokio::test]
async fn one_server_dies_while_two_hundred_sessions_end() {
    if !database::is_shared() {
        return;
    }
    let mut cluster = Cluster::start().await;
    let visitor = Visitor::on(SHOP, balancer::start(cluster.addresses).await);
    let mut chats = cluster.chats(&visitor, "test", 100).await;
    chats.extend(cluster.chats(&visitor, "told", 60).await);
    chats.extend(cluster.chats(&visitor, "silent", 40).await);
    assert_eq!(cluster.count("SELECT count(*) FROM sessions WHERE status = 'active'"), 200);
    // Every second one is ended by its visitor, at both servers at once; the others by the clock of
    // whichever server looks first. That goes on for a second and a half, and one dies in the middle.
    let both = cluster.addresses.map(|address| Visitor::on(SHOP, address));
    let ends = chats.iter().enumerate().map(async |(number, chat)| {
        tokio::time::sleep(Duration::from_millis(7 * number as u64)).await;
        if number % 2 == 0 {
            end(chat, &both).await;
        }
    });
    let by_clock: Vec<String> = chats
        .iter()
        .skip(1)
        .step_by(2)
        .map(|chat| format!("'{}'", chat.created.session.id))
        .collect();
    let killer = async {
        for (number, some) in by_clock.chunks(10).enumerate() {
            cluster.run(&format!(
                "UPDATE sessions SET inactive_after_ms = 1, due_at = 0 WHERE id IN ({})",
                some.join(", ")
            ));
            tokio::time::sleep(Duration::from_millis(150)).await;
            if number == 5 {
                cluster.one.kill().await.unwrap();
            }
        }
    };
    tokio::join!(join_all(ends), killer);
    cluster.is_settled_once(200).await;
    let reasons = |reason: &str| {
        cluster.count(&format!("SELECT count(*) FROM sessions WHERE end_reason = '{reason}'"))
    };
    assert_eq!((reasons("visitor_ended"), reasons("inactive")), (100, 100));
    // What Vapi said, or was asked for, is on the bill.
    let costs = "SELECT count(*) FROM usage_records WHERE cost IS NOT NULL";
    assert_eq!(cluster.count(costs), 100);
    cluster.two.kill().await.unwrap();
}

#[tokio::test]
async fn two_servers_ask_for_a_session_once() {
    if !database::is_shared() {
        return;
    }
    const SESSIONS: usize = 60;
    let mut cluster = Cluster::start().await;
    let visitor = Visitor::on(SHOP, balancer::start(cluster.addresses).await);
    let chats = cluster.chats(&visitor, "silent", SESSIONS).await;
    join_all(chats.iter().map(Chat::end)).await;
    let ended = "SELECT count(*) FROM sessions WHERE status = 'ended'";
    let begun = Instant::now();
    while cluster.count(ended) != SESSIONS as i64 {
        assert!(begun.elapsed() < Duration::from_secs(30), "Vapi was not told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asked = || {
        let seen = cluster.double.seen();
        let asks = seen.iter().filter(|seen| seen.method == "GET");
        asks.filter(|seen| seen.path.starts_with("/session/")).count()
    };
    assert_eq!(asked(), 0);
    // They are due for both servers at the same moment.
    cluster.run("UPDATE sessions SET attend_at = attend_at - 3600000");
    let settled = "SELECT count(*) FROM usage_records";
    let begun = Instant::now();
    while cluster.count(settled) != SESSIONS as i64 {
        assert!(begun.elapsed() < Duration::from_secs(30), "they are not settled");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(asked(), SESSIONS);
    cluster.is_settled_once(SESSIONS).await;
    cluster.one.kill().await.unwrap();
    cluster.two.kill().await.unwrap();
}
