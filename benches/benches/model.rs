//! What an event of OpenAI Realtime costs to read, and a command to write.
//!
//! Deltas are 100 ms (800 bytes of μ-law), the caller's frames 20 ms (160 bytes). The frame of a delta is a slice of its
//! message, and names that were seen before cost no allocation: these benches read the second and later deltas of one
//! answer, as nearly all are.
//!
//! Excluded: the WebSocket and TLS. OpenAI: Realtime API, server events and client events.

mod common;

use std::hint::black_box;

use benches::wire::{AnswerIds, Audio, DELTA_BYTES, FRAME_BYTES, Tag, model_delta};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        RealtimeCommand,
        openai::{EventDecoder, encode_command},
    },
};

const TAG: Tag = Tag { nanos: 4_200_000_000, seq: 42, who: 7, turn: 3 };
const WORDS: &str = r#"{"type":"response.output_audio_transcript.delta","event_id":"event_CKmW0000000700000029","response_id":"resp_CKmW0000000700000003","item_id":"item_CKmW0000000700000003","output_index":0,"content_index":0,"delta":" appointment"}"#;
const SPEECH_STARTED: &str = r#"{"type":"input_audio_buffer.speech_started","event_id":"event_CKmW0000000700000030","audio_start_ms":61240,"item_id":"item_CKmW0000000700000004"}"#;

fn audio_delta() -> Bytes {
    let mut message = Vec::new();
    model_delta(&mut message, &AnswerIds::new(TAG.who, TAG.turn), &Audio::new(DELTA_BYTES), TAG);
    message.into()
}

fn decode(criterion: &mut Criterion) {
    let audio = audio_delta();
    let cases = [
        ("a delta of speech", audio.clone()),
        ("a delta of words", Bytes::from_static(WORDS.as_bytes())),
        // Rare, and so by the full parser.
        ("speech_started", Bytes::from_static(SPEECH_STARTED.as_bytes())),
    ];
    let mut group = criterion.benchmark_group("model/decode");
    for (name, message) in &cases {
        let mut decoder = EventDecoder::new(AudioFormat::MuLaw);
        decoder.decode(message).expect("it is an event");
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(*name, |bencher| bencher.iter(|| decoder.decode(black_box(message))));
    }
    // What the scan spares: serde, and a copy of the audio.
    let text = std::str::from_utf8(&audio).expect("JSON is UTF-8");
    let mut decoder = EventDecoder::new(AudioFormat::MuLaw);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("a delta of speech, in full", |bencher| {
        bencher.iter(|| decoder.decode_in_full(black_box(text)));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut text = Vec::new();
    Audio::new(FRAME_BYTES).push(&mut text, TAG);
    let frame = AudioFrame::base64(AudioFormat::MuLaw, text).expect("it is base64");
    let raw = AudioFrame::raw(AudioFormat::MuLaw, frame.to_raw());
    let mut group = criterion.benchmark_group("model/encode");
    for (name, frame) in [("an append that came as base64", frame), ("an append of raw bytes", raw)] {
        let command = RealtimeCommand::Append(frame);
        group.throughput(Throughput::Bytes(encode_command(&command).len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| encode_command(black_box(&command))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = decode, encode
}
criterion_main!(benches);
