//! Calls through real sockets: to a server, by way of a proxy, and over TLS.

use super::{CallError, Caller};
use crate::http::connect::web_roots;
use hyper_util::client::proxy::matcher::Matcher;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const HI: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nHi\r\n0\r\n\r\n";

fn caller(base: &str, proxies: Matcher, roots: RootCertStore) -> Caller {
    let key = HeaderValue::from_static("Bearer k");
    let base = Url::parse(base).unwrap();
    Caller::by((proxies, roots), "Test/1", Duration::from_secs(5), &base, Some(&key)).unwrap()
}

#[test]
fn a_proxy_of_another_kind_is_refused_at_once() {
    let proxies = Matcher::builder().all("socks5://127.0.0.1:1").build();
    let base = Url::parse("https://model.test").unwrap();
    let made = Caller::by((proxies, web_roots()), "Test/1", Duration::ZERO, &base, None);
    assert!(made.err().unwrap().contains("proxy"));
}

fn straight(base: &str) -> Caller {
    caller(base, Matcher::builder().build(), web_roots())
}

/// Asks once and reads to the end.
async fn ask(caller: &Caller) -> Result<String, CallError> {
    let mut response = caller.send(Method::POST, "/v1/x", Some(&["?"])).await?;
    let mut body = Vec::new();
    response.read_to(&mut body, 1000).await?;
    Ok(format!("{} {}", response.status().as_u16(), String::from_utf8(body).unwrap()))
}

/// Reads a request, whose body ends it, and answers; `None` when the other side has closed.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), with: &str) -> Option<String> {
    let mut request = String::new();
    while !request.ends_with("[\"?\"]") && !request.ends_with("\r\n\r\n\r\n") {
        if request.starts_with("CONNECT") && request.ends_with("\r\n\r\n") {
            break;
        }
        request.push(char::from(stream.read_u8().await.ok()?));
    }
    stream.write_all(with.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    Some(request)
}

/// A server that gives the n-th connection to `serve`; gives its address.
async fn server<T, F>(
    serve: impl Fn(usize, TcpStream) -> F + Send + 'static,
) -> (String, JoinHandle<T>)
where
    T: Send + 'static,
    F: Future<Output = Option<T>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = async move {
        let mut number = 0;
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            number += 1;
            if let Some(done) = serve(number, stream).await {
                return done;
            }
        }
    };
    #[expect(clippy::disallowed_methods, reason = "a test's server has nobody to be counted by")]
    let task = tokio::spawn(serving);
    (address, task)
}

#[tokio::test]
async fn says_who_it_is_and_keeps_its_connection_for_the_next_question() {
    let (address, served) = server(|number, mut stream| async move {
        let first = answer(&mut stream, HI).await?;
        let second = answer(&mut stream, HI).await?;
        Some((number, first, second))
    })
    .await;
    let caller = straight(&format!("http://{address}/ignored?not=sent"));
    assert_eq!(ask(&caller).await.unwrap(), "200 Hi");
    assert_eq!(ask(&caller).await.unwrap(), "200 Hi");
    let (number, first, second) = served.await.unwrap();
    assert_eq!((number, &first), (1, &second));
    assert_eq!(
        first,
        format!(
            "POST /v1/x HTTP/1.1\r\nhost: {address}\r\nuser-agent: Test/1\r\naccept: */*\r\n\
             authorization: Bearer k\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n[\"?\"]"
        )
    );
}

#[tokio::test]
async fn each_runtime_has_connections_of_its_own() {
    let (address, _) = server::<(), _>(|number, mut stream| async move {
        #[expect(clippy::disallowed_methods, reason = "as the server itself")]
        tokio::spawn(async move {
            let number = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
            while answer(&mut stream, &number).await.is_some() {}
        });
        None
    })
    .await;
    let caller = Arc::new(straight(&format!("http://{address}")));
    assert_eq!(ask(&caller).await.unwrap(), "200 1");
    let there = caller.clone();
    let elsewhere = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { [ask(&there).await.unwrap(), ask(&there).await.unwrap()] })
    });
    assert_eq!(elsewhere.await.unwrap(), ["200 2", "200 2"]);
    assert_eq!(ask(&caller).await.unwrap(), "200 1");
}

#[tokio::test]
async fn a_connection_that_is_over_is_not_used_again() {
    for (with, read) in [
        // Closed by the other side, as it said or without a word.
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nHi", "200 Hi"),
        (HI, "200 Hi"),
        ("HTTP/1.0 200 OK\r\n\r\nHi", "200 Hi"),
        // Says more than was asked.
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi there", "200 Hi"),
    ] {
        let (address, served) = server(move |number, mut stream| async move {
            answer(&mut stream, with).await.unwrap();
            (number == 2).then_some(())
        })
        .await;
        let caller = straight(&format!("http://{address}"));
        assert_eq!(ask(&caller).await.unwrap(), read, "{with:?}");
        // Until the end has arrived.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(ask(&caller).await.unwrap(), read, "{with:?}");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_what_came_of_it_is_there() {
    for with in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nHi\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nHi",
    ] {
        let (address, _served) = server(move |_, mut stream| async move {
            answer(&mut stream, with).await.unwrap();
            None::<()>
        })
        .await;
        let caller = straight(&format!("http://{address}"));
        let mut response = caller.send(Method::POST, "/", Some(&["?"])).await.unwrap();
        assert_eq!(response.chunk().await, Ok(Some(b"Hi".as_slice())), "{with:?}");
        assert_eq!(response.chunk().await, Err(CallError::Closed), "{with:?}");
    }
    let (address, _served) = server(|_, stream| async move {
        drop(stream);
        None::<()>
    })
    .await;
    let refused = ask(&straight(&format!("http://{address}"))).await.unwrap_err();
    assert!(matches!(refused, CallError::Closed | CallError::Broken(_)), "{refused:?}");
}

#[tokio::test]
async fn a_proxy_is_told_where_to_pass_the_question_on() {
    let (proxy, served) =
        server(|_, mut stream| async move { answer(&mut stream, HI).await }).await;
    let proxies = Matcher::builder().http(format!("http://me:pw@{proxy}")).build();
    let caller = caller("http://model.test:8000/v1", proxies, web_roots());
    assert_eq!(ask(&caller).await.unwrap(), "200 Hi");
    let request = served.await.unwrap();
    let begin = "POST http://model.test:8000/v1/x HTTP/1.1\r\nhost: model.test:8000\r\n";
    assert!(request.starts_with(begin), "{request}");
    assert!(request.contains("\r\nproxy-authorization: Basic bWU6cHc=\r\n"), "{request}");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_and_only_to_whom_the_certificate_names() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["model.test".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], signing_key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (proxy, served) = server(move |_, mut stream| {
        let acceptor = acceptor.clone();
        async move {
            let connect = answer(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await?;
            let mut inside = acceptor.accept(stream).await.ok()?;
            let request = answer(&mut inside, HI).await?;
            Some((connect, request))
        }
    })
    .await;
    let proxies = || Matcher::builder().https(format!("http://me:pw@{proxy}")).build();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let stranger = caller("https://model.test", proxies(), web_roots());
    let refused = ask(&stranger).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    let misnamed = caller("https://other.test", proxies(), roots.clone());
    let refused = ask(&misnamed).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    let caller = caller("https://model.test", proxies(), roots);
    assert_eq!(ask(&caller).await.unwrap(), "200 Hi");
    let (connect, request) = served.await.unwrap();
    assert!(connect.starts_with("CONNECT model.test:443 HTTP/1.1\r\n"), "{connect}");
    assert!(
        connect.to_lowercase().contains("\r\nproxy-authorization: basic bwu6chc=\r\n"),
        "{connect}"
    );
    assert!(request.starts_with("POST /v1/x HTTP/1.1\r\nhost: model.test\r\n"), "{request}");
    assert!(!request.contains("proxy"), "{request}");
}
