//! An OpenAI-compatible server that does as it is told, and counts.

use super::outside;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the next calls get.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// These pieces, then a proper end.
    Say(Vec<String>),
    /// These pieces, each only when [`Model::release`] allows one more.
    Hold(Vec<String>),
    /// These pieces, then the connection closes without an end.
    Cut(Vec<String>),
    /// This status and body.
    Fail(u16, String),
    /// Nothing, ever.
    Silence,
    /// One piece, then nothing, ever.
    Stall,
    /// 200 and something that is no answer.
    Junk,
}

#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<Value>>,
    open: AtomicUsize,
    allowed: Semaphore,
}

impl Model {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(Script::Say(words("Hello from the model."))),
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
            allowed: Semaphore::new(0),
        });
        let router =
            Router::new().route("/v1/chat/completions", post(complete)).with_state(shared.clone());
        let address = outside(router).await;
        Self { address, shared }
    }

    pub(crate) fn will(&self, script: Script) {
        *self.shared.script.lock().unwrap() = script;
    }

    /// Lets `count` more held pieces go.
    pub(crate) fn release(&self, count: usize) {
        self.shared.allowed.add_permits(count);
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }

    /// What it was asked last.
    pub(crate) fn last_request(&self) -> Value {
        self.shared.requests.lock().unwrap().last().cloned().unwrap()
    }

    /// How many answers it is in the middle of.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

/// A text in pieces of one word.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// Counts an answer as open for as long as its body lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn complete(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    shared.requests.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let script = shared.script.lock().unwrap().clone();
    shared.open.fetch_add(1, Ordering::SeqCst);
    let open = Open(shared.clone());
    match script {
        Script::Say(pieces) => stream(pieces, Then::Done, false, open),
        Script::Hold(pieces) => stream(pieces, Then::Done, true, open),
        Script::Cut(pieces) => stream(pieces, Then::Cut, false, open),
        Script::Stall => stream(words("So far "), Then::Silence, false, open),
        Script::Fail(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Script::Silence => {
            let _open = open;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
        Script::Junk => "<html>not a model</html>".into_response(),
    }
}

enum Then {
    Done,
    Cut,
    Silence,
}

fn stream(pieces: Vec<String>, then: Then, hold: bool, open: Open) -> Response {
    let mut chunks: Vec<Option<String>> = pieces
        .into_iter()
        .map(|piece| {
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
            Some(format!("data: {chunk}\n\n"))
        })
        .collect();
    match then {
        Then::Done => {
            let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            chunks.push(Some(format!("data: {last}\n\ndata: [DONE]\n\n")));
        }
        Then::Cut => {}
        Then::Silence => chunks.push(None),
    }
    let count = chunks.len();
    let body =
        futures_util::stream::iter(chunks.into_iter().enumerate()).then(move |(number, chunk)| {
            let shared = open.0.clone();
            async move {
                // The end marker goes by itself.
                if hold && number + 1 < count {
                    shared.allowed.acquire().await.unwrap().forget();
                }
                match chunk {
                    Some(chunk) => Ok::<_, std::convert::Infallible>(Bytes::from(chunk)),
                    None => std::future::pending().await,
                }
            }
        });
    ([("content-type", "text/event-stream")], Body::from_stream(body)).into_response()
}
