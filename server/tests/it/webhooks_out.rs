//! Outgoing webhooks: an owner sets them up, a receiver that does as it is told gets them.

mod crash;
mod deleting;
mod delivering;
mod lasting;
mod managing;

use crate::support::{Server, client, eventually};
use banter_server::store::Notice;
use banter_shared::owner::webhook::{Delivery, DeliveryList, Webhook};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

const HOUR: u64 = 3_600_000;
/// Receivers of these tests are on this machine.
const LOCAL: &str = "[webhooks]\nallowed_private_hosts = [\"127.0.0.1\"]\n";

/// The owner of a server's only organization.
struct Owner<'a>(&'a Server);

impl Owner<'_> {
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.0.url(&format!("/api/v1/webhooks{path}"));
        client().request(method, url).bearer_auth(&self.0.owner_key)
    }

    async fn post(&self, path: &str) -> Response {
        self.ask(Method::POST, path).send().await.unwrap()
    }

    /// Makes a webhook; returns its path and its secret.
    async fn create(&self, url: &str, events: &[&str]) -> (String, String) {
        let body = json!({ "url": url, "events": events });
        let response = self.ask(Method::POST, "").json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let created: Value = response.json().await.unwrap();
        let id = created["webhook"]["id"].as_str().unwrap();
        (format!("/{id}"), created["secret"].as_str().unwrap().to_owned())
    }

    async fn webhook(&self, path: &str) -> Webhook {
        let response = self.ask(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    async fn update(&self, path: &str, change: &Value) -> Response {
        self.ask(Method::PATCH, path).json(change).send().await.unwrap()
    }

    async fn deliveries(&self, path: &str) -> Vec<Delivery> {
        let response = self.ask(Method::GET, &format!("{path}/deliveries")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json::<DeliveryList>().await.unwrap().items
    }

    /// Sends a ping; returns its id.
    async fn ping(&self, path: &str) -> String {
        let response = self.post(&format!("{path}/test")).await;
        assert_eq!(response.status(), 202);
        response.json::<Delivery>().await.unwrap().id
    }

    /// The newest delivery, once `condition` holds for it.
    async fn newest(&self, path: &str, condition: impl Fn(&Delivery) -> bool) -> Delivery {
        for _ in 0..500 {
            let newest = self.deliveries(path).await.into_iter().next();
            if let Some(newest) = newest.filter(&condition) {
                return newest;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("waited in vain: {:?}", self.deliveries(path).await);
    }
}

/// Moves the clock and wakes the worker, which otherwise looks every second.
async fn advance(server: &Server, ms: u64) {
    server.clock.advance(ms);
    server.app.store.notify(Notice::Outbox).await.unwrap();
}

/// Long enough for a delivery that is due to arrive.
async fn a_while() {
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
}
