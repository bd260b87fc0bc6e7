//! A visitor's browser, as far as the server can tell.

use super::client;
use banter_shared::error::ErrorBody;
use banter_shared::session::{History, Session, SessionCreated};
use banter_shared::sse::{Decoder, Event};
use banter_shared::stream::StreamEvent;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;

pub(crate) struct Visitor {
    origin: String,
    base: String,
    client: reqwest::Client,
}

impl Visitor {
    pub(crate) fn on(origin: &str, server: SocketAddr) -> Self {
        Self {
            origin: origin.into(),
            base: format!("http://{server}/visitor/v1"),
            client: client(),
        }
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).header("origin", &self.origin)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    /// Opens a conversation in the test widget.
    pub(crate) async fn open(&self) -> Chat<'_> {
        self.open_with(&json!({})).await
    }

    /// Opens a conversation with this request.
    pub(crate) async fn open_with(&self, body: &Value) -> Chat<'_> {
        self.open_in("test", body).await
    }

    /// Opens a conversation in this widget.
    pub(crate) async fn open_in(&self, widget: &str, body: &Value) -> Chat<'_> {
        let path = format!("/widgets/{widget}/sessions");
        let response = self.post(&path).json(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        Chat { visitor: self, created: response.json().await.unwrap() }
    }
}

impl Visitor {
    /// A conversation that was opened before, maybe at a server that is no more.
    pub(crate) fn at(&self, chat: &Chat<'_>) -> Chat<'_> {
        Chat { visitor: self, created: chat.created.clone() }
    }
}

/// A conversation.
pub(crate) struct Chat<'a> {
    visitor: &'a Visitor,
    pub(crate) created: SessionCreated,
}

impl Chat<'_> {
    fn path(&self, rest: &str) -> String {
        format!("/sessions/{}{rest}", self.created.session.id)
    }

    /// A message that was not sent yet.
    pub(crate) fn message(&self, body: &Value) -> RequestBuilder {
        self.visitor.post(&self.path("/messages")).bearer_auth(&self.created.token).json(body)
    }

    /// Sends a message and gives the stream that answers it.
    pub(crate) async fn say(&self, id: &str, text: &str) -> Stream {
        Stream::of(self.message(&json!({"id": id, "text": text})).send().await.unwrap())
    }

    /// Goes on reading an answer after the event `last`.
    pub(crate) async fn resume(&self, id: &str, text: &str, last: &str) -> Stream {
        let request = self.message(&json!({"id": id, "text": text})).header("last-event-id", last);
        Stream::of(request.send().await.unwrap())
    }

    /// Asks for an answer anew.
    pub(crate) async fn retry(&self, id: &str, text: &str) -> Stream {
        let body = json!({"id": id, "text": text, "retry": true});
        Stream::of(self.message(&body).send().await.unwrap())
    }

    pub(crate) async fn history(&self) -> History {
        let request = self.visitor.get(&self.path("")).bearer_auth(&self.created.token);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Leaves in this way; returns the session as it stands then.
    pub(crate) async fn leave(&self, reason: &str) -> Session {
        let request = self.visitor.post(&self.path("/end")).bearer_auth(&self.created.token);
        session(request.json(&json!({ "reason": reason })).send().await.unwrap()).await
    }

    /// Leaves as `sendBeacon` tells it: no header but the origin, and a body of type text/plain.
    pub(crate) async fn beacon(&self, body: &Value) -> Response {
        let request = self.visitor.post(&self.path("/end")).header("content-type", "text/plain");
        request.body(body.to_string()).send().await.unwrap()
    }

    /// Types, or comes back.
    pub(crate) async fn stir(&self) -> Session {
        let request = self.visitor.post(&self.path("/activity"));
        session(request.bearer_auth(&self.created.token).send().await.unwrap()).await
    }

    pub(crate) async fn end(&self) -> Response {
        self.visitor.post(&self.path("/end")).bearer_auth(&self.created.token).send().await.unwrap()
    }
}

async fn session(response: Response) -> Session {
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

/// An answer's event stream.
pub(crate) struct Stream {
    response: Response,
    decoder: Option<Decoder>,
    /// Id and data of the events that are here.
    waiting: VecDeque<(String, String)>,
    /// The id of the last event that had one.
    pub(crate) last_id: String,
}

impl Stream {
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            decoder: Some(Decoder::new(1 << 20)),
            waiting: VecDeque::new(),
            last_id: String::new(),
        }
    }

    /// The next event, or `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some((id, data)) = self.waiting.pop_front() {
                self.last_id = id;
                return Some(serde_json::from_str(&data).unwrap());
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            let waiting = &mut self.waiting;
            let keep = |event: Event<'_>| waiting.push_back((event.id.into(), event.data.into()));
            self.decoder.as_mut()?.push(&chunk, keep).unwrap();
        }
    }

    /// Reads until the answer so far is at least `text`.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        let mut got = String::new();
        while got.len() < text.len() {
            match self.next().await.expect("the answer stopped early") {
                StreamEvent::Accepted(_) => {}
                StreamEvent::Delta(delta) => got.push_str(&delta),
                other => panic!("{other:?} after {got:?}"),
            }
        }
        got
    }

    /// Reads to the end: the text, and the last event.
    pub(crate) async fn finish(mut self) -> (String, StreamEvent) {
        let mut got = String::new();
        let mut last = None;
        while let Some(event) = self.next().await {
            assert!(last.is_none(), "{event:?} after the end");
            match event {
                StreamEvent::Accepted(_) => {}
                StreamEvent::Delta(delta) => got.push_str(&delta),
                end => last = Some(end),
            }
        }
        (got, last.expect("the stream ended in silence"))
    }

    /// Reads to the end, which must be a failure.
    pub(crate) async fn fails(self) -> (String, ErrorBody) {
        match self.finish().await {
            (text, StreamEvent::Error(error)) => (text, error),
            other => panic!("{other:?}"),
        }
    }

    /// Reads to the end, which must be proper.
    pub(crate) async fn text(self) -> String {
        match self.finish().await {
            (text, StreamEvent::Done(_)) => text,
            other => panic!("{other:?}"),
        }
    }
}
