//! A model server on the loopback that does, byte by byte, what a test tells it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// What to do on a connection after its request has been read.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Write these bytes, each in a packet of its own.
    Trickle(Vec<u8>),
    /// Wait.
    Wait(Duration),
    /// Wait until the other side closes.
    Stall,
}

/// The server. Dropping it closes its door.
pub(crate) struct Upstream {
    /// What to put into a connection's settings.
    pub(crate) base_url: String,
    /// Every request it got: head and body as text.
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
    /// A message whenever the other side closed a connection that was stalling.
    pub(crate) closed: mpsc::UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Upstream {
    /// Serves the n-th connection by the n-th script, and all further ones by the last.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (requests_in, requests) = mpsc::unbounded_channel();
        let (closed_in, closed) = mpsc::unbounded_channel();
        let served = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let turn = served.fetch_add(1, Ordering::Relaxed).min(scripts.len() - 1);
                let script = scripts[turn].clone();
                tokio::spawn(serve(stream, script, requests_in.clone(), closed_in.clone()));
            }
        });
        Self { base_url, requests, closed, task }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Vec<Step>,
    requests: mpsc::UnboundedSender<String>,
    closed: mpsc::UnboundedSender<()>,
) {
    stream.set_nodelay(true).unwrap();
    let Some(request) = read_request(&mut stream).await else { return };
    let _ = requests.send(request);
    for step in script {
        let written = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Trickle(bytes) => trickle(&mut stream, &bytes).await,
            Step::Wait(time) => {
                sleep(time).await;
                Ok(())
            }
            Step::Stall => {
                let _ = stream.read(&mut [0; 1]).await;
                let _ = closed.send(());
                return;
            }
        };
        // Whoever hangs up early does so on purpose.
        if written.is_err() {
            return;
        }
    }
}

async fn trickle(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Head and body of one request; `None` when the other side left before its end.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.trim().parse::<usize>().unwrap());
        if body.len() >= length {
            return Some(text);
        }
    }
}

/// A response head with `status`, further header lines, and a body that ends with the connection.
pub(crate) fn head(status: &str, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n").into_bytes()
}

/// The head of an event stream.
pub(crate) fn stream_head() -> Vec<u8> {
    head("200 OK", "Content-Type: text/event-stream\r\n")
}

/// An event that says `text`.
pub(crate) fn event(text: &str) -> Vec<u8> {
    let chunk = serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    format!("data: {chunk}\n\n").into_bytes()
}

/// The end of every good stream: reason, usage, marker.
pub(crate) fn ending() -> Vec<u8> {
    b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
      data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n\
      data: [DONE]\n\n"
        .to_vec()
}

/// A whole good answer that says `text`.
pub(crate) fn answer(text: &str) -> Vec<Step> {
    vec![Step::Send(stream_head()), Step::Send(event(text)), Step::Send(ending())]
}
