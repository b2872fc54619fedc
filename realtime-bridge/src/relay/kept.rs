//! The caller's voice as far as it may have to be told again: to the session that follows one that was lost.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use crate::audio::{AudioFormat, AudioFrame};

/// How much is kept while the caller says nothing: models notice speech a little after it began.
const LEAD: Duration = Duration::from_millis(500);

/// Audio in one piece of memory, so that keeping a frame costs a copy and no allocation.
#[derive(Debug)]
pub(crate) struct Kept {
    format: AudioFormat,
    bytes: VecDeque<u8>,
    /// The length in bytes of each frame, how long it plays, and whether it is base64.
    frames: VecDeque<(usize, Duration, bool)>,
    length: Duration,
    limit: Duration,
    /// The caller has said something that is not known in words yet.
    holds: bool,
    /// How much of it was said before the caller began anew.
    before: Duration,
}

impl Kept {
    pub(crate) const fn new(format: AudioFormat, limit: Duration) -> Self {
        Self {
            format,
            bytes: VecDeque::new(),
            frames: VecDeque::new(),
            length: Duration::ZERO,
            limit,
            holds: false,
            before: Duration::ZERO,
        }
    }

    /// Whether the caller has said something that is not known in words yet.
    pub(crate) const fn holds(&self) -> bool {
        self.holds
    }

    pub(crate) const fn length(&self) -> Duration {
        self.length
    }

    pub(crate) fn push(&mut self, frame: &AudioFrame) {
        if frame.format() != self.format {
            return;
        }
        let (payload, base64) = frame.payload();
        self.bytes.extend(payload);
        let duration = frame.duration();
        self.frames.push_back((payload.len(), duration, base64));
        self.length += duration;
        let limit = if self.holds { self.limit } else { LEAD };
        while self.length > limit && self.drop_oldest() {}
    }

    /// The caller begins to speak.
    pub(crate) fn begin(&mut self) {
        self.before = if self.holds { self.length.saturating_sub(LEAD) } else { Duration::ZERO };
        self.holds = true;
    }

    /// What was said is known in words, or answered; `speaking` when the caller is already saying more.
    pub(crate) fn known(&mut self, speaking: bool) {
        if speaking {
            let keep = self.length.saturating_sub(self.before);
            while self.length > keep && self.drop_oldest() {}
            self.before = Duration::ZERO;
        } else {
            self.forget();
        }
    }

    /// It was no speech.
    pub(crate) fn release(&mut self) {
        self.holds = false;
        self.before = Duration::ZERO;
        while self.length > LEAD && self.drop_oldest() {}
        self.bytes.shrink_to_fit();
    }

    /// Nothing of it is of any use any more.
    pub(crate) fn forget(&mut self) {
        // A long utterance is no reason to hold so much memory for the rest of the call.
        self.bytes = VecDeque::new();
        self.frames.clear();
        self.length = Duration::ZERO;
        self.holds = false;
        self.before = Duration::ZERO;
    }

    /// Gives everything, and begins anew.
    pub(crate) fn take(&mut self) -> VecDeque<AudioFrame> {
        let mut bytes = Bytes::from(Vec::from(std::mem::take(&mut self.bytes)));
        let format = self.format;
        let frame = |(length, _, base64)| AudioFrame::from_payload(format, bytes.split_to(length), base64);
        let frames = std::mem::take(&mut self.frames).into_iter().map(frame).collect();
        self.forget();
        frames
    }

    pub(crate) fn set_format(&mut self, format: AudioFormat) {
        if self.format != format {
            self.forget();
            self.format = format;
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((length, duration, _)) = self.frames.pop_front() else { return false };
        self.bytes.drain(..length);
        self.length = self.length.saturating_sub(duration);
        self.before = self.before.saturating_sub(duration);
        true
    }
}
