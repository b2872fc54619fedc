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
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
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
    let mut group = criterion.benchmark_group("audio/g711");
    group.throughput(Throughput::Elements(FRAME_BYTES as u64));
    compand(&mut group, "μ-law encode", &linear, g711::encode_mulaw);
    compand(&mut group, "μ-law decode", &mulaw, g711::decode_mulaw);
    compand(&mut group, "A-law encode", &linear, g711::encode_alaw);
    compand(&mut group, "A-law decode", &alaw, g711::decode_alaw);
    group.finish();
}

/// Generic, so that each conversion is inlined, as it is where it is used.
fn compand<I: Copy, O: Default + Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    input: &[I],
    convert: impl Fn(I) -> O,
) {
    let mut output = vec![O::default(); input.len()];
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for (to, from) in output.iter_mut().zip(black_box(input)) {
                *to = convert(*from);
            }
            black_box(&output);
        });
    });
}

fn resampling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("audio/resample");
    for (name, from, to) in [
        ("8 to 24 kHz", SampleRate::Hz8000, SampleRate::Hz24000),
        ("24 to 8 kHz", SampleRate::Hz24000, SampleRate::Hz8000),
    ] {
        let input = samples(AudioFormat::Pcm16(from).bytes_in(FRAME) / 2);
        let (mut resampler, mut output) = (Resampler::new(from, to), Vec::new());
        group.throughput(Throughput::Elements(input.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                output.clear();
                resampler.process(black_box(&input), &mut output);
                black_box(&output);
            });
        });
    }
    group.finish();
}

fn transcoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("audio/transcode");
    for (name, from, to, duration) in [
        ("a caller's frame, μ-law to PCM 24 kHz", AudioFormat::MuLaw, PCM, FRAME),
        ("20 ms, PCM 24 kHz to μ-law", PCM, AudioFormat::MuLaw, FRAME),
        ("a delta of 100 ms, PCM 24 kHz to μ-law", PCM, AudioFormat::MuLaw, DELTA),
    ] {
        let input = frame(from, duration);
        let mut transcoder = Transcoder::new(from, to);
        group.throughput(Throughput::Elements((input.byte_len() / from.bytes_per_sample()) as u64));
        group.bench_function(name, |bencher| bencher.iter(|| transcoder.convert(black_box(&input))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = companding, resampling, transcoding
}
criterion_main!(benches);
