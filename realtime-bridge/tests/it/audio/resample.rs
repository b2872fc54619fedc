//! The resampler, frame by frame as on a call: how clean, how flat, how late, and whether it agrees with another one.

use realtime_bridge::audio::{Resampler, SampleRate};
use rubato::{Fft, FixedSync, Resampler as _, audioadapter_buffers::direct::InterleavedSlice};

use super::signal::{level_db, sine, sines, snr_db};

use SampleRate::{Hz8000, Hz16000, Hz24000};

const PAIRS: [(SampleRate, SampleRate); 6] = [
    (Hz8000, Hz16000),
    (Hz8000, Hz24000),
    (Hz16000, Hz24000),
    (Hz16000, Hz8000),
    (Hz24000, Hz8000),
    (Hz24000, Hz16000),
];

/// Converts in frames of 20 ms.
fn convert(input: &[i16], from: SampleRate, to: SampleRate) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to);
    let mut output = Vec::new();
    for frame in input.chunks(from.hz() as usize / 50) {
        resampler.process(frame, &mut output);
    }
    output
}

fn convert_sine(pitch: f64, from: SampleRate, to: SampleRate) -> Vec<i16> {
    convert(&sine(pitch, from.hz(), from.hz() as usize), from, to)
}

#[test]
fn a_second_is_a_second() {
    for (from, to) in PAIRS {
        assert_eq!(convert_sine(1_000.0, from, to).len(), to.hz() as usize, "{from:?} to {to:?}");
    }
}

#[test]
fn speech_passes_flat_and_without_clicks_at_the_borders_of_frames() {
    for (from, to) in PAIRS {
        for pitch in [200.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            let output = convert_sine(pitch, from, to);
            let (snr, level) = (snr_db(&output, pitch, to.hz()), level_db(&output, pitch, to.hz()));
            assert!(snr > 58.0, "{pitch} Hz, {from:?} to {to:?}: {snr:.1} dB");
            assert!(level.abs() < 0.1, "{pitch} Hz, {from:?} to {to:?}: {level:.2} dB");
        }
    }
}

#[test]
fn a_border_without_state_would_be_heard() {
    // What the measure above is worth: the same filter, begun anew at each frame.
    let input = sine(1_000.0, 8_000, 8_000);
    let mut output = Vec::new();
    for frame in input.chunks(160) {
        Resampler::new(Hz8000, Hz24000).process(frame, &mut output);
    }
    assert!(snr_db(&output, 1_000.0, 24_000) < 20.0);
}

#[test]
fn mirror_images_of_speech_are_60_db_down() {
    for (from, to) in PAIRS {
        if from < to {
            for pitch in [1_000.0, 2_000.0, 3_400.0] {
                let image = f64::from(from.hz()) - pitch;
                let level = level_db(&convert_sine(pitch, from, to), image, to.hz());
                assert!(level < -60.0, "{image} Hz for {pitch} Hz, {from:?} to {to:?}: {level:.1} dB");
            }
        }
    }
}

#[test]
fn what_the_lower_rate_cannot_carry_does_not_fold_into_speech() {
    for (from, to) in PAIRS {
        if from > to {
            for fold in [500.0, 1_000.0, 2_000.0, 3_400.0] {
                let pitch = f64::from(to.hz()) - fold;
                let level = level_db(&convert_sine(pitch, from, to), fold, to.hz());
                assert!(level < -60.0, "{pitch} Hz at {fold} Hz, {from:?} to {to:?}: {level:.1} dB");
            }
        }
    }
}

#[test]
fn it_is_as_late_as_it_says_and_at_most_2_ms() {
    for (from, to) in PAIRS {
        let mut resampler = Resampler::new(from, to);
        let delay = resampler.delay();
        assert!(delay.as_secs_f64() < 0.002, "{from:?} to {to:?}: {delay:?}");
        // The middle of mass of a click.
        let mut click = vec![0; 400];
        click[0] = 20_000;
        let mut output = Vec::new();
        resampler.process(&click, &mut output);
        let mass: f64 = output.iter().map(|sample| f64::from(*sample)).sum();
        let middle: f64 = output.iter().enumerate().map(|(at, sample)| at as f64 * f64::from(*sample)).sum();
        let late = middle / mass / f64::from(to.hz());
        assert!((late - delay.as_secs_f64()).abs() < 20e-6, "{from:?} to {to:?}: {late} s, not {delay:?}");
    }
}

#[test]
fn finishing_gives_the_rest_and_begins_anew() {
    let input = sine(1_000.0, 8_000, 800);
    let mut resampler = Resampler::new(Hz8000, Hz24000);
    let mut once = Vec::new();
    resampler.process(&input, &mut once);
    resampler.finish(&mut once);
    let late = once.len() - 2_400;
    assert!((47..=50).contains(&late), "{late} samples more");
    let mut again = Vec::new();
    resampler.process(&input, &mut again);
    resampler.finish(&mut again);
    assert_eq!(once, again);
}

#[test]
fn the_loudest_audio_is_cut_and_does_not_wrap() {
    let square: Vec<i16> = (0..800).map(|at| if at / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let output = convert(&square, Hz8000, Hz24000);
    // In the middle of each half wave, past the delay of 47 samples.
    for (number, half) in output[47..].chunks(60).enumerate().take(12) {
        assert_eq!(half[30] > 0, number % 2 == 0, "half wave {number}: {}", half[30]);
    }
}

#[test]
fn rubato_says_the_same() {
    let pitches = [300.0, 700.0, 1_300.0, 1_900.0, 2_500.0, 3_100.0];
    for (from, to) in PAIRS {
        let (input_hz, output_hz) = (from.hz() as usize, to.hz() as usize);
        let input = sines(&pitches, from.hz(), input_hz);
        let ours = convert(&input, from, to);
        let float: Vec<f64> = input.iter().map(|sample| f64::from(*sample)).collect();
        let adapter = InterleavedSlice::new(&float, 1, float.len()).unwrap();
        let mut oracle = Fft::<f64>::new(input_hz, output_hz, 1_024, 1, FixedSync::Both).unwrap();
        let theirs = oracle.process_all(&adapter, float.len(), None).unwrap().take_data();
        let ideal = sines(&pitches, to.hz(), output_hz);
        // Theirs is aligned with the input, ours is late by a delay that need not be whole samples; so both are held
        // against the tones by pitch.
        let theirs: Vec<i16> = theirs.iter().map(|sample| sample.round() as i16).collect();
        for pitch in pitches {
            let (ours, theirs, ideal) =
                (level_db(&ours, pitch, to.hz()), level_db(&theirs, pitch, to.hz()), level_db(&ideal, pitch, to.hz()));
            assert!((ours - theirs).abs() < 0.1, "{pitch} Hz, {from:?} to {to:?}: {ours:.2} and {theirs:.2} dB");
            assert!((ours - ideal).abs() < 0.1, "{pitch} Hz, {from:?} to {to:?}: {ours:.2} and {ideal:.2} dB");
        }
    }
}
