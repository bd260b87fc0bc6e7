//! A client with the double's key, and a server that takes webhooks.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::{Method, Response};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use vapi_double::{Double, KEY};

pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn of(double: &Double) -> Self {
        let http = banter_engine::http::client("test", Duration::from_secs(5)).unwrap();
        Self { base: double.base_url(), http }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, status: u16) -> Value {
        json(self.send(Method::GET, path, None).await, status).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        json(self.send(Method::POST, path, Some(body)).await, status).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Value {
        json(self.send(Method::PATCH, path, Some(body)).await, 200).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        json(self.send(Method::DELETE, path, None).await, 200).await
    }

    /// A streamed answer as it came.
    pub(crate) async fn text(&self, path: &str, body: &Value) -> String {
        let response = self.send(Method::POST, path, Some(body)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        response.text().await.unwrap()
    }
}

async fn json(response: Response, status: u16) -> Value {
    let got = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

type Taken = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// An owner's server that takes webhooks.
pub(crate) struct Hooks {
    pub(crate) url: String,
    taken: Taken,
    status: Arc<Mutex<StatusCode>>,
}

impl Hooks {
    pub(crate) async fn start() -> Self {
        let taken = Taken::default();
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let router = Router::new()
            .route(
                "/hook",
                post(
                    |State((taken, status)): State<(Taken, Arc<Mutex<StatusCode>>)>,
                     headers: HeaderMap,
                     body: String| async move {
                        taken.lock().unwrap().push((headers, body));
                        *status.lock().unwrap()
                    },
                ),
            )
            .with_state((taken.clone(), status.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test counts no tasks")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, taken, status }
    }

    /// Answers with this from now on.
    pub(crate) fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }

    /// What was taken, once there are `count`.
    pub(crate) async fn wait(&self, count: usize) -> Vec<(HeaderMap, String)> {
        for _ in 0..500 {
            if self.taken.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let taken = self.taken.lock().unwrap().clone();
        assert_eq!(taken.len(), count, "{taken:?}");
        taken
    }
}
