//! Webhooks of Vapi: who may send them, what is stored of them, and what they do to a log.

use crate::support::webhook::{SECRET, completed, created, server, server_with};
use crate::support::{Server, client, hex};
use hmac::Mac as _;
use serde_json::{Value, json};
use std::sync::{Mutex, OnceLock};

/// What a log came to: everything about it that an order of events could change.
const LOG: &str = "SELECT status || '|' || coalesce(end_reason, '') || '|' || coalesce(cost, '') || '|'
    || coalesce(cost_source, '') || '|' || CASE WHEN finalized_at IS NULL THEN '0' ELSE '1' END || '|'
    || (SELECT count(*) FROM usage_records WHERE session_id = sessions.id) || '|'
    || (SELECT count(*) FROM session_events WHERE session_id = sessions.id AND kind = 'finalized')
    || '|' || CASE WHEN active_at IS NULL THEN '0' ELSE '1' END
    FROM sessions";

fn log(server: &Server) -> String {
    server.value(LOG)
}

fn signature(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[tokio::test]
async fn every_form_of_proof_opens_the_door_and_nothing_else_does() {
    let key = "0123456789abcdef-key";
    let server = server_with(&format!(
        r#"
        [vapi.webhooks.bearer]
        type = "bearer"
        token = "canary-bearer-token"
        [vapi.webhooks.own]
        type = "bearer"
        token = "canary-own-token!"
        header_name = "X-Own"
        bearer_prefix_enabled = false
        [vapi.webhooks.signed]
        type = "hmac"
        secret_key = "{key}"
        [vapi.webhooks.whole]
        type = "hmac"
        secret_key = "{key}"
        signature_header = "x-whole"
        signature_prefix = "sha256="
        signature_encoding = "base64"
        payload_format = "{{svix-id}}.{{timestamp}}.{{method}}.{{url}}.{{body}}"
        "#
    ))
    .await;
    let url = server.webhook();
    let body = |n: u32| json!({"message": {"type": "hang", "n": n}}).to_string();
    let now = "1795000000";
    let whole = |n: u32| {
        use base64::Engine as _;
        let start = format!("msg_1.{now}.POST.{url}.");
        let signature = signature(key.as_bytes(), &[start.as_bytes(), body(n).as_bytes()]);
        format!("sha256={}", base64::engine::general_purpose::STANDARD.encode(signature))
    };
    let signed = |at: &str, n: u32| {
        hex(&signature(key.as_bytes(), &[at.as_bytes(), b".", body(n).as_bytes()]))
    };
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let with = |mut headers: Vec<(String, String)>, name: &str, value: &str| {
        headers.push((name.into(), value.into()));
        headers
    };
    let good = [
        (0, header("x-vapi-secret", SECRET)),
        (1, header("authorization", "Bearer canary-bearer-token")),
        (2, header("x-own", "canary-own-token!")),
        (3, with(header("x-signature", &signed(now, 3)), "x-timestamp", now)),
        (
            4,
            with(
                header("x-signature", &signed("1795000000123", 4)),
                "x-timestamp",
                "1795000000123",
            ),
        ),
        (5, with(with(header("x-whole", &whole(5)), "x-timestamp", now), "svix-id", "msg_1")),
    ];
    let bad = [
        (10, vec![]),
        (11, header("x-vapi-secret", "")),
        (12, header("x-vapi-secret", "canary-webhook-secre")),
        (13, header("authorization", "canary-bearer-token")),
        (14, header("authorization", &format!("Bearer {SECRET}"))),
        (15, header("x-own", "Bearer canary-own-token!")),
        // Another body's signature, and an old one: a replay.
        (16, with(header("x-signature", &signed(now, 3)), "x-timestamp", now)),
        (17, with(header("x-signature", &signed("1794999000", 17)), "x-timestamp", "1794999000")),
        (18, header("x-signature", &signed(now, 18))),
        (19, with(with(header("x-whole", &whole(19)), "x-timestamp", now), "svix-id", "msg_2")),
    ];
    let send = async |n: u32, headers: &[(String, String)]| {
        let request =
            headers.iter().fold(client().post(&url).body(body(n)), |request, (name, value)| {
                request.header(name, value)
            });
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for (n, headers) in &bad {
        let (status, text) = send(*n, headers).await;
        assert_eq!(status, 401, "case {n}");
        assert!(text.contains("unauthorized") && !text.contains("canary"), "{text}");
    }
    assert_eq!(server.count("provider_events"), 0, "wrong proof stores nothing");
    for (n, headers) in &good {
        assert_eq!(send(*n, headers).await, (200, "{}".into()), "case {n}");
    }
    assert_eq!(server.count("provider_events"), good.len() as u64);
}

#[tokio::test]
async fn without_a_credential_nobody_gets_in() {
    let server = Server::start().await;
    let url = server.webhook();
    assert_eq!(server.deliver(&url, &created("s", "n")).await.0, 401);
    let bearer = client().post(&url).bearer_auth("").body("{\"message\":{\"type\":\"hang\"}}");
    assert_eq!(bearer.send().await.unwrap().status(), 401);
    assert_eq!(server.count("provider_events"), 0);
}

#[tokio::test]
async fn bad_deliveries_are_said_so() {
    let server = server().await;
    let url = server.webhook();
    let post = |body: Vec<u8>| client().post(&url).header("x-vapi-secret", SECRET).body(body);
    for (request, status, code) in [
        (client().post(server.url("/webhooks/vapi/nobodys")), 404, "not_found"),
        (client().get(&url), 405, "method_not_allowed"),
        (post(vec![b' '; 1_048_577]), 413, "too_large"),
        (post(b"{\"message\":".to_vec()), 400, "invalid_request"),
        (post(b"{}".to_vec()), 400, "invalid_request"),
        (post(b"\xff\xfe".to_vec()), 400, "invalid_request"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.json::<Value>().await.unwrap()["code"], code);
    }
    assert_eq!(server.count("provider_events"), 0);
    // What cannot be made durable is not acknowledged.
    server.execute("ALTER TABLE provider_events RENAME TO away");
    assert_eq!(server.deliver(&url, &created("s", "n")).await.0, 503);
    server.execute("ALTER TABLE away RENAME TO provider_events");
    assert_eq!(server.deliver(&url, &created("s", "n")).await.0, 200);
}

#[tokio::test]
async fn a_session_lives_as_its_provider_says() {
    let server = server().await;
    let url = server.webhook();
    let id = server.vapi_session(None).await;
    assert_eq!(log(&server), "pending||||0|0|0|0");
    server.deliver(&url, &created("v1", &id)).await;
    assert_eq!(log(&server), "active||||0|0|0|1");
    assert_eq!(server.value("SELECT provider_session FROM sessions"), "v1");
    let update =
        json!({"type": "session.updated", "session": {"id": "v1", "status": "active", "cost": 9}});
    server.deliver(&url, &update).await;
    server
        .deliver(&url, &json!({"type": "chat.created", "chat": {"id": "c", "sessionId": "v1"}}))
        .await;
    assert_eq!(log(&server), "active||||0|0|0|1");
    server.deliver(&url, &completed("v1", 0.0125)).await;
    let end = "ended|provider_ended|0.0125|webhook|1|1|1|1";
    assert_eq!(log(&server), end);
    // Another completion, another cost, and everything else that may still come.
    server.deliver(&url, &completed("v1", 7.5)).await;
    server.deliver(&url, &update).await;
    server.deliver(&url, &json!({"type": "session.deleted", "session": {"id": "v1"}})).await;
    server.deliver(&url, &json!({"type": "end-of-call-report", "session": {"id": "v1"}})).await;
    server.deliver(&url, &json!({"type": "no.such.thing"})).await;
    assert_eq!(log(&server), end);
    let outcomes = server.rows(
        "SELECT outcome || ' ' || CAST(count(*) AS TEXT) FROM provider_events GROUP BY outcome ORDER BY outcome",
    );
    let outcomes: Vec<_> = outcomes.into_iter().flatten().flatten().collect();
    assert_eq!(outcomes, ["applied 5", "finalized 1", "ignored 2"]);
    let kinds = server.rows("SELECT kind FROM session_events ORDER BY position");
    let kinds: Vec<_> = kinds.into_iter().flatten().flatten().collect();
    assert_eq!(kinds[..3], ["created", "opened", "provider_event"]);
    assert!(kinds.contains(&"ended".to_owned()));
}

#[tokio::test]
async fn the_end_is_the_visitors_when_the_visitor_ended() {
    let server = server().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    server.opened(&chat.created.session.id.0, "v1").await;
    chat.end().await;
    server.deliver(&server.webhook(), &completed("v1", 0.5)).await;
    assert_eq!(log(&server), "ended|visitor_ended|0.5|webhook|1|1|1|0");
}

/// Every order of four things.
fn orders_of_four() -> Vec<Vec<usize>> {
    let mut orders = vec![vec![0, 1, 2, 3]];
    for _ in 0..23 {
        let mut next = orders.last().unwrap().clone();
        // The next permutation in order.
        let at = (0..3).rev().find(|at| next[*at] < next[at + 1]).unwrap();
        let other = (0..4).rev().find(|other| next[*other] > next[at]).unwrap();
        next.swap(at, other);
        next[at + 1..].reverse();
        orders.push(next);
    }
    orders
}

#[tokio::test]
async fn any_order_comes_to_the_same_log() {
    let events = [
        created("v1", ""),
        json!({"type": "session.updated", "session": {"id": "v1", "status": "active"}}),
        completed("v1", 0.25),
        json!({"type": "session.deleted", "session": {"id": "v1"}}),
    ];
    let orders = orders_of_four();
    let server = server().await;
    let url = server.widget_webhook();
    for (number, order) in orders.iter().enumerate() {
        // In half of the cases the session learns Vapi's id after all of them came.
        let late = number % 2 == 1;
        let foreign = number % 4 == 0;
        let v = format!("v{number}");
        let ours = if foreign {
            None
        } else {
            Some(server.vapi_session((!late).then_some(v.as_str())).await)
        };
        // Without its name nothing says that it is ours, and then only an address without a widget
        // keeps it waiting.
        let nameless = late && number % 4 == 1;
        for at in order.iter().chain(&order[..2]) {
            let mut event = events[*at].clone();
            event["session"]["id"] = v.as_str().into();
            if let (Some(ours), false) = (&ours, nameless) {
                event["session"]["name"] = ours.as_str().into();
            }
            let url = if nameless { server.webhook() } else { url.clone() };
            assert_eq!(server.deliver(&url, &event).await.0, 200);
        }
        if let (Some(ours), true) = (&ours, late) {
            server.opened(ours, &v).await;
            server.app.reconcile.settle_ended().await.unwrap();
        }
        let sql = format!("{LOG} WHERE provider_session = '{v}'");
        let log = server.value(&sql);
        assert_eq!(log, "ended|provider_ended|0.25|webhook|1|1|1|1", "{order:?} {number}");
    }
    assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
}

#[tokio::test]
async fn the_same_thing_many_times_at_once_happens_once() {
    let server = server().await;
    let url = server.webhook();
    server.vapi_session(Some("v1")).await;
    let same = completed("v1", 0.5);
    let all = (0..64).map(|_| server.deliver(&url, &same));
    for (status, body) in futures_util::future::join_all(all).await {
        assert_eq!((status, body.as_str()), (200, "{}"));
    }
    assert_eq!(server.count("provider_events"), 1);
    assert_eq!(log(&server), "ended|provider_ended|0.5|webhook|1|1|1|1");

    // As many completions that differ, of one session that nobody knows yet.
    let url = server.widget_webhook();
    let mut different: Vec<_> = (0..64)
        .map(|n| {
            let mut event = completed("v2", 0.5);
            event["n"] = n.into();
            event
        })
        .collect();
    different.insert(32, created("v2", ""));
    let all = different.iter().map(|event| server.deliver(&url, event));
    for (status, _) in futures_util::future::join_all(all).await {
        assert_eq!(status, 200);
    }
    server.app.reconcile.settle_ended().await.unwrap();
    assert_eq!(server.count("provider_events"), 66);
    let sql = format!("{LOG} WHERE provider_session = 'v2'");
    let log = server.value(&sql);
    assert_eq!(log, "ended|provider_ended|0.5|webhook|1|1|1|1");
}

#[tokio::test]
async fn an_event_that_races_the_opening_is_not_lost() {
    let server = server().await;
    let url = server.webhook();
    for number in 0..60 {
        let id = server.vapi_session(None).await;
        let provider_session = format!("v{number}");
        // Nothing in it says that it is ours.
        let event = completed(&provider_session, 0.5);
        let (_, delivered) =
            tokio::join!(server.opened(&id, &provider_session), server.deliver(&url, &event));
        assert_eq!(delivered.0, 200);
    }
    server.app.reconcile.settle_ended().await.unwrap();
    assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
    assert_eq!(server.count("sessions WHERE finalized_at IS NULL"), 0);
    assert_eq!(server.count("usage_records WHERE cost = '0.5'"), 60);
}

#[tokio::test]
async fn a_session_that_was_opened_anew_is_not_ended_by_its_former_self() {
    for at_widget in [false, true] {
        let server = server().await;
        let url = if at_widget { server.widget_webhook() } else { server.webhook() };
        let id = server.vapi_session(Some("old")).await;
        // Vapi lost it; the next one has the same name, and is heard of before its answer comes.
        server.deliver(&url, &created("new", &id)).await;
        assert_eq!(server.count("sessions"), 1, "it is nobody else's");
        let mut former = completed("old", 0.5);
        former["session"]["name"] = id.as_str().into();
        server.opened(&id, "new").await;
        server.deliver(&url, &former).await;
        // Also when its beginning is told last.
        server.deliver(&url, &created("old", &id)).await;
        assert_eq!(log(&server), "active||||0|0|0|1");
        server.deliver(&url, &completed("new", 0.25)).await;
        assert_eq!(log(&server), "ended|provider_ended|0.75|webhook|1|1|1|1");
        assert_eq!(server.count("usage_records"), 1);
        assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
    }
}

#[tokio::test]
async fn what_the_provider_lost_is_on_the_same_bill_in_any_order() {
    let server = server().await;
    for (number, order) in orders_of_four().iter().enumerate() {
        let [lost, last] = ["lost", "last"].map(|which| format!("{which}-{number}"));
        let visitor = server.visitor();
        let chat = visitor.open().await;
        let id = &chat.created.session.id.0;
        server.opened(id, &lost).await;
        server.opened(id, &last).await;
        let left = number % 2 == 1;
        if left {
            chat.end().await;
        }
        // Nothing in what is said of the lost one's chat and end says that it is ours but its id.
        let events = [
            created(&lost, id),
            json!({"type": "chat.created", "chat": {"id": "c", "sessionId": lost}}),
            completed(&lost, 0.5),
            completed(&last, 0.25),
        ];
        let url = if number % 4 < 2 { server.webhook() } else { server.widget_webhook() };
        for at in order.iter().chain(order) {
            assert_eq!(server.deliver(&url, &events[*at]).await.0, 200);
            // Another server's bytes.
            let mut again = events[*at].clone();
            again["again"] = number.into();
            assert_eq!(server.deliver(&url, &again).await.0, 200);
        }
        let reason = if left { "visitor_ended" } else { "provider_ended" };
        let log = server.value(&format!("{LOG} WHERE id = '{id}'"));
        // What was never spoken in is not made active by what is heard of it after its end.
        let active = u8::from(!left);
        assert_eq!(log, format!("ended|{reason}|0.75|webhook|1|1|1|{active}"), "{order:?}");
        let bill = format!("SELECT cost FROM usage_records WHERE session_id = '{id}'");
        assert_eq!(server.value(&bill), "0.75", "{order:?}");
        // It stands, whatever else is said.
        server.deliver(&url, &completed(&lost, 7.0)).await;
        assert_eq!(server.value(&bill), "0.75");
        assert_eq!(server.value(&format!("{LOG} WHERE id = '{id}'")), log);
    }
    assert_eq!(server.count("sessions"), 24, "no log but theirs");
    assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
}

#[tokio::test]
async fn deleting_a_log_keeps_nothing_of_what_was_said_of_any_of_its_sessions() {
    let server = server().await;
    let id = server.vapi_session(Some("lost")).await;
    server.opened(&id, "last").await;
    for event in [completed("lost", 0.5), completed("last", 0.25)] {
        server.deliver(&server.webhook(), &event).await;
    }
    let (status, body) = server.first_owner().delete(&format!("/logs/{id}")).await;
    assert_eq!(status.as_u16(), 204, "{body}");
    assert_eq!(server.count("provider_events WHERE body = '{}'"), 2);
    assert_eq!(server.count("provider_sessions"), 0);
    // Told again, they are known; and the bill outlives its log.
    server.deliver(&server.webhook(), &completed("lost", 0.5)).await;
    assert_eq!((server.count("provider_events"), server.count("sessions")), (2, 0));
    assert_eq!(server.value("SELECT cost FROM usage_records"), "0.75");
}

#[tokio::test]
async fn only_a_widgets_own_address_begins_logs() {
    let server = server().await;
    let foreign = json!({"type": "session.created", "session": {
        "id": "v9", "name": "Ann's chat", "createdAt": "2026-11-18T12:00:00Z"}});
    server.deliver(&server.webhook(), &foreign).await;
    assert_eq!(server.count("sessions"), 0);
    assert_eq!(server.value("SELECT outcome FROM provider_events"), "waiting");
    let mut again = foreign.clone();
    again["again"] = true.into();
    server.deliver(&server.widget_webhook(), &again).await;
    assert_eq!(log(&server), "active||||0|0|0|1");
    assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
    let mut done = completed("v9", 0.125);
    done["session"]["messages"] = json!([
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user"},
        {"role": "user", "content": "c"}]);
    server.deliver(&server.webhook(), &done).await;
    // Three messages of half a minute each.
    let ledger = "SELECT units || ' ' || unit || ' ' || rate || ' ' || rounding || ' ' || minutes || ' ' || cost
                  FROM usage_records";
    assert_eq!(server.value(ledger), "3 message 0.5 up to 0.5, at least 0 1.5 0.125");
}

#[tokio::test]
async fn the_transcript_of_another_clients_session_comes_with_its_end() {
    let server = server().await;
    let (url, owner) = (server.widget_webhook(), server.first_owner());
    let mut done = completed("v9", 0.125);
    done["session"]["messages"] = json!([
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": "Hi there."},
        {"role": "user", "content": format!("Where is my parcel? My key is {SECRET}.")},
        {"role": "assistant", "content": "x".repeat(9_000)}]);
    let begin = json!({"type": "session.created", "session": {"id": "v9"}});
    // Both ways round, and each twice.
    for (id, order) in [("v9", [&begin, &done]), ("v8", [&done, &begin])] {
        for event in order.into_iter().chain(order) {
            let mut event = event.clone();
            event["session"]["id"] = id.into();
            server.deliver(&url, &event).await;
        }
        server.app.reconcile.settle_ended().await.unwrap();
        let ours = format!("SELECT id FROM sessions WHERE provider_session = '{id}'");
        let (_, log) = owner.get(&format!("/logs/{}", server.value(&ours))).await;
        let said = log["messages"].as_array().unwrap();
        let roles: Vec<_> = said.iter().map(|said| said["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["assistant", "visitor", "assistant"], "{log}");
        assert_eq!(said[1]["text"], "Where is my parcel? My key is [redacted].");
        let cut = said[2]["text"].as_str().unwrap();
        assert!((4_000..4_200).contains(&cut.len()) && cut.ends_with("[cut]"), "{}", cut.len());
        let counts = [&log["log"]["visitorMessages"], &log["log"]["assistantMessages"]];
        assert_eq!(counts, [&json!(1), &json!(2)]);
    }
    assert_eq!(owner.ids("q=parcel").await.len(), 2);
    // What was said to us is not said again.
    let visitor = server.visitor();
    let chat = visitor.open().await;
    server.sql(&format!(
        "INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources)
         VALUES ('{}', 'q1', 'visitor', 'Mine', 'complete', 1, 0, '[]')",
        chat.created.session.id
    ));
    server.opened(&chat.created.session.id.0, "v7").await;
    done["session"]["id"] = "v7".into();
    server.deliver(&url, &done).await;
    assert_eq!(chat.history().await.messages.len(), 1);
}

#[tokio::test]
async fn what_belongs_to_no_log_goes_after_a_while() {
    const DAY: u64 = 24 * 3_600_000;
    let kept = vec!["kept finalized", "kept ignored"];
    for (settings, days, left) in [
        ("", 30, kept.clone()),
        ("[retention]\nunclaimed_event_days = 3", 3, kept),
        // The log of the session that is kept goes in the same round.
        ("[retention]\ndays = 7", 7, vec![]),
    ] {
        let server = server_with(settings).await;
        let url = server.webhook();
        let chat = |session: &str| json!({"type": "hang", "session": {"id": session}});
        for known in ["kept", "deleted"] {
            server.vapi_session(Some(known)).await;
            server.deliver(&url, &chat(known)).await;
            server.deliver(&url, &completed(known, 0.5)).await;
        }
        server.app.reconcile.settle_ended().await.unwrap();
        let of_deleted = "provider_events WHERE provider_session = 'deleted'";
        let log = server.value("SELECT id FROM sessions WHERE provider_session = 'deleted'");
        let (status, body) = server.first_owner().delete(&format!("/logs/{log}")).await;
        assert_eq!(status.as_u16(), 204, "{body}");
        // More than one batch of what nobody ever asks for, and what names no session at all.
        for number in 0..60 {
            server.deliver(&url, &completed(&format!("foreign-{number}"), 0.5)).await;
        }
        server.deliver(&url, &chat("foreign")).await;
        server.deliver(&url, &json!({"type": "hang"})).await;
        assert_eq!((server.count("provider_events"), server.count(of_deleted)), (66, 2));

        server.clock.advance(days * DAY);
        server.app.retention.run().await.unwrap();
        assert_eq!(server.count("provider_events"), 66, "{settings}");
        server.clock.advance(1);
        server.app.retention.run().await.unwrap();
        let rows = server
            .rows("SELECT provider_session || ' ' || outcome FROM provider_events ORDER BY 1");
        assert_eq!(rows.into_iter().flatten().flatten().collect::<Vec<_>>(), left, "{settings}");
        // What comes again after that settles nothing anew.
        server.deliver(&url, &completed("deleted", 0.5)).await;
        assert_eq!(server.count("usage_records"), 2);
    }
    let server = server_with("[retention]\nunclaimed_event_days = 0").await;
    server.deliver(&server.webhook(), &completed("foreign", 0.5)).await;
    server.clock.advance(4_000 * DAY);
    server.app.retention.run().await.unwrap();
    assert_eq!(server.count("provider_events"), 1, "0 keeps");
}

/// Everything this process logs while these tests run.
fn logged() -> &'static Mutex<Vec<u8>> {
    static LOGGED: OnceLock<&'static Mutex<Vec<u8>>> = OnceLock::new();
    LOGGED.get_or_init(|| {
        struct Writer(&'static Mutex<Vec<u8>>);
        impl std::io::Write for Writer {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let buffer: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || Writer(buffer))
            .try_init()
            .unwrap();
        buffer
    })
}

#[tokio::test]
async fn no_secret_is_written_down() {
    let log = logged();
    let server = server().await;
    let id = server.vapi_session(None).await;
    let secrets = json!({
        "type": "session.created",
        "session": {"id": "v1", "name": id, "metadata": {"deep": [{"api_key": "canary-1"}]}},
        "phoneNumber": {"twilioAccountSid": "canary-2", "twilioAuthToken": "canary-3"},
        "assistant": {
            "server": {"url": "https://u:canary-4@example.com/", "secret": "canary-5",
                       "headers": {"X-Mine": "canary-6"}},
            "model": {"messages": [{"content": "Use Bearer canary-7-7777 and sk-canary-8888888"}]},
            "credentialIds": ["canary-9"],
            "tool": {"arguments": "{\"password\": \"canary-10\"}"},
        },
        "monitor": {"listenUrl": "wss://x/canary-11", "controlUrl": "https://x/canary-12"},
        "echo": format!("you sent {SECRET} and sk-canary-upstream"),
    });
    let url = server.webhook();
    let (status, answer) = server.deliver(&url, &secrets).await;
    assert_eq!((status, answer.as_str()), (200, "{}"));
    // A wrong secret, and a body that is wrong: neither is quoted.
    let wrong =
        client().post(&url).header("x-vapi-secret", "canary-wrong-secret-13").body("canary-14");
    let wrong = wrong.send().await.unwrap().text().await.unwrap();
    let junk = client().post(&url).header("x-vapi-secret", SECRET).body("{canary-15");
    let junk = junk.send().await.unwrap().text().await.unwrap();
    server.deliver(&url, &completed("v1", 0.5)).await;
    let stored: String = ["provider_events", "session_events", "outbox"]
        .iter()
        .zip(["body || kind || outcome", "kind || detail", "payload"])
        .flat_map(|(table, columns)| server.rows(&format!("SELECT {columns} FROM {table}")))
        .flatten()
        .flatten()
        .collect();
    assert!(stored.contains("twilioAuthToken") && stored.contains("[redacted]"));
    let logged = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a webhook was refused"));
    for (what, text) in [("row", &stored), ("answer", &wrong), ("answer", &junk), ("log", &logged)]
    {
        assert!(!text.contains("canary"), "a secret in a {what}: {text}");
    }
}
