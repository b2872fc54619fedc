//! Sine waves, and how much of one is in a signal.

use std::f64::consts::TAU;

/// A sine of this pitch at half of full scale.
pub(super) fn sine(pitch: f64, hz: u32, length: usize) -> Vec<i16> {
    sines(&[pitch], hz, length)
}

/// Sines of these pitches, together at half of full scale, each with another phase.
pub(super) fn sines(pitches: &[f64], hz: u32, length: usize) -> Vec<i16> {
    let level = 0.5 * 32_767.0 / pitches.len() as f64;
    (0..length)
        .map(|at| {
            let time = at as f64 / f64::from(hz);
            let sum: f64 = pitches.iter().map(|pitch| (TAU * pitch * time + pitch).sin()).sum();
            (level * sum).round() as i16
        })
        .collect()
}

/// Amplitude and phase of a pitch, by projection on a sine and a cosine.
fn part(signal: &[f64], pitch: f64, hz: u32) -> (f64, f64) {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (at, sample) in signal.iter().enumerate() {
        let angle = TAU * pitch * at as f64 / f64::from(hz);
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
    }
    let scale = 2.0 / signal.len() as f64;
    (sine * scale, cosine * scale)
}

/// Amplitude of a pitch in decibels of a sine at half of full scale. Takes whole periods of `hz / 100` samples.
pub(super) fn level_db(signal: &[i16], pitch: f64, hz: u32) -> f64 {
    let (sine, cosine) = part(&whole(signal, hz), pitch, hz);
    20.0 * (sine.hypot(cosine) / (0.5 * 32_767.0)).log10()
}

/// Power of a pitch over the power of all the rest, in decibels.
pub(super) fn snr_db(signal: &[i16], pitch: f64, hz: u32) -> f64 {
    let signal = whole(signal, hz);
    let (sine, cosine) = part(&signal, pitch, hz);
    let (mut wanted, mut rest) = (0.0, 0.0);
    for (at, sample) in signal.iter().enumerate() {
        let angle = TAU * pitch * at as f64 / f64::from(hz);
        let ideal = sine * angle.sin() + cosine * angle.cos();
        wanted += ideal * ideal;
        rest += (sample - ideal) * (sample - ideal);
    }
    10.0 * (wanted / rest).log10()
}

/// Without the first 20 ms, in which the filter fills, and cut to whole periods of pitches that are multiples of 100 Hz.
fn whole(signal: &[i16], hz: u32) -> Vec<f64> {
    let (start, period) = (hz as usize / 50, hz as usize / 100);
    let length = (signal.len() - start) / period * period;
    signal[start..start + length].iter().map(|sample| f64::from(*sample)).collect()
}
