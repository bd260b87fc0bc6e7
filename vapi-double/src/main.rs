//! `vapi-double`: the double as a program, for demos and for tests in other languages.

use clap::Parser;
use serde_json::json;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use vapi_double::{ASSISTANT, Double, KEY, Options, system_now_ms};

/// Stands in for Vapi: same routes, same answers, webhooks, and faults on demand.
#[derive(Parser)]
struct Arguments {
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:4010", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The private key it takes.
    #[arg(long, default_value = KEY)]
    key: String,
    /// Where its webhooks go.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Sent with each webhook as X-Vapi-Secret.
    #[arg(long, value_name = "SECRET")]
    webhook_secret: Option<String>,
    /// Ends when the process that started it does.
    #[arg(long)]
    stop_with_parent: bool,
    /// Milliseconds between two words of an answer.
    #[arg(long, default_value_t = 40, value_name = "MS")]
    word_delay: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "vapi-double: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    let server = arguments.webhook.map(|url| match arguments.webhook_secret {
        Some(secret) => json!({ "url": url, "secret": secret }),
        None => json!({ "url": url }),
    });
    let double = Double::serve(
        listener,
        Options {
            key: arguments.key,
            // Ids must not come again after a restart: somebody may have kept the old ones.
            seed: system_now_ms(),
            server,
            word_delay: Duration::from_millis(arguments.word_delay),
            ..Options::default()
        },
    )?;
    let mut out = std::io::stdout();
    writeln!(out, "Vapi double: {} (assistant {ASSISTANT})", double.base_url())?;
    out.flush()?;
    if arguments.stop_with_parent {
        orphaned().await;
        return Ok(());
    }
    // Ends with the process.
    std::future::pending().await
}

/// Waits until the process that started this one is gone.
#[cfg(unix)]
async fn orphaned() {
    use std::os::unix::process::parent_id;
    let parent = parent_id();
    while parent_id() == parent {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Nobody can tell here: it goes on until it is stopped.
#[cfg(not(unix))]
async fn orphaned() {
    std::future::pending().await
}
