//! Configuration: one annotated sample that is also the defaults, then a file, the environment and
//! flags; checked as a whole before anything starts, and refused with the reason when unsafe.

mod faults;

use crate::domain::assistant::Assistant;
use crate::domain::minutes::Rule;
use crate::domain::redaction::secrets_in;
use crate::domain::webhook_auth::Credential;
use crate::domain::widget::WidgetSettings;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Map;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The annotated sample: every setting with its default, its unit and a sentence.
pub const SAMPLE: &str = include_str!("../banter.sample.toml");

/// Everything that can be configured. Each field is explained in [`SAMPLE`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Settings {
    pub server: Server,
    pub data: Data,
    pub log: Log,
    pub limits: Limits,
    pub session: Session,
    pub answer: Answer,
    pub webhooks: Webhooks,
    pub engine: Engine,
    pub vapi: Vapi,
    pub minutes: Minutes,
    pub accounts: BTreeMap<String, Account>,
    pub campaigns: BTreeMap<String, Campaign>,
    pub retention: Retention,
    #[serde(deserialize_with = "assistants")]
    pub assistants: BTreeMap<String, Assistant>,
    #[serde(deserialize_with = "widgets")]
    pub widgets: BTreeMap<String, WidgetSettings>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: String,
    pub trusted_proxies: Vec<Network>,
    pub drain_seconds: u64,
    pub threads: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Data {
    pub directory: PathBuf,
    pub url: SecretString,
    pub connections: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Account {
    pub name: String,
    #[serde(default)]
    pub exports: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Campaign {
    pub name: String,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub retention_days: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Retention {
    pub days: u32,
    pub unclaimed_event_days: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Log {
    pub filter: String,
    pub format: LogFormat,
}

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// People.
    Text,
    /// Machines.
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    pub request_seconds: u64,
    pub body_bytes: usize,
    pub webhook_bytes: usize,
    pub message_chars: u32,
    pub messages_per_session: u32,
    pub sessions_per_minute_per_address: u32,
    pub sessions_per_minute_per_widget: u32,
    pub messages_per_minute_per_session: u32,
    pub messages_per_minute_per_address: u32,
    pub activity_per_minute_per_address: u32,
    pub loads_per_minute_per_address: u32,
    pub leaves_per_minute_per_address: u32,
    pub owner_requests_per_minute_per_key: u32,
    pub live_answers: usize,
    pub search_ms: u64,
    pub export_mib: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Session {
    pub max_minutes: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Answer {
    pub abandon_seconds: u64,
    pub checkpoint_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Engine {
    pub words_per_second: u32,
    pub knowledge: BTreeMap<String, PathBuf>,
    pub connections: BTreeMap<String, Connection>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Webhooks {
    pub allowed_private_hosts: Vec<String>,
    pub max_attempts: u32,
    pub disable_after_hours: u64,
    pub keep_days: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Vapi {
    pub connections: BTreeMap<String, VapiConnection>,
    pub reconcile_minutes: u64,
    pub webhook_path: String,
    pub webhooks: BTreeMap<String, Credential>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Minutes {
    pub chat: Rule,
}

/// One OpenAI-compatible model server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct Connection {
    pub base_url: String,
    #[serde(default)]
    pub api_key: SecretString,
    #[serde(default = "Connection::connect_seconds")]
    pub connect_seconds: u64,
    #[serde(default = "Connection::first_byte_seconds")]
    pub first_byte_seconds: u64,
    #[serde(default = "Connection::idle_seconds")]
    pub idle_seconds: u64,
    #[serde(default = "Connection::retries")]
    pub retries: u32,
    #[serde(default = "Connection::max_answer_bytes")]
    pub max_answer_bytes: usize,
}

// A connection has no entry in the sample that could carry its defaults, so they stand here; a
// test holds them to what the sample says.
impl Connection {
    fn connect_seconds() -> u64 {
        5
    }
    fn first_byte_seconds() -> u64 {
        60
    }
    fn idle_seconds() -> u64 {
        30
    }
    fn retries() -> u32 {
        2
    }
    fn max_answer_bytes() -> usize {
        262_144
    }
}

/// One account at Vapi.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every setting is documented once, in banter.sample.toml")]
pub struct VapiConnection {
    #[serde(default = "VapiConnection::base_url")]
    pub base_url: String,
    #[serde(default)]
    pub api_key: SecretString,
    #[serde(default = "Connection::connect_seconds")]
    pub connect_seconds: u64,
    #[serde(default = "Connection::first_byte_seconds")]
    pub first_byte_seconds: u64,
    #[serde(default = "Connection::idle_seconds")]
    pub idle_seconds: u64,
    #[serde(default = "Connection::max_answer_bytes")]
    pub max_answer_bytes: usize,
}

impl VapiConnection {
    fn base_url() -> String {
        "https://api.vapi.ai".to_owned()
    }
}

/// An address or a network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub ipnet::IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from))
            .map(Self)
            .map_err(|_| format!("`{text}` is neither an address nor a network"))
    }
}

/// What the command line may set above everything else.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overrides {
    /// `server.listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// `data.directory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
}

/// Why the server will not start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file is missing, a value has the wrong type, a setting does not exist. Each with its place and
    /// without its value, which may be a secret, and this goes to the log.
    #[error("{}", .0.join("\n"))]
    Unreadable(Vec<String>),
    /// Everything can be read and something must not be.
    #[error("these settings are refused:\n{}", .0.iter().map(|f| format!("  - {f}\n")).collect::<String>())]
    Refused(Vec<String>),
}

/// Assistants and widgets are stored, and a server reads past what a newer one has stored. Not so what
/// an owner writes.
fn assistants<'de, D>(deserializer: D) -> Result<BTreeMap<String, Assistant>, D::Error>
where
    D: Deserializer<'de>,
{
    let said = BTreeMap::<String, Map<String, serde_json::Value>>::deserialize(deserializer)?;
    let mut read = BTreeMap::new();
    for (name, fields) in said {
        let mut unknown = Vec::new();
        let assistant = Assistant::read(fields, |field| unknown.push(format!("{name}.{field}")))
            .map_err(|error| D::Error::custom(format!("{name}: {error}")))?;
        refuse::<D::Error>(&unknown)?;
        read.insert(name, assistant);
    }
    Ok(read)
}

/// As `assistants`.
fn widgets<'de, D>(deserializer: D) -> Result<BTreeMap<String, WidgetSettings>, D::Error>
where
    D: Deserializer<'de>,
{
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()))?;
    refuse::<D::Error>(&unknown)?;
    Ok(read)
}

fn refuse<E: serde::de::Error>(unknown: &[String]) -> Result<(), E> {
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(E::custom(format!("unknown field `{}`", unknown.join("`, `"))))
    }
}

impl Settings {
    /// Reads the defaults, then `file`, the environment (`BANTER_…`) and `overrides`, and checks
    /// the result.
    ///
    /// # Errors
    /// [`SettingsError`] with every reason at once.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, SettingsError> {
        let mut given = Figment::new();
        if let Some(file) = file {
            given = given.merge(Toml::file_exact(file));
        }
        // Two underscores make a setting's path; other variables of that prefix are not ours.
        let ours = Env::prefixed("BANTER_").filter(|key| key.as_str().contains("__"));
        let ours = ours.split("__").lowercase(true);
        given = given.merge(ours.clone());
        for (key, text) in texts(&ours) {
            given = given.merge(Serialized::default(&key, text));
        }
        let mut figment = Figment::from(Serialized::defaults(sample_beside(&given))).merge(given);
        if let Some(listen) = overrides.listen {
            figment = figment.merge(Serialized::default("server.listen", listen));
        }
        if let Some(data) = &overrides.data {
            figment = figment.merge(Serialized::default("data.directory", data));
        }
        let settings: Self = figment
            .extract()
            .map_err(|error| SettingsError::Unreadable(faults::unreadable(error)))?;
        let faults = faults::faults(&settings);
        if faults.is_empty() { Ok(settings) } else { Err(SettingsError::Refused(faults)) }
    }

    /// Every secret in these settings, so that none is written down when somebody sends it back.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretString> {
        let webhooks = self.vapi.webhooks.values().map(|credential| credential.secret().clone());
        let models = self.engine.connections.values().map(|connection| connection.api_key.clone());
        let vapi = self.vapi.connections.values().map(|connection| connection.api_key.clone());
        let path = SecretString::from(self.vapi.webhook_path.clone());
        let database = url::Url::parse(self.data.url.expose_secret()).ok();
        let password = database.and_then(|url| url.password().map(SecretString::from));
        let definitions = self.assistants.values().filter_map(|assistant| match assistant {
            Assistant::Vapi(own) => own.definition.as_ref(),
            Assistant::Engine(_) => None,
        });
        let transient = definitions.flat_map(secrets_in);
        webhooks.chain(models).chain(vapi).chain([path]).chain(password).chain(transient).collect()
    }
}

/// What variables of the environment say that is text whatever it looks like: a secret may be made
/// of digits alone, and a variable's type is guessed from its value. Quotes that were meant for a
/// shell are left out, as they are elsewhere.
fn texts(environment: &Env) -> Vec<(String, String)> {
    const NAMES: [&str; 6] = ["api_key", "secret", "secret_key", "token", "url", "webhook_path"];
    let is_text = |key: &str| key.rsplit('.').next().is_some_and(|name| NAMES.contains(&name));
    environment
        .iter()
        .filter(|(key, _)| is_text(key.as_str()))
        .map(|(key, raw)| {
            let text = match raw.parse::<Value>() {
                Ok(Value::String(_, text)) => text,
                _ => raw,
            };
            (key.into_string(), text)
        })
        .collect()
}

/// The sample, without what `given` puts something else in the place of: tables are merged key by
/// key, and an assistant has one model and one provider.
fn sample_beside(given: &Figment) -> Dict {
    // Could it not be read, every setting would be missing, and be named.
    let mut sample: Dict = Figment::from(Toml::string(SAMPLE)).extract().unwrap_or_default();
    let says = |name: &str, what| given.find_value(&format!("assistants.{name}.{what}")).ok();
    if let Some(Value::Dict(_, assistants)) = sample.get_mut("assistants") {
        assistants.retain(|name, _| {
            says(name, "provider").is_none_or(|provider| provider.as_str() == Some("engine"))
        });
        for (name, assistant) in assistants {
            if let (Value::Dict(_, assistant), Some(_)) = (assistant, says(name, "model")) {
                assistant.remove("model");
            }
        }
    }
    sample
}
