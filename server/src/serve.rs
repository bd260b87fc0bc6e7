//! Accepting connections: bounded in number, in all and per address, and handed to the thread that has
//! the fewest; Nagle off, because an answer's delta must not wait for an acknowledgement; heads bounded
//! in time and size; and a stop that lets what is being sent come to its end.

mod connections;
mod workers;

use crate::api::{Peer, router};
use crate::app::App;
use axum::Router;
use axum::extract::Request;
use connections::Connections;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt as _;
use workers::Workers;

/// Longest request head, in bytes. Also what an idle connection's buffer may grow to.
const HEAD_BYTES: usize = 16 * 1024;

/// Serves until `stop` resolves, then drains: answers in progress go on for as long as configured.
///
/// # Errors
/// The operating system's, when it has no threads to serve with. A connection that fails concerns only
/// its client.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let workers = Workers::start(app.settings.server.threads)?;
    let router = router(app.clone());
    let limits = &app.settings.limits;
    let connections = Connections::new(limits.connections, limits.connections_per_address);
    let stopping = watch::Sender::new(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Closed at once rather than queued: a client that is over its bound must not
                // hold what others need.
                let Some(ticket) = connections.enter(peer.ip()) else { continue };
                // Out of this thread's hands, into those of the worker's.
                let Ok(stream) = stream.into_std() else { continue };
                let place = workers.place();
                let (router, app, stopping) = (router.clone(), app.clone(), stopping.subscribe());
                let (tasks, runtime) = (app.tasks.clone(), place.runtime().clone());
                tasks.spawn_on(&runtime, async move {
                    let _places = (ticket, place);
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        handle(stream, peer, router, app, stopping).await;
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, mostly: give those that are open time to close.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    app.stop();
    stopping.send_replace(true);
    tracing::info!(
        live = app.converse.live_answers(),
        "stopping: letting answers come to their end"
    );
    app.drain(Duration::from_secs(app.settings.server.drain_seconds)).await;
    Ok(())
}

async fn handle(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    app: Arc<App>,
    mut stopping: watch::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(app.settings.limits.request_seconds))
        // Words are short: joined with what frames them they cost the kernel one piece, not three.
        .writev(false)
        .max_buf_size(HEAD_BYTES);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        // A client that goes away is not our failure.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn answer(router: Router, request: Request<Incoming>) -> axum::response::Response {
    let request = request.map(axum::body::Body::new);
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}
