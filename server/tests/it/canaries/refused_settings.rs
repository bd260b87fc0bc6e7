//! A start that fails says why and quotes no secret: what it says goes to the same log.

use super::places::{Place, command};
use super::secret::{Secret, found};

const SECRET: &str = "se-c4n4ry-setting-Hv5Lw8BpK1";

/// What the binary says when it will not start with this file and environment.
async fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("banter.toml"), file).unwrap();
    let ended = command(folder.path(), environment).output().await.unwrap();
    assert!(!ended.status.success(), "{file} {environment:?}");
    String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap()
}

#[tokio::test]
async fn a_start_that_fails_quotes_no_secret() {
    // Digits are a number unless somebody puts them in quotation marks.
    let number = "7316420958831642";
    let model = "[engine.connections.x]\nbase_url = \"http://127.0.0.1:9\"\n";
    let files = [
        format!("{model}api_key = \"{SECRET}"),
        format!("{model}api_key = {SECRET}"),
        format!("{model}api_key = \"{SECRET}\" oops"),
        format!("{model}api_key = [\"{SECRET}\"]"),
        format!("{model}api_key = {number}"),
        format!("{model}api_key = {number}.5"),
        format!("{model}api_key = \"{SECRET}\"\napi_key = \"{SECRET}\""),
        format!("{model}api-key = \"{SECRET}\""),
        format!("{model}api_key = \"{SECRET}\\n\""),
        format!("[engine.connections]\nx = \"{SECRET}\""),
        format!("[engine.connections.x]\nbase_url = \"https://me:{SECRET}@models.example/v1\""),
        format!("[vapi.connections.x]\napi_key = \"{SECRET}\"\nbase_url = \"http://v.example\""),
        format!("[vapi]\nwebhook_path = \"{SECRET}/\""),
        format!("[vapi]\nwebhook_path = {number}"),
        format!("[vapi.webhooks]\nx = \"{SECRET}\""),
        format!("[vapi.webhooks.x]\ntype = \"secret\"\nsecret = {number}"),
        format!("[vapi.webhooks.x]\ntype = \"secret\"\nsecret = [\"{SECRET}\"]"),
        format!("[vapi.webhooks.x]\ntype = \"bearer\"\nsecret = \"{SECRET}\""),
        format!(
            "[vapi.webhooks.x]\ntype = \"hmac\"\nsecret_key = \"{SECRET}!\"\nsecret_is_base64 = true"
        ),
        format!("[data]\nurl = \"postgres://banter:{SECRET}@127.0.0.1:9/banter\""),
        format!("[data]\nurl = \"postgres://banter:{SECRET} x@127.0.0.1:no/banter\""),
        format!("[data]\nurl = \"postgres://banter@127.0.0.1:9/banter?{SECRET}=1\""),
        format!("[data]\nurl = \"host=127.0.0.1 port=9 password={SECRET} {SECRET}\""),
        format!("[data]\nurl = {number}"),
    ];
    let variables = [
        ("BANTER_DATA__URL", format!("postgres://banter:{SECRET}@127.0.0.1:9/banter")),
        ("BANTER_ENGINE__CONNECTIONS__X__API_KEY", number.to_owned()),
        ("BANTER_VAPI__WEBHOOKS__X__SECRET", SECRET.to_owned()),
        ("BANTER_VAPI__CONNECTIONS__X__KEY", SECRET.to_owned()),
        ("BANTER_VAPI__CONNECTIONS__X", SECRET.to_owned()),
        ("BANTER_VAPI__WEBHOOK_PATH", format!("[\"{SECRET}\"]")),
    ];
    let mut said = Vec::new();
    for file in &files {
        said.push((file.clone(), refusal(file, &[]).await));
    }
    for (name, value) in &variables {
        said.push((format!("{name}={value}"), refusal("", &[(name, value)]).await));
    }
    let secrets = || [Secret::chosen("a secret", SECRET), Secret::chosen("a number", number)];
    let mut leaks = Vec::new();
    for (settings, said) in said {
        assert!(said.starts_with("banter: ") && said.len() > 30, "{settings}: {said}");
        leaks.extend(found(&secrets(), &[Place { name: settings, text: said }]));
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n\n"));
}
