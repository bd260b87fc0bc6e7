//! Logs: listed, filtered, read, ended, deleted, and kept no longer than the owner says.

use super::support::Server;
use super::support::owner::{ACCOUNTS, Owner, Seed, T0};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Walks all pages; `between` runs after each.
async fn walk(owner: &Owner, query: &str, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    for page in 0.. {
        let (status, answer) = owner.get(&format!("/logs?{query}{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let items = answer["items"].as_array().unwrap();
        all.extend(items.iter().map(|log| log["id"].as_str().unwrap().to_owned()));
        let Some(next) = answer["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        between(page);
    }
    all
}

#[tokio::test]
async fn a_walk_is_the_whole_list_also_while_logs_come_and_go() {
    let server = Server::start().await;
    let owner = server.first_owner();
    // Many of the same millisecond: the id decides among them.
    let seeds: Vec<Seed> = (0..157_u64)
        .map(|n| Seed { created_at: T0 + n / 10, ..Seed::new(&format!("s{n:03}")) })
        .collect();
    server.seed(&seeds);
    let oldest_first: Vec<String> = seeds.into_iter().map(|seed| seed.id).collect();
    let newest_first: Vec<String> = oldest_first.iter().rev().cloned().collect();
    for limit in [1, 7, 50, 100] {
        let query = format!("limit={limit}");
        assert_eq!(walk(&owner, &query, |_| ()).await, newest_first, "{limit}");
        let query = format!("limit={limit}&order=oldest");
        assert_eq!(walk(&owner, &query, |_| ()).await, oldest_first, "{limit}");
    }
    // New ones come before the first page and are not in the walk.
    let add = |page: usize| {
        server.seed(&[Seed { created_at: T0 + 1000, ..Seed::new(&format!("new{page}")) }]);
    };
    assert_eq!(walk(&owner, "limit=20", add).await, newest_first);
    // One that goes, even the one the cursor names, takes no other with it.
    let remove = |page: usize| {
        let last = &newest_first[page * 20 + 19 - 7];
        server.sql(&format!("DELETE FROM messages WHERE session_id = '{last}'"));
        server.sql(&format!("DELETE FROM sessions WHERE id = '{last}'"));
    };
    let query = format!("limit=20&to={}", T0 + 1000);
    assert_eq!(walk(&owner, &query, remove).await.len(), 157);
    // In the other order new ones come after the last.
    let walked = walk(&owner, "limit=50&order=oldest", |page| {
        server.seed(&[Seed { created_at: T0 + 2000, ..Seed::new(&format!("late{page}")) }]);
    })
    .await;
    let mut distinct = walked.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), walked.len());
    assert!(walked.contains(&"late0".to_owned()));
}

#[tokio::test]
async fn every_filter_lets_through_what_it_says() {
    let server = Server::start_with(ACCOUNTS).await;
    let owner = server.first_owner();
    server.another_organization();
    server.seed(&[
        Seed { created_at: T0, said: vec!["50% of ÄPFEL_und Birnen".into()], ..Seed::new("a") },
        Seed { created_at: T0 + 1000, billed: Some(true), ..Seed::of("b", "spring", "acme") },
        Seed {
            created_at: T0 + 2000,
            billed: Some(false),
            reason: "visitor_ended",
            ..Seed::of("c", "autumn", "zeta")
        },
        Seed { created_at: T0 + 3000, status: "active", widget: "off", ..Seed::new("d") },
        Seed {
            created_at: T0 + 4000,
            provider: "vapi",
            said: vec!["ΟΔΟΣΤΡΩΜΑ".into()],
            ..Seed::new("e")
        },
    ]);
    for (query, ids) in [
        ("", "edcba"),
        ("order=oldest", "abcde"),
        ("campaign=spring", "b"),
        ("campaign=none", ""),
        ("widget=off", "d"),
        ("from=T0+2000", "edc"),
        ("to=T0+2000", "ba"),
        ("from=2026-11-17T11:06:41Z&to=2026-11-17T12:06:43%2B01:00", "cb"),
        ("status=active", "d"),
        ("status=ended", "ecba"),
        ("status=pending", ""),
        ("endReason=visitor_ended", "c"),
        ("endReason=inactive", "eba"),
        ("provider=vapi", "e"),
        ("billed=true", "b"),
        ("billed=false", "edca"),
        ("q=hello", "dcb"),
        ("q=HELLO&campaign=spring", "b"),
        ("q=%C3%A4pfel_UND", "a"),
        ("q=50%25%20of", "a"),
        ("q=0_%20of", ""),
        ("q=%25", "a"),
        // A sigma is written otherwise at the end of a word.
        ("q=%CE%9F%CE%94%CE%9F%CE%A3", "e"),
        ("status=ended&billed=false&provider=engine", "ca"),
    ] {
        let query = query.replace("T0+2000", &(T0 + 2000).to_string());
        assert_eq!(owner.ids(&query).await.concat(), ids, "{query}");
    }
}

#[tokio::test]
async fn a_bad_query_is_refused_by_the_parameter() {
    let server = Server::start().await;
    let owner = server.first_owner();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("order=sideways", "order"),
        ("cursor=!", "cursor"),
        ("cursor=MS4xLicgT1IgMT0x", "cursor"),
        ("status=dreaming", "status"),
        ("endReason=boredom", "endReason"),
        ("from=yesterday", "from"),
        ("to=1&from=2", "to"),
        ("billed=maybe", "billed"),
        ("q=", "q"),
        ("q=%00", "q"),
        ("campaign=%00", "campaign"),
        ("organization=other", "organization"),
        ("q=a&q=b", "q"),
    ] {
        let (status, error) = owner.get(&format!("/logs?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {error}");
        assert_eq!(error["field"], field, "{query}: {error}");
    }
    for path in ["/logs/a%00b", "/logs/..%2f", "/exports/%F0", "/keys/a'b"] {
        let response = owner.ask(reqwest::Method::DELETE, path, None).await;
        assert!(response.status().is_client_error(), "{path}: {}", response.status());
    }
}

#[tokio::test]
async fn one_log_tells_everything_about_its_session() {
    let server = Server::start().await;
    let owner = server.first_owner();
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("m1", "Where is my order?").await.text().await;
    let id = chat.created.session.id.clone();
    let path = format!("/logs/{id}");
    let (status, detail) = owner.get(&path).await;
    assert_eq!(status, StatusCode::OK, "{detail}");
    assert_eq!(detail["log"]["status"], "active");
    assert_eq!(detail["log"]["visitorMessages"], 1);
    assert_eq!(detail["log"]["pageOrigin"], "https://shop.example");
    assert_eq!(detail["log"].get("durationMs"), None, "it goes on");
    let said: Vec<&Value> = detail["messages"].as_array().unwrap().iter().collect();
    assert_eq!(said[1]["text"], "Where is my order?");
    assert_eq!(said.len(), 3, "greeting, question, answer");
    let (status, error) = owner.delete(&path).await;
    assert_eq!((status.as_u16(), &error["code"]), (409, &json!("session_active")));
    assert_eq!(error["retryable"], true, "it will be over");

    server.clock.advance(42_000);
    let (status, log) = owner.post(&format!("{path}/end"), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{log}");
    assert_eq!((&log["endReason"], &log["durationMs"]), (&json!("owner_ended"), &json!(42_000)));
    let history = chat.history().await;
    assert_eq!(history.session.end_reason.unwrap().name(), "owner_ended");
    server.clock.advance(1_000);
    let (_, again) = owner.post(&format!("{path}/end"), json!({})).await;
    assert_eq!(
        (&again["endedAt"], &again["endReason"]),
        (&log["endedAt"], &log["endReason"]),
        "ending twice is ending once"
    );
    // The server settles it in its own time; until then it could not be billed any more.
    let settled = async {
        while owner.get(&path).await.1["log"].get("finalizedAt").is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), settled).await.unwrap();

    server.sql(&format!(
        "UPDATE usage_records SET units = '3', unit = 'message', rate = '0.5', rounding = 'up',
             minutes = '2', billed = 1, cost = NULL, created_at = 7
         WHERE session_id = '{id}';
         UPDATE sessions SET cost = '0.0042', cost_source = 'provider', webhook_missing = 1
         WHERE id = '{id}';"
    ));
    let (_, detail) = owner.get(&path).await;
    assert_eq!(detail["minutesFormula"], "3 message × 0.5 = 2 minutes (rounding: up)");
    assert_eq!(
        detail["log"]["usage"],
        json!({"units": "3", "unit": "message", "rate": "0.5", "rounding": "up", "minutes": "2",
               "billed": true, "createdAt": 7})
    );
    assert_eq!(detail["log"]["cost"], "0.0042");
    assert_eq!(detail["log"]["webhookMissing"], true);
    let kinds: Vec<&str> = detail["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    for kind in ["created", "activated", "ended"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }

    assert_eq!(owner.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(owner.delete(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(owner.get(&path).await.0, StatusCode::NOT_FOUND);
    let gone = visitor.get(&format!("/sessions/{id}")).bearer_auth(&chat.created.token);
    assert_eq!(gone.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    // The ledger stays: a second line for the same session is refused by its key.
    let twice = format!(
        "INSERT INTO usage_records (id, session_id, organization_id, channel, units, unit,
                     rate, rounding, minutes, billed, created_at)
                 SELECT 'v', session_id, 'default', 'chat', units, unit, rate, rounding, minutes,
                     billed, 8 FROM usage_records WHERE session_id = '{id}';"
    );
    let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.sql(&twice)));
    assert!(tried.is_err());
}

#[tokio::test]
async fn what_a_provider_told_goes_with_its_log_but_is_still_known() {
    let server = Server::start().await;
    server.seed(&[Seed { provider: "vapi", ..Seed::new("v") }]);
    server.sql(
        "UPDATE sessions SET provider_session = 'p1' WHERE id = 'v';
         INSERT INTO provider_events (organization_id, digest, provider, kind, provider_session,
             received_at, body, outcome)
         VALUES ('default', 'd1', 'vapi', 'chat.created', 'p1', 1, '{\"secret\":1}', 'ok'),
                ('default', 'd2', 'vapi', 'chat.created', 'p2', 1, '{\"other\":1}', 'ok');",
    );
    let owner = server.first_owner();
    server.sql("UPDATE sessions SET finalized_at = NULL WHERE id = 'v'");
    assert_eq!(owner.delete("/logs/v").await.0, StatusCode::CONFLICT, "not in the ledger yet");
    server.sql("UPDATE sessions SET finalized_at = 1 WHERE id = 'v'");
    assert_eq!(owner.delete("/logs/v").await.0, StatusCode::NO_CONTENT);
    // Fails unless exactly the one body is empty now: a division by zero is an error in PostgreSQL,
    // a violated key in both.
    server.sql(
        "INSERT INTO organizations (id, name, created_at)
         SELECT CASE WHEN (body = '{}') = (digest = 'd1') THEN digest ELSE 'default' END, 'x', 0
         FROM provider_events;",
    );
}

#[tokio::test]
async fn logs_are_kept_for_as_long_as_the_settings_say() {
    let settings = format!("{ACCOUNTS}\n[retention]\ndays = 30");
    let server = Server::start_with(&settings).await;
    let owner = server.first_owner();
    let day = 24 * 3600 * 1000;
    let now = 1_795_000_000_000;
    let ended = |id: &str, days: u64| Seed { created_at: now - days * day, ..Seed::new(id) };
    let mut seeds = vec![
        ended("young", 29),
        ended("old", 31),
        Seed { status: "active", ..ended("open", 100) },
        Seed { status: "ending", ..ended("ending", 100) },
        Seed { campaign: Some("autumn"), ..ended("autumn-young", 1) },
        Seed { campaign: Some("autumn"), ..ended("autumn-old", 3) },
        Seed { campaign: Some("spring"), billed: Some(true), ..ended("spring-old", 31) },
    ];
    // More than one batch.
    seeds.extend((0..120).map(|n| ended(&format!("x{n}"), 40)));
    server.seed(&seeds);
    // The server may have had its own round already; together they delete each log once.
    let deleted = server.app.retention.run().await.unwrap();
    assert!(deleted <= 123, "{deleted}");
    let mut left = owner.ids("limit=100").await;
    left.sort();
    assert_eq!(left, ["autumn-young", "ending", "open", "young"]);
    server.clock.advance(2 * day);
    server.app.retention.run().await.unwrap();
    assert_eq!(owner.ids("").await.len(), 2, "what is not over or not settled stays");
}

#[tokio::test]
async fn without_a_rule_logs_are_kept() {
    let server = Server::start().await;
    server.seed(&[Seed { created_at: 1000, ..Seed::new("ancient") }]);
    assert_eq!(server.app.retention.run().await.unwrap(), 0);
    assert_eq!(server.first_owner().ids("").await, ["ancient"]);
}

#[tokio::test]
async fn what_cannot_be_deleted_keeps_nothing_else() {
    let server = Server::start_with(&format!("{ACCOUNTS}\n[retention]\ndays = 30")).await;
    server.app.tasks.stop();
    let created_at = T0 - 40 * 24 * 3600 * 1000;
    // A campaign's own rule comes first.
    server.seed(&[
        Seed { created_at, campaign: Some("autumn"), ..Seed::new("stuck") },
        Seed { created_at, ..Seed::new("old") },
    ]);
    server.sql(
        "CREATE TABLE keeps (session_id TEXT REFERENCES sessions (id));
         INSERT INTO keeps VALUES ('stuck');
         INSERT INTO provider_events (organization_id, digest, provider, kind, received_at, body,
             outcome)
         VALUES ('default', 'd', 'vapi', 'hang', 1, '{}', 'ignored');
         INSERT INTO exports (id, organization_id, request, state, file_name, created_at,
             finished_at)
         VALUES ('e', 'default', '{\"format\":\"csv\"}', 'done', 'a.csv', 1, 1);
         INSERT INTO api_keys (digest, organization_id, created_at, id, revoked_at)
         VALUES ('k', 'default', 1, 'key_k', 1);",
    );
    assert!(server.app.retention.run().await.is_err());
    assert_eq!(server.first_owner().ids("").await, ["stuck"]);
    for gone in ["provider_events", "exports", "api_keys WHERE revoked_at IS NOT NULL"] {
        assert_eq!(server.count(gone), 0, "{gone}");
    }
    server.sql("DROP TABLE keeps");
    assert_eq!(server.app.retention.run().await.unwrap(), 1);
}
