//! What `<Say>` sounds like.

use bytes::Bytes;
use realtime_bridge::audio::AudioFormat;

use super::frame::SILENCE;
use crate::audio::{codec, fixtures};

/// The recording of this text if there is one, else tones: a beep for each letter, a pause for each blank, so that a
/// longer text takes longer.
pub(super) fn audio_of(text: &str) -> Bytes {
    let spoken = normal(text);
    fixtures::ALL
        .iter()
        .find(|speech| !speech.transcript.is_empty() && normal(speech.transcript) == spoken)
        .map_or_else(|| tones(&spoken), |speech| Bytes::from_static(speech.mulaw))
}

/// White space is how a document is laid out, not how it is spoken.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn tones(text: &str) -> Bytes {
    let mut audio = Vec::new();
    for character in text.chars() {
        match character {
            ' ' => silence(&mut audio, 60),
            // A letter is a third of a syllable, a character of Japanese a whole one.
            letter if letter.is_ascii_alphanumeric() => beep(&mut audio, 60, letter),
            letter if letter.is_alphanumeric() => beep(&mut audio, 140, letter),
            _ => silence(&mut audio, 160),
        }
    }
    audio.into()
}

fn silence(audio: &mut Vec<u8>, ms: usize) {
    audio.resize(audio.len() + ms * 8, SILENCE);
}

/// A square wave at a pitch that depends on the letter, between 250 and 500 Hz.
fn beep(audio: &mut Vec<u8>, ms: usize, letter: char) {
    let half_wave = 8 + usize::try_from(u32::from(letter) % 9).unwrap_or(0);
    let samples: Vec<i16> = (0..ms * 8).map(|at| if at / half_wave % 2 == 0 { 3_000 } else { -3_000 }).collect();
    audio.extend(codec::encode(AudioFormat::MuLaw, &samples));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::{en, ja};

    #[test]
    fn a_text_with_a_recording_is_heard_as_recorded() {
        assert_eq!(audio_of("\n  Thank you for calling.\n  Goodbye.\n"), en::AGENT_GOODBYE.mulaw);
        assert_eq!(audio_of(ja::AGENT_APOLOGY.transcript), ja::AGENT_APOLOGY.mulaw);
    }

    #[test]
    fn another_text_is_heard_as_tones_of_its_length() {
        assert_eq!(audio_of("ab c").len(), (3 * 60 + 60) * 8);
        assert_eq!(audio_of("日本").len(), 2 * 140 * 8);
        assert_eq!(audio_of(""), "");
        assert!(audio_of("a").iter().all(|byte| *byte != SILENCE));
    }
}
