//! What went wrong before an answer began, in our words.

use super::wire;
use crate::model::{ModelError, Wait};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use std::error::Error as _;
use std::time::Duration;
use tokio::time::timeout;

/// How much of a refusal's body is read.
const MAX_BODY: usize = 16 * 1024;
/// How long is waited for it; its status says the most important thing already.
const BODY_WAIT: Duration = Duration::from_secs(2);

/// A request that got no response.
pub(super) fn from_transport(error: reqwest::Error) -> ModelError {
    if error.is_timeout() {
        // The client's only timeout is the one for connecting.
        return ModelError::Timeout { what: Wait::Connect };
    }
    let error = error.without_url();
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    ModelError::Unavailable { cause }
}

/// A response that is no success.
pub(super) async fn from_response(mut response: Response) -> ModelError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                break;
            }
        }
    };
    // What has come by then is enough: the body is only for the log.
    let _ = timeout(BODY_WAIT, read).await;
    from_status(status, retry_after, &body)
}

/// What a status and the body beside it mean.
fn from_status(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> ModelError {
    let fault = wire::fault(body);
    let cause = match &fault {
        Some(fault) => format!("HTTP {}: {fault}", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    };
    match status {
        // An empty purse is told as 429, too, and no waiting fills it.
        StatusCode::TOO_MANY_REQUESTS if fault.is_some_and(|fault| fault.is_out_of_quota()) => {
            ModelError::Refused { status: status.as_u16(), cause }
        }
        StatusCode::TOO_MANY_REQUESTS => ModelError::RateLimited { retry_after },
        StatusCode::REQUEST_TIMEOUT => ModelError::Unavailable { cause },
        status if status.is_server_error() => ModelError::Unavailable { cause },
        status => ModelError::Refused { status: status.as_u16(), cause },
    }
}

/// `Retry-After` in seconds. The form with a date is ignored: it needs a clock, and models send seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::{from_status, retry_after};
    use crate::model::ModelError;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use std::time::Duration;

    #[test]
    fn what_a_status_means() {
        let refused = |status, cause: &str| ModelError::Refused { status, cause: cause.into() };
        let unavailable = |cause: &str| ModelError::Unavailable { cause: cause.into() };
        let wait = Some(Duration::from_secs(3));
        for (status, body, expected) in [
            (
                401,
                r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#,
                refused(401, "HTTP 401: bad key (invalid_api_key)"),
            ),
            (404, "<html>", refused(404, "HTTP 404")),
            (302, "", refused(302, "HTTP 302")),
            (400, r#"{"error":"unknown model"}"#, refused(400, "HTTP 400: unknown model")),
            (429, "", ModelError::RateLimited { retry_after: wait }),
            (
                429,
                r#"{"error":{"message":"no money","code":"insufficient_quota"}}"#,
                refused(429, "HTTP 429: no money (insufficient_quota)"),
            ),
            (408, "", unavailable("HTTP 408")),
            (500, "", unavailable("HTTP 500")),
            (503, r#"{"error":{"message":"overloaded"}}"#, unavailable("HTTP 503: overloaded")),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(from_status(status, wait, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_nothing() {
        for (value, expected) in [
            ("2", Some(2_000)),
            (" 0.5 ", Some(500)),
            ("-1", None),
            ("1e300", None),
            ("NaN", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            let headers: HeaderMap =
                [(RETRY_AFTER, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(retry_after(&headers), expected.map(Duration::from_millis), "{value}");
        }
    }
}
