//! What was said on a call, both sides apart.

use std::{io, path::Path};

use realtime_bridge::audio::AudioFormat;

use super::frame::Frame;
use crate::audio::{
    codec,
    wav::{self, WavError},
};

/// Both sides of a call from the moment it was placed, so that a position in it is a time of the timeline.
///
/// Kept as μ-law: 16 bytes a millisecond for both sides, about a megabyte a minute.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Recording {
    caller: Vec<u8>,
    agent: Vec<u8>,
}

impl Recording {
    pub(super) fn push(&mut self, caller: &Frame, agent: &Frame) {
        self.caller.extend_from_slice(caller);
        self.agent.extend_from_slice(agent);
    }

    /// What the caller said: μ-law, 8,000 Hz.
    #[must_use]
    pub fn caller(&self) -> &[u8] {
        &self.caller
    }

    /// What the caller heard: μ-law, 8,000 Hz.
    #[must_use]
    pub fn agent(&self) -> &[u8] {
        &self.agent
    }

    /// Writes a WAV file: 16-bit, 8,000 Hz, the caller left, the agent right.
    ///
    /// # Errors
    ///
    /// [`WavError::File`] when writing fails.
    pub fn write_wav(&self, to: impl io::Write + io::Seek) -> Result<(), WavError> {
        wav::write_stereo(to, &samples(&self.caller), &samples(&self.agent))
    }

    /// [`Recording::write_wav`] to a file, which is replaced when it exists. Blocks while it writes.
    ///
    /// # Errors
    ///
    /// [`WavError::File`] when the file cannot be made or written.
    pub fn save_wav(&self, path: impl AsRef<Path>) -> Result<(), WavError> {
        wav::save_stereo(path.as_ref(), &samples(&self.caller), &samples(&self.agent))
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({:?})", AudioFormat::MuLaw.duration_of(self.caller.len()))
    }
}

fn samples(mulaw: &[u8]) -> Vec<i16> {
    codec::decode(AudioFormat::MuLaw, mulaw)
}
