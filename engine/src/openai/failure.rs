//! What went wrong before an answer began, in our words.

use super::wire;
use crate::http::Response;
use crate::model::ModelError;
use reqwest::StatusCode;
use std::time::Duration;
use tokio::time::timeout;

/// How much of a refusal's body is read.
const MAX_BODY: usize = 16 * 1024;
/// How long is waited for it; its status says the most important thing already.
const BODY_WAIT: Duration = Duration::from_secs(2);

/// A response that is no success.
pub(super) async fn from_response(mut response: Response) -> ModelError {
    let status = response.status();
    let retry_after = response.retry_after();
    let mut body = Vec::new();
    // What has come by then is enough: the body is only for the log.
    let _ = timeout(BODY_WAIT, response.read_to(&mut body, MAX_BODY)).await;
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

#[cfg(test)]
mod tests {
    use super::from_status;
    use crate::model::ModelError;
    use reqwest::StatusCode;
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
}
