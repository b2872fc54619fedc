//! The recordings that an account keeps.

use std::{
    io::Cursor,
    sync::{Arc, Mutex},
    time::Duration,
};

use realtime_bridge::audio::AudioFormat;
use twilio_twiml::{
    jiff::Timestamp,
    sid::{CallSid, ConferenceSid, RecordingSid},
    webhook::RecordingSource,
    words::{RecordingChannels, RecordingTrack},
};

use super::register::lock;
use crate::audio::{
    codec,
    wav::{self, WavError},
};

/// The recordings of an account, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    files: Mutex<Vec<Arc<RecordingFile>>>,
}

/// A finished recording.
#[derive(Debug)]
pub(super) struct RecordingFile {
    pub(super) sid: RecordingSid,
    pub(super) call_sid: Option<CallSid>,
    pub(super) conference_sid: Option<ConferenceSid>,
    pub(super) source: RecordingSource,
    pub(super) channels: RecordingChannels,
    pub(super) track: RecordingTrack,
    pub(super) started: Timestamp,
    pub(super) created: Timestamp,
    /// What came from the leg and what it heard: μ-law, 8,000 Hz.
    pub(super) inbound: Vec<u8>,
    pub(super) outbound: Vec<u8>,
}

impl Recordings {
    pub(super) fn add(&self, file: RecordingFile) {
        lock(&self.files).push(Arc::new(file));
    }

    pub(super) fn all(&self) -> Vec<Arc<RecordingFile>> {
        lock(&self.files).clone()
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<RecordingFile>> {
        lock(&self.files).iter().find(|file| file.sid.as_str() == sid).cloned()
    }

    /// Forgets a recording; tells whether there was one.
    pub(super) fn remove(&self, sid: &str) -> bool {
        let mut files = lock(&self.files);
        let before = files.len();
        files.retain(|file| file.sid.as_str() != sid);
        files.len() < before
    }
}

impl RecordingFile {
    pub(super) fn duration(&self) -> Duration {
        AudioFormat::MuLaw.duration_of(self.inbound.len().max(self.outbound.len()))
    }

    /// The file: 16-bit WAV, 8,000 Hz. Two channels have the leg on the left and what it heard on the right.
    pub(super) fn wav(&self) -> Result<Vec<u8>, WavError> {
        let heard = |wanted: RecordingTrack, side: &[u8]| {
            let is_wanted = self.track == RecordingTrack::Both || self.track == wanted;
            if is_wanted { codec::decode(AudioFormat::MuLaw, side) } else { vec![0; side.len()] }
        };
        let inbound = heard(RecordingTrack::Inbound, &self.inbound);
        let outbound = heard(RecordingTrack::Outbound, &self.outbound);
        let mut file = Cursor::new(Vec::new());
        match self.channels {
            RecordingChannels::Dual => wav::write_stereo(&mut file, &inbound, &outbound)?,
            _ => {
                // A room has one side only.
                let length = inbound.len().max(outbound.len());
                let padded = |side: Vec<i16>| side.into_iter().chain(std::iter::repeat(0)).take(length);
                let mixed: Vec<i16> =
                    padded(inbound).zip(padded(outbound)).map(|(one, other)| one.saturating_add(other)).collect();
                wav::write_mono(&mut file, &mixed)?;
            }
        }
        Ok(file.into_inner())
    }
}
