//! Our end of the line.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Sink, Stream};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep_until},
};

use super::Shared;
use crate::{
    audio::AudioFormat,
    media::{MediaCommand, MediaError, MediaEvent, MediaStart, MediaTransport},
};

/// Our end of a line in memory.
///
/// Commands reach the caller when the sink is flushed and not before, so that a driver that forgets to flush is found out.
#[derive(Debug)]
pub struct Line {
    format: AudioFormat,
    start: Option<MediaStart>,
    inbox: mpsc::Receiver<Result<MediaEvent, MediaError>>,
    shared: Arc<Shared>,
    fed: Vec<MediaCommand>,
    alarm: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Line {
    pub(super) fn new(
        format: AudioFormat,
        start: MediaStart,
        inbox: mpsc::Receiver<Result<MediaEvent, MediaError>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { format, start: Some(start), inbox, shared, fed: Vec::new(), alarm: None, ended: false }
    }

    /// Marks come on time, also when nobody else wakes us.
    fn poll_mark(&mut self, cx: &mut Context<'_>) -> Poll<MediaEvent> {
        loop {
            let mut telephone = self.shared.telephone();
            if let Some(id) = telephone.reached_mark(Instant::now()) {
                return Poll::Ready(MediaEvent::Mark(id));
            }
            telephone.stream_waker = Some(cx.waker().clone());
            let Some(due) = telephone.next_mark() else { return Poll::Pending };
            drop(telephone);
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn close(&mut self) {
        self.ended = true;
        self.inbox.close();
        self.shared.telephone().closed = true;
        self.shared.changed.notify_waiters();
    }
}

impl Stream for Line {
    type Item = Result<MediaEvent, MediaError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(start) = this.start.take() {
            return Poll::Ready(Some(Ok(MediaEvent::Started(start))));
        }
        if let Poll::Ready(mark) = this.poll_mark(cx) {
            return Poll::Ready(Some(Ok(mark)));
        }
        this.inbox.poll_recv(cx).map(|event| {
            let event = event.unwrap_or(Err(MediaError::CutOff));
            this.ended = matches!(event, Ok(MediaEvent::Stopped) | Err(_));
            Some(event)
        })
    }
}

impl Sink<MediaCommand> for Line {
    type Error = MediaError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        let mut telephone = self.shared.telephone();
        if telephone.closed {
            return Poll::Ready(Err(MediaError::CutOff));
        }
        if telephone.stalled {
            telephone.sink_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, command: MediaCommand) -> Result<(), MediaError> {
        if let MediaCommand::Audio(frame) = &command
            && frame.format() != self.format
        {
            return Err(MediaError::WrongFormat { expected: self.format, got: frame.format() });
        }
        self.fed.push(command);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        let this = &mut *self;
        if this.fed.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut telephone = this.shared.telephone();
        if telephone.closed {
            return Poll::Ready(Err(MediaError::CutOff));
        }
        if telephone.stalled {
            telephone.sink_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let now = Instant::now();
        for command in this.fed.drain(..) {
            telephone.handle(now, command);
        }
        if telephone.next_mark().is_some()
            && let Some(waker) = telephone.stream_waker.take()
        {
            waker.wake();
        }
        drop(telephone);
        this.shared.changed.notify_waiters();
        Poll::Ready(Ok(()))
    }

    /// Ends the line; what was fed and cannot be delivered at once, because the caller takes nothing, is lost.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        if !self.shared.telephone().closed {
            let _ = self.as_mut().poll_flush(cx);
            self.close();
        }
        Poll::Ready(Ok(()))
    }
}

impl MediaTransport for Line {
    fn format(&self) -> AudioFormat {
        self.format
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}
