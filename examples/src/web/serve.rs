//! Listening, and stopping without cutting calls off.

use std::{future::Future, io, pin::pin, time::Duration};

use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long requests under way may take when the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Serves until `drain` is done, then lets the last requests end.
///
/// Requests are answered while `drain` runs: the calls that it waits for end by webhooks of their own, so a server that
/// closed its door first would cut them off. Media streams have left HTTP by their upgrade and are not waited for here.
///
/// # Errors
///
/// When listening fails.
pub async fn serve(listener: TcpListener, router: Router, drain: impl Future<Output = ()> + Send) -> io::Result<()> {
    let listener = listener.tap_io(|tcp| {
        // Frames are small and must not wait for each other. Where it fails, calls are only a little slower.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
    });
    let stop = CancellationToken::new();
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut serving = pin!(serving.into_future());
    tokio::select! {
        ended = &mut serving => return ended,
        () = drain => stop.cancel(),
    }
    // A client that keeps its connection busy does not keep the server.
    timeout(LAST_REQUESTS, serving).await.unwrap_or(Ok(()))
}

/// Resolves when the process is told to stop: by SIGTERM, as from an orchestrator, or by ctrl-c.
///
/// # Errors
///
/// When the signals cannot be listened to.
pub async fn shutdown_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            pressed = tokio::signal::ctrl_c() => pressed,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
