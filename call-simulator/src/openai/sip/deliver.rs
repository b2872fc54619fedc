//! Sends the webhook of a call, signed and repeated as the provider does.

use std::{
    future::poll_fn,
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::{self, Either};
use http::{Request, header};
use hyper::body::Body;
use hyper_util::rt::TokioIo;
use realtime_bridge::realtime::openai::webhook;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{Delivery, SipCall, Step, WebhookTarget};
use crate::twilio::telephone::{Dialer, causes, host};

/// How long the provider waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Delivers the event to the application, as often as the target says.
pub(super) async fn deliver(call: &SipCall, dialer: &Dialer) {
    let target = &call.ring.target;
    sleep(target.after).await;
    let id = format!("wh_{}", call.id);
    let body = event(call);
    let copies = (0..target.copies).map(|_| deliver_one(call, dialer, target, &id, &body));
    future::join_all(copies).await;
}

async fn deliver_one(call: &SipCall, dialer: &Dialer, target: &WebhookTarget, id: &str, body: &str) {
    let mut pause = target.pause;
    for attempt in 0..target.attempts {
        if attempt > 0 {
            sleep(pause).await;
            pause *= 2;
        }
        let began = Instant::now();
        let answer = timeout(ANSWER_WITHIN, post(dialer, target, id, body)).await;
        let status = match answer {
            Ok(Ok(status)) => Some(status),
            Ok(Err(error)) => {
                tracing::debug!(error = %causes(error.as_ref()), "the webhook was not delivered");
                None
            }
            Err(_) => None,
        };
        call.note(Step::Webhook(Delivery { id: id.to_owned(), status, took: began.elapsed() }));
        if status.is_some_and(|status| (200..300).contains(&status)) {
            return;
        }
    }
}

/// The event, in the shape and order of the provider.
fn event(call: &SipCall) -> String {
    let ring = &call.ring;
    let mut headers = vec![
        json!({"name": "From", "value": format!("<sip:{}@pstn.example.com>;tag=as1", ring.from)}),
        json!({"name": "To", "value": "<sip:proj_simulated@sip.api.openai.com;transport=tls>"}),
        json!({"name": "Call-ID", "value": format!("{}@pstn.example.com", call.id)}),
        json!({"name": "Diversion", "value": format!("<sip:{}@pstn.example.com>;reason=unconditional", ring.dialled)}),
    ];
    headers.extend(ring.headers.iter().map(|(name, value)| json!({"name": name, "value": value})));
    json!({
        "object": "event",
        "id": format!("evt_{}", call.id),
        "type": "realtime.call.incoming",
        "created_at": unix_seconds(),
        "data": {"call_id": call.id, "sip_headers": headers, "sip_media_security": "srtp"},
    })
    .to_string()
}

async fn post(
    dialer: &Dialer,
    target: &WebhookTarget,
    id: &str,
    body: &str,
) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let timestamp = unix_seconds();
    let request = Request::post(&target.url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(header::HOST, host(&target.url))
        .header(header::USER_AGENT, "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .header(webhook::ID, id)
        .header(webhook::TIMESTAMP, timestamp)
        .header(webhook::SIGNATURE, target.secret.sign(id, timestamp, body.as_bytes()))
        .body(body.to_owned())?;
    let io = dialer.connect(&target.url).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let talk = async {
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            frame?;
        }
        Ok::<_, hyper::Error>(head.status.as_u16())
    };
    // The connection works only while it is polled, and ends once the answer is in.
    match future::select(std::pin::pin!(talk), std::pin::pin!(connection)).await {
        Either::Left((status, _)) => Ok(status?),
        Either::Right((_, talk)) => Ok(talk.await?),
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
