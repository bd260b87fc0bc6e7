//! Events to the owner's server, as Vapi sends them: one URL per event, only what the assistant's
//! `serverMessages` asks for, no second try unless there is a `backoffPlan`.

mod signature;

pub use signature::{Algorithm, Credential, Encoding, HmacPlan};

use serde_json::{Value, json};
use signature::Delivery;
use std::collections::BTreeMap;
use std::time::Duration;

/// Vapi's default for `server.timeoutSeconds`.
const TIMEOUT_SECONDS: u64 = 20;

/// What is sent when an assistant says nothing about it: neither sessions nor chats, so whoever
/// wants those must ask (Vapi's default of `serverMessages`).
const DEFAULT_MESSAGES: [&str; 11] = [
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "hang",
    "speech-update",
    "status-update",
    "tool-calls",
    "transfer-destination-request",
    "handoff-destination-request",
    "user-interrupted",
    "assistant.started",
];

/// One webhook that was sent, or not.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `session.created` and so on.
    pub kind: String,
    /// The whole body.
    pub body: Value,
    /// How often it was tried.
    pub attempts: u32,
    /// The last answer's status; `None` when there was no answer.
    pub status: Option<u16>,
}

/// An event on its way.
#[derive(Debug)]
pub(crate) struct Event {
    /// `session.created` and so on.
    pub(crate) kind: &'static str,
    /// The field `session` or `chat` of its message.
    pub(crate) about: &'static str,
    /// What it holds.
    pub(crate) value: Value,
    /// The assistant it happened to, as a body shows it.
    pub(crate) assistant: Value,
    /// When, in Unix milliseconds.
    pub(crate) now_ms: u64,
    /// Its id.
    pub(crate) id: String,
}

impl Event {
    /// The `server` it goes to, if the assistant wants it: the assistant's own, else the
    /// organization's.
    pub(crate) fn target(&self, organization: Option<&Value>) -> Option<Value> {
        let wanted = match self.assistant.get("serverMessages").and_then(Value::as_array) {
            Some(wanted) => wanted.iter().any(|message| message == self.kind),
            None => DEFAULT_MESSAGES.contains(&self.kind),
        };
        let server = self.assistant.get("server").or(organization)?;
        (wanted && server["url"].is_string()).then(|| server.clone())
    }

    fn body(&self) -> Value {
        let mut message = json!({
            "timestamp": self.now_ms,
            "type": self.kind,
            self.about: self.value,
        });
        if !self.assistant.is_null() {
            message["assistant"] = self.assistant.clone();
        }
        json!({ "message": message })
    }
}

/// Sends one event and says how that went.
pub(crate) async fn send(
    client: &reqwest::Client,
    event: &Event,
    server: &Value,
    credentials: &BTreeMap<String, Credential>,
) -> Sent {
    let body = event.body();
    let text = body.to_string();
    let url = server["url"].as_str().unwrap_or_default();
    let mut headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    let delivery = Delivery { body: &text, url, id: &event.id, now_ms: event.now_ms };
    if let Some(secret) = server["secret"].as_str() {
        headers.extend(Credential::Secret(secret.to_owned()).headers(&delivery));
    }
    if let Some(credential) = server["credentialId"].as_str().and_then(|id| credentials.get(id)) {
        headers.extend(credential.headers(&delivery));
    }
    // What stands in `headers` wins, as Vapi's specification warns.
    for (name, value) in server["headers"].as_object().into_iter().flatten() {
        headers.insert(name.to_lowercase(), value.as_str().unwrap_or_default().to_owned());
    }
    let plan = Plan::of(server);
    let mut sent = Sent { kind: event.kind.to_owned(), body, attempts: 0, status: None };
    loop {
        let mut request = client.post(url).timeout(plan.timeout).body(text.clone());
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        sent.status = request.send().await.ok().map(|response| response.status().as_u16());
        sent.attempts += 1;
        let Some(pause) = plan.pause(sent.attempts, sent.status) else { return sent };
        tokio::time::sleep(pause).await;
    }
}

/// How patient a server is to be treated.
struct Plan {
    timeout: Duration,
    retries: u32,
    base: Duration,
    exponential: bool,
    excluded: Vec<u64>,
}

impl Plan {
    fn of(server: &Value) -> Self {
        let backoff = &server["backoffPlan"];
        let excluded = backoff["excludedStatusCodes"].as_array();
        Self {
            timeout: Duration::from_secs(
                server["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT_SECONDS),
            ),
            retries: backoff["maxRetries"].as_u64().map_or(0, |n| u32::try_from(n).unwrap_or(10)),
            base: Duration::from_secs_f64(
                backoff["baseDelaySeconds"].as_f64().unwrap_or_default().clamp(0.0, 10.0),
            ),
            exponential: backoff["type"] == "exponential",
            excluded: excluded.into_iter().flatten().filter_map(Value::as_u64).collect(),
        }
    }

    /// How long to wait before trying again after `attempts`; `None` when that was all.
    fn pause(&self, attempts: u32, status: Option<u16>) -> Option<Duration> {
        let done = status.is_some_and(|status| {
            (200..300).contains(&status) || self.excluded.contains(&status.into())
        });
        if done || attempts > self.retries {
            return None;
        }
        let factor = if self.exponential { 1 << (attempts - 1).min(10) } else { 1 };
        Some(self.base.saturating_mul(factor))
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Plan};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn event(assistant: Value) -> Event {
        Event {
            kind: "session.created",
            about: "session",
            value: json!({}),
            assistant,
            now_ms: 0,
            id: "msg".into(),
        }
    }

    #[test]
    fn only_what_an_assistant_asks_for_goes_to_the_nearest_server() {
        let organization = json!({ "url": "http://org" });
        let own = json!({ "url": "http://own" });
        for (assistant, url) in [
            (json!({}), None),
            (json!({ "serverMessages": [] }), None),
            (json!({ "serverMessages": ["chat.created"] }), None),
            (json!({ "serverMessages": ["session.created"] }), Some("http://org")),
            (json!({ "serverMessages": ["session.created"], "server": own }), Some("http://own")),
        ] {
            let target = event(assistant.clone()).target(Some(&organization));
            assert_eq!(target.as_ref().and_then(|t| t["url"].as_str()), url, "{assistant}");
        }
        assert!(event(json!({ "serverMessages": ["session.created"] })).target(None).is_none());
    }

    #[test]
    fn nothing_is_sent_twice_without_a_plan() {
        assert_eq!(Plan::of(&json!({})).pause(1, Some(500)), None);
        let plan = Plan::of(&json!({ "backoffPlan": {
            "type": "exponential", "maxRetries": 2, "baseDelaySeconds": 1, "excludedStatusCodes": [401],
        }}));
        let seconds = |n| Some(Duration::from_secs(n));
        for (attempts, status, expected) in [
            (1, Some(500), seconds(1)),
            (2, None, seconds(2)),
            (3, Some(500), None),
            (1, Some(204), None),
            (1, Some(401), None),
        ] {
            assert_eq!(plan.pause(attempts, status), expected, "{attempts} {status:?}");
        }
    }
}
