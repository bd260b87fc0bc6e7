//! The way to another server: its address, TLS, and a proxy where the environment names one
//! (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).

use super::CallError;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use reqwest::header::HeaderValue;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt as _;

/// An open connection, whatever it is made of.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Io for T {}

type Direct = HttpsConnector<HttpConnector>;

/// How one server is reached.
pub(super) struct Route {
    to: Uri,
    by: Way,
    /// Names the server in each request where a proxy passes them on: `http://host:port`.
    pub(super) prefix: String,
    /// What to tell that proxy of us.
    pub(super) proxy_authorization: Option<HeaderValue>,
}

enum Way {
    /// To the server itself, or to a proxy that passes requests on.
    Direct(Direct),
    /// Through a proxy that passes bytes on.
    Tunnel(Box<HttpsConnector<Tunnel<Direct>>>),
}

/// The certificate authorities of the web, as Mozilla keeps them.
pub(super) fn web_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

impl Route {
    /// The way to `server`, of which only scheme, host and port count, trusting `roots`.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn new(
        server: &Uri,
        proxies: &Matcher,
        roots: RootCertStore,
        connect_timeout: Duration,
    ) -> Result<Self, &'static str> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| "TLS cannot be set up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let direct = direct(tls.clone(), connect_timeout);
        let straight =
            |by| Self { to: server.clone(), by, prefix: String::new(), proxy_authorization: None };
        let Some(proxy) = proxies.intercept(server) else {
            return Ok(straight(Way::Direct(direct)));
        };
        if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
            return Err("the proxy of the environment must begin with http:// or https://");
        }
        let authorization = proxy.basic_auth().cloned();
        if server.scheme_str() == Some("https") {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
            if let Some(authorization) = authorization {
                tunnel = tunnel.with_auth(authorization);
            }
            let inside = HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
            let by = inside.enable_http1().wrap_connector(tunnel);
            return Ok(straight(Way::Tunnel(Box::new(by))));
        }
        let host = server.authority().map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            to: proxy.uri().clone(),
            by: Way::Direct(direct),
            prefix: format!("http://{host}"),
            proxy_authorization: authorization,
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`CallError::Connect`], with all its causes.
    pub(super) async fn open(&self) -> Result<Box<dyn Io>, CallError> {
        let to = self.to.clone();
        Ok(match &self.by {
            Way::Direct(by) => boxed(by.clone().oneshot(to).await.map_err(no_way)?),
            Way::Tunnel(by) => boxed(by.clone().oneshot(to).await.map_err(no_way)?),
        })
    }
}

fn boxed<T>(stream: MaybeHttpsStream<T>) -> Box<dyn Io>
where
    T: hyper::rt::Read + hyper::rt::Write + Send + Sync + Unpin + 'static,
{
    Box::new(TokioIo::new(stream))
}

fn direct(tls: ClientConfig, connect_timeout: Duration) -> Direct {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // A question is one small write that nothing follows.
    tcp.set_nodelay(true);
    // Shared out among a name's addresses, so that one that is dead leaves time for the others.
    tcp.set_connect_timeout(Some(connect_timeout));
    HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp)
}

fn no_way(error: Box<dyn Error + Send + Sync>) -> CallError {
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    CallError::Connect(cause)
}
