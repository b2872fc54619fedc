//! What keys sound like (ITU-T Q.23).

use bytes::Bytes;
use realtime_bridge::audio::AudioFormat;

use super::frame::SILENCE;
use crate::audio::codec;

/// Bytes of a tone and of the silence after it: 100 ms each.
const LENGTH: usize = 800;

/// A key's two tones and a pause, 200 ms; silence for what is no key.
pub(super) fn tone(key: char) -> Bytes {
    let mut audio = frequencies(key).map_or_else(|| vec![SILENCE; LENGTH], sound);
    audio.resize(2 * LENGTH, SILENCE);
    audio.into()
}

fn frequencies(key: char) -> Option<(f64, f64)> {
    const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
    const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    KEYS.iter().zip(ROWS).find_map(|(keys, row)| keys.find(key).map(|column| (row, COLUMNS[column])))
}

fn sound((row, column): (f64, f64)) -> Vec<u8> {
    let wave = |hertz: f64, at: f64| 5_000.0 * (std::f64::consts::TAU * hertz * at / 8_000.0).sin();
    let samples: Vec<i16> = (0_u16..800)
        .map(|at| {
            #[expect(clippy::cast_possible_truncation, reason = "two waves of 5,000 fit 16 bits")]
            let sample = (wave(row, f64::from(at)) + wave(column, f64::from(at))) as i16;
            sample
        })
        .collect();
    codec::encode(AudioFormat::MuLaw, &samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_sounds_and_no_two_alike() {
        let tones: Vec<_> = "0123456789*#ABCD".chars().map(tone).collect();
        for (index, one) in tones.iter().enumerate() {
            assert_eq!(one.len(), 1_600);
            assert!(one[..LENGTH].iter().any(|byte| *byte != SILENCE));
            assert!(one[LENGTH..].iter().all(|byte| *byte == SILENCE));
            assert!(!tones[..index].contains(one));
        }
        assert!(tone('x').iter().all(|byte| *byte == SILENCE));
    }
}
