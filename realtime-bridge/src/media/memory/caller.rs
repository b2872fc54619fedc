//! The far end of the line: whoever called.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{Heard, Shared};
use crate::{
    audio::{AudioFormat, AudioFrame},
    media::{DtmfDigit, MediaCommand, MediaError, MediaEvent},
};

/// Telephones send frames of this length.
const FRAME: Duration = Duration::from_millis(20);

/// The line was closed or dropped at our end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is closed")]
pub struct LineClosed;

/// A command that reached the caller's telephone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// When, since the line was made.
    pub at: Duration,
    /// The command.
    pub command: MediaCommand,
}

/// The caller. Dropping it cuts the line off, without a goodbye.
#[derive(Debug)]
pub struct Caller {
    format: AudioFormat,
    events: mpsc::Sender<Result<MediaEvent, MediaError>>,
    shared: Arc<Shared>,
    /// Commands that [`Caller::next_command`] has handed out.
    seen: usize,
}

impl Caller {
    pub(super) fn new(
        format: AudioFormat,
        events: mpsc::Sender<Result<MediaEvent, MediaError>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { format, events, shared, seen: 0 }
    }

    /// Sends one frame now.
    ///
    /// # Errors
    ///
    /// [`LineClosed`], here and below.
    pub async fn send(&self, frame: AudioFrame) -> Result<(), LineClosed> {
        self.event(Ok(MediaEvent::Audio(frame))).await
    }

    /// Speaks in real time: a frame each 20 ms, the first one at once, until all was said.
    ///
    /// # Errors
    ///
    /// [`LineClosed`] as soon as the line is.
    pub async fn speak(&self, speech: &AudioFrame) -> Result<(), LineClosed> {
        let bytes = speech.to_raw();
        let mut due = Instant::now();
        let step = speech.format().bytes_in(FRAME);
        for start in (0..bytes.len()).step_by(step) {
            let frame = AudioFrame::raw(speech.format(), bytes.slice(start..bytes.len().min(start + step)));
            sleep_until(due).await;
            due += frame.duration();
            self.send(frame).await?;
        }
        sleep_until(due).await;
        Ok(())
    }

    /// Says nothing for a while, in real time: telephones send silence as audio.
    ///
    /// # Errors
    ///
    /// [`LineClosed`] as soon as the line is.
    pub async fn keep_quiet(&self, duration: Duration) -> Result<(), LineClosed> {
        self.speak(&AudioFrame::silence(self.format, duration)).await
    }

    /// Loses audio of this length on the way: the line tells of the gap and fills it with silence.
    ///
    /// # Errors
    ///
    /// [`LineClosed`].
    pub async fn lose(&self, duration: Duration) -> Result<(), LineClosed> {
        self.event(Ok(MediaEvent::Gap(duration))).await?;
        let mut left = duration;
        while !left.is_zero() {
            let piece = left.min(FRAME);
            self.send(AudioFrame::silence(self.format, piece)).await?;
            left -= piece;
        }
        Ok(())
    }

    /// Presses a key.
    ///
    /// # Errors
    ///
    /// [`LineClosed`].
    pub async fn press(&self, key: DtmfDigit) -> Result<(), LineClosed> {
        self.event(Ok(MediaEvent::Dtmf(key))).await
    }

    /// Hangs up: the line ends with [`MediaEvent::Stopped`].
    ///
    /// # Errors
    ///
    /// [`LineClosed`].
    pub async fn hang_up(&self) -> Result<(), LineClosed> {
        self.event(Ok(MediaEvent::Stopped)).await
    }

    /// Makes the line fail with this error.
    ///
    /// # Errors
    ///
    /// [`LineClosed`].
    pub async fn fail(&self, error: MediaError) -> Result<(), LineClosed> {
        self.event(Err(error)).await
    }

    async fn event(&self, event: Result<MediaEvent, MediaError>) -> Result<(), LineClosed> {
        self.events.send(event).await.map_err(|_| LineClosed)
    }

    /// Takes no more commands: the line's sink is not ready until [`Caller::resume`].
    pub fn stall(&self) {
        self.shared.telephone().stalled = true;
    }

    /// Takes commands again.
    pub fn resume(&self) {
        let waker = {
            let mut telephone = self.shared.telephone();
            telephone.stalled = false;
            telephone.sink_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next command, as it arrives; `None` when the line was closed and all commands were handed out.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next_command(&mut self) -> Option<Received> {
        let shared = Arc::clone(&self.shared);
        loop {
            let changed = shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let telephone = shared.telephone();
                if let Some((at, command)) = telephone.commands.get(self.seen) {
                    self.seen += 1;
                    return Some(Received { at: *at, command: command.clone() });
                }
                if telephone.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// All commands so far, also those that [`Caller::next_command`] has handed out.
    #[must_use]
    pub fn commands(&self) -> Vec<Received> {
        let telephone = self.shared.telephone();
        telephone.commands.iter().map(|(at, command)| Received { at: *at, command: command.clone() }).collect()
    }

    /// What was heard until now, run by run; what is playing counts as far as it was heard.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.telephone().heard(Instant::now())
    }

    /// What was heard until now, as raw bytes without the pauses.
    #[must_use]
    pub fn heard_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        for heard in self.heard() {
            bytes.extend_from_slice(&heard.frame.to_raw());
        }
        bytes.freeze()
    }

    /// How much was heard until now, without the pauses.
    #[must_use]
    pub fn heard_total(&self) -> Duration {
        self.shared.telephone().heard_total(Instant::now())
    }

    /// How much was sent and is still to be heard.
    #[must_use]
    pub fn left_to_hear(&self) -> Duration {
        self.shared.telephone().empty_at().saturating_duration_since(Instant::now())
    }

    /// Waits until all that was sent has been heard.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn hear_out(&self) {
        while !self.left_to_hear().is_zero() {
            let empty_at = self.shared.telephone().empty_at();
            sleep_until(empty_at).await;
        }
    }

    /// Whether our end has closed or dropped the line.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.telephone().closed
    }

    /// Waits until our end has closed or dropped the line.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn closed(&self) {
        self.events.closed().await;
    }

    /// The line's format.
    #[must_use]
    pub const fn format(&self) -> AudioFormat {
        self.format
    }
}
