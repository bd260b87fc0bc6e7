//! A conversation with PostgreSQL: one socket on a thread of its own, which is looked after only while
//! somebody waits for an answer, and nobody waits without an end.
//!
//! The driver's own synchronous client waits for as long as it takes. A database that has vanished is
//! found out by TCP; one that is there and says nothing (its machine is frozen, its disk hangs, a
//! proxy has lost it) would hold every thread of the pool until somebody restarts something.

use super::super::{Result, StoreError};
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, poll_fn};
use rustls::{ClientConfig, RootCertStore};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout_at;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

type Messages = BoxStream<'static, std::result::Result<AsyncMessage, Error>>;

/// A connected socket, and until when its answers are waited for.
pub(super) struct Link {
    client: Client,
    line: Line,
    until: Instant,
}

impl Link {
    /// Connects, with TLS unless `config` says without; the server's certificate is checked. Waits
    /// until `until` at most, for this and for what follows.
    pub(super) fn open(config: &Config, until: Instant) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unopened(error.to_string()))?;
        let connected = runtime.block_on(async { timeout_at(until.into(), connect(config)).await });
        let (client, messages) = connected.map_err(|_| StoreError::Silent)??;
        let line = Line { runtime, messages, heard: VecDeque::new(), is_lost: false };
        Ok(Self { client, line, until })
    }

    /// Waits until `until` at most from now on.
    pub(super) fn wait_until(&mut self, until: Instant) {
        self.until = until;
    }

    /// Whether this is over: the connection was lost, or an answer did not come in time and may come
    /// when another one is waited for.
    pub(super) fn is_lost(&self) -> bool {
        self.line.is_lost || self.client.is_closed()
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<'a, T, F>(&'a mut self, ask: impl FnOnce(&'a Client) -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Error>>,
    {
        let answer = ask(&self.client);
        self.line.wait(self.until, answer)
    }

    /// Runs statements that answer nothing.
    pub(super) fn batch(&mut self, sql: &str) -> Result<()> {
        self.ask(|client| client.batch_execute(sql))
    }

    /// What was told on the channels this link listens to, waiting for `limit` at most for the first.
    ///
    /// # Errors
    /// When nothing can be told any more.
    pub(super) fn hear(&mut self, limit: Duration) -> Result<Vec<String>> {
        self.line.hear(Instant::now() + limit)
    }
}

/// What the driver needs to be moved on.
struct Line {
    runtime: Runtime,
    messages: Messages,
    /// What was told and nobody asked for yet.
    heard: VecDeque<String>,
    is_lost: bool,
}

impl Line {
    fn wait<T>(
        &mut self,
        until: Instant,
        answer: impl Future<Output = std::result::Result<T, Error>>,
    ) -> Result<T> {
        let mut answer = pin!(answer);
        self.drive(until, |cx, _| answer.as_mut().poll(cx).map_err(StoreError::from))
            .unwrap_or(Err(StoreError::Silent))
            .inspect_err(|error| self.is_lost |= ends_the_link(error))
    }

    fn hear(&mut self, until: Instant) -> Result<Vec<String>> {
        let some = |_: &mut Context<'_>, heard: &mut VecDeque<String>| {
            if heard.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(Ok(heard.drain(..).collect()))
            }
        };
        self.drive(until, some).unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Moves the driver on until `done` is, the connection is lost, or time is up (`None`).
    fn drive<T>(
        &mut self,
        until: Instant,
        mut done: impl FnMut(&mut Context<'_>, &mut VecDeque<String>) -> Poll<Result<T>>,
    ) -> Option<Result<T>> {
        if self.is_lost {
            return Some(Err(StoreError::Closed));
        }
        let Self { runtime, messages, heard, is_lost } = self;
        let done = std::future::poll_fn(|cx| {
            let fault = loop {
                match messages.poll_next_unpin(cx) {
                    Poll::Pending => break None,
                    Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                        heard.push_back(notification.payload().to_owned());
                    }
                    // A notice is for people.
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => break Some(error.into()),
                    Poll::Ready(None) => break Some(StoreError::Closed),
                }
            };
            // What came before the end holds.
            match (done(cx, heard), fault) {
                (Poll::Pending, Some(fault)) => {
                    *is_lost = true;
                    Poll::Ready(Err(fault))
                }
                (answer, fault) => {
                    *is_lost |= fault.is_some();
                    answer
                }
            }
        });
        runtime.block_on(async { timeout_at(until.into(), done).await }).ok()
    }
}

/// Whether nothing may be asked any more after this: no answer came, or the server says that it ends
/// the session.
fn ends_the_link(error: &StoreError) -> bool {
    match error {
        StoreError::Silent | StoreError::Closed => true,
        StoreError::Postgres(error) => match error.as_db_error() {
            Some(said) => matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic)),
            None => error.is_closed(),
        },
        _ => false,
    }
}

async fn connect(config: &Config) -> Result<(Client, Messages)> {
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        return Ok((client, messages(connection)));
    }
    let (client, connection) = config.connect(tls()?).await?;
    Ok((client, messages(connection)))
}

fn messages<S, T>(mut connection: tokio_postgres::Connection<S, T>) -> Messages
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    poll_fn(move |cx| connection.poll_message(cx)).boxed()
}

fn tls() -> Result<MakeRustlsConnect> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Unopened(error.to_string()))?;
    Ok(MakeRustlsConnect::new(client.with_root_certificates(roots).with_no_client_auth()))
}
