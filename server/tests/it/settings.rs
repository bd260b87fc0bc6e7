//! Settings that are refused, each with its reason; and the sample, which must be true.

use crate::support::load;
use banter_engine::assistant::ModelChoice;
use banter_server::domain::assistant::Assistant;
use banter_server::domain::provider::ProviderName;
use banter_server::settings::SAMPLE;

fn refusal(extra: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    match load(&folder.path().join("banter.toml"), "", extra) {
        Ok(_) => panic!("accepted: {extra}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn unsafe_or_senseless_settings_are_refused_with_the_reason() {
    for (settings, reason) in [
        ("[server]\nlisten = \"0.0.0.0:80\"", "server.public_url is empty"),
        ("[server]\npublic_url = \"http://chat.example.com\"", "is not https"),
        ("[server]\npublic_url = \"chat.example.com\"", "is not an origin"),
        ("[server]\nthreads = 2000", "one for each processor"),
        ("[server]\ntrusted_proxies = [\"0.0.0.0/0\"]", "every address"),
        ("[server]\ntrusted_proxies = [\"nginx\"]", "neither an address nor a network"),
        (
            "[server]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://c.example\"\n[widgets.demo]\nallowed_origins = [\"*\"]",
            "list the sites",
        ),
        ("[limits]\nmessage_chars = 0", "would refuse every visitor"),
        ("[limits]\nbody_bytes = 2000000", "over 1 MiB"),
        ("[limits]\nmessage_chars = 50000", "does not fit"),
        ("[session]\nmax_minutes = 0", "session.max_minutes"),
        ("[answer]\ncheckpoint_ms = 1", "answer.checkpoint_ms"),
        ("[webhooks]\nallowed_private_hosts = [\"http://10.0.0.1\"]", "without scheme and port"),
        ("[webhooks]\nmax_attempts = 0", "is not from 1 to 30"),
        ("[webhooks]\ndisable_after_hours = 0", "webhooks.disable_after_hours = 0"),
        ("[webhooks]\nkeep_days = 0", "webhooks.keep_days = 0"),
        (
            "[engine.connections.x]\nbase_url = \"http://models.example/v1\"\napi_key = \"sk-1\"",
            "plain http",
        ),
        ("[engine.connections.x]\nbase_url = \"https://user:pass@models.example/v1\"", "base_url"),
        ("[assistants.demo]\nmodel = { builtin = { knowledge = \"nope\" } }", "knowledge"),
        (
            "[assistants.demo]\nmodel = { open_ai = { connection = \"x\", model = \" \" } }",
            "assistants.demo.model.open_ai.model is empty",
        ),
        (
            "[vapi.connections.x]\nbase_url = \"http://vapi.example\"\napi_key = \"sk-1\"",
            "plain http",
        ),
        ("[vapi.connections.x]", "private key"),
        (
            "[assistants.v]\nprovider = \"vapi\"\nconnection = \"nope\"\nassistant_id = \"a\"",
            "not in vapi.connections",
        ),
        (
            "[vapi.connections.x]\napi_key = \"sk-1\"\n[assistants.v]\nprovider = \"vapi\"\nconnection = \"x\"",
            "needs either assistant_id",
        ),
        (
            "[vapi.connections.x]\napi_key = \"sk-1\"\n[assistants.v]\nprovider = \"vapi\"\nconnection = \"x\"\nassistant_id = \"a\"\ndefinition = { name = \"b\" }",
            "needs either assistant_id",
        ),
        ("[widgets.demo]\nassistant = \"nope\"", "names the assistant `nope`"),
        ("[widgets.demo]\naccent = \"red\"", "is not a colour"),
        ("[widgets.demo]\nallowed_origins = [\"shop.example\"]", "is not an origin"),
        ("[widgets.demo]\ncolour = \"#fff\"", "unknown field `demo.colour`"),
        ("[widgets.demo.strings]\nplaceholdr = \"Hi\"", "unknown field `demo.strings.placeholdr`"),
        ("[widgets.demo]\nleave = { hiden = 1 }", "unknown field `demo.leave.hiden`"),
        ("[widgets.\"a b\"]\nassistant = \"demo\"", "an id is"),
        ("[accounts.acme]\nname = \"Acme\"\nexports = [\"pdf\"]", "contains `pdf`"),
        ("[campaigns.spring]\nname = \"Spring\"\naccount = \"acme\"", "names the account `acme`"),
        ("[limits]\nowner_requests_per_minute_per_key = 0", "would refuse"),
        ("[limits]\nwebhook_bytes = 0", "would refuse"),
        ("[vapi]\nreconcile_minutes = 0", "vapi.reconcile_minutes"),
        ("[vapi]\nwebhook_path = \"short\"", "vapi.webhook_path"),
        ("[vapi.webhooks.x]\ntype = \"secret\"\nsecret = \"sk-1\"", "could be guessed"),
        ("[vapi.webhooks.x]\ntype = \"magic\"", "unknown variant"),
        (
            "[vapi.webhooks.x]\ntype = \"hmac\"\nsecret_key = \"0123456789abcdef\"\npayload_format = \"{timestamp}\"",
            "vapi.webhooks.x: payload_format must hold {body}",
        ),
        ("[minutes.chat]\nrate = \"-1\"", "minutes.chat.rate"),
        (
            "[engine.connections.x]\nbase_url = \"https://m.example/v1\"\nidle_seconds = 9223372036854775807",
            "engine.connections.x.idle_seconds",
        ),
        ("[vapi.connections.x]\napi_key = \"sk-1\"\nconnect_seconds = 0", "connect_seconds = 0"),
        ("[assistants.demo]\nsystem_prompt = \"{{ bad\"", "system_prompt is no Liquid template"),
        ("[assistants.demo]\nfirst_message = \"{% for %}\"", "first_message is no Liquid template"),
        ("[log]\nfilter = \"=,=[[bad\"", "log.filter"),
        ("[sevrer]\nlisten = \"127.0.0.1:1\"", "unknown field"),
        ("[assistants.demo]\nfirst_mesage = \"Hi\"", "unknown field"),
        (
            "[assistants.demo]\nmodel = { builtin = { knowledge = \"demo\", top = 3 } }",
            "unknown field `demo.model.top`",
        ),
        (
            "[vapi.connections.x]\napi_key = \"sk-1\"\n[assistants.v]\nprovider = \"vapi\"\nconnection = \"x\"\nassistantId = \"a\"",
            "unknown field `v.assistantId`",
        ),
    ] {
        let said = refusal(settings);
        assert!(said.contains(reason), "{settings}\n→ {said}");
        assert!(!said.contains("sk-1"), "{said}");
    }
}

#[test]
fn the_demos_assistant_may_have_another_model_and_another_provider() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |extra: &str| {
        let settings = load(&folder.path().join("banter.toml"), "", extra).unwrap();
        settings.assistants["demo"].clone()
    };
    let model = "[engine.connections.x]\nbase_url = \"http://127.0.0.1:11434/v1\"
        [assistants.demo]\nmodel = { open_ai = { connection = \"x\", model = \"small\" } }";
    for provider in ["", "\nprovider = \"engine\""] {
        let Assistant::Engine(own) = demo(&format!("{model}{provider}")) else { panic!() };
        assert!(matches!(own.model, ModelChoice::OpenAi { .. }), "{own:?}");
        assert_eq!(own.history_tokens, 3_000, "the rest is the sample's");
    }
    let vapi = "[vapi.connections.x]\napi_key = \"sk-1\"
        [assistants.demo]\nprovider = \"vapi\"\nconnection = \"x\"\nassistant_id = \"a\"";
    assert_eq!(demo(vapi).provider(), ProviderName::Vapi);
}

#[test]
fn a_secret_in_the_environment_is_text_whatever_it_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = ["VAPI__WEBHOOK_PATH", "ENGINE__CONNECTIONS__X__API_KEY"];
    for secret in ["1234567890123456", "0123456789012345", "[234567890123456]", "true5678901234567"]
    {
        let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_banter"));
        server.arg("--data").arg(folder.path());
        server.env("BANTER_ENGINE__CONNECTIONS__X__BASE_URL", "https://models.example/v1");
        // So that it says what is wrong instead of running.
        server.env("BANTER_LIMITS__MESSAGE_CHARS", "0");
        for name in secrets {
            server.env(format!("BANTER_{name}"), secret);
        }
        let ended = server.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(said.contains("would refuse every visitor"), "{secret}: {said}");
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn the_sample_says_what_a_connection_defaults_to() {
    let folder = tempfile::tempdir().unwrap();
    let extra = "[engine.connections.x]\nbase_url = \"https://models.example/v1\"";
    let settings = load(&folder.path().join("banter.toml"), "", extra).unwrap();
    let connection = &settings.engine.connections["x"];
    for (name, value) in [
        ("connect_seconds", connection.connect_seconds),
        ("first_byte_seconds", connection.first_byte_seconds),
        ("idle_seconds", connection.idle_seconds),
        ("retries", connection.retries.into()),
        ("max_answer_bytes", connection.max_answer_bytes as u64),
    ] {
        assert!(SAMPLE.contains(&format!("#   {name} = {value} ")), "{name} = {value}");
    }
}

#[test]
fn the_sample_says_what_a_webhooks_credential_defaults_to() {
    use banter_server::domain::webhook_auth::Credential;
    let folder = tempfile::tempdir().unwrap();
    // The sample's own lines, with secrets filled in.
    let (_, rest) = SAMPLE.split_once("#   [vapi.webhooks.main]").unwrap();
    let (lines, _) = rest.split_once("\n[vapi.webhooks]").unwrap();
    let written = format!("#   [vapi.webhooks.main]{lines}")
        .lines()
        .map(|line| line.trim_start_matches('#').trim_start().replace("\"\"   ", "\"\""))
        .map(|line| {
            let secret = ["secret = ", "token = ", "secret_key = "];
            let is_secret = secret.iter().any(|name| line.starts_with(name));
            if is_secret { line.replace("\"\"", "\"0123456789abcdef\"") } else { line }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let bare = "
        [vapi.webhooks.main]\ntype = \"secret\"\nsecret = \"0123456789abcdef\"
        [vapi.webhooks.token]\ntype = \"bearer\"\ntoken = \"0123456789abcdef\"
        [vapi.webhooks.signed]\ntype = \"hmac\"\nsecret_key = \"0123456789abcdef\"";
    let read =
        |text: &str| load(&folder.path().join("banter.toml"), "", text).unwrap().vapi.webhooks;
    let (mut written, bare) = (read(&written), read(bare));
    // What is signed has a default that depends on another field, so it is not filled in.
    if let Some(Credential::Hmac(hmac)) = written.get_mut("signed") {
        assert_eq!(hmac.payload_format.take().as_deref(), Some("{timestamp}.{body}"));
    }
    assert_eq!(format!("{written:?}"), format!("{bare:?}"));
    assert_eq!(bare.len(), 3);
}
