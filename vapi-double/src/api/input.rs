//! What requests bring: a JSON object, an id that is a UUID.

use crate::refusal::Refusal;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::{Map, Value};

/// A body that is a JSON object.
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Object {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Refusal::bad("the body cannot be read"))?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(Refusal::bad("the body must be an object")),
            Err(error) => Err(Refusal::bad(format!("{error} in JSON"))),
        }
    }
}

/// The id in the path.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::bad("the id cannot be read"))?;
        // Not published how Vapi says this; its paths are declared as UUIDs.
        if uuid::Uuid::parse_str(&id).is_err() {
            return Err(Refusal::invalid(vec!["id must be a UUID".to_owned()]));
        }
        Ok(Self(id))
    }
}
