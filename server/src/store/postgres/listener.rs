//! The connection that listens: what any server's transactions tell reaches this server's tasks.

use super::super::{Notice, Result, StoreError};
use super::link::Link;
use super::transaction::CHANNEL;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tokio_postgres::Config;

/// How often the listener looks whether it shall stop.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// After how much silence the database is asked whether it still talks to us, and how long it may take to
/// answer: a connection on which nobody speaks looks the same when nobody is there any more.
const ASK_AFTER: Duration = Duration::from_secs(5);
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// The listener's thread goes on for as long as this lives.
#[derive(Debug)]
pub(super) struct Listening(Arc<AtomicBool>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts listening. A lost connection is made anew; what is told in between is missed, which
/// whoever listens has to expect.
pub(super) fn start(config: Config, told: broadcast::Sender<Notice>) -> Result<Listening> {
    let stop = Arc::new(AtomicBool::new(false));
    let listening = Listening(stop.clone());
    std::thread::Builder::new()
        .name("postgres-listener".into())
        .spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Err(error) = listen(&config, &told, &stop) {
                    tracing::warn!(%error, "what other servers tell cannot be heard; trying again");
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        })
        .map_err(|error| StoreError::Unopened(error.to_string()))?;
    Ok(listening)
}

fn listen(config: &Config, told: &broadcast::Sender<Notice>, stop: &AtomicBool) -> Result<()> {
    let mut link = Link::open(config, Instant::now() + ANSWERED_WITHIN)?;
    link.batch(&format!("LISTEN {CHANNEL}"))?;
    let mut heard_at = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let heard = link.hear(LOOK_EVERY)?;
        if heard.is_empty() && heard_at.elapsed() < ASK_AFTER {
            continue;
        }
        heard_at = Instant::now();
        if heard.is_empty() {
            link.wait_until(heard_at + ANSWERED_WITHIN);
            link.batch("SELECT 1")?;
        }
        for notice in heard.iter().filter_map(|payload| Notice::parse(payload)) {
            // Nobody listens: nobody needs to know.
            let _ = told.send(notice);
        }
    }
    Ok(())
}
