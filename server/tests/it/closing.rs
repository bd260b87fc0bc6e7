//! Telling a provider that its session is over, whatever the provider does meanwhile.

use crate::support::provider::Scripted;
use crate::support::webhook::{completed, created, server, server_with};
use crate::support::{Server, database, eventually};
use banter_server::providers::{ModelError, ProviderSession};
use banter_server::services::lifecycle::Lifecycle;
use banter_server::services::reconcile::Reconcile;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: u64 = 60_000;

/// A server that does nothing by itself, with these sessions of Vapi's, which their visitors ended.
async fn ended(provider_sessions: &[&str]) -> (Server, Arc<Scripted>, Lifecycle) {
    let server = server().await;
    server.app.tasks.stop();
    let visitor = server.visitor();
    for provider_session in provider_sessions {
        let chat = visitor.open().await;
        server.opened(&chat.created.session.id.0, provider_session).await;
        chat.end().await;
        server.clock.advance(1);
    }
    let provider = Arc::new(Scripted::default());
    let lifecycle = Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() };
    (server, provider, lifecycle)
}

#[tokio::test]
async fn one_that_does_not_answer_holds_up_nobody_else() {
    let (server, provider, lifecycle) = ended(&["v1", "v2"]).await;
    let visitor = server.visitor();
    let idle = visitor.open().await;
    provider.will_hang_on("v1");
    let seen = "SELECT CAST(coalesce(max(seen_at), 0) AS TEXT) FROM nodes";
    let last_seen = server.value(seen);
    let checks = async {
        eventually("the other one is told", || {
            server.value("SELECT status FROM sessions WHERE provider_session = 'v2'") == "ended"
        })
        .await;
        server.clock.advance(3 * MINUTE);
        eventually("what the clock ended is written down", || {
            let ended = "SELECT coalesce(end_reason, '') FROM sessions WHERE id = ";
            server.value(&format!("{ended}'{}'", idle.created.session.id)) == "inactive"
        })
        .await;
        // One server alone has nobody to show it to.
        eventually("it shows that it lives", || {
            !database::is_shared() || server.value(seen) != last_seen
        })
        .await;
    };
    tokio::select! {
        () = lifecycle.keep() => unreachable!("it goes on for ever"),
        () = checks => {}
    }
    assert_eq!(server.value("SELECT status FROM sessions WHERE provider_session = 'v1'"), "ending");
    assert!(provider.asked().starts_with(&["close v1".into(), "close v2".into()]));
}

#[tokio::test]
async fn one_that_cannot_be_asked_holds_up_no_settling() {
    let (server, provider, lifecycle) = ended(&["v1"]).await;
    lifecycle.tell().await.unwrap();
    server.clock.advance(10 * MINUTE);
    provider.will_hang_on("v1");
    let reconcile = Reconcile { provider: provider.clone(), ..server.app.reconcile.clone() };
    let checks = async {
        eventually("it is asked", || provider.asked() == ["look up v1"]).await;
        // Nobody has to be asked about one that the provider never opened.
        server.visitor().open().await.end().await;
        server.clock.advance(10 * MINUTE);
        eventually("the other one is settled", || server.count("usage_records") == 1).await;
    };
    tokio::select! {
        () = reconcile.keep() => unreachable!("it goes on for ever"),
        () = checks => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_given_up_after_a_while() {
    let call = std::future::pending::<Result<(), ModelError>>();
    let began = tokio::time::Instant::now();
    let outcome = banter_server::providers::in_time(call).await;
    assert!(matches!(outcome, Err(ModelError::Timeout { .. })));
    assert_eq!(began.elapsed(), Duration::from_secs(15));
}

/// A wrong key, a wall in front of the provider: neither says anything about the session.
#[tokio::test]
async fn a_refusal_is_tried_again_and_in_the_end_told_as_it_is() {
    let (server, provider, lifecycle) = ended(&["v1"]).await;
    let refusal = ModelError::Refused { status: 401, cause: "Invalid Key".into() };
    provider.will_refuse(Some(refusal));
    let status = || server.value("SELECT status FROM sessions");
    for attempt in 0..7 {
        lifecycle.tell().await.unwrap();
        assert_eq!(provider.asked(), ["close v1"], "attempt {attempt}");
        // Each wait is twice the one before.
        server.clock.advance((MINUTE << attempt) - 1);
        lifecycle.tell().await.unwrap();
        assert_eq!((provider.asked(), status()), (vec![], "ending".into()), "attempt {attempt}");
        server.clock.advance(1);
    }
    lifecycle.tell().await.unwrap();
    assert_eq!(status(), "ended");
    assert_eq!(server.count("session_events WHERE kind = 'not_told'"), 1);
    assert_eq!(server.count("session_events WHERE kind = 'closed'"), 0);
}

#[tokio::test]
async fn a_provider_that_lets_us_in_again_is_told() {
    let (server, provider, lifecycle) = ended(&["v1"]).await;
    provider.will_refuse(Some(ModelError::Forbidden { cause: "1010".into() }));
    lifecycle.tell().await.unwrap();
    provider.will_refuse(None);
    server.clock.advance(MINUTE);
    lifecycle.tell().await.unwrap();
    assert_eq!(server.value("SELECT status FROM sessions"), "ended");
    assert_eq!(server.count("session_events WHERE kind = 'closed'"), 1);
}

/// How many sessions of a connection hang that takes calls and says nothing: more than may be under way
/// at once.
const HANGING: usize = 100;

/// Has a visitor end a session of a widget.
async fn end_one(server: &Server, widget: &str, provider_session: &str) {
    let visitor = server.visitor();
    let chat = visitor.open_in(widget, &json!({})).await;
    server.opened(&chat.created.session.id.0, provider_session).await;
    chat.end().await;
    server.clock.advance(1);
}

/// A server with two connections, and with as many ended sessions of the one as hang when somebody is
/// told or asked about them, and after them one of the other.
async fn ended_at_two() -> (Server, Arc<Scripted>, Lifecycle) {
    let server = server_with(
        "[vapi.connections.spare]\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"sk-spare\"
         [assistants.other]\nprovider = \"vapi\"\nconnection = \"spare\"\nassistant_id = \"other\"
         [widgets.other]\nassistant = \"other\"\nallowed_origins = [\"https://shop.example\"]",
    )
    .await;
    for number in 0..HANGING {
        end_one(&server, "other", &format!("slow{number}")).await;
    }
    end_one(&server, "test", "v1").await;
    let provider = Arc::new(Scripted::default());
    let lifecycle = Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() };
    (server, provider, lifecycle)
}

/// Waits at most for five seconds until `count` sessions of the other connection are `done`.
async fn soon(server: &Server, count: u64, done: &str) {
    let rows = format!("sessions WHERE {done} AND provider_session LIKE 'v%'");
    let waiting = eventually("the others are done", || server.count(&rows) == count);
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_hangs_holds_up_no_other_that_is_to_be_told() {
    let (server, provider, lifecycle) = ended_at_two().await;
    provider.will_hang_on("slow");
    let checks = async {
        soon(&server, 1, "status = 'ended'").await;
        // Also what ends while others hang.
        end_one(&server, "test", "v2").await;
        soon(&server, 2, "status = 'ended'").await;
    };
    tokio::select! {
        told = lifecycle.tell() => panic!("what hangs is over: {told:?}"),
        () = checks => {}
    }
    assert_eq!(server.count("sessions WHERE status = 'ending'"), HANGING as u64);
}

#[tokio::test]
async fn a_connection_that_hangs_holds_up_no_other_that_is_to_be_asked() {
    let (server, provider, lifecycle) = ended_at_two().await;
    lifecycle.tell().await.unwrap();
    server.clock.advance(10 * MINUTE);
    provider.will_hang_on("slow");
    let known = ProviderSession { completed: true, updated_at: None, cost: None };
    provider.will_say(Ok(Some(known)));
    let reconcile = Reconcile { provider: provider.clone(), ..server.app.reconcile.clone() };
    let checks = async {
        soon(&server, 1, "finalized_at IS NOT NULL").await;
        end_one(&server, "test", "v2").await;
        lifecycle.tell().await.unwrap();
        server.sql("UPDATE sessions SET attend_at = 1 WHERE provider_session = 'v2'");
        soon(&server, 2, "finalized_at IS NOT NULL").await;
    };
    tokio::select! {
        asked = reconcile.ask_overdue() => panic!("what hangs is over: {asked:?}"),
        () = checks => {}
    }
    assert_eq!(server.count("usage_records"), 2);
}

/// The provider lost sessions, and opens one more after the end: each is told, and all of them are before
/// the session is done with.
#[tokio::test]
async fn everything_that_was_opened_is_closed_also_what_is_opened_too_late() {
    let (server, provider, lifecycle) = ended(&[]).await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    let id = chat.created.session.id.0.as_str();
    server.opened(id, "v1").await;
    server.clock.advance(1);
    server.opened(id, "v2").await;
    let status = || server.value("SELECT status FROM sessions");
    let closed = || server.count("session_events WHERE kind = 'closed'");
    chat.end().await;
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close v1", "close v2"]);
    assert_eq!((status(), closed()), ("ended".into(), 1));
    // An opening that was under way at the end; the first attempt to close it fails.
    server.clock.advance(1);
    server.opened(id, "v3").await;
    assert_eq!(status(), "ending");
    provider.will_refuse(Some(ModelError::Unavailable { cause: "down".into() }));
    lifecycle.tell().await.unwrap();
    assert_eq!((provider.asked(), status()), (vec!["close v3".into()], "ending".into()));
    // And one more, which does not have to wait until that is tried again.
    provider.will_refuse(None);
    server.clock.advance(1);
    server.opened(id, "v4").await;
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close v3", "close v4"]);
    assert_eq!((status(), closed()), ("ended".into(), 2));
    // Told once more of what is closed, there is nothing to do.
    server.opened(id, "v3").await;
    server.clock.advance(100 * MINUTE);
    lifecycle.tell().await.unwrap();
    assert_eq!((provider.asked(), status()), (vec![], "ended".into()));
    assert_eq!(server.value("SELECT end_reason FROM sessions"), "visitor_ended");
}

/// Vapi opened a session and its answer was lost: all that tells of it is a webhook, by our session's name.
#[tokio::test]
async fn what_only_a_webhook_tells_of_is_closed_and_billed_too() {
    for is_over in [false, true] {
        let (server, provider, lifecycle) = ended(&[]).await;
        let (url, visitor) = (server.webhook(), server.visitor());
        let chat = visitor.open().await;
        let id = chat.created.session.id.0.as_str();
        server.opened(id, "v1").await;
        server.clock.advance(1);
        if is_over {
            chat.end().await;
            lifecycle.tell().await.unwrap();
            assert_eq!(provider.asked(), ["close v1"]);
        }
        server.deliver(&url, &created("v2", id)).await;
        let row = "SELECT provider_session || ' ' || status FROM sessions";
        assert_eq!(server.value(row), if is_over { "v1 ending" } else { "v1 active" });
        if !is_over {
            chat.end().await;
        }
        lifecycle.tell().await.unwrap();
        let all = ["close v1".to_owned(), "close v2".to_owned()];
        assert_eq!(provider.asked(), all[usize::from(is_over)..]);
        for (id, cost) in [("v2", 0.25), ("v1", 0.5)] {
            server.deliver(&url, &completed(id, cost)).await;
        }
        let settled = "SELECT status || ' ' || cost FROM sessions";
        assert_eq!(
            (server.value(settled), server.count("usage_records")),
            ("ended 0.75".into(), 1)
        );
    }
}

/// Also when it is settled already: what there is to close has nothing to do with the bill.
#[tokio::test]
async fn what_is_opened_after_the_bill_is_closed_and_changes_nothing_of_it() {
    let (server, provider, lifecycle) = ended(&["v1"]).await;
    lifecycle.tell().await.unwrap();
    server.deliver(&server.webhook(), &completed("v1", 0.5)).await;
    assert_eq!(server.count("usage_records"), 1);
    provider.asked();
    let id = server.value("SELECT id FROM sessions");
    server.opened(&id, "v2").await;
    // Nobody can delete what is not closed.
    let delete = format!("/logs/{id}");
    assert_eq!(server.first_owner().delete(&delete).await.0, 409);
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close v2"]);
    server.deliver(&server.webhook(), &completed("v2", 0.25)).await;
    server.app.reconcile.settle_ended().await.unwrap();
    let settled =
        "SELECT status || ' ' || cost || ' ' || CAST(attend_at IS NULL AS TEXT) FROM sessions";
    assert_eq!(server.value(settled).replace("true", "1"), "ended 0.5 1");
    assert_eq!(server.value("SELECT cost FROM usage_records"), "0.5");
    assert_eq!(server.first_owner().delete(&delete).await.0, 204);
}

/// One of a session's cannot be closed: the others are, and the log says what was not told.
#[tokio::test]
async fn one_that_hangs_holds_up_none_of_the_same_session() {
    let (server, provider, lifecycle) = ended(&["v1"]).await;
    let id = server.value("SELECT id FROM sessions");
    server.opened(&id, "v2").await;
    provider.will_hang_on("v1");
    let of = |one: &str| {
        server.value(&format!("SELECT state FROM provider_sessions WHERE id = '{one}'"))
    };
    tokio::select! {
        told = lifecycle.tell() => panic!("it waits for v1: {told:?}"),
        () = eventually("the other one is closed", || of("v2") == "closed") => {}
    }
    assert_eq!(
        (of("v1"), server.value("SELECT status FROM sessions")),
        ("open".into(), "ending".into())
    );
    provider.will_hang_on("");
    provider.will_refuse(Some(ModelError::Unavailable { cause: "down".into() }));
    for _ in 0..7 {
        server.clock.advance(1_000 * MINUTE);
        lifecycle.tell().await.unwrap();
    }
    assert_eq!(
        (of("v1"), server.value("SELECT status FROM sessions")),
        ("untold".into(), "ended".into())
    );
    assert_eq!(server.count("session_events WHERE kind = 'not_told'"), 1);
    assert_eq!(server.count("session_events WHERE kind = 'closed'"), 0);
}
