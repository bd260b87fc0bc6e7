//! From the store into a file: logs are read in pages, written by a thread of its own (XLSX compresses
//! for seconds), and leave in pieces. Every queue on the way is short, so memory is bounded however
//! long the file is, and whoever is slow slows the others down.

use super::queue::{Giver, Item, Taker, queue};
use crate::domain::log::{LogCursor, LogFilter, Order};
use crate::domain::owner::Tenant;
use crate::export::{self, Options, Render};
use crate::store::logs::{Most, Pace};
use crate::store::{Store, StoreError};
use banter_shared::owner::export::ExportFormat;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

/// Bytes of a piece: few enough to hold some, enough to be worth a row of the store.
const PIECE: usize = 128 * 1024;

/// How much is read at once.
const MOST: Most = Most { messages: 50, bytes: 256 * 1024 };

/// How long a piece may wait to be taken before the file is given up.
const STALL: Duration = Duration::from_secs(60);

/// The content of a file, as it comes. An error means that the file is not whole.
pub struct Pieces(mpsc::Receiver<io::Result<Vec<u8>>>);

/// Where the content goes.
pub(super) type Sender = mpsc::Sender<io::Result<Vec<u8>>>;

/// A short queue of pieces.
pub(super) fn pieces() -> (Sender, Pieces) {
    let (sender, receiver) = mpsc::channel(2);
    (sender, Pieces(receiver))
}

impl Pieces {
    /// The next piece; `None` behind the last one.
    pub async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.0.recv().await
    }
}

/// What is written, and how.
pub(super) struct Plan {
    pub(super) store: Arc<dyn Store>,
    pub(super) tenant: Tenant,
    pub(super) filter: LogFilter,
    pub(super) format: ExportFormat,
    pub(super) options: Options,
    /// How many logs are read at once.
    pub(super) page: u32,
    /// Who waits for it.
    pub(super) pace: Pace,
}

/// Why a file is not whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be written.
    #[error("the file could not be written")]
    Write(#[source] io::Error),
    /// It is larger than it may be.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// Nobody wants it any more: its reader is gone, or its job was called off or taken over.
    #[error("nobody waits for the file any more")]
    Unwanted,
}

impl Failure {
    /// What whoever asked for the file is told.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::TooLarge(bytes) => format!(
                "the file is larger than {} MiB (limits.export_mib); narrow its filters",
                bytes / (1024 * 1024)
            ),
            Self::Store(StoreError::TooLong) => {
                "its logs take too long to be found; narrow its filters".to_owned()
            }
            _ => "the file could not be made; the server's log says why".to_owned(),
        }
    }

    /// Tells the operator, unless it is none.
    pub(super) fn log(&self, what: &str) {
        if !matches!(self, Self::Unwanted) {
            tracing::error!(error = self as &dyn std::error::Error, "{what}");
        }
    }
}

/// Somebody who is told after every page how many logs are written, and may say that it is enough.
#[async_trait::async_trait]
pub(super) trait Watcher: Send + Sync {
    /// `false` when the file is not wanted any more.
    async fn page(&self, done: u64) -> Result<bool, StoreError>;
}

/// Writes the file. Behind an error nothing more comes out of `out` but that error.
pub(super) async fn render(
    plan: Plan,
    out: Sender,
    watcher: Option<&dyn Watcher>,
) -> Result<(), Failure> {
    let (items, taken) = queue();
    let (format, options, runtime) = (plan.format, plan.options.clone(), Handle::current());
    let errors = out.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut out = Out { out, held: Vec::new(), runtime };
        write(format, options, taken, &mut out)?;
        out.send()
    });
    let read = read(&plan, items, watcher).await;
    let written = match writing.await {
        Ok(written) => written,
        // A thread that panicked has not written the file.
        Err(error) => Err(io::Error::other(error)),
    };
    let outcome = match (read, written) {
        (Ok(()), Ok(())) => return Ok(()),
        // If reading stopped because writing did, the cause is what writing says.
        (Err(Failure::Unwanted) | Ok(()), Err(error)) => match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unwanted,
            _ => Failure::Write(error),
        },
        (Err(failure), _) => failure,
    };
    // Without this, what has come so far would look like the whole file.
    let _ = errors.send_timeout(Err(io::Error::other("the file is not whole")), STALL).await;
    Err(outcome)
}

/// Reads everything that goes into the file.
async fn read(plan: &Plan, items: Giver, watcher: Option<&dyn Watcher>) -> Result<(), Failure> {
    let give = async |item| items.give(item).await.then_some(()).ok_or(Failure::Unwanted);
    let mut after: Option<LogCursor> = None;
    let mut done = 0;
    loop {
        let page = plan
            .store
            .logs(&plan.tenant, &plan.filter, Order::Oldest, after.as_ref(), plan.page, plan.pace)
            .await?;
        after = page.last().map(LogCursor::after);
        let is_last = page.len() < plan.page as usize;
        done += page.len() as u64;
        for log in page {
            let id = log.id.clone();
            give(Item::Log(Box::new(log))).await?;
            let mut position = i64::MIN;
            while export::wants_messages(plan.format) {
                let said =
                    plan.store.log_messages(&plan.tenant, &id, position, MOST, plan.pace).await?;
                position = said.last;
                if !said.messages.is_empty() {
                    give(Item::Messages(said.messages)).await?;
                }
                if !said.more {
                    break;
                }
            }
        }
        if let Some(watcher) = watcher
            && !watcher.page(done).await?
        {
            return Err(Failure::Unwanted);
        }
        if is_last {
            return give(Item::End).await;
        }
    }
}

/// The writing thread.
fn write(
    format: ExportFormat,
    options: Options,
    mut items: Taker,
    out: &mut Out,
) -> io::Result<()> {
    let mut renderer: Box<dyn Render + '_> = export::renderer(format, options, out)?;
    loop {
        let more = items.take(|item| match item {
            Item::Log(log) => renderer.log(&log).map(|()| true),
            Item::Messages(messages) => {
                messages.iter().try_for_each(|message| renderer.message(message)).map(|()| true)
            }
            Item::End => Ok(false),
        });
        match more {
            Some(Ok(true)) => {}
            Some(Ok(false)) => return renderer.finish(),
            Some(Err(error)) => return Err(error),
            None => return Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// Gathers what is written into pieces.
struct Out {
    out: Sender,
    held: Vec<u8>,
    runtime: Handle,
}

impl Out {
    /// Lets go of what is held.
    fn send(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.held);
        match self.runtime.block_on(self.out.send_timeout(Ok(piece), STALL)) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_) | SendTimeoutError::Timeout(_)) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.held.len().min(PIECE);
        let taken = bytes.len().min(room);
        self.held.extend_from_slice(&bytes[..taken]);
        if self.held.len() >= PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    /// Pieces are as large as they can be: what is left goes when the file is whole.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
