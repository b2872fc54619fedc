//! WAV files of calls: 16-bit, 8,000 Hz, the caller left, the agent right.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, Write},
    path::Path,
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// Samples per second of every file written and read here.
pub const SAMPLE_RATE_HZ: u32 = 8_000;

/// Why a WAV file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file cannot be opened, written or read, or is not WAV.
    #[error("the WAV file cannot be written or read")]
    File(#[source] hound::Error),
    /// The file is WAV, but not telephone speech.
    #[error("expected 16-bit mono WAV at 8000 Hz, got {bits} bits, {channels} channels, {rate_hz} Hz")]
    NotTelephone {
        /// Bits a sample.
        bits: u16,
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate_hz: u32,
    },
}

impl From<hound::Error> for WavError {
    fn from(error: hound::Error) -> Self {
        Self::File(error)
    }
}

/// Writes a call: the caller on the left, the agent on the right. The shorter side is filled with silence.
///
/// # Errors
///
/// [`WavError::File`] when writing fails.
pub fn write_stereo(to: impl Write + Seek, caller: &[i16], agent: &[i16]) -> Result<(), WavError> {
    let spec =
        WavSpec { channels: 2, sample_rate: SAMPLE_RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut wav = WavWriter::new(to, spec)?;
    for at in 0..caller.len().max(agent.len()) {
        wav.write_sample(caller.get(at).copied().unwrap_or(0))?;
        wav.write_sample(agent.get(at).copied().unwrap_or(0))?;
    }
    wav.finalize()?;
    Ok(())
}

/// Writes one channel.
///
/// # Errors
///
/// [`WavError::File`] when writing fails.
pub fn write_mono(to: impl Write + Seek, samples: &[i16]) -> Result<(), WavError> {
    let spec =
        WavSpec { channels: 1, sample_rate: SAMPLE_RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut wav = WavWriter::new(to, spec)?;
    samples.iter().try_for_each(|sample| wav.write_sample(*sample))?;
    wav.finalize()?;
    Ok(())
}

/// [`write_stereo`] to a file, which is replaced when it exists.
///
/// # Errors
///
/// [`WavError::File`] when the file cannot be made or written.
pub fn save_stereo(path: &Path, caller: &[i16], agent: &[i16]) -> Result<(), WavError> {
    let file = File::create(path).map_err(hound::Error::IoError)?;
    write_stereo(BufWriter::new(file), caller, agent)
}

/// Reads telephone speech: 16-bit, mono, 8,000 Hz.
///
/// # Errors
///
/// [`WavError::NotTelephone`] for another kind of WAV, [`WavError::File`] when it cannot be read at all.
pub fn read_mono(from: impl Read) -> Result<Vec<i16>, WavError> {
    let wav = WavReader::new(from)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = wav.spec();
    if (channels, sample_rate, bits_per_sample, sample_format) != (1, SAMPLE_RATE_HZ, 16, SampleFormat::Int) {
        return Err(WavError::NotTelephone { bits: bits_per_sample, channels, rate_hz: sample_rate });
    }
    Ok(wav.into_samples().collect::<Result<_, _>>()?)
}

/// [`read_mono`] from a file.
///
/// # Errors
///
/// As [`read_mono`].
pub fn load_mono(path: &Path) -> Result<Vec<i16>, WavError> {
    read_mono(BufReader::new(File::open(path).map_err(hound::Error::IoError)?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_caller_is_left_the_agent_right_and_the_shorter_side_falls_silent() {
        let mut file = Cursor::new(Vec::new());
        write_stereo(&mut file, &[1, 2, 3], &[-1]).unwrap();
        let wav = WavReader::new(Cursor::new(file.into_inner())).unwrap();
        assert_eq!((wav.spec().channels, wav.spec().sample_rate, wav.spec().bits_per_sample), (2, 8_000, 16));
        let samples: Vec<i16> = wav.into_samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, -1, 2, 0, 3, 0]);
    }

    #[test]
    fn a_stereo_file_is_no_telephone_speech() {
        let mut file = Cursor::new(Vec::new());
        write_stereo(&mut file, &[1], &[1]).unwrap();
        let error = read_mono(Cursor::new(file.into_inner())).unwrap_err();
        assert!(matches!(error, WavError::NotTelephone { channels: 2, .. }));
    }
}
