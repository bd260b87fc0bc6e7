//! The head of a response: its status and where its body will end. Pure: RFC 9112, sections 4 and 6.

use super::CallError;
use super::framing::{Chunked, Framing};
use httparse::{EMPTY_HEADER, Header, Status};
use reqwest::StatusCode;
use reqwest::header::{CONNECTION, CONTENT_LENGTH, HeaderName, RETRY_AFTER, TRANSFER_ENCODING};
use std::time::Duration;

/// The most headers a response may have.
const MAX_HEADERS: usize = 96;
/// The longest head, in bytes.
const MAX_HEAD: usize = 32 * 1024;

/// What is to be known of a response before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What the other side says to the request.
    pub(super) status: StatusCode,
    /// When it wants to be asked again. Only in seconds: the form with a date needs a clock, and
    /// models send seconds.
    pub(super) retry_after: Option<Duration>,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// Whether the connection can be used again after the body.
    pub(super) keeps_alive: bool,
}

/// Reads the head at the beginning of `input`, with how many bytes it takes; `None` when it is not
/// all here. Passes over interim responses, such as `100 Continue`.
///
/// # Errors
/// [`CallError::Malformed`] when this is no response whose body we could find the end of.
pub(super) fn read(input: &[u8]) -> Result<Option<(Head, usize)>, CallError> {
    let mut skipped = 0;
    loop {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(&input[skipped..]) {
            Ok(Status::Complete(length)) => {
                let code = response.code.and_then(|code| StatusCode::from_u16(code).ok());
                let status = code.ok_or(CallError::Malformed("it has no status"))?;
                if status == StatusCode::SWITCHING_PROTOCOLS {
                    return Err(CallError::Malformed("it speaks another protocol"));
                }
                skipped += length;
                if !status.is_informational() {
                    let is_current = response.version == Some(1);
                    return Ok(Some((head(status, is_current, response.headers)?, skipped)));
                }
            }
            Ok(Status::Partial) if input.len() <= MAX_HEAD => return Ok(None),
            Ok(Status::Partial) => return Err(CallError::Malformed("its head is too long")),
            Err(_) => return Err(CallError::Malformed("its head is not HTTP/1.1")),
        }
    }
}

fn head(status: StatusCode, is_current: bool, headers: &[Header<'_>]) -> Result<Head, CallError> {
    let encodings = values(headers, &TRANSFER_ENCODING).collect::<Vec<_>>();
    let mut lengths = values(headers, &CONTENT_LENGTH);
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(CallError::Malformed("it has two lengths"));
    }
    let framing = match (encodings.as_slice(), length) {
        _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => {
            Framing::Length(0)
        }
        ([], None) => Framing::UntilClose,
        ([], Some(length)) => Framing::Length(digits(length)?),
        // A length beside it does not count; whoever sends both is not talked to again (6.3).
        ([encoding], _) if encoding.eq_ignore_ascii_case(b"chunked") => {
            Framing::Chunked(Chunked::Size)
        }
        _ => return Err(CallError::Malformed("its body is encoded in a way nobody asked for")),
    };
    let closes = values(headers, &CONNECTION).any(|value| value.eq_ignore_ascii_case(b"close"));
    let is_clear = encodings.is_empty() || length.is_none();
    Ok(Head {
        status,
        retry_after: values(headers, &RETRY_AFTER).next().and_then(seconds),
        framing,
        keeps_alive: is_current && is_clear && !closes && !framing.may_close(),
    })
}

/// All values of a header, lists taken apart.
fn values<'a>(
    headers: &'a [Header<'a>],
    name: &'a HeaderName,
) -> impl Iterator<Item = &'a [u8]> + 'a {
    headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name.as_str()))
        .flat_map(|header| header.value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn digits(length: &[u8]) -> Result<u64, CallError> {
    let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    is_number
        .then(|| std::str::from_utf8(length).ok()?.parse().ok())
        .flatten()
        .ok_or(CallError::Malformed("its length is no number"))
}

fn seconds(value: &[u8]) -> Option<Duration> {
    Duration::try_from_secs_f64(std::str::from_utf8(value).ok()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::framing::{Chunked, Framing};
    use super::{Head, MAX_HEAD, read};
    use proptest::prelude::*;
    use reqwest::StatusCode;
    use std::time::Duration;

    fn head(text: &str) -> Option<Head> {
        let text = format!("{text}\r\n\r\n").replace(" / ", "\r\n");
        let (head, length) = read(text.as_bytes()).ok()??;
        assert_eq!(length, text.len());
        Some(head)
    }

    #[test]
    fn where_bodies_end_and_connections_stay() {
        let chunked = Framing::Chunked(Chunked::Size);
        for (text, expected) in [
            ("HTTP/1.1 200 OK / content-length: 5", Some((Framing::Length(5), true))),
            ("HTTP/1.1 200 OK / Content-Length: 5, 5", Some((Framing::Length(5), true))),
            ("HTTP/1.1 200 / transfer-encoding: Chunked", Some((chunked, true))),
            (
                "HTTP/1.1 200 OK / connection: keep-alive, Close / content-length: 5",
                Some((Framing::Length(5), false)),
            ),
            ("HTTP/1.0 200 OK / content-length: 5", Some((Framing::Length(5), false))),
            ("HTTP/1.1 200 OK", Some((Framing::UntilClose, false))),
            ("HTTP/1.1 204 No Content", Some((Framing::Length(0), true))),
            (
                "HTTP/1.1 100 Continue /  / HTTP/1.1 200 OK / content-length: 0",
                Some((Framing::Length(0), true)),
            ),
            (
                "HTTP/1.1 200 OK / content-length: 5 / transfer-encoding: chunked",
                Some((chunked, false)),
            ),
            ("HTTP/1.1 200 OK / content-length: 5 / content-length: 6", None),
            ("HTTP/1.1 200 OK / content-length: +5", None),
            ("HTTP/1.1 200 OK / content-length: 99999999999999999999", None),
            ("HTTP/1.1 200 OK / transfer-encoding: gzip, chunked", None),
            ("HTTP/1.1 200 OK / transfer-encoding: chunked, chunked", None),
            ("HTTP/1.1 101 Switching Protocols", None),
            ("HTTP/2 200", None),
            ("SSH-2.0-OpenSSH", None),
        ] {
            let found = head(text).map(|head| (head.framing, head.keeps_alive));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_status_and_when_to_ask_again() {
        for (value, expected) in [
            ("2", Some(2_000)),
            (" 0.5 ", Some(500)),
            ("-1", None),
            ("1e300", None),
            ("NaN", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            let head = head(&format!("HTTP/1.1 429 Slow down / Retry-After: {value}")).unwrap();
            assert_eq!(head.status, StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(head.retry_after, expected.map(Duration::from_millis), "{value}");
        }
        assert_eq!(head("HTTP/1.1 200 OK").unwrap().retry_after, None);
    }

    #[test]
    fn a_head_without_an_end_is_no_head() {
        let head = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        assert!(read(head.as_bytes()).is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\nx: y\r\n").unwrap().is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_none_are_read_twice(input in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((_, length))) = read(&input) {
                prop_assert!(length <= input.len());
            }
        }
    }
}
