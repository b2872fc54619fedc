//! What a frame of Twilio Media Streams costs: reading the caller's, writing the agent's.
//!
//! The caller's frames are 20 ms (160 bytes of μ-law), the agent's 100 ms, as models send them. `scan` gives a payload that
//! is borrowed from the message, and the frame that is made of it is a slice of the message: no byte of the caller's audio
//! is copied or decoded here. The agent's base64 is copied once, into the message.
//!
//! Excluded: the WebSocket, but for the two benches through a `MediaStream`. Those read and write frames on a pipe in
//! memory, with masking and framing, without system calls and TLS.

mod common;

use std::hint::black_box;

use benches::wire::{Audio, DELTA_BYTES, FRAME_BYTES, Tag, caller_media, caller_start, stream_sid};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{
        MediaCommand, MediaEvent,
        twilio::{
            Config, MediaStream,
            wire::{FromTwilio, media_message},
        },
    },
};
use tokio::{
    io::{DuplexStream, duplex},
    runtime::{Builder, Runtime},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

const CALL: u16 = 7;
/// Ten seconds of the caller.
const CALLER_FRAMES: u32 = 500;
/// Ten seconds of the agent.
const DELTAS: u32 = 100;
/// Room for ten seconds of either side.
const PIPE: usize = 512 * 1024;

/// The caller's frame number `chunk`, from 1.
fn message(chunk: u32) -> String {
    let tag = Tag { nanos: u64::from(chunk) * 20_000_000, seq: chunk, who: CALL, turn: 0 };
    let mut message = Vec::new();
    caller_media(&mut message, chunk + 1, chunk, &Audio::new(FRAME_BYTES), tag);
    String::from_utf8(message).expect("JSON is UTF-8")
}

fn base64(bytes: usize) -> Bytes {
    let mut text = Vec::new();
    Audio::new(bytes).push(&mut text, Tag { nanos: 0, seq: 0, who: CALL, turn: 1 });
    text.into()
}

fn delta() -> AudioFrame {
    AudioFrame::base64(AudioFormat::MuLaw, base64(DELTA_BYTES)).expect("it is base64")
}

fn read(criterion: &mut Criterion) {
    let message = message(211);
    assert!(FromTwilio::scan(&message).is_some(), "the scan knows Twilio's layout");
    let mut group = criterion.benchmark_group("media/read");
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("scan a caller's frame", |bencher| bencher.iter(|| FromTwilio::scan(black_box(&message))));
    group.bench_function("parse a caller's frame in full", |bencher| {
        bencher.iter(|| FromTwilio::parse_full(black_box(&message)));
    });
    // The share of the check in both of the above; here it is on bytes that are shared, as a frame of a message is.
    let payload = base64(FRAME_BYTES);
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("check a caller's base64", |bencher| {
        bencher.iter(|| AudioFrame::base64(AudioFormat::MuLaw, black_box(&payload).clone()));
    });
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let stream = stream_sid(CALL);
    let delta = delta();
    let mut group = criterion.benchmark_group("media/write");
    group.throughput(Throughput::Bytes(media_message(&stream, &delta).len() as u64));
    group.bench_function("a delta that came as base64", |bencher| {
        bencher.iter(|| media_message(black_box(&stream), black_box(&delta)));
    });
    // As after a conversion.
    let raw = AudioFrame::raw(AudioFormat::MuLaw, delta.to_raw());
    group.bench_function("a delta of raw bytes", |bencher| {
        bencher.iter(|| media_message(black_box(&stream), black_box(&raw)));
    });
    group.finish();
}

/// A stream that has begun, and Twilio's end of it.
async fn stream() -> (MediaStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(PIPE);
    let mut twilio = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    for message in caller_start(CALL) {
        twilio.send(Message::text(message)).await.expect("the pipe has room");
    }
    let mut line = MediaStream::accept(ours, Config::default()).await.expect("the start is right");
    let started = line.next().await;
    assert!(matches!(started, Some(Ok(MediaEvent::Started(_)))), "{started:?}");
    (line, twilio)
}

fn through_the_stream(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("media/stream");
    group.throughput(Throughput::Elements(u64::from(CALLER_FRAMES)));
    let messages: Vec<_> = (1..=CALLER_FRAMES).map(message).collect();
    group.bench_function("read 10 s of the caller", |bencher| {
        let spoken = || {
            runtime.block_on(async {
                let (line, mut twilio) = stream().await;
                for message in &messages {
                    twilio.feed(Message::text(message.as_str())).await.expect("the pipe has room");
                }
                twilio.flush().await.expect("the pipe has room");
                (line, twilio)
            })
        };
        bencher.iter_batched(
            spoken,
            |(mut line, twilio)| {
                runtime.block_on(async {
                    for _ in 0..CALLER_FRAMES {
                        let event = line.next().await;
                        assert!(matches!(event, Some(Ok(MediaEvent::Audio(_)))), "{event:?}");
                    }
                });
                (line, twilio)
            },
            BatchSize::SmallInput,
        );
    });

    group.throughput(Throughput::Elements(u64::from(DELTAS)));
    let delta = delta();
    group.bench_function("write 10 s of the agent", |bencher| {
        bencher.iter_batched(
            || runtime.block_on(stream()),
            |(mut line, twilio)| {
                runtime.block_on(async {
                    for _ in 0..DELTAS {
                        // Each delta by itself, flushed: a model sends them one by one.
                        line.send(MediaCommand::Audio(delta.clone())).await.expect("the pipe has room");
                    }
                });
                (line, twilio)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn stream_benches(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing");
    through_the_stream(criterion, &runtime);
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = read, write, stream_benches
}
criterion_main!(benches);
