//! `banter`: reads its settings, puts the server together, serves, stops gracefully.

use banter_server::app::App;
use banter_server::clock::{SystemClock, SystemEntropy};
use banter_server::settings::{Overrides, SAMPLE, Settings};
use banter_server::{serve, telemetry};
use clap::Parser;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tikv_jemallocator::Jemalloc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// An answer takes some hundreds of small allocations, SQLite's among them, made on one thread and
/// often given back on another. A busy server spent a tenth of its time on them with glibc's, and
/// half as much memory again for idle streams. Its background thread gives back what visitors who left
/// needed, within ten seconds and also when nobody asks for memory any more.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// An AI chat widget and the server behind it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings file in TOML; `--print-config` shows every setting.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on, instead of `server.listen`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Data folder, instead of `data.directory`.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Prints the annotated sample of all settings and exits.
    #[arg(long)]
    print_config: bool,
}

/// This thread is one of those that serve; `serve` starts the others.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "banter: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and what led to it, each said once.
fn with_causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let sentence = error.to_string();
        if !said.contains(&sentence) {
            said = format!("{said}: {sentence}");
        }
        cause = error.source();
    }
    said
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    if arguments.print_config {
        return Ok(out.write_all(SAMPLE.as_bytes())?);
    }
    let overrides = Overrides { listen: arguments.listen, data: arguments.data };
    let settings = Settings::load(arguments.config.as_deref(), &overrides)?;
    telemetry::start_logging(&settings.log);
    let metrics = telemetry::start_metrics()?;
    let listen = settings.server.listen;
    let started =
        App::start(settings, Arc::new(SystemClock), Arc::new(SystemEntropy), metrics).await?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr()?;
    if let Some(key) = &started.owner_key {
        writeln!(out, "Owner's key (shown this once, keep it): {key}")?;
    }
    if let Some(path) = started.app.webhook_path().await? {
        writeln!(out, "Vapi's webhooks: http://{address}{path}")?;
    }
    writeln!(out, "Demo shop: http://{address}/demo/")?;
    out.flush()?;
    // Before the first request: a signal that comes now must not kill.
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    Ok(serve::serve(started.app, listener, stop).await?)
}
