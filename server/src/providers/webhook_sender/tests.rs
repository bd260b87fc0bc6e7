//! What reaches a machine that must not be reached: nothing. Counted where it would arrive.

use super::resolve::Lookup;
use super::{Failure, Parcel, Reply, WebhookSender};
use crate::domain::webhook_url::AllowedHosts;
use crate::tasks::Tasks;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Names mean what the script says, one line per look-up; after its end they mean nothing.
#[derive(Default)]
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

#[async_trait]
impl Lookup for Script {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.0.lock().unwrap().pop_front().ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A machine on a private network that counts who comes, and answers each with `answer`.
async fn inside(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, tasks) = (Arc::new(AtomicUsize::new(0)), Tasks::default());
    let (counter, others) = (count.clone(), tasks.clone());
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            others.spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                if answer.ends_with("chunked\r\n\r\n") {
                    // A body without an end, at full speed.
                    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
                    while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                } else if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    (address, count, tasks)
}

fn sender(allowed: &[&str], script: Vec<Vec<IpAddr>>) -> WebhookSender {
    let lines: Vec<String> = allowed.iter().map(|&line| line.to_owned()).collect();
    WebhookSender::with_timeouts(
        Arc::new(AllowedHosts::parse(&lines).unwrap()),
        Arc::new(Script(Mutex::new(script.into()))),
        Duration::from_millis(500),
        Duration::from_secs(1),
    )
    .unwrap()
}

fn parcel(url: &str) -> Parcel<'_> {
    Parcel { url, id: "msg_1", seconds: 1, signatures: "v1,x", body: "{}" }
}

const OK: &str = "HTTP/1.1 204 No Content\r\nretry-after: 7\r\n\r\n";

#[tokio::test]
async fn a_name_that_means_a_private_address_reaches_nobody() {
    let (address, count, _tasks) = inside(OK).await;
    let private: IpAddr = address.ip();
    let public: IpAddr = "203.0.114.1".parse().unwrap();
    let url = format!("https://rebind.example:{}/", address.port());
    for means in [
        vec![private],
        vec![public, private],
        vec![private, public],
        vec!["::1".parse().unwrap()],
        vec!["::ffff:127.0.0.1".parse().unwrap()],
        vec!["169.254.169.254".parse().unwrap()],
        vec!["0.0.0.0".parse().unwrap()],
    ] {
        // Asked once per attempt: what the second look-up would say does not matter.
        let sender = sender(&[], vec![means.clone(), vec![public]]);
        let reply = sender.send(parcel(&url), 0).await;
        assert_eq!(reply, Reply::Nothing(Failure::NotPublic), "{means:?}");
    }
    for spelling in ["https://127.0.0.1", "https://2130706433", "https://0x7f.1", "https://[::1]"] {
        let url = format!("{spelling}:{}/", address.port());
        let reply = sender(&[], vec![vec![private]]).send(parcel(&url), 0).await;
        assert_eq!(reply, Reply::Nothing(Failure::NotPublic), "{url}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // The counter counts, and an allowed name reaches what it means.
    let plain = format!("http://rebind.example:{}/", address.port());
    let reply = sender(&["rebind.example"], vec![vec![private]]).send(parcel(&plain), 0).await;
    assert_eq!(reply, Reply::Status { status: 204, retry_after: Some(7000) });
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (inner, count, _inner_tasks) = inside(OK).await;
    let location =
        format!("HTTP/1.1 307 Go\r\nlocation: http://{inner}/\r\ncontent-length: 0\r\n\r\n");
    let (outer, _, _outer_tasks) = inside(location.leak()).await;
    let url = format!("http://{outer}/");
    let reply = sender(&["127.0.0.1"], vec![]).send(parcel(&url), 0).await;
    assert_eq!(reply, Reply::Status { status: 307, retry_after: None });
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn receivers_that_misbehave_cost_little() {
    let began = Instant::now();
    for (answer, expected) in [
        ("", Reply::Nothing(Failure::Timeout)),
        ("SMTP ready\r\n", Reply::Nothing(Failure::Broken)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Reply::Status { status: 200, retry_after: None },
        ),
        (
            "HTTP/1.1 503 Busy\r\ncontent-length: 1000000\r\n\r\nfew",
            Reply::Status { status: 503, retry_after: None },
        ),
    ] {
        let (address, _, _tasks) = inside(answer).await;
        let url = format!("http://{address}/");
        let reply = sender(&["127.0.0.1"], vec![]).send(parcel(&url), 0).await;
        assert_eq!(reply, expected, "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let reply = sender(&[], vec![]).send(parcel("https://nowhere.example/"), 0).await;
    assert_eq!(reply, Reply::Nothing(Failure::Unreachable));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/");
    let reply = sender(&["127.0.0.1"], vec![]).send(parcel(&url), 0).await;
    assert_eq!(reply, Reply::Nothing(Failure::Unreachable));
}
