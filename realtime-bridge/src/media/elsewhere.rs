//! A line whose audio never passes us: the call reached the provider of the model by itself (SIP), and only events come.
//!
//! ```
//! use futures_util::StreamExt;
//! use realtime_bridge::{audio::AudioFormat, media::{MediaEvent, MediaStart, elsewhere::elsewhere}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let (mut line, far_end) = elsewhere(AudioFormat::MuLaw, MediaStart::new("rtc_1", ""));
//! assert!(matches!(line.next().await, Some(Ok(MediaEvent::Started(_)))));
//! // Whoever learns that the caller has gone says so.
//! far_end.hung_up();
//! assert!(matches!(line.next().await, Some(Ok(MediaEvent::Stopped))));
//! # }
//! ```
//!
//! It belongs to a session whose [`Capabilities::playback`](crate::realtime::Capabilities) is
//! [`PlaybackOwner::Provider`](crate::realtime::PlaybackOwner::Provider): the relay then sends no audio and takes what was
//! heard from the provider's events. What is sent here all the same is dropped, and marks come back at once.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::{Sink, Stream};

use super::{MediaCommand, MediaError, MediaEvent, MediaStart, MediaTransport};
use crate::audio::AudioFormat;

/// Marks that may wait to be told; a relay places none where the line is not its own.
const MARKS: usize = 64;

/// A line that is elsewhere, and the end of it that tells when it is down. `format` only has to fit the session's: nothing
/// is played in it.
#[must_use]
pub fn elsewhere(format: AudioFormat, start: MediaStart) -> (ElsewhereLine, FarEnd) {
    let shared = Arc::new(Mutex::new(Shared::default()));
    let events = VecDeque::from([MediaEvent::Started(start)]);
    (ElsewhereLine { format, events, shared: shared.clone(), over: false }, FarEnd { shared })
}

/// A line whose audio never passes us.
#[derive(Debug)]
pub struct ElsewhereLine {
    format: AudioFormat,
    events: VecDeque<MediaEvent>,
    shared: Arc<Mutex<Shared>>,
    over: bool,
}

/// Tells the line what becomes of the call. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct FarEnd {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    hung_up: bool,
    waker: Option<Waker>,
}

impl FarEnd {
    /// The caller has hung up, or the call has gone where we have no part in it.
    pub fn hung_up(&self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.hung_up = true;
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    }
}

impl Stream for ElsewhereLine {
    type Item = Result<MediaEvent, MediaError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared.hung_up {
            shared.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(shared);
        self.over = true;
        Poll::Ready(Some(Ok(MediaEvent::Stopped)))
    }
}

impl Sink<MediaCommand> for ElsewhereLine {
    type Error = MediaError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, command: MediaCommand) -> Result<(), MediaError> {
        if let MediaCommand::Mark(mark) = command
            && !self.over
        {
            if self.events.len() == MARKS {
                self.events.pop_front();
            }
            self.events.push_back(MediaEvent::Mark(mark));
            if let Some(waker) = self.shared.lock().unwrap_or_else(PoisonError::into_inner).waker.take() {
                waker.wake();
            }
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        self.over = true;
        Poll::Ready(Ok(()))
    }
}

impl MediaTransport for ElsewhereLine {
    fn format(&self) -> AudioFormat {
        self.format
    }
}
