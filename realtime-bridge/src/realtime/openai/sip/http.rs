//! One HTTP request over a connection of its own: calls are few, and TLS sessions are resumed.

use std::{future::poll_fn, pin::Pin};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;

use super::SipError;
use crate::realtime::openai::{endpoint::Endpoint, socket::Socket};

/// The longest answer that is read; answers are empty or hold one error.
const BODY_LIMIT: usize = 64 << 10;

/// Sends a request and reads the answer.
///
/// # Cancel safety
///
/// Dropping the future drops the connection; the provider may have done what it was asked to do.
pub(super) async fn exchange(endpoint: &Endpoint, request: Request<String>) -> Result<Response<Vec<u8>>, SipError> {
    let unreachable = |error: std::io::Error| SipError::Unreachable(Box::new(error));
    let broken = |error: hyper::Error| SipError::Broken(Box::new(error));
    let socket = Socket::connect(endpoint, &mut "").await.map_err(unreachable)?;
    let (mut sender, mut connection) = http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let answer = async {
        let (parts, mut body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        Ok(Response::from_parts(parts, read(&mut body).await?))
    };
    let mut answer = std::pin::pin!(answer);
    // The connection does the work, and may come to its end before the answer is looked at.
    let mut over = false;
    poll_fn(|cx| {
        if !over {
            over = Pin::new(&mut connection).poll(cx).is_ready();
        }
        answer.as_mut().poll(cx)
    })
    .await
}

async fn read(body: &mut Incoming) -> Result<Vec<u8>, SipError> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| SipError::Broken(Box::new(error)))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > BODY_LIMIT {
                return Err(SipError::Broken(format!("the answer is longer than {BODY_LIMIT} bytes").into()));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
