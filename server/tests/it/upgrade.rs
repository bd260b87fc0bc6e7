//! Two versions on one database: the first release's schema and data are brought up to date, its
//! statements go on working beside this server, and a server that is too old says so.

use crate::support::provider::Scripted;
use crate::support::{Server, database, metrics, webhook};
use banter_server::app::App;
use banter_server::clock::SystemEntropy;
use banter_server::services::lifecycle::Lifecycle;
use banter_server::services::reconcile::Reconcile;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

const FIRST_SCHEMA: &str = include_str!("../../src/store/migrations/0001_first.sql");

/// What the first release sent, parameters written out; `$1` is the session.
const OPEN: &str =
    "INSERT INTO sessions (id, widget_id, channel, created_at, last_activity_at, expires_at)
     SELECT '$1', id, 'chat', 1795000000000, 1795000000000, 1795086400000
     FROM widgets WHERE id = 'test'";
const ASK: &str = "INSERT INTO messages
     (session_id, id, role, text, status, attempt, created_at, sources, error)
     VALUES ('$1', 'q1', 'visitor', 'From the old server', 'complete', 0, 1795000000000, '[]', NULL);
     INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources, error)
     VALUES ('$1', 'q1.a', 'assistant', '', 'streaming', 1, 1795000000000, '[]', NULL);
     UPDATE sessions SET last_activity_at = 1795000000000 WHERE id = '$1'";
const CHECKPOINT: &str =
    "UPDATE messages SET text = 'Half of' WHERE session_id = '$1' AND id = 'q1.a'";
const FINISH: &str = "UPDATE messages SET text = 'The whole answer', status = 'complete',
     sources = '[]', error = NULL WHERE session_id = '$1' AND id = 'q1.a'";
const END: &str = "UPDATE sessions SET ended_at = 1795000000000, end_reason = 'visitor_ended'
     WHERE id = '$1' AND ended_at IS NULL AND expires_at > 1795000000000";
/// What it read, as a number: what a session's history holds.
const READ: &str = "SELECT count(*) FROM (
     SELECT id, role, text, status, attempt, created_at, sources, error FROM messages
     WHERE session_id = '$1' ORDER BY position) AS history
     JOIN (SELECT widget_id, created_at, expires_at, ended_at, end_reason FROM sessions
     WHERE id = '$1') AS session ON session.widget_id = 'test'";

/// A key that the first release made.
const KEY: &str = "banter_sk_first_release";

fn of(statement: &str, session: &str) -> String {
    statement.replace("$1", session)
}

/// Makes the first release's database, with a conversation that goes on and one that is over.
fn first_release(url: &str, file: &Path) {
    let words = match url.is_empty() {
        true => [" STRICT, WITHOUT ROWID", " STRICT", "INTEGER PRIMARY KEY", "INTEGER"],
        false => ["", "", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BIGINT"],
    };
    let schema = ["{BY_KEY}", "{STRICT}", "{SERIAL}", "{INT}"]
        .iter()
        .zip(words)
        .fold(FIRST_SCHEMA.to_owned(), |sql, (name, word)| sql.replace(name, word));
    let version = if url.is_empty() {
        "PRAGMA journal_mode = WAL; PRAGMA user_version = 1"
    } else {
        "CREATE TABLE schema_versions (version BIGINT PRIMARY KEY, works_with BIGINT NOT NULL);
         INSERT INTO schema_versions VALUES (1, 1)"
    };
    let digest = banter_server::domain::api_key::digest(KEY);
    let owner = format!(
        "INSERT INTO organizations (id, name, created_at) VALUES ('default', 'First', 1);
         INSERT INTO api_keys (digest, organization_id, created_at) VALUES ('{digest}', 'default', 1);
         INSERT INTO assistants (id, organization_id, definition) VALUES ('test', 'default', '{{}}');
         INSERT INTO widgets (id, organization_id, assistant_id, settings)
         VALUES ('test', 'default', 'test', '{{}}')"
    );
    let said = [OPEN, ASK, CHECKPOINT, FINISH].map(|sql| of(sql, "goes-on")).join("; ");
    let over = [OPEN, ASK, FINISH, END].map(|sql| of(sql, "is-over")).join("; ");
    for script in [&schema, version, &owner, &said, &over] {
        database::run(url, file, script);
    }
}

/// A log as its owner sees it: where it stands, why it ended, and what was said.
async fn log(server: &Server, id: &str) -> (String, String, Vec<String>) {
    let (status, detail) = server.owner(KEY).get(&format!("/logs/{id}")).await;
    assert_eq!(status, 200, "{detail}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = detail["messages"].as_array().unwrap();
    let said = messages.iter().map(|message| text(&message["text"])).collect();
    (text(&detail["log"]["status"]), text(&detail["log"]["endReason"]), said)
}

#[tokio::test]
async fn the_first_release_is_upgraded_and_works_on_beside_this_one() {
    let server = Server::start_prepared(first_release).await;
    let said = ["From the old server", "The whole answer"].map(str::to_owned);
    let (status, _, messages) = log(&server, "goes-on").await;
    assert_eq!((status.as_str(), messages.as_slice()), ("active", said.as_slice()));
    let (status, reason, messages) = log(&server, "is-over").await;
    assert_eq!((status.as_str(), reason.as_str()), ("ended", "visitor_ended"));
    assert_eq!(messages, said);

    // Both write. What one has begun the other reads, in the middle of it and at its end.
    for step in [OPEN, ASK, CHECKPOINT] {
        server.execute(&of(step, "beside"));
    }
    assert_eq!(log(&server, "beside").await.2, ["From the old server", "Half of"]);
    server.execute(&of(FINISH, "beside"));
    assert_eq!(log(&server, "beside").await.2, said);
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "To the new server").await.text().await;
    let id = chat.created.session.id.as_str();
    assert_eq!(server.value(&format!("SELECT CAST(({}) AS TEXT)", of(READ, id))), "3");

    // Either ends what the other has begun.
    server.execute(&of(END, id));
    let refused = chat.message(&serde_json::json!({"id": "q2", "text": "Still?"}));
    assert_eq!(refused.send().await.unwrap().status(), 409);
    assert_eq!(log(&server, id).await.1, "visitor_ended");
    server.clock.advance(25 * 3600 * 1000);
    server.app.lifecycle.end_due().await.unwrap();
    for session in ["goes-on", "beside"] {
        assert_eq!(log(&server, session).await.0, "ended", "{session}");
    }
    let rows = server.count("messages");
    // A second start finds nothing to do.
    let again = server.again().await;
    assert_eq!(again.count("messages"), rows);
    assert_eq!(log(&again, "goes-on").await.2, said);
}

/// A server from before there was a table of the provider's sessions knows the last one of each of ours,
/// in its row. It may have worked on this database, and may still.
#[tokio::test]
async fn what_an_older_server_knows_of_the_providers_sessions_is_taken_over() {
    let server = webhook::server().await;
    let url = server.webhook();
    let provider = Arc::new(Scripted::default());
    let lifecycle = Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() };
    let reconcile = Reconcile { provider: provider.clone(), ..server.app.reconcile.clone() };
    let opens = async |provider_session: &str| {
        let id = server.vapi_session(None).await;
        server.execute(&format!(
            "UPDATE sessions SET provider_session = '{provider_session}' WHERE id = '{id}'"
        ));
        id
    };
    let ends = |id: &str, status: &str, more: &str| {
        server.execute(&format!(
            "UPDATE sessions SET status = '{status}', ended_at = 1795000000000, due_at = NULL,
                    end_reason = 'visitor_ended', attend_at = 1795000000000 {more} WHERE id = '{id}'"
        ));
    };
    let settled = |id: &str| {
        server.value(&format!(
            "SELECT status || ' ' || coalesce(cost, '-') || ' ' || coalesce(cost_source, '-')
             || CASE webhook_missing WHEN 1 THEN ' missing' ELSE '' END FROM sessions WHERE id = '{id}'"
        ))
    };
    // It goes on here, in another one.
    let goes_on = opens("v1").await;
    server.opened(&goes_on, "v2").await;
    let chat = serde_json::json!({"type": "chat.created", "chat": {"id": "c", "sessionId": "v1"}});
    server.deliver(&url, &chat).await;
    assert_eq!(server.value("SELECT outcome FROM provider_events"), "applied");
    for (id, cost) in [("v2", 0.25), ("v1", 0.5)] {
        server.deliver(&url, &webhook::completed(id, cost)).await;
    }
    assert_eq!(settled(&goes_on), "ended 0.75 webhook");
    // It is over there, and nobody was told.
    let to_close = opens("v3").await;
    ends(&to_close, "ending", "");
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close v3"]);
    // One is completed without a cost; of the other's end nothing was heard before.
    let unpriced = opens("v4").await;
    ends(&unpriced, "ended", ", cost = '0', cost_source = 'webhook'");
    let late = opens("v5").await;
    ends(&late, "ended", "");
    server.deliver(&url, &webhook::completed("v5", 0.5)).await;
    assert_eq!(settled(&late), "ended 0.5 webhook");
    provider.will_say(Ok(None));
    server.clock.advance(10 * 60_000);
    reconcile.settle_ended().await.unwrap();
    assert_eq!(server.count("usage_records"), 2, "the others have to be asked about");
    reconcile.ask_overdue().await.unwrap();
    let mut asked = provider.asked();
    asked.sort();
    assert_eq!(asked, ["look up v3", "look up v4"]);
    assert_eq!(
        (settled(&unpriced), settled(&to_close)),
        ("ended 0 webhook".into(), "ended - none".into())
    );
    assert_eq!(server.count("usage_records"), 4);
    // A log that is deleted takes what was said of it along, and events of others are not thrown away.
    let kept = opens("v6").await;
    let hang = serde_json::json!({"type": "hang", "session": {"id": "v6"}});
    server.deliver(&url, &hang).await;
    server.clock.advance(31 * 24 * 3_600_000);
    server.app.retention.run().await.unwrap();
    assert_eq!(server.count("provider_events WHERE provider_session = 'v6'"), 1, "{kept}");
    ends(&kept, "ended", ", finalized_at = 1795000000000");
    assert_eq!(server.first_owner().delete(&format!("/logs/{kept}")).await.0, 204);
    let bodies = "SELECT body FROM provider_events WHERE provider_session = 'v6'";
    assert_eq!(server.value(bodies), "{}");
}

#[tokio::test]
async fn a_server_that_is_too_old_refuses_to_start_and_one_that_is_not_does_not() {
    let server = Server::start().await;
    let start = async || {
        let settings = (*server.app.settings).clone();
        let (clock, entropy) = (server.clock.clone(), Arc::new(SystemEntropy));
        App::start(settings, clock, entropy, metrics()).await.map(drop)
    };
    start().await.unwrap();
    if database::is_shared() {
        // A newer schema that says this server may go on.
        server.execute("INSERT INTO schema_versions (version, works_with) VALUES (99, 1)");
        start().await.unwrap();
        server.execute("INSERT INTO schema_versions (version, works_with) VALUES (100, 99)");
    } else {
        server.execute("PRAGMA user_version = 99");
    }
    let refusal = start().await.unwrap_err().to_string();
    assert!(refusal.contains("use the newer server"), "{refusal}");
}
