//! Doing what a script says, on a real connection.

use crate::script::{Act, Route, Script, Step};
use crate::shared::{Open, Shared};
use async_stream::stream;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// The response of an act that says nothing, if `script` is one; it needs no checks.
pub(crate) async fn refuse(shared: &Arc<Shared>, script: &Script) -> Option<Response> {
    let response = match &script.act {
        Act::Fail(status, body) => {
            tokio::time::sleep(Duration::from_millis(script.delay_ms)).await;
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
            (status, [(CONTENT_TYPE, kind)], body.clone()).into_response()
        }
        Act::Silence => {
            let _open = Open::count(shared);
            std::future::pending().await
        }
        Act::Junk => {
            ([(CONTENT_TYPE, "text/html")], "<html>not what you asked for</html>").into_response()
        }
        _ => return None,
    };
    Some(response)
}

/// What a route that does not stream answers instead of the truth, if its script says so. A script
/// that only wants the truth to come late waits here.
pub(crate) async fn instead(shared: &Arc<Shared>, route: Route) -> Option<Response> {
    let script = shared.script(route);
    if let Some(response) = refuse(shared, &script).await {
        return Some(response);
    }
    let delay = Step::Wait(Duration::from_millis(script.delay_ms));
    let begin = Step::Send(Bytes::from_static(b"{"));
    let steps = match script.act {
        Act::Stall(_) => vec![delay, begin, Step::Never],
        Act::Cut(_) => vec![delay, begin, Step::Break],
        Act::Empty => vec![delay],
        Act::Hold(_) => {
            sit_through(shared, &[delay, Step::Permit]).await;
            return None;
        }
        _ => {
            sit_through(shared, &[delay]).await;
            return None;
        }
    };
    Some(streamed(shared, "application/json; charset=utf-8", steps, || {}))
}

/// An event stream that takes these steps; `done` is called before its end unless it breaks.
pub(crate) fn event_stream(
    shared: &Arc<Shared>,
    steps: Vec<Step>,
    done: impl FnOnce() + Send + 'static,
) -> Response {
    streamed(shared, "text/event-stream; charset=utf-8", steps, done)
}

fn streamed(
    shared: &Arc<Shared>,
    content_type: &'static str,
    steps: Vec<Step>,
    done: impl FnOnce() + Send + 'static,
) -> Response {
    let (open, shared) = (Open::count(shared), shared.clone());
    let body = Body::from_stream(stream! {
        let _open = open;
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    yield Ok::<Bytes, Error>(bytes);
                    // So that it leaves by itself.
                    tokio::task::yield_now().await;
                }
                Step::Break => {
                    // What was sent must have left before the connection breaks.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    yield Err(Error::from(ErrorKind::ConnectionReset));
                    return;
                }
                wait => pass(&shared, &wait).await,
            }
        }
        done();
    });
    ([(CONTENT_TYPE, content_type)], body).into_response()
}

/// Takes the steps that only let time pass; false when there is no end to be had.
pub(crate) async fn sit_through(shared: &Arc<Shared>, steps: &[Step]) -> bool {
    let _open = Open::count(shared);
    for step in steps {
        match step {
            Step::Break => return false,
            step => pass(shared, step).await,
        }
    }
    true
}

async fn pass(shared: &Shared, step: &Step) {
    match step {
        Step::Wait(time) if !time.is_zero() => tokio::time::sleep(*time).await,
        Step::Permit => {
            if let Ok(permit) = shared.allowed.acquire().await {
                permit.forget();
            }
        }
        Step::Never => std::future::pending().await,
        _ => {}
    }
}
