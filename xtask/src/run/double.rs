//! The double of Vapi beside the demo: built, started, and named in settings of the server's own.

use crate::args::RunOptions;
use crate::build::Profile;
use crate::process::{self, Tool};
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, bail};
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The key both sides know; it opens nothing but the double.
const KEY: &str = "sk-vapi-double";

/// What the double proves its webhooks with, and where it sends them: good on this machine only.
const WEBHOOK_SECRET: &str = "double-webhook-secret";
const WEBHOOK_PATH: &str = "double-webhook-path";

/// Builds the double.
///
/// # Errors
/// When it does not build.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<()> {
    let log = workspace.log("vapi-double");
    process::start_log(&log)?;
    let (cargo_profile, _) = profile.of_programs();
    let mut cargo = Tool::Cargo.command();
    cargo
        .args(["build", "-p", "vapi-double", "--profile", cargo_profile])
        .current_dir(&workspace.root);
    process::logged(&mut cargo, &log)
}

/// Where [`build`] puts the program.
pub(crate) fn program(workspace: &Workspace, profile: Profile) -> PathBuf {
    let (_, directory) = profile.of_programs();
    workspace.target.join(directory).join(format!("vapi-double{}", env::consts::EXE_SUFFIX))
}

/// Starts the double and tells the server of it. It ends with the server: this process becomes the
/// server, so the double's parent stays the same until the server is gone.
pub(super) fn start(workspace: &Workspace, options: &mut RunOptions) -> Result<()> {
    let names_settings = |flag: &String| flag == "--config" || flag.starts_with("--config=");
    if options.server_flags.iter().any(names_settings) {
        bail!("--provider writes the server's settings itself: leave --config out");
    }
    let program = program(workspace, options.profile);
    let webhook = format!("http://127.0.0.1:{}/webhooks/vapi/{WEBHOOK_PATH}", options.port);
    let mut double = Command::new(&program)
        .args(["--listen", "127.0.0.1:0", "--key", KEY, "--webhook", &webhook])
        .args(["--webhook-secret", WEBHOOK_SECRET, "--stop-with-parent"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", workspace.short(&program).display()))?;
    let mut greeting = String::new();
    if let Some(out) = double.stdout.take() {
        BufReader::new(out).read_line(&mut greeting)?;
    }
    let (url, assistant) =
        read_greeting(&greeting).with_context(|| format!("the double said `{greeting}`"))?;
    println!("Vapi double on {url}; its webhooks go to {webhook}");
    let file = workspace.target.join("xtask/vapi-double.toml");
    fs::write(&file, settings(url, assistant))
        .with_context(|| format!("writing {}", file.display()))?;
    options.server_flags.extend(["--config".to_owned(), file.display().to_string()]);
    Ok(())
}

/// Address and assistant in `Vapi double: http://127.0.0.1:1 (assistant a)`.
fn read_greeting(line: &str) -> Option<(&str, &str)> {
    let (url, rest) = line.trim().strip_prefix("Vapi double: ")?.split_once(' ')?;
    Some((url, rest.strip_prefix("(assistant ")?.strip_suffix(')')?))
}

/// The demo's widget, its chats answered by the double's assistant.
fn settings(url: &str, assistant: &str) -> String {
    format!(
        r#"# Written by `cargo xtask run --provider vapi-double`.
[vapi]
webhook_path = "{WEBHOOK_PATH}"

[vapi.webhooks.double]
type = "secret"
secret = "{WEBHOOK_SECRET}"

[vapi.connections.double]
base_url = "{url}"
api_key = "{KEY}"

[assistants.vera]
provider = "vapi"
connection = "double"
assistant_id = "{assistant}"
first_message = "Hi! I'm Vera, and I come from {{{{company}}}} by way of Vapi. Ask me anything."
variables = {{ company = "Fern & Field" }}

[widgets.demo]
chat_assistant = "vera"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::{read_greeting, settings};

    #[test]
    fn the_doubles_greeting_says_where_it_is() {
        let line = "Vapi double: http://127.0.0.1:4010 (assistant a-1)\n";
        assert_eq!(read_greeting(line), Some(("http://127.0.0.1:4010", "a-1")));
        assert_eq!(read_greeting("cannot listen"), None);
        let settings = settings("http://127.0.0.1:4010", "a-1");
        assert!(settings.contains("{{company}}") && settings.contains("variables = { company"));
    }
}
