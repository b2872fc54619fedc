//! The recording of a room: one channel, everybody who is heard by all.

use std::collections::BTreeMap;

use realtime_bridge::audio::AudioFormat;
use twilio_twiml::{
    jiff::Timestamp,
    sid::{CallSid, RecordingSid},
    words::RecordingEvent,
};

use crate::{
    audio::codec,
    twilio::{frame::Frame, interpreter::Fetch},
};

/// Who is told of a room's recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::twilio) struct RecordingTold {
    pub(in crate::twilio) callback: Option<Fetch>,
    pub(in crate::twilio) events: Vec<RecordingEvent>,
}

/// A recording under way.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) sid: RecordingSid,
    pub(super) told: RecordingTold,
    pub(super) began: Option<Timestamp>,
    /// It has begun and nobody was told yet.
    pub(super) is_news: bool,
    samples: Vec<i16>,
    /// Where each leg's next 20 ms go, in samples.
    places: BTreeMap<CallSid, usize>,
}

impl Recorder {
    pub(super) const fn new(sid: RecordingSid, told: RecordingTold) -> Self {
        Self { sid, told, began: None, is_news: false, samples: Vec::new(), places: BTreeMap::new() }
    }

    /// Begins, when the room does.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = Some(now);
        self.is_news = true;
    }

    /// Adds 20 ms of a leg.
    pub(super) fn say(&mut self, call: &CallSid, frame: &Frame) {
        if self.began.is_none() {
            return;
        }
        // Who comes in later begins where the others are.
        let end = self.samples.len();
        let place = self.places.entry(call.clone()).or_insert(end);
        if self.samples.len() < *place + frame.len() {
            self.samples.resize(*place + frame.len(), 0);
        }
        let decoded = codec::decode(AudioFormat::MuLaw, frame);
        for (sum, sample) in self.samples[*place..].iter_mut().zip(decoded) {
            *sum = sum.saturating_add(sample);
        }
        *place += frame.len();
    }

    /// What was recorded, as μ-law.
    pub(super) fn finish(&self) -> Vec<u8> {
        codec::encode(AudioFormat::MuLaw, &self.samples)
    }
}
