//! Somebody's server that webhooks are sent to: it answers as it is told, and keeps what came.

use super::outside;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use banter_server::domain::signature::{self, Received, SigningSecret, is_genuine};
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What the next requests get; when the script is over, 204.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// This status.
    Status(u16),
    /// 503 and a `Retry-After` of so many seconds.
    Later(u64),
    /// 204, once [`Receiver::release`] allows it.
    Hold,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<VecDeque<Answer>>,
    got: Mutex<Vec<Got>>,
    released: Semaphore,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        self.header(signature::ID)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether whoever knows `secret` believes it at `now_ms`.
    pub(crate) fn is_genuine(&self, secret: &str, now_ms: u64) -> bool {
        let received = Received {
            id: self.id(),
            timestamp: self.header(signature::TIMESTAMP),
            signature: self.header(signature::SIGNATURE),
        };
        let secret = SigningSecret::parse(secret).unwrap();
        is_genuine(&secret, &received, &self.body, now_ms / 1000)
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            got: Mutex::default(),
            released: Semaphore::new(0),
        });
        let router = Router::new().fallback(take).with_state(shared.clone());
        let address = outside(router).await;
        Self { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds to the script.
    pub(crate) fn will(&self, answers: &[Answer]) {
        self.shared.script.lock().unwrap().extend(answers);
    }

    /// Lets `count` held answers go.
    pub(crate) fn release(&self, count: usize) {
        self.shared.released.add_permits(count);
    }

    /// Everything that came, in its order.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// How much came.
    pub(crate) fn count(&self) -> usize {
        self.shared.got.lock().unwrap().len()
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.got.lock().unwrap().push(Got { path: uri.path().to_owned(), headers, body });
    let answer = shared.script.lock().unwrap().pop_front();
    match answer {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Answer::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Answer::Later(seconds)) => {
            (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", seconds.to_string())])
                .into_response()
        }
        Some(Answer::Hold) => {
            shared.released.acquire().await.unwrap().forget();
            StatusCode::NO_CONTENT.into_response()
        }
    }
}
