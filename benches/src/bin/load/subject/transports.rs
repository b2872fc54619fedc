//! The bridge's two transports without the relay between them: what the bridge uses beyond this is the relay's.
//!
//! Audio goes from one to the other and nothing else does, with one flush a wake-up. A frame that a socket has no room
//! for is dropped, which the peers count.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use futures_util::{SinkExt, StreamExt};
use realtime_bridge::{
    media::{
        MediaCommand, MediaEvent, MediaTransport,
        twilio::{Config, MediaStream},
    },
    realtime::{RealtimeClient, RealtimeCommand, RealtimeEvent, RealtimeSession, SessionConfig, openai::OpenAiClient},
};
use tokio::net::TcpStream;

use super::{Failure, web::upgraded};

pub(super) async fn bridge_call(caller: TcpStream, client: OpenAiClient) -> Result<(), Failure> {
    let mut line = MediaStream::accept(upgraded(caller).await?, Config::default()).await?;
    let mut model = client.connect(&SessionConfig::default()).await?;
    poll_fn(|cx| poll_call(cx, &mut line, &mut model)).await
}

fn poll_call(
    cx: &mut Context<'_>,
    line: &mut impl MediaTransport,
    model: &mut impl RealtimeSession,
) -> Poll<Result<(), Failure>> {
    while let Poll::Ready(event) = line.poll_next_unpin(cx)? {
        match event {
            Some(MediaEvent::Audio(frame)) => {
                if model.poll_ready_unpin(cx)?.is_ready() {
                    model.start_send_unpin(RealtimeCommand::Append(frame))?;
                }
            }
            Some(MediaEvent::Stopped) | None => return Poll::Ready(Ok(())),
            Some(_) => {}
        }
    }
    while let Poll::Ready(event) = model.poll_next_unpin(cx)? {
        match event {
            Some(RealtimeEvent::Audio { frame, .. }) => {
                if line.poll_ready_unpin(cx)?.is_ready() {
                    line.start_send_unpin(MediaCommand::Audio(frame))?;
                }
            }
            None => return Poll::Ready(Ok(())),
            Some(_) => {}
        }
    }
    // What is not written now is written when the socket has room: then we are polled again.
    let _ = model.poll_flush_unpin(cx)?;
    let _ = line.poll_flush_unpin(cx)?;
    Poll::Pending
}
