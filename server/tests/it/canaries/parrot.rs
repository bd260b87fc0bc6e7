//! A server that repeats the key it was called with, in every part of its answer.

use crate::support::outside;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// How it repeats.
#[derive(Clone, Copy, Debug)]
pub(super) enum Squawk {
    /// This status, and JSON as OpenAI's and Vapi's servers write it.
    Json(u16),
    /// This status and a sentence.
    Text(u16),
    /// This status, and JSON that ends within the key.
    HalfJson(u16),
    /// 200 and something that is no answer.
    Junk,
    /// 200 and a stream that breaks off before it says anything.
    Cut,
    /// 200 and a stream with nothing but an error.
    Event,
}

pub(super) struct Parrot {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    squawk: Mutex<Squawk>,
    heard: Mutex<Vec<String>>,
}

impl Parrot {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared { squawk: Mutex::new(Squawk::Junk), heard: Mutex::default() });
        let router = Router::new().fallback(repeat).with_state(shared.clone());
        let address = outside(router).await;
        Self { address, shared }
    }

    pub(super) fn will(&self, squawk: Squawk) {
        *self.shared.squawk.lock().unwrap() = squawk;
    }

    /// Whether somebody called with this key.
    pub(super) fn heard(&self, key: &str) -> bool {
        self.shared.heard.lock().unwrap().iter().any(|heard| heard == key)
    }
}

async fn repeat(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let authorization = headers[header::AUTHORIZATION].to_str().unwrap();
    let key = authorization.strip_prefix("Bearer ").unwrap();
    shared.heard.lock().unwrap().push(key.to_owned());
    let squawk = *shared.squawk.lock().unwrap();
    let said = format!(
        "Incorrect API key provided: {key}. You sent `Authorization: {authorization}`; it begins \
         with {}***** and ends in ...{}",
        &key[..12],
        &key[key.len() - 6..]
    );
    let error = json!({
        "message": said,
        "statusCode": 401,
        "error": {"message": said, "type": key, "code": key, "param": authorization},
        "headers": {"authorization": authorization},
    })
    .to_string();
    let status = |status: u16| StatusCode::from_u16(status).unwrap();
    let mut response = match squawk {
        Squawk::Json(code) => (status(code), error).into_response(),
        Squawk::Text(code) => (status(code), said).into_response(),
        Squawk::HalfJson(code) => {
            let within = error.find(key).unwrap() + key.len() - 3;
            (status(code), error[..within].to_owned()).into_response()
        }
        Squawk::Junk => format!("<html>{said}</html>").into_response(),
        Squawk::Cut => broken(format!(": {said}\n\nevent: {key}\ndata: {{\"id\":\"{key}")),
        Squawk::Event => {
            let event = format!("event: error\nid: {key}\ndata: {error}\n\n");
            ([(header::CONTENT_TYPE, "text/event-stream")], event).into_response()
        }
    };
    for (name, value) in [
        ("www-authenticate", format!("Bearer realm=\"{key}\"")),
        ("x-request-id", key.to_owned()),
        ("set-cookie", format!("key={key}")),
        ("location", format!("http://127.0.0.1:9/?api_key={key}")),
        ("x-authorization", authorization.to_owned()),
        ("retry-after", key.to_owned()),
    ] {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// A stream that says this and breaks.
fn broken(said: String) -> Response {
    let chunks = [Ok(Bytes::from(said)), Err(std::io::Error::other("broken"))];
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
