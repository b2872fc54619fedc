//! `POST /openai-webhook`: checked, claimed, answered; the work comes after.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    extract::State,
    http::{Request, StatusCode},
};
use call_session::store::SessionStore;
use jiff::Timestamp;
use realtime_bridge::realtime::openai::webhook::{ClaimError, Rejected, ReplayGuard, WebhookEvent};
use tracing::Instrument;

use super::SipServer;

/// After this long nobody waits any more: deliveries are repeated for days, callers are not.
pub(super) const RINGS_FOR: Duration = Duration::from_secs(30);

/// Deliveries are done once by whichever server on the same store gets them first.
struct StoreGuard<'a>(&'a dyn SessionStore);

#[async_trait]
impl ReplayGuard for StoreGuard<'_> {
    async fn claim(&self, id: &str, now: SystemTime, until: SystemTime) -> Result<bool, ClaimError> {
        let time = |time: SystemTime| Timestamp::try_from(time).map_err(|error| ClaimError(Box::new(error)));
        let claimed = self.0.claim(&format!("openai-webhook:{id}"), time(now)?, time(until)?).await;
        claimed.map_err(|error| ClaimError(Box::new(error)))
    }
}

pub(super) async fn webhook(State(server): State<SipServer>, request: Request<Body>) -> StatusCode {
    match receive(server, request).await {
        Ok(()) => StatusCode::OK,
        Err(rejected) => {
            match &rejected {
                Rejected::Replayed => tracing::debug!("a webhook came again"),
                rejected => tracing::warn!(error = %rejected, "a webhook was refused"),
            }
            StatusCode::from_u16(rejected.status()).expect("a status of HTTP")
        }
    }
}

async fn receive(server: SipServer, request: Request<Body>) -> Result<(), Rejected> {
    let (head, body) = request.into_parts();
    server.0.verifier.check_head(&head.headers)?;
    let limit = server.0.verifier.body_limit();
    // A body that breaks off is answered for nobody; one that is too long is the rest.
    let body = to_bytes(body, limit).await.map_err(|_| Rejected::Oversize { limit })?;
    // A delivery that is claimed has to be taken, also when the peer goes away before it is answered: its repetition is none.
    let tasks = server.0.tasks.clone();
    let claiming = async move {
        let guard = StoreGuard(server.0.store.as_ref());
        let webhook = server.0.verifier.receive(SystemTime::now(), &head.headers, &body, &guard).await?;
        take(&server, webhook.into_event());
        Ok(())
    };
    // It is never aborted. If it panicked, nobody knows whether it was claimed.
    tasks
        .spawn(claiming.in_current_span())
        .await
        .unwrap_or_else(|error| Err(Rejected::Unclaimed(ClaimError(Box::new(error)))))
}

fn take(server: &SipServer, event: WebhookEvent) {
    match event {
        WebhookEvent::CallIncoming(call) if call.is_late(SystemTime::now(), RINGS_FOR) => {
            tracing::info!(call = %call.call_id, "a call came too late to be answered");
        }
        WebhookEvent::CallIncoming(call) => {
            let span = tracing::info_span!("call", call_id = %call.call_id);
            let server = server.clone();
            let tasks = server.0.tasks.clone();
            tasks.spawn(async move { server.take_call(call).await }.instrument(span));
        }
        WebhookEvent::Other { kind, .. } => tracing::debug!(kind, "a webhook that nobody needs"),
        _ => {}
    }
}
