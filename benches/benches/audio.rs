//! What it costs to have a line and a model that speak different formats.
//!
//! Frames of 20 ms: 160 samples at 8 kHz, 480 at 24 kHz; elements are samples of the input. The converters have state
//! and are measured in the middle of a stream.
//!
//! Excluded: everything but the arithmetic for G.711 and resampling. The transcoders take base64, as it comes off the wire,
//! and give raw bytes: decoding and one allocation for the frame are in, encoding is not (see `model` and `media`). When
//! both sides speak μ-law, nothing of this happens.

mod common;

use std::{hint::black_box, time::Duration};

use benches::wire::{Audio, FRAME_BYTES, Tag};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use realtime_bridge::audio::{AudioFormat, AudioFrame, Resampler, SampleRate, Transcoder, g711};

const PCM: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);
const FRAME: Duration = Duration::from_millis(20);
const DELTA: Duration = Duration::from_millis(100);

/// As it comes off the wire.
fn frame(format: AudioFormat, duration: Duration) -> AudioFrame {
    let mut text = Vec::new();
    Audio::new(format.bytes_in(duration)).push(&mut text, Tag { nanos: 0, seq: 0, who: 0, turn: 0 });
    AudioFrame::base64(format, text).expect("it is base64")
}

/// Samples of every loudness.
fn samples(count: usize) -> Vec<i16> {
    (0..=u8::MAX).cycle().take(count).map(|byte| g711::decode_mulaw(byte.wrapping_mul(113))).collect()
}

fn companding(criterion: &mut Criterion) {
    let linear = samples(FRAME_BYTES);
    let mulaw: Vec<u8> = linear.iter().map(|sample| g711::encode_mulaw(*sample)).collect();
    let alaw: Vec<u8> = linear.iter().map(|sample| g711::encode_alaw(*sample)).collect();
    let mut bytes = vec![0; FRAME_BYTES];
    let mut decoded = vec![0; FRAME_BYTES];
    let mut group = criterion.benchmark_group("audio/g711");
    group.throughput(Throughput::Elements(FRAME_BYTES as u64));
    let encoders: [(_, fn(i16) -> u8); 2] = [("μ-law encode", g711::encode_mulaw), ("A-law encode", g711::encode_alaw)];
    for (name, encode) in encoders {
        group.bench_function(name, |bencher| {
            bencher.iter(|| convert(black_box(&linear), black_box(&mut bytes), encode));
        });
    }
    let decoders: [(_, _, fn(u8) -> i16); 2] =
        [("μ-law decode", &mulaw, g711::decode_mulaw), ("A-law decode", &alaw, g711::decode_alaw)];
    for (name, input, decode) in decoders {
        group.bench_function(name, |bencher| {
            bencher.iter(|| convert(black_box(input), black_box(&mut decoded), decode));
        });
    }
    group.finish();
}
