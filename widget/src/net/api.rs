//! The visitor API, one function for each route the widget uses.

use crate::dom::window;
use crate::json::{self, Json};
use crate::state::connection::Failure;
use crate::state::session::Ticket;
use crate::text::joined;
use crate::wire::{
    read_created, read_error, read_history, read_session, write_create, write_end, write_post,
};
use banter_shared::ids::WidgetId;
use banter_shared::session::{
    CreateSession, EndReason, EndSession, History, PostMessage, Session, SessionCreated,
};
use banter_shared::stream::Cursor;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its origin, or empty when it is our own.
    pub base: String,
}

/// One request.
#[derive(Default)]
struct Request<'a> {
    path: String,
    token: Option<&'a str>,
    /// JSON to be posted; a `GET` without.
    body: Option<String>,
    last_event_id: Option<String>,
    /// Whether it has to arrive even if the page goes away.
    keepalive: bool,
    signal: Option<&'a AbortSignal>,
}

impl Api {
    /// Begins a conversation.
    ///
    /// # Errors
    /// [`Failure`] as the server or the network has it, here and below.
    pub async fn create(
        &self,
        widget: &WidgetId,
        create: &CreateSession,
        signal: &AbortSignal,
    ) -> Result<SessionCreated, Failure> {
        let path = joined(&["widgets/", widget.as_str(), "/sessions"]);
        let request = Request {
            path,
            body: Some(write_create(create)),
            signal: Some(signal),
            ..Request::default()
        };
        parse(&text(&self.send(request).await?).await?, read_created)
    }

    /// Gets the whole conversation.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn load(
        &self,
        ticket: &Ticket,
        signal: Option<&AbortSignal>,
    ) -> Result<History, Failure> {
        let path = joined(&["sessions/", ticket.id.as_str()]);
        let token = Some(ticket.token.as_str());
        let request = Request { path, token, signal, ..Request::default() };
        parse(&text(&self.send(request).await?).await?, read_history)
    }

    /// Says something; the response is the answer's event stream, from `cursor` on.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn post(
        &self,
        ticket: &Ticket,
        message: &PostMessage,
        cursor: Option<Cursor>,
        signal: &AbortSignal,
    ) -> Result<Response, Failure> {
        self.send(Request {
            path: joined(&["sessions/", ticket.id.as_str(), "/messages"]),
            token: Some(&ticket.token),
            body: Some(write_post(message)),
            last_event_id: cursor.map(|cursor| cursor.to_string()),
            signal: Some(signal),
            keepalive: false,
        })
        .await
    }

    /// Ends the conversation, or says that the visitor left, and how, in a request that outlives the
    /// page.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn end(&self, ticket: &Ticket, reason: EndReason) -> Result<Response, Failure> {
        self.send(Request {
            path: joined(&["sessions/", ticket.id.as_str(), "/end"]),
            token: Some(&ticket.token),
            body: Some(write_end(&EndSession { reason, token: None })),
            keepalive: true,
            ..Request::default()
        })
        .await
    }

    /// Says that the visitor left, and how, as a page says its last word. `false` when the browser will
    /// not say it: too much waits already, or something on the page forbids it.
    pub fn leave(&self, ticket: &Ticket, reason: EndReason) -> bool {
        let path = joined(&["sessions/", ticket.id.as_str(), "/end"]);
        let body = write_end(&EndSession { reason, token: Some(ticket.token.clone()) });
        // A text, so that no browser asks for permission first; there is no time for that.
        window().navigator().send_beacon_with_opt_str(&self.url(&path), Some(&body)) == Ok(true)
    }

    /// Says that the visitor is there.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn activity(&self, ticket: &Ticket) -> Result<Session, Failure> {
        let request = Request {
            path: joined(&["sessions/", ticket.id.as_str(), "/activity"]),
            token: Some(&ticket.token),
            body: Some("{}".to_owned()),
            ..Request::default()
        };
        parse(&text(&self.send(request).await?).await?, read_session)
    }

    fn url(&self, path: &str) -> String {
        joined(&[&self.base, "/visitor/v1/", path])
    }

    async fn send(&self, request: Request<'_>) -> Result<Response, Failure> {
        let url = self.url(&request.path);
        let init = request.init().map_err(|_| Failure::network())?;
        let fetched = JsFuture::from(window().fetch_with_str_and_init(&url, &init)).await;
        let response: Response = fetched.map_err(|_| Failure::network())?.unchecked_into();
        if response.ok() {
            return Ok(response);
        }
        let retry_after = response.headers().get("retry-after").ok().flatten();
        let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok());
        let body = text(&response).await.unwrap_or_default();
        Err(Failure::of(response.status(), retry_after, json::read(&body, read_error)))
    }
}

impl Request<'_> {
    fn init(&self) -> Result<RequestInit, wasm_bindgen::JsValue> {
        let headers = Headers::new()?;
        if let Some(token) = self.token {
            headers.set("authorization", &joined(&["Bearer ", token]))?;
        }
        if let Some(id) = &self.last_event_id {
            headers.set("last-event-id", id)?;
        }
        let init = RequestInit::new();
        if let Some(body) = &self.body {
            init.set_method("POST");
            headers.set("content-type", "application/json")?;
            init.set_body(&body.into());
        }
        init.set_headers(&headers);
        init.set_signal(self.signal);
        if self.keepalive {
            js_sys::Reflect::set(&init, &"keepalive".into(), &true.into())?;
        }
        Ok(init)
    }
}

async fn text(response: &Response) -> Result<String, Failure> {
    let text = response.text().map_err(|_| Failure::network())?;
    let text = JsFuture::from(text).await.map_err(|_| Failure::network())?;
    Ok(text.as_string().unwrap_or_default())
}

/// A success that cannot be read comes from something between us and the server: as good as none.
fn parse<T>(text: &str, make: fn(&Json) -> Option<T>) -> Result<T, Failure> {
    json::read(text, make).ok_or_else(Failure::network)
}
