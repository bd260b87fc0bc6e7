//! What Vapi's refusals mean, in our words: to the server by the variant, to the owner by the cause.

use crate::providers::ModelError;
use banter_engine::http::Response;
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How much of a refusal's body is read.
const MAX_BODY: usize = 16 * 1024;
/// How long is waited for it; its status says the most important thing already.
const BODY_WAIT: Duration = Duration::from_secs(2);
/// The longest plain text that is taken for a sentence and not for a page.
const MAX_TEXT: usize = 200;

/// What a request was about: "not found" means something else for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// An assistant, named or given.
    Assistant,
    /// A session that was opened before.
    Session,
}

/// A response that is no success.
pub(super) async fn from_response(mut response: Response, about: About) -> ModelError {
    let status = response.status();
    let mut body = Vec::new();
    // What has come by then is enough: the body is only for the log.
    let _ = timeout(BODY_WAIT, response.read_to(&mut body, MAX_BODY)).await;
    from_status(status, &body, about)
}

/// What a status and the body beside it mean.
fn from_status(status: StatusCode, body: &[u8], about: About) -> ModelError {
    let said = said(body);
    let number = status.as_u16();
    let seen = match &said {
        Some(said) => format!("HTTP {number}: {said}"),
        None => format!("HTTP {number}"),
    };
    let gone = said.is_some_and(|said| speaks_of_a_dead_session(&said));
    match number {
        401 => ModelError::Refused {
            status: number,
            cause: format!("{seen}; the connection needs the private key of Vapi's dashboard"),
        },
        402 => ModelError::Payment {
            cause: format!("{seen}; add a payment method or credits in Vapi's dashboard"),
        },
        403 => ModelError::Forbidden {
            cause: format!(
                "{seen}; Vapi's front door (Cloudflare) or the key's restrictions keep this server out"
            ),
        },
        404 | 410 if about == About::Session => ModelError::SessionGone { cause: seen },
        400 if about == About::Session && gone => ModelError::SessionGone { cause: seen },
        404 | 410 => ModelError::Missing {
            cause: format!("{seen}; check the connection's base_url and the assistant's id"),
        },
        // Handled before the body is read; this is for completeness.
        429 => ModelError::RateLimited { retry_after: None },
        408 | 500..=599 => ModelError::Unavailable { cause: seen },
        _ => ModelError::Refused { status: number, cause: seen },
    }
}

/// Vapi's exact words for a session that is over are not published; these are what its clients look
/// for, and what its other refusals say.
fn speaks_of_a_dead_session(said: &str) -> bool {
    let said = said.to_lowercase();
    ["not found", "does not exist", "expired", "completed", "already ended", "no longer active"]
        .iter()
        .any(|words| said.contains(words))
}

/// What a body says: `message`, a sentence or a list of them (NestJS), or a short plain text.
pub(super) fn said(body: &[u8]) -> Option<String> {
    if let Ok(body) = serde_json::from_slice::<Value>(body) {
        return message_of(&body);
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let is_sentence = !text.is_empty() && text.len() <= MAX_TEXT && !text.starts_with('<');
    is_sentence.then(|| text.to_owned())
}

/// The `message` of a NestJS envelope, or of an `error` in one.
pub(super) fn message_of(body: &Value) -> Option<String> {
    let message = match &body["message"] {
        Value::Null => &body["error"]["message"],
        message => message,
    };
    match message {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let all: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        _ => body["error"].as_str().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::{About, from_status};
    use crate::providers::ModelError;
    use reqwest::StatusCode;

    fn kind(error: &ModelError) -> &'static str {
        match error {
            ModelError::Unavailable { .. } => "unavailable",
            ModelError::RateLimited { .. } => "rate limited",
            ModelError::Refused { .. } => "refused",
            ModelError::Payment { .. } => "payment",
            ModelError::Forbidden { .. } => "forbidden",
            ModelError::Missing { .. } => "missing",
            ModelError::SessionGone { .. } => "session gone",
            _ => "other",
        }
    }

    #[test]
    fn what_a_refusal_means_to_the_server_and_to_the_owner() {
        use About::{Assistant, Session};
        let nest = |message: &str| {
            format!(r#"{{"message":{message},"error":"Bad Request","statusCode":400}}"#)
        };
        let one = |message: &str| nest(&format!("{message:?}"));
        for (status, body, about, expected, cause) in [
            (
                400,
                nest(r#"["property x should not exist","y"]"#),
                Session,
                "refused",
                "property x should not exist; y",
            ),
            (400, one("Session not found"), Session, "session gone", "Session not found"),
            (400, one("Session s has expired."), Session, "session gone", "expired"),
            (
                400,
                one("Couldn't Get Assistant. `assistantId` x Does Not Exist."),
                Assistant,
                "refused",
                "assistantId",
            ),
            (401, one("Invalid Key."), Assistant, "refused", "private key"),
            (402, one("Purchase credits to use chat."), Assistant, "payment", "payment method"),
            (403, "error code: 1010".to_owned(), Session, "forbidden", "error code: 1010"),
            (404, one("gone"), Session, "session gone", "gone"),
            (404, "<html>".to_owned(), Assistant, "missing", "base_url"),
            (408, String::new(), Session, "unavailable", "HTTP 408"),
            (409, one("pinned"), Assistant, "refused", "pinned"),
            (413, String::new(), Session, "refused", "HTTP 413"),
            (302, String::new(), Session, "refused", "HTTP 302"),
            (500, r#"{"error":{"message":"boom"}}"#.to_owned(), Session, "unavailable", "boom"),
            (502, "<html>bad gateway</html>".to_owned(), Session, "unavailable", "HTTP 502"),
            (503, r#"{"error":"maintenance"}"#.to_owned(), Session, "unavailable", "maintenance"),
        ] {
            let error = from_status(StatusCode::from_u16(status).unwrap(), body.as_bytes(), about);
            assert_eq!(kind(&error), expected, "{status} {body}");
            assert!(error.to_string().contains(cause), "{status}: {error}");
            assert!(!error.visitor_message().contains("Vapi"), "{error}");
        }
    }
}
