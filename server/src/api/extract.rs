//! What handlers are given: who asks, with which token, from which page, and the checked body.

use super::envelope::RequestId;
use super::error::ApiError;
use crate::app::App;
use crate::domain::client_address::client_address;
use crate::domain::embedding::OwnOrigin;
use crate::domain::origin::Origin;
use crate::services::Refusal;
use crate::services::tokens::Claims;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use banter_shared::session::{EndReason, EndSession};
use banter_shared::stream::Cursor;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The other end of the connection; put into every request by whoever accepted it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The client's address, as limits count it.
pub(super) struct Client(pub(super) IpAddr);

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let peer = peer(parts)?;
        let forwarded: Vec<&str> = parts
            .headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .collect();
        Ok(Self(client_address(peer, &forwarded, &app.trusted_proxies)))
    }
}

/// The peer's own address, whatever it forwards.
pub(super) fn peer(parts: &Parts) -> Result<IpAddr, ApiError> {
    let Peer(address) = parts
        .extensions
        .get()
        .ok_or_else(|| Refusal::Internal(Arc::from(Box::from("a request without a peer"))))?;
    Ok(address.ip())
}

/// A request's id, for what outlives the request.
impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

/// The page a request comes from, as far as it says so, and which origins are this server.
pub(super) struct AskedFrom {
    /// The `Origin` header. `null` and junk count as a page that is on no list.
    pub(super) origin: Option<Origin>,
    /// This server.
    pub(super) own: OwnOrigin,
}

impl FromRequestParts<Arc<App>> for AskedFrom {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let stated = parts.headers.get(header::ORIGIN);
        Ok(Self {
            origin: stated.and_then(|value| value.to_str().ok()).and_then(Origin::parse),
            own: own_origin(app, &parts.headers),
        })
    }
}

/// This server's own origin: the configured one, or the name it was asked under.
pub(super) fn own_origin(app: &App, headers: &HeaderMap) -> OwnOrigin {
    let asked =
        || headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let authority =
        app.public_origin.as_ref().map_or_else(|| asked().to_owned(), Origin::authority);
    OwnOrigin { authority }
}

/// The visitor whose token opens the session in the path.
pub(super) struct Visitor(pub(super) Arc<Claims>);

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).ok_or(Refusal::Unauthorized)?;
        let claims = app.tokens.verify(token, app.clock.now_ms())?;
        Self::of(claims, parts, app).await
    }
}

impl Visitor {
    /// The visitor whose token says `claims`, if the request is one that the token is for.
    async fn of(claims: Arc<Claims>, parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let path = RawPathParams::from_request_parts(parts, app).await.ok();
        let mut path = path.iter().flatten();
        let session = path.find(|(name, _)| *name == "session").map(|(_, session)| session);
        if session != Some(claims.session.as_str()) {
            return Err(Refusal::Forbidden.into());
        }
        if !claims.fits(parts.headers.get(header::ORIGIN).map(HeaderValue::as_bytes)) {
            return Err(Refusal::OriginNotAllowed.into());
        }
        Ok(Self(claims))
    }
}

/// A visitor who leaves. `sendBeacon` can set no header, so the token may stand in the body and the
/// body's type does not matter.
pub(super) struct Leaver(pub(super) Arc<Claims>, pub(super) EndReason);

impl FromRequest<Arc<App>> for Leaver {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let bytes = read_body(
            Request::from_parts(parts.clone(), body),
            app,
            app.settings.limits.body_bytes,
        )
        .await?;
        let end: EndSession =
            if bytes.is_empty() { EndSession::default() } else { from_json(&bytes)? };
        let token = bearer(&parts.headers).map(str::to_owned).or(end.token);
        let token = token.ok_or(Refusal::Unauthorized)?;
        let claims = app.tokens.verify(&token, app.clock.now_ms())?;
        let Visitor(claims) = Visitor::of(claims, &mut parts, app).await?;
        if !end.reason.is_visitors() {
            return Err(Refusal::Invalid {
                field: Some("reason".into()),
                sentence: "a visitor ends with visitor_ended, tab_closed, hidden or collapsed"
                    .into(),
            }
            .into());
        }
        Ok(Self(claims, end.reason))
    }
}

/// What stands behind `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A reader's place, from `Last-Event-ID`.
pub(super) struct Place(pub(super) Option<Cursor>);

impl<S: Sync> FromRequestParts<S> for Place {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let id = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        Ok(Self(id.and_then(Cursor::parse)))
    }
}

/// A JSON body of bounded size, sent within bounded time, with the field named that is at fault.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(Refusal::UnsupportedMediaType.into());
        }
        Ok(Self(from_json(&read_body(request, app, app.settings.limits.body_bytes).await?)?))
    }
}

/// Reads a body, naming the field at fault.
fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // A list of the right values would be taken for the fields, in an order nobody wrote down.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let sentence = "the body is a list, and this address takes an object".into();
        return Err(Refusal::Invalid { field: None, sentence });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        Refusal::Invalid {
            field: (field != "." && !field.is_empty()).then_some(field),
            sentence: format!("the body is not what this address takes: {}", error.inner()),
        }
    })?;
    deserializer.end().map_err(|_| Refusal::Invalid {
        field: None,
        sentence: "something follows the JSON in the body".into(),
    })?;
    Ok(value)
}

/// A body of at most `max` bytes, sent within bounded time.
pub(super) async fn read_body(request: Request, app: &App, max: usize) -> Result<Bytes, ApiError> {
    let too_large = || Refusal::TooLarge(format!("a body has at most {max} bytes"));
    // A length that is announced needs not be read to be refused.
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        return Err(too_large().into());
    }
    let body = Limited::new(request.into_body(), max).collect();
    let limit = Duration::from_secs(app.settings.limits.request_seconds);
    match tokio::time::timeout(limit, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(too_large().into())
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::Invalid {
            field: None,
            sentence: "the body did not arrive whole in time".into(),
        }
        .into()),
    }
}
