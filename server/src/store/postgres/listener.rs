//! The connection that listens: what any server's transactions tell reaches this server's tasks.

use super::super::{Notice, Result, StoreError};
use super::connection::connect;
use super::transaction::CHANNEL;
use postgres::Config;
use postgres::fallible_iterator::FallibleIterator as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::broadcast;

/// How often the listener looks whether it shall stop.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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
    let mut client = connect(config)?;
    client.batch_execute(&format!("LISTEN {CHANNEL}"))?;
    while !stop.load(Ordering::Relaxed) {
        {
            let mut notifications = client.notifications();
            let mut waiting = notifications.timeout_iter(LOOK_EVERY);
            while let Some(notification) = waiting.next()? {
                if let Some(notice) = Notice::parse(notification.payload()) {
                    // Nobody listens: nobody needs to know.
                    let _ = told.send(notice);
                }
            }
        }
        if client.is_closed() {
            return Err(StoreError::Closed);
        }
    }
    Ok(())
}
