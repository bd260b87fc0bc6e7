//! Every secret the server can be given is a canary, and so is every secret it makes: whatever
//! happens, none of them may be found in an answer, a file, a row, a webhook or the log.
//!
//! The real binary runs, as talkative as it can be; models, Vapi and senders of webhooks quote at it
//! whatever they know. What must be found, the visitor's own words, shows that the search works.

mod parrot;
mod places;
mod refused_settings;
mod secret;

use crate::support::model::{Model, Script};
use crate::support::receiver::{Answer, Receiver};
use crate::support::{SHOP, config, database, eventually, hex, merged};
use hmac::Mac as _;
use parrot::{Parrot, Squawk};
use places::{Binary, Place, Tap};
use reqwest::Method;
use secret::{Secret, found};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use vapi_double::{ASSISTANT, Act, Double, Options};

/// What the visitor says: no secret, and to be found wherever conversations are.
const WORDS: &str = "c4n4ry-visitor-says-wGq2";

/// What the settings hold, by the place where it stands there.
const MODEL_KEY: &str = "sk-c4n4ry-model-7Qm2Vx9LtR4bKz";
const PARROT_KEY: &str = "mk.c4n4ry-parrot-Yw3Nf8HsJ5dPc";
const VAPI_KEY: &str = "vk-c4n4ry-double-Gt6Ra1XqE0uMo";
const VAPI_PARROT_KEY: &str = "pk-c4n4ry-vparrot-Bs4Zi7CkT9yLe";
const WEBHOOK_SECRET: &str = "wb/c4n4ry+secret==Dj2Wn5UoF8hVa";
const WEBHOOK_TOKEN: &str = "wt-c4n4ry-token-Xp1Sg6MlQ3vKr";
const WEBHOOK_HMAC: &str = "wh-c4n4ry-hmac-Ie9Tb4ZyN7cOd";
const WEBHOOK_PATH: &str = "wp-c4n4ry-path-Rf8Jk3GmP2xAq";
/// What a transient assistant's definition holds, by the place where it stands there.
const INLINE: [(&str, &str); 5] = [
    ("an assistant's server secret", "is.c4n4ry-server-Kd7Vz2QmW5eXa"),
    ("an assistant's server header", "ih/c4n4ry+header==Pf3Tn8YgB6uRo"),
    ("a tool's server header", "it?c4n4ry>tool~Lw9Hc4JsA1iEk"),
    ("a model's key in a definition", "im.c4n4ry-inline-Zq6Mb1XvS8oDt"),
    ("a credential's token", "ic.c4n4ry-token-Uy5Gj3NfC7pLh"),
];
/// A PostgreSQL that trusts this machine takes any.
const DATABASE_PASSWORD: &str = "dp-c4n4ry-database-Ou5Xm1SrK6wTj";

/// The widgets, each answered by another kind of assistant.
const WIDGETS: [&str; 5] = ["test", "parrot", "vapi", "vapi_parrot", "inline"];

/// The server, everybody it talks to, and everything that got out.
struct World {
    binary: Binary,
    tap: Tap,
    model: Model,
    parrot: Parrot,
    double: Double,
    receiver: Receiver,
    secrets: Vec<Secret>,
    /// The key that may do everything.
    key: String,
    data: TempDir,
}

#[tokio::test]
async fn no_secret_gets_out() {
    let mut world = World::start().await;
    let webhook = world.keys_and_webhooks().await;
    world.conversations().await;
    world.webhooks_from_vapi().await;
    world.everything_is_read(&webhook).await;
    let mut places = world.places();
    let what_got_out: Vec<String> = found(&world.secrets, &places);
    assert!(what_got_out.is_empty(), "{}", what_got_out.join("\n"));

    // What has to be there is.
    let is_sqlite = !database::is_shared();
    for secret in &world.secrets {
        for home in secret.homes().iter().filter(|home| home.as_str() != places::FILE || is_sqlite)
        {
            let here = |place: &Place| place.name == *home && place.text.contains(secret.value());
            assert!(places.iter().any(here), "{secret:?} is not in {home}");
        }
    }
    places.retain(|place| place.text.contains(WORDS));
    for name in [
        "GET /visitor/v1/sessions",
        "GET /api/v1/logs/",
        "a row of messages",
        "a row of export_chunks",
        "a webhook sent",
    ] {
        assert!(places.iter().any(|place| place.name.starts_with(name)), "no words in {name}");
    }
    for format in ["csv_messages", "json", "jsonl", "xlsx", "html", "txt"] {
        let direct = format!("GET /api/v1/logs/export?format={format}");
        assert!(places.iter().any(|place| place.name == direct), "no words in {direct}");
        let job = format!("the file of an export as {format}");
        assert!(places.iter().any(|place| place.name == job), "no words in {job}");
    }
}

impl World {
    /// Starts everybody; half of the secrets come from the settings' file and half from the
    /// environment.
    async fn start() -> Self {
        let (model, parrot) = (Model::start().await, Parrot::start().await);
        let double = Options { key: VAPI_KEY.into(), ..Options::default() };
        let double = Double::start(double).await.unwrap();
        let receiver = Receiver::start().await;
        let data = tempfile::tempdir().unwrap();
        let settings = merged(&config(model.address), &settings(&parrot, &double));
        let url = places::database_url(&settings);
        let url = url.replacen('@', &format!(":{DATABASE_PASSWORD}@"), 1);
        std::fs::write(data.path().join("banter.toml"), settings).unwrap();
        let binary = Binary::start(
            data.path(),
            &[
                ("BANTER_ENGINE__CONNECTIONS__PARROT__API_KEY", PARROT_KEY),
                ("BANTER_VAPI__CONNECTIONS__PARROT__API_KEY", VAPI_PARROT_KEY),
                ("BANTER_VAPI__WEBHOOKS__MAIN__SECRET", WEBHOOK_SECRET),
                ("BANTER_VAPI__WEBHOOKS__SIGNED__SECRET_KEY", WEBHOOK_HMAC),
                ("BANTER_VAPI__WEBHOOK_PATH", WEBHOOK_PATH),
                ("BANTER_DATA__URL", &url),
            ],
        )
        .await;
        let key = binary.owner_key();
        let mut secrets = vec![
            Secret::chosen("a model's key", MODEL_KEY),
            Secret::chosen("a model's key from the environment", PARROT_KEY),
            Secret::chosen("Vapi's key", VAPI_KEY),
            Secret::chosen("Vapi's key from the environment", VAPI_PARROT_KEY),
            Secret::chosen("a webhook's secret", WEBHOOK_SECRET),
            Secret::chosen("a webhook's token", WEBHOOK_TOKEN),
            Secret::chosen("a webhook's HMAC key", WEBHOOK_HMAC),
            Secret::chosen("the webhooks' path", WEBHOOK_PATH)
                .at("the output")
                .at("a row of organizations")
                .at(places::FILE),
            Secret::made("the first key", &key).at("the output"),
        ];
        // The definition itself is kept as it is, in `assistants.definition`: it is sent to Vapi
        // with every session. All other tables' rows are searched, whatever the file holds.
        secrets.extend(INLINE.map(|(name, value)| {
            Secret::chosen(name, value).at("a row of assistants").at(places::FILE)
        }));
        if database::is_shared() {
            secrets.push(Secret::chosen("the database's password", DATABASE_PASSWORD));
        }
        let file = std::fs::read(data.path().join("data/signing.key")).unwrap();
        secrets.push(Secret::bytes("the key file", file));
        let tap = Tap::on(binary.address);
        Self { binary, tap, model, parrot, double, receiver, secrets, key, data }
    }

    /// Makes what has secrets of its own; gives the webhook's path in the owner API.
    async fn keys_and_webhooks(&mut self) -> String {
        let scopes = json!({"name": "reader", "scopes": ["logs:read"]});
        let made = self.owner(Method::POST, "/keys", Some(scopes)).await;
        self.made("a key", &made, "POST /api/v1/keys");
        // Used, and used without being allowed to.
        let key = made["secret"].as_str().unwrap();
        for path in ["/api/v1/logs", "/api/v1/keys"] {
            self.tap.ask(Method::GET, path, Some(key), None).await;
        }
        self.tap.ask(Method::GET, "/api/v1/logs", Some(&format!("{key}x")), None).await;

        self.receiver.will(&[Answer::Status(500)]);
        let events = ["session.started", "message.created", "session.ended", "usage.recorded"];
        let body = json!({"url": self.receiver.url("/hook"), "events": events});
        let made = self.owner(Method::POST, "/webhooks", Some(body)).await;
        self.made("an endpoint's secret", &made, "POST /api/v1/webhooks");
        let path = format!("/webhooks/{}", made["webhook"]["id"].as_str().unwrap());
        let rotate = format!("{path}/rotate-secret");
        let made = self.owner(Method::POST, &rotate, None).await;
        self.made("an endpoint's second secret", &made, &format!("POST /api/v1{rotate}"));
        self.owner(Method::POST, &format!("{path}/test"), None).await;
        path
    }

    /// Chats that succeed, and chats whose model or whose Vapi quotes the key it was called with.
    async fn conversations(&mut self) {
        for widget in ["test", "vapi", "inline"] {
            let answer = self.chat(widget).await;
            assert!(answer.contains("event: done") || answer.contains("\"done\""), "{answer}");
        }
        // The cool-down after 429 would keep all others away, so it comes last.
        let statuses = [400, 401, 402, 403, 404, 500, 503, 429];
        let refusals = statuses.iter().flat_map(|status| {
            [Squawk::Json(*status), Squawk::Text(*status), Squawk::HalfJson(*status)]
        });
        let squawks = [Squawk::Junk, Squawk::Cut, Squawk::Event].into_iter().chain(refusals);
        for squawk in squawks {
            self.parrot.will(squawk);
            for widget in ["parrot", "vapi_parrot"] {
                let answer = self.chat(widget).await;
                assert!(answer.contains("assistant_"), "{squawk:?}: {answer}");
            }
        }
        for key in [PARROT_KEY, VAPI_PARROT_KEY] {
            assert!(self.parrot.heard(key), "nobody called with {key}");
        }
        let quoted = format!(r#"{{"message":"Invalid Key {VAPI_KEY}","statusCode":401}}"#);
        for act in [Act::Fail(401, quoted.clone()), Act::Fail(500, quoted), Act::Junk] {
            self.double.will(act);
            self.chat("vapi").await;
        }
        // Vapi was told the definition's secrets, and quotes them.
        for (name, value) in INLINE {
            let told = self.double.bodies("POST", "/session");
            assert!(
                told.iter().any(|body| body.to_string().contains(value)),
                "{name} was not told"
            );
            let mut forms = Secret::chosen(name, value).encoded();
            forms.push(value.to_owned());
            // As many as the log keeps of an error.
            for quoted in forms.chunks(5) {
                let error = json!({"message": format!("no server takes {}", quoted.join(" "))});
                self.double.will(Act::Fail(500, error.to_string()));
                self.chat("inline").await;
            }
        }
        self.double.will(Act::Friendly);
        let mut forms = Secret::chosen("a model's key", MODEL_KEY).encoded();
        forms.push(MODEL_KEY.to_owned());
        for quoted in forms.chunks(5) {
            let message = format!("no {}", quoted.join(" "));
            let quoted = json!({"error": {"message": message, "code": quoted[0]}});
            self.model.will(Script::Fail(401, quoted.to_string()));
            self.chat("test").await;
        }
    }

    /// One chat from its beginning to its end; gives the stream that answered.
    async fn chat(&mut self, widget: &str) -> String {
        let begin = format!("/visitor/v1/widgets/{widget}/sessions");
        let created = self.tap.json(Method::POST, &begin, None, Some(json!({}))).await;
        let token = created["token"].as_str().unwrap().to_owned();
        let session =
            format!("/visitor/v1/sessions/{}", created["session"]["id"].as_str().unwrap());
        self.secrets.push(Secret::made("a token", &token).at(&format!("POST {begin}")));
        let question = json!({"id": "q1", "text": format!("Please: {WORDS}")});
        let messages = format!("{session}/messages");
        let answer = self.tap.ask(Method::POST, &messages, Some(&token), Some(question)).await;
        for (method, path) in
            [(Method::GET, ""), (Method::POST, "/activity"), (Method::POST, "/end")]
        {
            self.tap.ask(method, &format!("{session}{path}"), Some(&token), None).await;
        }
        // Without the token, with half of it, and with nothing to say.
        for token in [None, Some(&token[..token.len() / 2])] {
            self.tap.ask(Method::GET, &session, token, None).await;
        }
        self.tap.ask(Method::POST, &messages, Some(&token), Some(json!({"id": "q2"}))).await;
        answer
    }

    /// Vapi's webhooks, good and refused, each with every secret in every place.
    async fn webhooks_from_vapi(&self) {
        let secrets: Vec<&str> = self.secrets.iter().map(Secret::value).collect();
        let session = self.double.sessions()[0]["id"].as_str().unwrap().to_owned();
        let (ours, late) = (session.as_str(), "11111111-2222-4333-8444-555555555555");
        for (number, secret) in secrets.iter().enumerate() {
            for (kind, id) in [
                ("session.created", ours),
                ("session.updated", late),
                ("chat.created", ours),
                ("status-update", ours),
            ] {
                let body = laden(kind, id, number, secret);
                self.deliver("main", &body).await;
            }
        }
        // The settings' secrets are known in every form.
        let chosen = self.secrets.iter().filter(|secret| secret.is_chosen());
        for (number, encoded) in chosen.flat_map(Secret::encoded).enumerate() {
            self.deliver("main", &laden("session.updated", ours, 2_000 + number, &encoded)).await;
        }
        for (proof, body) in [
            ("token", laden("session.updated", ours, 1_000, WEBHOOK_TOKEN)),
            ("signed", laden("session.updated", ours, 1_001, WEBHOOK_HMAC)),
            ("wrong", laden("session.updated", ours, 1_002, WEBHOOK_SECRET)),
            ("main", format!("{{\"message\": {WEBHOOK_SECRET}")),
            ("main", json!({"no": WEBHOOK_SECRET}).to_string()),
        ] {
            self.deliver(proof, &body).await;
        }
    }

    /// Delivers a body to the organization's address with one kind of proof, and again to an address
    /// that nobody has.
    async fn deliver(&self, proof: &str, body: &str) {
        for path in [WEBHOOK_PATH, "nobodys-path-0123456789"] {
            let (name, value) = match proof {
                "main" => ("x-vapi-secret", WEBHOOK_SECRET.to_owned()),
                "token" => ("authorization", format!("Bearer {WEBHOOK_TOKEN}")),
                "signed" => ("x-signature", signature(body)),
                // Close, and not close enough to let anybody in.
                _ => ("x-vapi-secret", WEBHOOK_SECRET[..20].to_owned()),
            };
            let status = self.tap.hook(&format!("/webhooks/vapi/{path}"), name, &value, body).await;
            let is_good = proof != "wrong" && path == WEBHOOK_PATH && body.contains("\"type\"");
            assert_eq!(status == 200, is_good, "{proof} at {path}: {status}");
        }
    }

    /// Asks for everything that visitors, owners and operators can read.
    async fn everything_is_read(&mut self, webhook: &str) {
        let posted = || self.receiver.got().iter().any(|got| got.path == "/hook");
        eventually("a webhook was sent", posted).await;
        // A round of the life cycle and one of settling.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        for path in
            ["/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/demo", "/demo/", "/nothing"]
        {
            self.tap.ask(Method::GET, path, None, None).await;
        }
        for widget in WIDGETS.iter().chain(&["off", "demo", "nobodys"]) {
            for path in [
                format!("/embed/{widget}.js"),
                format!("/frame/{widget}?host={SHOP}"),
                format!("/chat/{widget}"),
                format!("/visitor/v1/widgets/{widget}"),
            ] {
                self.tap.ask(Method::GET, &path, None, None).await;
            }
        }
        let list = self.owner(Method::GET, "/logs?limit=100", None).await;
        for log in list["items"].as_array().unwrap() {
            self.owner(Method::GET, &format!("/logs/{}", log["id"].as_str().unwrap()), None).await;
        }
        for format in ["csv", "csv_messages", "json", "jsonl", "xlsx", "html", "txt"] {
            self.owner(Method::GET, &format!("/logs/export?format={format}"), None).await;
            let wanted = json!({"format": format, "filters": {}});
            let job = self.owner(Method::POST, "/exports", Some(wanted)).await;
            self.export(job["id"].as_str().unwrap(), format).await;
        }
        let widgets = self.owner(Method::GET, "/widgets", None).await;
        for widget in widgets["items"].as_array().unwrap() {
            let path = widget["webhookUrl"].as_str().unwrap().rsplit('/').next().unwrap();
            let path = Secret::made("a widget's webhooks' path", path).at("GET /api/v1/widgets");
            self.secrets.push(path.at("a row of widgets").at(places::FILE));
        }
        for path in ["/exports", "/keys", "/webhooks", "/nothing"] {
            self.owner(Method::GET, path, None).await;
        }
        for path in [webhook.to_owned(), format!("{webhook}/deliveries")] {
            self.owner(Method::GET, &path, None).await;
        }
    }

    /// Waits for an export and reads its file.
    async fn export(&self, id: &str, format: &str) {
        for _ in 0..500 {
            let job = self.owner(Method::GET, &format!("/exports/{id}"), None).await;
            if job["state"] == "done" {
                let path = format!("/api/v1/exports/{id}/file");
                let name = format!("the file of an export as {format}");
                return self.tap.file(&path, &self.key, name).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no export as {format}");
    }

    /// Everything that got out.
    fn places(&self) -> Vec<Place> {
        let mut places = self.tap.places();
        for got in self.receiver.got() {
            let text = format!("{:?}\n{}", got.headers, String::from_utf8_lossy(&got.body));
            places.push(Place { name: "a webhook sent".into(), text });
        }
        let settings = std::fs::read_to_string(self.data.path().join("banter.toml")).unwrap();
        let url = places::database_url(&settings);
        let rows = places::rows(&url, &self.data.path().join("data"));
        let (output, log) = self.binary.said();
        for (what, text) in [
            ("the debug level of another crate", "DEBUG hyper"),
            ("a refusal in the log", "a webhook was refused"),
            ("a fault of an assistant", "HTTP 401"),
        ] {
            assert!(log.contains(text), "{what} is missing from\n{log}");
        }
        places.push(Place { name: "the output".into(), text: output });
        places.push(Place { name: "the log".into(), text: log });
        let dist = places::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist"), "dist");
        assert!(dist.iter().any(|file| file.text.contains("visitor/v1")), "no front end");
        places.extend(rows);
        places.extend(dist);
        places
    }

    async fn owner(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.tap.json(method, &format!("/api/v1{path}"), Some(&self.key), body).await
    }

    /// Notes a secret that the server made and showed once.
    fn made(&mut self, name: &str, answer: &Value, at: &str) {
        let secret = answer["secret"].as_str().unwrap();
        self.secrets.push(Secret::made(name, secret).at(at));
    }
}

/// An event with a secret in all the places where Vapi's bodies hold some, and in texts.
fn laden(kind: &str, session: &str, number: usize, secret: &str) -> String {
    let message = json!({
        "type": kind,
        "number": number,
        "session": {"id": session, "name": format!("Key {secret}"), "status": "active",
                    "metadata": {"deep": [[{"apiKey": secret}, {"Api-Key": [secret]}]]}},
        "chat": {"id": format!("chat {secret}"), "sessionId": session, "name": secret},
        "assistant": {
            "server": {"secret": secret, "headers": {"X-Mine": secret},
                       "url": format!("https://me:{secret}@shop.example/?token={secret}")},
            "serverUrlSecret": secret,
            "credentials": [{"provider": "openai", "value": secret}],
            "credentialIds": [secret],
            "model": {"messages": [{"content": format!("Use {secret}, or Bearer {secret}.")}],
                      "toolCalls": [{"arguments": json!({"password": secret, "q": secret}).to_string()}]},
        },
        "phoneNumber": {"twilioAuthToken": secret, "twilioAccountSid": secret},
        secret: "a name",
        "transcript": format!("It is\n{secret}\n"),
    });
    json!({ "message": message }).to_string()
}

fn signature(body: &str) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(WEBHOOK_HMAC.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The settings' file: on top of what every test has, the talkative log, the parrots and Vapi.
fn settings(parrot: &Parrot, double: &Double) -> String {
    let (parrot, double) = (parrot.address, double.base_url());
    let [server, header, tool, key, credential] = INLINE.map(|(_, value)| value);
    let assistants = format!(
        r#"
        [assistants.parrot]
        name = "Polly"
        system_prompt = "Repeat."
        model = {{ open_ai = {{ connection = "parrot", model = "scripted" }} }}
        history_tokens = 2000
        [assistants.vapi]
        provider = "vapi"
        connection = "main"
        assistant_id = "{ASSISTANT}"
        [assistants.vapi_parrot]
        provider = "vapi"
        connection = "parrot"
        assistant_id = "{ASSISTANT}"
        [assistants.inline]
        provider = "vapi"
        connection = "main"
        [assistants.inline.definition]
        name = "Ines"
        credentials = [{{ provider = "custom-llm", authToken = "{credential}" }}]
        [assistants.inline.definition.server]
        url = "https://hooks.example/vapi"
        secret = "{server}"
        headers = {{ Accept = "application/json", X-Mine = "{header}" }}
        [assistants.inline.definition.model]
        provider = "custom-llm"
        model = "small"
        apiKey = "{key}"
        [[assistants.inline.definition.model.tools]]
        type = "function"
        server = {{ url = "https://tools.example", headers = {{ X-Mine = "Key {tool}" }} }}
        "#
    );
    let widgets: String = WIDGETS[1..]
        .iter()
        .map(|id| {
            format!(
                "[widgets.{id}]\nassistant = \"{id}\"\nhosted_page = true\n\
                 allowed_origins = [\"{SHOP}\"]\n"
            )
        })
        .collect();
    format!(
        r#"
        [log]
        filter = "banter=trace,banter_server=trace,banter_engine=trace,banter_shared=trace,debug"
        [webhooks]
        allowed_private_hosts = ["127.0.0.1"]
        [engine.connections.test]
        api_key = "{MODEL_KEY}"
        [engine.connections.parrot]
        base_url = "http://{parrot}/v1"
        first_byte_seconds = 2
        retries = 1
        [vapi.connections.main]
        base_url = "{double}"
        api_key = "{VAPI_KEY}"
        [vapi.connections.parrot]
        base_url = "http://{parrot}"
        first_byte_seconds = 2
        [vapi.webhooks.main]
        type = "secret"
        [vapi.webhooks.token]
        type = "bearer"
        token = "{WEBHOOK_TOKEN}"
        [vapi.webhooks.signed]
        type = "hmac"
        include_timestamp = false
        {assistants}
        {widgets}
        "#
    )
}
