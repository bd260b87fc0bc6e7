//! Sessions that no webhook completes, and those that nobody has to be asked about.

use crate::support::provider::Scripted;
use crate::support::webhook::{completed, server, server_with};
use crate::support::{Server, eventually};
use banter_server::providers::{ModelError, ProviderSession};
use banter_server::services::lifecycle::Lifecycle;
use banter_server::services::reconcile::Reconcile;
use serde_json::json;
use std::sync::Arc;

const MINUTE: u64 = 60_000;

fn reconciler(server: &Server, provider: &Arc<Scripted>) -> Reconcile {
    Reconcile { provider: provider.clone(), ..server.app.reconcile.clone() }
}

/// What a server does every second: settles what needs no asking, asks about what is overdue.
async fn round(reconcile: &Reconcile) {
    reconcile.settle_ended().await.unwrap();
    reconcile.ask_overdue().await.unwrap();
}

/// A server with one session of Vapi's that ended a moment ago and whose provider was told.
async fn ended() -> (Server, Arc<Scripted>, Reconcile) {
    let server = server().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    server.opened(&chat.created.session.id.0, "v1").await;
    chat.end().await;
    let provider = Arc::new(Scripted::default());
    let reconcile = reconciler(&server, &provider);
    let lifecycle = Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() };
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close v1"]);
    assert_eq!(server.value("SELECT status FROM sessions"), "ended");
    (server, provider, reconcile)
}

const SETTLED: &str = "SELECT coalesce(cost, '') || '|' || coalesce(cost_source, '') || '|'
    || CAST(webhook_missing AS TEXT) || '|' || (SELECT count(*) FROM usage_records) FROM sessions";

fn session(completed: bool) -> Result<Option<ProviderSession>, ModelError> {
    let cost = Some("0.0375".parse().unwrap());
    Ok(Some(ProviderSession { completed, updated_at: None, cost }))
}

#[tokio::test]
async fn what_no_webhook_completes_is_asked_for_once() {
    let (server, provider, reconcile) = ended().await;
    provider.will_say(session(true));
    reconcile.ask_overdue().await.unwrap();
    server.clock.advance(10 * MINUTE - 1);
    reconcile.ask_overdue().await.unwrap();
    assert_eq!(provider.asked(), [""; 0], "its webhook still has time");
    server.clock.advance(1);
    let others = (0..8).map(|_| reconciler(&server, &provider)).collect::<Vec<_>>();
    let rounds = others.iter().map(Reconcile::ask_overdue);
    for round in futures_util::future::join_all(rounds).await {
        round.unwrap();
    }
    assert_eq!(provider.asked(), ["look up v1"]);
    assert_eq!(server.value(SETTLED), "0.0375|reconciled|1|1");
    assert_eq!(server.count("session_events WHERE kind = 'webhook_missing'"), 1);
    // The webhook comes after all: the bill stands.
    server.deliver(&server.webhook(), &completed("v1", 9.0)).await;
    server.clock.advance(100 * MINUTE);
    reconcile.ask_overdue().await.unwrap();
    assert_eq!(server.value(SETTLED), "0.0375|reconciled|1|1");
    assert_eq!(provider.asked(), [""; 0]);
}

#[tokio::test]
async fn a_webhook_that_came_leaves_nothing_to_ask() {
    let (server, provider, reconcile) = ended().await;
    server.deliver(&server.webhook(), &completed("v1", 0.5)).await;
    server.clock.advance(100 * MINUTE);
    reconcile.ask_overdue().await.unwrap();
    assert_eq!(provider.asked(), [""; 0]);
    assert_eq!(server.value(SETTLED), "0.5|webhook|0|1");
}

#[tokio::test]
async fn a_completion_without_a_cost_is_asked_about_before_it_is_settled() {
    for (said, kept) in [(json!({}), ""), (json!({"cost": null}), ""), (json!({"cost": 0}), "0")] {
        for found in [Some("0.0375"), None] {
            let (server, provider, reconcile) = ended().await;
            let mut event = completed("v1", 0.0);
            let session = event["session"].as_object_mut().unwrap();
            session.remove("cost");
            session.extend(said.as_object().unwrap().clone());
            server.deliver(&server.webhook(), &event).await;
            round(&reconcile).await;
            assert_eq!(server.value(SETTLED), format!("{kept}|webhook|0|0"), "{said}");
            let cost = found.map(|cost| cost.parse().unwrap());
            provider.will_say(Ok(Some(ProviderSession {
                completed: true,
                updated_at: None,
                cost,
            })));
            server.clock.advance(10 * MINUTE);
            round(&reconcile).await;
            assert_eq!(provider.asked(), ["look up v1"]);
            // Its webhook did come.
            let settled = match found {
                Some(cost) => format!("{cost}|reconciled|0|1"),
                None => format!("{kept}|webhook|0|1"),
            };
            assert_eq!(server.value(SETTLED), settled, "{said}");
            assert_eq!(server.count("session_events WHERE kind = 'webhook_missing'"), 0);
            server.clock.advance(1_000 * MINUTE);
            round(&reconcile).await;
            assert_eq!(provider.asked(), [""; 0], "once");
        }
    }
    // What comes with a cost after all settles it, and what is lost over there costs what was said.
    let (server, provider, reconcile) = ended().await;
    server.deliver(&server.webhook(), &completed("v1", 0.0)).await;
    server.deliver(&server.webhook(), &completed("v1", 0.5)).await;
    server.clock.advance(100 * MINUTE);
    round(&reconcile).await;
    assert_eq!((server.value(SETTLED).as_str(), provider.asked().len()), ("0.5|webhook|0|1", 0));
    let (server, provider, reconcile) = ended().await;
    server.deliver(&server.webhook(), &completed("v1", 0.0)).await;
    provider.will_say(Ok(None));
    server.clock.advance(100 * MINUTE);
    round(&reconcile).await;
    assert_eq!(server.value(SETTLED), "0|webhook|0|1");
}

#[tokio::test]
async fn an_assistant_that_cannot_be_read_holds_up_nobody_else() {
    let server = server_with(
        "[assistants.other]\nprovider = \"vapi\"\nconnection = \"main\"\nassistant_id = \"other\"
         [widgets.other]\nassistant = \"other\"\nallowed_origins = [\"https://shop.example\"]",
    )
    .await;
    let provider = Arc::new(Scripted::default());
    provider.will_say(session(true));
    let lifecycle = Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() };
    let visitor = server.visitor();
    for widget in ["other", "test"] {
        let chat = visitor.open_in(widget, &json!({})).await;
        server.opened(&chat.created.session.id.0, widget).await;
        chat.end().await;
    }
    // A newer server on the same database knows another kind of assistant.
    let kept = server.value("SELECT definition FROM assistants WHERE id = 'other'");
    server.execute("UPDATE assistants SET definition = '{\"provider\":\"x\"}' WHERE id = 'other'");
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close test"]);
    // It is closed when somebody can read it; so it is settled.
    server.execute(&format!("UPDATE assistants SET definition = '{kept}' WHERE id = 'other'"));
    server.clock.advance(MINUTE);
    lifecycle.tell().await.unwrap();
    assert_eq!(provider.asked(), ["close other"]);
    server.execute("UPDATE assistants SET definition = '{\"provider\":\"x\"}' WHERE id = 'other'");
    server.clock.advance(10 * MINUTE);
    let reconcile = reconciler(&server, &provider);
    round(&reconcile).await;
    assert_eq!(provider.asked(), ["look up test"]);
    server.execute(&format!("UPDATE assistants SET definition = '{kept}' WHERE id = 'other'"));
    server.clock.advance(20 * MINUTE);
    round(&reconcile).await;
    assert_eq!(provider.asked(), ["look up other"]);
    assert_eq!(server.count("usage_records"), 2);
}

#[tokio::test]
async fn what_goes_on_over_there_is_told_again_and_asked_later() {
    let (server, provider, reconcile) = ended().await;
    provider.will_say(session(false));
    // Each wait is twice the one before.
    for wait in [10, 10, 20, 40] {
        server.clock.advance(wait * MINUTE - 1);
        reconcile.ask_overdue().await.unwrap();
        assert_eq!(provider.asked(), [""; 0], "{wait}");
        server.clock.advance(1);
        reconcile.ask_overdue().await.unwrap();
        assert_eq!(provider.asked(), ["look up v1", "close v1"], "{wait}");
    }
    assert_eq!(server.value(SETTLED), "||0|0");
    server.clock.advance(80 * MINUTE);
    provider.will_say(session(true));
    reconcile.ask_overdue().await.unwrap();
    assert_eq!(provider.asked(), ["look up v1"]);
    assert_eq!(server.value(SETTLED), "0.0375|reconciled|1|1");
}

/// The provider lost one, and opened another.
#[tokio::test]
async fn each_session_at_the_provider_is_asked_about_and_the_bill_is_their_sum() {
    // Of which a webhook comes; what asking about the others comes to; the log's cost, who said it, and
    // whether a webhook is missing.
    for (told, answer, settled) in [
        (vec![], session(true), "0.075|reconciled|1|1"),
        (vec!["lost"], session(true), "0.5375|reconciled|1|1"),
        (vec!["last"], session(true), "0.5375|reconciled|1|1"),
        (vec!["last"], Ok(None), "0.5|webhook|0|1"),
        (vec!["lost"], Ok(None), "0.5|webhook|0|1"),
        (vec![], Ok(None), "|none|0|1"),
        (vec!["last", "lost"], Ok(None), "1|webhook|0|1"),
    ] {
        let server = server().await;
        let visitor = server.visitor();
        let chat = visitor.open().await;
        server.opened(&chat.created.session.id.0, "lost").await;
        server.clock.advance(1);
        server.opened(&chat.created.session.id.0, "last").await;
        chat.end().await;
        let provider = Arc::new(Scripted::default());
        let reconcile = reconciler(&server, &provider);
        let lifecycle = Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() };
        lifecycle.tell().await.unwrap();
        assert_eq!(provider.asked(), ["close lost", "close last"]);
        for id in &told {
            server.deliver(&server.webhook(), &completed(id, 0.5)).await;
        }
        // The other one's webhook still has time, and no part of the cost is taken for all of it.
        round(&reconcile).await;
        if told.len() < 2 {
            assert_eq!(server.value(SETTLED), "||0|0", "{told:?}");
        }
        provider.will_say(answer);
        server.clock.advance(10 * MINUTE);
        round(&reconcile).await;
        let asked: Vec<_> = ["lost", "last"]
            .iter()
            .filter(|id| !told.contains(id))
            .map(|id| format!("look up {id}"))
            .collect();
        assert_eq!(provider.asked(), asked, "{told:?}");
        assert_eq!(server.value(SETTLED), settled, "{told:?}");
        let missing = server.count("session_events WHERE kind = 'webhook_missing'");
        assert_eq!(missing, u64::from(settled.contains("|1|1")), "{told:?}");
        server.clock.advance(1_000 * MINUTE);
        round(&reconcile).await;
        assert_eq!(provider.asked(), [""; 0], "once");
    }
    // One of them cannot be asked about at first: the other is not asked about again.
    let (server, provider, reconcile) = ended().await;
    server.clock.advance(1);
    let id = server.value("SELECT id FROM sessions");
    server.opened(&id, "v2").await;
    Lifecycle { provider: provider.clone(), ..server.app.lifecycle.clone() }.tell().await.unwrap();
    provider.asked();
    server.deliver(&server.webhook(), &completed("v1", 0.0)).await;
    provider.will_say(Err(ModelError::Unavailable { cause: "down".into() }));
    server.clock.advance(10 * MINUTE);
    round(&reconcile).await;
    assert_eq!(provider.asked(), ["look up v1", "look up v2"]);
    server.deliver(&server.webhook(), &completed("v1", 0.25)).await;
    provider.will_say(session(true));
    server.clock.advance(10 * MINUTE);
    round(&reconcile).await;
    assert_eq!(provider.asked(), ["look up v2"]);
    assert_eq!(server.value(SETTLED), "0.2875|reconciled|1|1");
}

#[tokio::test]
async fn what_nobody_knows_is_settled_without_a_cost() {
    let (server, provider, reconcile) = ended().await;
    // First it cannot be reached, which proves nothing.
    provider.will_say(Err(ModelError::Unavailable { cause: "down".into() }));
    server.clock.advance(10 * MINUTE);
    reconcile.ask_overdue().await.unwrap();
    assert_eq!(server.value(SETTLED), "||0|0");
    provider.will_say(Ok(None));
    server.clock.advance(100 * MINUTE);
    reconcile.ask_overdue().await.unwrap();
    assert_eq!(server.value(SETTLED), "|none|0|1");
}

#[tokio::test]
async fn a_provider_that_stays_away_does_not_keep_a_log_open_for_ever() {
    let (server, provider, reconcile) = ended().await;
    provider.will_say(Err(ModelError::Unavailable { cause: "down".into() }));
    for _ in 0..8 {
        server.clock.advance(60 * 60 * MINUTE);
        reconcile.ask_overdue().await.unwrap();
    }
    assert_eq!(server.value(SETTLED), "|none|0|1");
    assert!(provider.asked().len() <= 8);
}

#[tokio::test]
async fn a_session_the_provider_never_opened_needs_no_asking() {
    let server = server().await;
    let visitor = server.visitor();
    visitor.open().await.end().await;
    let provider = Arc::new(Scripted::default());
    let reconcile = reconciler(&server, &provider);
    reconcile.settle_ended().await.unwrap();
    assert_eq!(server.value(SETTLED), "||0|0");
    server.clock.advance(10 * MINUTE);
    reconcile.settle_ended().await.unwrap();
    assert_eq!(server.value(SETTLED), "|none|0|1");
    assert_eq!(provider.asked(), [""; 0]);
    assert_eq!(server.value("SELECT minutes FROM usage_records"), "0");
}

#[tokio::test]
async fn the_engines_sessions_are_settled_when_they_end() {
    let server = Server::start_with("[minutes.chat]\nrate = \"0.4\"\nstep = \"1\"").await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    for number in 0..3 {
        chat.say(&format!("q{number}"), "Hi").await.text().await;
    }
    chat.end().await;
    // The server does this by itself.
    eventually("it is settled", || server.count("usage_records") == 1).await;
    assert_eq!(server.value(SETTLED), "|none|0|1");
    let ledger = "SELECT units || ' ' || unit || ' ' || rate || ' ' || rounding || ' ' || minutes
                  FROM usage_records";
    assert_eq!(server.value(ledger), "3 message 0.4 up to 1, at least 0 2");
    assert_eq!(server.count("session_events WHERE kind = 'finalized'"), 1);
}
