//! Calls to one server whose answers stream: HTTP/1.1 in the task of whoever asks.
//!
//! A general client reads a connection in a task of its own and hands each chunk over; for a model
//! that says fifty words that is fifty hand-overs, each dearer than what is made of the word. Here
//! whoever waits for the words reads the socket, and takes all that has come at once. What is hard to
//! get right is not ours: `httparse` reads heads and chunk sizes, `hyper-util` and `rustls` connect.

use super::CallError;
use super::connect::{Io, Route, web_roots};
use super::framing::Framing;
use super::head::{self, Head};
use super::pool::Pool;
use bytes::{Buf as _, BytesMut};
use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url};
use rustls::RootCertStore;
use serde::Serialize;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// How much is read at a time, in bytes: a burst of a whole short answer. What of it is not used
/// takes no memory.
const READ: usize = 16 * 1024;

/// One server that is asked with one key. Keeps connections warm.
pub struct Caller {
    route: Route,
    /// The header lines that every request has.
    headers: Vec<u8>,
    connect_timeout: Duration,
    pool: Arc<Pool>,
}

/// A connection, and what has been read of it and not yet understood.
pub(super) struct Connection {
    io: Box<dyn Io>,
    input: BytesMut,
}

/// A response whose body is still to be read. Dropping it before its end closes the connection,
/// which tells the other side that nobody wants the rest.
pub struct Response {
    head: Head,
    /// `None` when the body has ended.
    connection: Option<Connection>,
    framing: Framing,
    body: Vec<u8>,
    pool: Arc<Pool>,
}

impl Caller {
    /// Calls the server that `base` names, of which only scheme, host and port count. No network is
    /// touched.
    ///
    /// # Errors
    /// Why such calls cannot be made.
    pub fn new(
        user_agent: &str,
        connect_timeout: Duration,
        base: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Self, &'static str> {
        let by = (Matcher::from_env(), web_roots());
        Self::by(by, user_agent, connect_timeout, base, authorization)
    }

    /// The same by way of these proxies and trusting these authorities.
    fn by(
        (proxies, roots): (Matcher, RootCertStore),
        user_agent: &str,
        connect_timeout: Duration,
        base: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Self, &'static str> {
        let server: Uri = base.as_str().parse().map_err(|_| "the address is no URI")?;
        let host = server.authority().ok_or("the address names no host")?;
        // Without a port that the scheme implies.
        let host = match base.port() {
            Some(port) => format!("{}:{port}", host.host()),
            None => host.host().to_owned(),
        };
        let host =
            HeaderValue::try_from(host).map_err(|_| "the host cannot be sent in a header")?;
        let user_agent = HeaderValue::try_from(user_agent)
            .map_err(|_| "the user agent cannot be sent in a header")?;
        let route = Route::new(&server, &proxies, roots, connect_timeout)?;
        let mut headers = Vec::new();
        let accept = HeaderValue::from_static("*/*");
        for (name, value) in [
            ("host", Some(&host)),
            ("user-agent", Some(&user_agent)),
            ("accept", Some(&accept)),
            ("authorization", authorization),
            ("proxy-authorization", route.proxy_authorization.as_ref()),
        ] {
            if let Some(value) = value {
                headers.extend([name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
            }
        }
        Ok(Self { route, headers, connect_timeout, pool: Arc::default() })
    }

    /// Sends a request for `path`, with a body in JSON if there is one, and waits for the head of its
    /// response. Follows no redirect, asks only once, and waits as long as the other side lets it:
    /// that is the caller's to bound.
    ///
    /// # Errors
    /// [`CallError`] when there was no response; any status is one.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        json: Option<&(impl Serialize + Sync)>,
    ) -> Result<Response, CallError> {
        let request = self.request(&method, path, json)?;
        let mut connection = match self.pool.take() {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let sent = connection.send(&request).await;
        // Whoever refuses a request before all of it was sent has said why.
        let head = match (connection.head().await, sent) {
            (Ok(head), Ok(())) => head,
            (Ok(head), Err(_)) => Head { keeps_alive: false, ..head },
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        Ok(Response {
            head,
            connection: Some(connection),
            framing: head.framing,
            body: Vec::new(),
            pool: self.pool.clone(),
        })
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        json: Option<&impl Serialize>,
    ) -> Result<Vec<u8>, CallError> {
        let unsent = |error: &dyn std::error::Error| CallError::Unsent(error.to_string());
        let body = json.map(serde_json::to_vec).transpose().map_err(|error| unsent(&error))?;
        let body = body.unwrap_or_default();
        let mut request = Vec::with_capacity(256 + self.headers.len() + body.len());
        write!(request, "{method} {}{path} HTTP/1.1\r\n", self.route.prefix)
            .map_err(|error| unsent(&error))?;
        request.extend_from_slice(&self.headers);
        if json.is_some() {
            write!(request, "content-type: application/json\r\ncontent-length: {}\r\n", body.len())
                .map_err(|error| unsent(&error))?;
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&body);
        Ok(request)
    }

    async fn open(&self) -> Result<Connection, CallError> {
        let opening = timeout(self.connect_timeout, self.route.open());
        let io = opening.await.map_err(|_| CallError::ConnectTimeout)??;
        Ok(Connection { io, input: BytesMut::new() })
    }
}

impl Connection {
    async fn send(&mut self, request: &[u8]) -> Result<(), CallError> {
        self.io.write_all(request).await?;
        Ok(self.io.flush().await?)
    }

    async fn head(&mut self) -> Result<Head, CallError> {
        loop {
            self.read().await?;
            if let Some((head, length)) = head::read(&self.input)? {
                self.input.advance(length);
                return Ok(head);
            }
        }
    }

    /// Reads more. Nothing is lost when this is dropped before it resolves.
    async fn read(&mut self) -> Result<(), CallError> {
        self.input.reserve(READ);
        match self.io.read_buf(&mut self.input).await? {
            0 => Err(CallError::Closed),
            _ => Ok(()),
        }
    }

    /// Whether nothing has come since the last response, not even its end: the connection can be used.
    pub(super) fn is_quiet(&mut self) -> bool {
        use futures_util::FutureExt as _;
        self.io.read(&mut [0]).now_or_never().is_none()
    }

    /// Gives back what an idle connection does not need; whether it is at the end of a response.
    pub(super) fn rest(&mut self) -> bool {
        let is_clean = self.input.is_empty();
        self.input = BytesMut::new();
        is_clean
    }
}

impl Response {
    /// What the other side says to the request.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// When the other side wants to be asked again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.head.retry_after
    }

    /// What has come of the body, all of it, or what comes next; `None` at the end. Nothing is lost
    /// when this is dropped before it resolves.
    ///
    /// # Errors
    /// [`CallError`] when the body breaks off.
    pub async fn chunk(&mut self) -> Result<Option<&[u8]>, CallError> {
        self.body.clear();
        while let Some(connection) = &mut self.connection {
            let taken = self.framing.take(&connection.input, &mut self.body)?;
            connection.input.advance(taken.used);
            if taken.ended {
                self.end();
            }
            if !self.body.is_empty() {
                break;
            }
            let Some(connection) = &mut self.connection else { break };
            match connection.read().await {
                Err(CallError::Closed) if self.framing.may_close() => self.connection = None,
                read => read?,
            }
        }
        Ok(Some(self.body.as_slice()).filter(|body| !body.is_empty()))
    }

    /// Appends the body to `to`, until it ends or is longer than `limit` bytes. What has come stays
    /// when this is dropped before it resolves.
    ///
    /// # Errors
    /// [`CallError`] when the body breaks off.
    pub async fn read_to(&mut self, to: &mut Vec<u8>, limit: usize) -> Result<(), CallError> {
        while let Some(chunk) = self.chunk().await? {
            to.extend_from_slice(chunk);
            if to.len() > limit {
                break;
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.head.keeps_alive
        {
            self.pool.give(connection);
        }
    }
}

#[cfg(test)]
mod tests;
