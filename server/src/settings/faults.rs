//! Which settings are refused: those that cannot be read, said without their values, and those that
//! can, each with the reason and the way out.

use super::{Connection, Settings, VapiConnection};
use crate::domain::assistant::{Assistant, VapiAssistant};
use crate::domain::origin::Origin;
use crate::domain::webhook_auth::Verifier;
use crate::domain::webhook_url::AllowedHosts;
use banter_engine::assistant::ModelChoice;
use banter_engine::prompt;
use banter_shared::ids::is_valid_id;
use banter_shared::owner::export::ExportFormat;
use figment::error::{Actual, Kind};
use secrecy::{ExposeSecret as _, SecretString};
use tracing_subscriber::EnvFilter;

/// More than any machine has use for.
const MAX_THREADS: usize = 1024;

/// Every reason not to start, empty when there is none.
pub(super) fn faults(settings: &Settings) -> Vec<String> {
    let mut faults = Vec::new();
    server(settings, &mut faults);
    if let Err(error) = EnvFilter::try_new(&settings.log.filter) {
        faults.push(format!("log.filter is no tracing filter: {error}"));
    }
    limits(settings, &mut faults);
    webhooks(settings, &mut faults);
    connections(settings, &mut faults);
    assistants(settings, &mut faults);
    vapi_webhooks(settings, &mut faults);
    campaigns(settings, &mut faults);
    widgets(settings, &mut faults);
    faults
}

/// Why settings cannot be read, without the values that figment and the TOML reader would quote.
pub(super) fn unreadable(error: figment::Error) -> Vec<String> {
    let errors = error.into_iter().map(|mut error| {
        error.kind = match error.kind {
            Kind::InvalidType(actual, expected) => {
                Kind::InvalidType(Actual::Other(kind_of(&actual)), expected)
            }
            Kind::Message(text) => {
                let kept: Vec<_> = text.lines().filter(|line| !is_source(line)).collect();
                Kind::Message(kept.join(": "))
            }
            other => other,
        };
        error.to_string()
    });
    errors.collect()
}

/// What a value is, instead of the value.
fn kind_of(actual: &Actual) -> String {
    match actual {
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number".into(),
        Actual::Char(_) | Actual::Str(_) => "a string".into(),
        Actual::Bytes(_) => "bytes".into(),
        other => other.to_string(),
    }
}

/// Whether a line shows a line of the file: `12 | api_key = "…"`.
fn is_source(line: &str) -> bool {
    let number = line.split_once('|').map(|(number, _)| number.trim());
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

fn vapi_webhooks(settings: &Settings, faults: &mut Vec<String>) {
    for (name, credential) in &settings.vapi.webhooks {
        if let Err(sentence) = Verifier::new([credential]) {
            faults.push(format!("vapi.webhooks.{name}: {sentence}"));
        }
    }
    if !(1..=1440).contains(&settings.vapi.reconcile_minutes) {
        faults.push("vapi.reconcile_minutes must be from 1 minute to a day".into());
    }
    let path = &settings.vapi.webhook_path;
    let is_good = path.len() >= 16 && is_valid_id(path);
    if !(path.is_empty() || is_good) {
        faults.push("vapi.webhook_path must be 16 to 64 of A-Z a-z 0-9 _ -, or empty".into());
    }
    for (field, sentence) in settings.minutes.chat.faults() {
        faults.push(format!("minutes.chat.{field} {sentence}"));
    }
}

fn campaigns(settings: &Settings, faults: &mut Vec<String>) {
    for id in settings.accounts.keys().chain(settings.campaigns.keys()) {
        if !is_valid_id(id) {
            faults.push(format!(
                "`{id}`: an account's or campaign's id is 1 to 64 of A-Z a-z 0-9 _ -"
            ));
        }
    }
    for (id, account) in &settings.accounts {
        for format in account.exports.iter().flatten() {
            if ExportFormat::named(format).is_none() {
                faults.push(format!(
                    "accounts.{id}.exports contains `{format}`, which is none of csv, csv_messages, \
                     json, jsonl, xlsx, html, txt"
                ));
            }
        }
    }
    for (id, campaign) in &settings.campaigns {
        if let Some(account) = &campaign.account
            && !settings.accounts.contains_key(account)
        {
            faults.push(format!(
                "campaigns.{id} names the account `{account}`, which is not in accounts"
            ));
        }
    }
}

fn server(settings: &Settings, faults: &mut Vec<String>) {
    let server = &settings.server;
    if server.public_url.is_empty() {
        if !server.listen.ip().is_loopback() {
            faults.push(format!(
                "server.listen = {} is open to the network and server.public_url is empty: set it to \
                 the https address visitors use, so that other names for this server are not trusted",
                server.listen
            ));
        }
    } else {
        match Origin::parse(&server.public_url) {
            None => faults.push(format!(
                "server.public_url = `{}` is not an origin such as https://chat.example.com",
                server.public_url
            )),
            Some(origin) if !origin.is_confidential() => faults.push(format!(
                "server.public_url = `{}` is not https: visitors' tokens and conversations would \
                 cross the network in the clear",
                server.public_url
            )),
            Some(_) => {}
        }
    }
    if server.threads > MAX_THREADS {
        faults.push(format!(
            "server.threads = {} is more than {MAX_THREADS}: one for each processor is enough, which 0 means",
            server.threads
        ));
    }
    for network in &server.trusted_proxies {
        if network.0.prefix_len() == 0 {
            faults.push(format!(
                "server.trusted_proxies contains {}, every address: any visitor could pretend to be \
                 another and escape the limits",
                network.0
            ));
        }
    }
}

fn limits(settings: &Settings, faults: &mut Vec<String>) {
    let limits = &settings.limits;
    for (name, value) in [
        ("connections", limits.connections as u64),
        ("connections_per_address", limits.connections_per_address as u64),
        ("request_seconds", limits.request_seconds),
        ("body_bytes", limits.body_bytes as u64),
        ("webhook_bytes", limits.webhook_bytes as u64),
        ("message_chars", limits.message_chars.into()),
        ("messages_per_session", limits.messages_per_session.into()),
        ("sessions_per_minute_per_address", limits.sessions_per_minute_per_address.into()),
        ("sessions_per_minute_per_widget", limits.sessions_per_minute_per_widget.into()),
        ("messages_per_minute_per_session", limits.messages_per_minute_per_session.into()),
        ("messages_per_minute_per_address", limits.messages_per_minute_per_address.into()),
        ("activity_per_minute_per_address", limits.activity_per_minute_per_address.into()),
        ("loads_per_minute_per_address", limits.loads_per_minute_per_address.into()),
        ("leaves_per_minute_per_address", limits.leaves_per_minute_per_address.into()),
        ("owner_requests_per_minute_per_key", limits.owner_requests_per_minute_per_key.into()),
        ("live_answers", limits.live_answers as u64),
    ] {
        if value == 0 {
            faults.push(format!("limits.{name} = 0 would refuse every visitor"));
        }
    }
    if !(1..=600_000).contains(&limits.search_ms) {
        faults.push("limits.search_ms must be from 1 to 600000, ten minutes".into());
    }
    if limits.export_mib == 0 {
        faults.push("limits.export_mib = 0 leaves no room for any export".into());
    }
    if limits.body_bytes > 1024 * 1024 {
        faults.push(
            "limits.body_bytes is over 1 MiB: a message needs far less, an attacker would not"
                .into(),
        );
    }
    // A character takes up to 4 bytes, and up to 6 when JSON escapes it.
    if (limits.message_chars as usize).saturating_mul(6) + 1024 > limits.body_bytes {
        faults.push(format!(
            "limits.message_chars = {} does not fit into limits.body_bytes = {}: allow six bytes a \
             character and 1,024 around them",
            limits.message_chars, limits.body_bytes
        ));
    }
    if !(1..=7 * 1440).contains(&settings.session.max_minutes) {
        faults.push(
            "session.max_minutes must be from 1 minute to 7 days: a token lives as long".into(),
        );
    }
    if settings.answer.checkpoint_ms < 50 {
        faults.push(
            "answer.checkpoint_ms is under 50 ms: it would write more than the conversation".into(),
        );
    }
}

fn webhooks(settings: &Settings, faults: &mut Vec<String>) {
    let webhooks = &settings.webhooks;
    if let Err(line) = AllowedHosts::parse(&webhooks.allowed_private_hosts) {
        faults.push(format!(
            "webhooks.allowed_private_hosts contains `{line}`, which is neither a host name nor an \
             address: write it without scheme and port"
        ));
    }
    for (name, value, range) in [
        ("max_attempts", u64::from(webhooks.max_attempts), 1..=30),
        ("disable_after_hours", webhooks.disable_after_hours, 1..=8760),
        ("keep_days", webhooks.keep_days, 1..=3650),
    ] {
        if !range.contains(&value) {
            faults.push(format!(
                "webhooks.{name} = {value} is not from {} to {}",
                range.start(),
                range.end()
            ));
        }
    }
}

fn connections(settings: &Settings, faults: &mut Vec<String>) {
    for (name, connection) in &settings.engine.connections {
        let setting = format!("engine.connections.{name}");
        connection_fault(&setting, &connection.base_url, &connection.api_key, faults);
        let Connection { connect_seconds, first_byte_seconds, idle_seconds, .. } = connection;
        waits_fault(&setting, [*connect_seconds, *first_byte_seconds, *idle_seconds], faults);
    }
    for (name, connection) in &settings.vapi.connections {
        let setting = format!("vapi.connections.{name}");
        connection_fault(&setting, &connection.base_url, &connection.api_key, faults);
        let VapiConnection { connect_seconds, first_byte_seconds, idle_seconds, .. } = connection;
        waits_fault(&setting, [*connect_seconds, *first_byte_seconds, *idle_seconds], faults);
        if connection.api_key.expose_secret().trim().is_empty() {
            faults.push(format!(
                "{setting}.api_key is empty: Vapi answers nobody without its private key"
            ));
        }
    }
}

/// What is wrong with where a connection leads and what it sends there.
fn connection_fault(setting: &str, base_url: &str, key: &SecretString, faults: &mut Vec<String>) {
    let (scheme, after) = base_url.trim().split_once("://").unwrap_or_default();
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    match Origin::parse(&format!("{scheme}://{authority}")) {
        None => faults.push(format!(
            "{setting}.base_url is not an http(s) address without user and password"
        )),
        Some(origin) if !origin.is_confidential() && !key.expose_secret().is_empty() => {
            faults.push(format!(
                "{setting} would send its API key over plain http to another machine"
            ));
        }
        Some(_) => {}
    }
}

/// What is wrong with how long a connection waits: to connect, for the first byte, for the next.
fn waits_fault(setting: &str, waits: [u64; 3], faults: &mut Vec<String>) {
    for (name, seconds) in
        ["connect_seconds", "first_byte_seconds", "idle_seconds"].iter().zip(waits)
    {
        if !(1..=3600).contains(&seconds) {
            faults.push(format!("{setting}.{name} = {seconds} is not from 1 to 3600"));
        }
    }
}

/// What is wrong with an assistant's templates: what cannot be read would fail every visitor.
fn template_fault(setting: &str, template: Option<&str>, faults: &mut Vec<String>) {
    if let Some(Err(error)) = template.map(prompt::check) {
        faults.push(format!("{setting} is no Liquid template: {error}"));
    }
}

fn assistants(settings: &Settings, faults: &mut Vec<String>) {
    for (name, assistant) in &settings.assistants {
        let assistant = match assistant {
            Assistant::Engine(assistant) => assistant,
            Assistant::Vapi(assistant) => {
                vapi_assistant(name, assistant, settings, faults);
                continue;
            }
        };
        let setting = format!("assistants.{name}");
        template_fault(&format!("{setting}.system_prompt"), Some(&assistant.system_prompt), faults);
        let first = assistant.first_message.as_deref();
        template_fault(&format!("{setting}.first_message"), first, faults);
        match &assistant.model {
            ModelChoice::Builtin { knowledge } => {
                if knowledge != "demo" && !settings.engine.knowledge.contains_key(knowledge) {
                    faults.push(format!("assistants.{name} names the knowledge `{knowledge}`, which is not in engine.knowledge"));
                }
            }
            ModelChoice::OpenAi { connection, model, .. } => {
                if model.trim().is_empty() {
                    faults.push(format!("{setting}.model.open_ai.model is empty"));
                }
                if !settings.engine.connections.contains_key(connection) {
                    faults.push(format!("assistants.{name} names the connection `{connection}`, which is not in engine.connections"));
                }
            }
        }
    }
}

fn vapi_assistant(
    name: &str,
    assistant: &VapiAssistant,
    settings: &Settings,
    faults: &mut Vec<String>,
) {
    if !settings.vapi.connections.contains_key(&assistant.connection) {
        faults.push(format!(
            "assistants.{name} names the connection `{}`, which is not in vapi.connections",
            assistant.connection
        ));
    }
    let first = assistant.first_message.as_deref();
    template_fault(&format!("assistants.{name}.first_message"), first, faults);
    let is_empty = |id: &String| id.trim().is_empty();
    if assistant.assistant_id.is_some() == assistant.definition.is_some()
        || assistant.assistant_id.as_ref().is_some_and(is_empty)
    {
        faults.push(format!(
            "assistants.{name} needs either assistant_id, a permanent assistant at Vapi, or \
             definition, a transient one"
        ));
    }
}

fn widgets(settings: &Settings, faults: &mut Vec<String>) {
    for (id, widget) in &settings.widgets {
        if !is_valid_id(id) {
            faults.push(format!("widgets.{id}: an id is 1 to 64 of A-Z a-z 0-9 _ -"));
        }
        for assistant in [Some(&widget.assistant), widget.chat_assistant.as_ref()] {
            if let Some(name) = assistant.filter(|name| !settings.assistants.contains_key(*name)) {
                faults.push(format!(
                    "widgets.{id} names the assistant `{name}`, which is not in assistants"
                ));
            }
        }
        if let Some(name) = &widget.campaign
            && !settings.campaigns.contains_key(name)
        {
            faults.push(format!(
                "widgets.{id} names the campaign `{name}`, which is not in campaigns"
            ));
        }
        for (field, sentence) in widget.faults() {
            faults.push(format!("widgets.{id}.{field} {sentence}"));
        }
        let open_to_all =
            widget.allowed_origins.iter().any(crate::domain::origin::OriginPattern::is_any);
        if open_to_all && !settings.server.listen.ip().is_loopback() {
            faults.push(format!(
                "widgets.{id}.allowed_origins contains \"*\" on a server that is open to the network: \
                 every site could embed it at your cost; list the sites"
            ));
        }
    }
}
