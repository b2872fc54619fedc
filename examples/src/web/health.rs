//! Whether the server lives, and whether it takes calls.

use axum::{
    Router,
    http::StatusCode,
    routing::{MethodRouter, get},
};
use tokio_util::sync::CancellationToken;

/// `GET /healthz` is 200 while the process serves at all. `GET /readyz` is 200 while new calls are taken and 503 once
/// `draining` is cancelled, so that a load balancer sends them elsewhere.
pub fn routes<S: Clone + Send + Sync + 'static>(draining: CancellationToken) -> Router<S> {
    let live: MethodRouter<S> = get(async || "ok");
    let ready: MethodRouter<S> = get(async move || {
        if draining.is_cancelled() { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "ready") }
    });
    Router::new().route("/healthz", live).route("/readyz", ready)
}
