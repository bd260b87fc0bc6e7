//! A double of Vapi with its own webhooks: from the first word to the bill.

use crate::support::vapi::VapiServer;
use crate::support::webhook::SECRET;
use crate::support::{client, eventually};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use vapi_double::{ASSISTANT, Algorithm, Credential, Double, Encoding, HmacPlan, KEY, Options};

const SETTLED: &str = "SELECT coalesce(end_reason, '') || '|' || coalesce(cost_source, '') || '|'
    || CAST(webhook_missing AS TEXT) || '|' || CAST(cost IS NOT NULL AS TEXT) || '|'
    || (SELECT count(*) FROM usage_records) FROM sessions";

async fn server() -> VapiServer {
    VapiServer::start_with(&format!(
        "[vapi.webhooks.test]\ntype = \"secret\"\nsecret = \"{SECRET}\""
    ))
    .await
}

/// Asks the double for webhooks, as an owner asks Vapi.
async fn subscribe(server: &VapiServer) {
    let url = format!("{}/assistant/{ASSISTANT}", server.double.base_url());
    let body = json!({
        "server": {"url": server.webhook(), "secret": SECRET},
        "serverMessages": ["session.created", "session.updated", "chat.created"],
    });
    let request = client().patch(url).header("user-agent", "owner/1").bearer_auth(KEY);
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn a_chat_is_settled_by_its_webhooks() {
    let server = server().await;
    subscribe(&server).await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    chat.end().await;
    eventually("it is settled", || server.count("usage_records") == 1).await;
    let settled = server.value(SETTLED).replace("true", "1");
    assert_eq!(settled, "visitor_ended|webhook|0|1|1");
    assert_eq!(server.count("provider_events WHERE outcome = 'waiting'"), 0);
    assert_eq!(server.value("SELECT units || ' ' || minutes FROM usage_records"), "1 0.5");
}

#[tokio::test]
async fn a_chat_without_webhooks_is_settled_by_asking() {
    let server = server().await;
    let visitor = server.visitor();
    let chat = visitor.open().await;
    chat.say("q1", "Hi").await.text().await;
    chat.end().await;
    eventually("Vapi was told", || server.count("sessions WHERE status = 'ended'") == 1).await;
    server.clock.advance(11 * 60_000);
    eventually("it is settled", || server.count("usage_records") == 1).await;
    let settled = server.value(SETTLED).replace("true", "1");
    assert_eq!(settled, "visitor_ended|reconciled|1|1|1");
}

/// Two who read the same document: what the double signs, we believe.
#[tokio::test]
async fn every_signature_the_double_makes_is_believed() {
    const SVIX: &str = "{svix-id}.{timestamp}.{body}";
    const WHOLE: &str = "{method} {url}\n{timestamp}\n{body}";
    let plain = || HmacPlan::new("0123456789abcdef");
    let plans = [
        ("plain", plain(), ""),
        ("ms", HmacPlan { timestamp_in_ms: true, ..plain() }, ""),
        ("sha1", HmacPlan { algorithm: Algorithm::Sha1, ..plain() }, "algorithm = \"sha1\""),
        (
            "github",
            HmacPlan {
                include_timestamp: false,
                payload_format: "{body}".into(),
                signature_prefix: "sha256=".into(),
                signature_header: "X-Hub-Signature".into(),
                ..plain()
            },
            "include_timestamp = false\nsignature_prefix = \"sha256=\"\nsignature_header = \"X-Hub-Signature\"",
        ),
        (
            "svix",
            HmacPlan {
                secret_key: "MDEyMzQ1Njc4OWFiY2RlZg==".into(),
                secret_is_base64: true,
                algorithm: Algorithm::Sha512,
                signature_encoding: Encoding::Base64,
                signature_prefix: "v1,".into(),
                payload_format: SVIX.into(),
                message_id_header: Some("webhook-id".into()),
                ..plain()
            },
            "secret_is_base64 = true\nalgorithm = \"sha512\"\nsignature_encoding = \"base64\"\n\
             signature_prefix = \"v1,\"\nmessage_id_header = \"webhook-id\"\n\
             payload_format = \"{svix-id}.{timestamp}.{body}\"",
        ),
        (
            "whole",
            HmacPlan { payload_format: WHOLE.into(), ..plain() },
            "payload_format = \"{method} {url}\\n{timestamp}\\n{body}\"",
        ),
    ];
    for (name, plan, more) in plans {
        let settings = format!(
            "[vapi.webhooks.test]\ntype = \"hmac\"\nsecret_key = \"{}\"\n{more}",
            plan.secret_key
        );
        let server = VapiServer::start_with(&settings).await;
        let options = Options {
            clock: Arc::new(|| 1_795_000_000_000),
            credentials: BTreeMap::from([("c".to_owned(), Credential::Hmac(plan))]),
            server: Some(json!({"url": server.webhook(), "credentialId": "c"})),
            ..Options::default()
        };
        let double = Double::start(options).await.unwrap();
        let open = client().post(format!("{}/session", double.base_url()));
        let open = open.header("user-agent", "owner/1").bearer_auth(KEY);
        let opened = open.json(&json!({"assistantId": ASSISTANT})).send().await.unwrap();
        assert!(opened.status().is_success(), "{}", opened.text().await.unwrap());
        eventually(name, || !double.webhooks().is_empty()).await;
        assert_eq!(double.webhooks()[0].status, Some(200), "{name}");
        assert_eq!(server.count("provider_events WHERE kind = 'session.created'"), 1, "{name}");
    }
}
