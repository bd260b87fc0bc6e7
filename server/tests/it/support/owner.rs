//! An owner's program, and sessions that are there without anybody having held them.

use super::{Server, client};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Two accounts with a campaign each, and a campaign of nobody's.
pub(crate) const ACCOUNTS: &str = r#"
    [accounts.acme]
    name = "Acme"
    exports = ["csv", "jsonl"]
    [accounts.zeta]
    name = "Zeta"
    [campaigns.spring]
    name = "Spring sale"
    account = "acme"
    [campaigns.autumn]
    name = "Autumn sale"
    account = "zeta"
    retention_days = 2
    [campaigns.own]
    name = "Own"
"#;

/// When seeded sessions begin, in Unix milliseconds: 2026-11-17T11:06:40Z, a day before the clock.
pub(crate) const T0: u64 = 1_795_000_000_000 - 24 * 3600 * 1000;

pub(crate) struct Owner {
    key: String,
    base: String,
    client: reqwest::Client,
}

impl Owner {
    pub(crate) fn new(key: &str, server: SocketAddr) -> Self {
        Self { key: key.into(), base: format!("http://{server}/api/v1"), client: client() }
    }

    /// Asks; a body is sent as JSON.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.ask(Method::GET, path, None).await).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        read(self.ask(Method::POST, path, Some(body)).await).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        read(self.ask(Method::DELETE, path, None).await).await
    }

    /// The ids of one page, or of the only one.
    pub(crate) async fn ids(&self, query: &str) -> Vec<String> {
        let (status, page) = self.get(&format!("/logs?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {page}");
        let items = page["items"].as_array().unwrap();
        items.iter().map(|log| log["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a key and gives its id and secret.
    pub(crate) async fn make_key(
        &self,
        scopes: &[&str],
        account: Option<&str>,
    ) -> (String, String) {
        let mut body = json!({ "name": "test", "scopes": scopes });
        if let Some(account) = account {
            body["account"] = json!(account);
        }
        let (status, made) = self.post("/keys", body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["key"]["id"]), text(&made["secret"]))
    }

    /// Follows an export until it is in a state that is none of `unfinished`.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        for _ in 0..1000 {
            let (_, export) = self.get(&format!("/exports/{id}")).await;
            if !["queued", "running"].contains(&export["state"].as_str().unwrap()) {
                return export;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain for {id}");
    }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = response.text().await.unwrap();
    let value = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
    (status, value)
}

/// A session for the database.
pub(crate) struct Seed {
    pub(crate) id: String,
    pub(crate) organization: &'static str,
    pub(crate) campaign: Option<&'static str>,
    pub(crate) account: Option<&'static str>,
    pub(crate) widget: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) status: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) created_at: u64,
    pub(crate) said: Vec<String>,
    pub(crate) billed: Option<bool>,
}

impl Seed {
    /// An ended session of no campaign in which one thing was said.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            organization: "default",
            campaign: None,
            account: None,
            widget: "test",
            provider: "engine",
            status: "ended",
            reason: "inactive",
            created_at: T0,
            said: vec!["Hello".into()],
            billed: None,
        }
    }

    /// In a campaign of an account.
    pub(crate) fn of(id: &str, campaign: &'static str, account: &'static str) -> Self {
        Self { campaign: Some(campaign), account: Some(account), ..Self::new(id) }
    }

    /// The statements that make it.
    pub(crate) fn sql(&self) -> String {
        let text = |text: Option<&str>| {
            text.map_or("NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
        };
        let ended = self.status == "ended";
        let mut sql = format!(
            "INSERT INTO sessions (id, organization_id, widget_id, campaign_id, account_id, channel,
                 provider, status, created_at, last_activity_at, expires_at, ended_at, end_reason,
                 due_at, visitor_messages, assistant_messages, finalized_at)
             VALUES ('{}', '{}', '{}', {}, {}, 'chat', '{}', '{}', {at}, {at}, 9000000000000, {}, {},
                 {}, {}, 0, {});",
            self.id,
            self.organization,
            self.widget,
            text(self.campaign),
            text(self.account),
            self.provider,
            self.status,
            if ended { (self.created_at + 61_500).to_string() } else { "NULL".into() },
            text(ended.then_some(self.reason)),
            if ended { "NULL" } else { "9000000000000" },
            self.said.len(),
            if ended { "1" } else { "NULL" },
            at = self.created_at,
        );
        for (n, said) in self.said.iter().enumerate() {
            sql += &format!(
                "INSERT INTO messages (session_id, id, role, text, status, attempt, created_at, sources)
                 VALUES ('{}', 'm{n}', 'visitor', {}, 'complete', 0, {}, '[]');",
                self.id,
                text(Some(said)),
                self.created_at + 1000 * n as u64,
            );
        }
        if let Some(billed) = self.billed {
            sql += &format!(
                "INSERT INTO usage_records (id, session_id, organization_id, channel, units, unit,
                     rate, rounding, minutes, billed, created_at)
                 VALUES ('u-{id}', '{id}', '{}', 'chat', '3', 'message', '0.5', 'up', '2', {}, {});",
                self.organization,
                i32::from(billed),
                self.created_at,
                id = self.id,
            );
        }
        sql
    }
}

impl Server {
    /// Puts sessions into the database.
    pub(crate) fn seed(&self, seeds: &[Seed]) {
        let sql: String = seeds.iter().map(Seed::sql).collect();
        self.sql(&format!("BEGIN; {sql} COMMIT;"));
    }

    /// The owner whose key was printed at the first start.
    pub(crate) fn first_owner(&self) -> Owner {
        self.owner(&self.owner_key)
    }

    /// Another organization with a key, a widget and a log `foreign`; gives its owner.
    pub(crate) fn another_organization(&self) -> Owner {
        let secret = "banter_sk_another";
        let digest = banter_server::domain::api_key::digest(secret);
        self.sql(&format!(
            "INSERT INTO organizations (id, name, created_at) VALUES ('other', 'Other', 0);
             INSERT INTO api_keys (digest, organization_id, created_at, id)
             VALUES ('{digest}', 'other', 0, 'key_other');
             INSERT INTO widgets (id, organization_id, assistant_id, settings)
             SELECT 'foreign', 'other', 'test', settings FROM widgets WHERE id = 'test';"
        ));
        self.seed(&[Seed { organization: "other", widget: "foreign", ..Seed::new("foreign") }]);
        self.owner(secret)
    }
}
